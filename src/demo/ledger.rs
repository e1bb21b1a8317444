//! The ledger of `up`: a task of this process, on the same code as `faregate serve`.

use crate::{
    address::{is_free, loopback},
    home::StateDir,
};
use faregate_client::Failure;
use faregate_ledger::{
    Bound, CallLimits, Database, PortalConfig, PortalSettings, Secret, ServeConfig, WhereNone,
};
use std::time::Duration;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// Where the portal is, where that is free.
const PORTAL_PORT: u16 = 7403;
/// A lease of `up` lives for this long without a word from the ledger.
const LEASE_TTL: Duration = Duration::from_secs(20);
/// And is taken back after this much more.
const LEASE_GRACE: Duration = Duration::from_secs(10);
/// The longest to wait for the ledger to end; its own bound on what is under way is shorter.
const LEDGER_STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The ledger as a task of this process.
pub struct Ledger {
    pub bound: Bound,
    /// `None` once its end was seen.
    task: Option<JoinHandle<anyhow::Result<()>>>,
    stop: oneshot::Sender<()>,
}

impl Ledger {
    /// Starts it on this directory's database.
    pub async fn start(home: &StateDir, usual_ports: bool, portal: bool) -> Result<Self, Failure> {
        let port = |usual| {
            if usual_ports && is_free(loopback(usual)) { usual } else { 0 }
        };
        let config = ServeConfig {
            database: Database::Directory(home.path.clone()),
            where_none: WhereNone::Begin,
            gateway_listen: loopback(port(7401)),
            admin_listen: loopback(port(7402)),
            gateway_tls: None,
            admin_tls: None,
            gateway_tokens: vec![Secret::new(home.gateway_token.clone())],
            admin_tokens: vec![Secret::new(home.admin_token.clone())],
            portal: portal.then(|| PortalConfig {
                listen: loopback(port(PORTAL_PORT)),
                tls: None,
                trusted_proxies: 0,
            }),
            portal_settings: PortalSettings::default(),
            trusted_proxies: 0,
            otlp: None,
            webhook_allow_private: false,
            mail: None,
            single_sign_on: None,
            portal_sign_on: None,
            keep_trail: ServeConfig::KEEP_TRAIL,
            call_limits: CallLimits::USUAL,
            lease_ttl: LEASE_TTL,
            lease_grace: LEASE_GRACE,
        };
        let (tell, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut task = tokio::spawn(faregate_ledger::serve_and_tell(config, tell, async {
            // A sender that is gone means the same as its message.
            let _ = stopped.await;
        }));
        match started.await {
            Ok(bound) => Ok(Self { bound, task: Some(task), stop }),
            Err(_) => Err(ended(&mut task).await),
        }
    }

    /// Ready once it has ended without having been asked to; says with what words.
    pub async fn died(&mut self) -> Failure {
        let failure = match &mut self.task {
            Some(task) => ended(task).await,
            None => Failure::new("ledger", "the ledger has ended"),
        };
        self.task = None;
        failure
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(self) -> Result<(), Failure> {
        let failed =
            |why: String| Failure::new("ledger", format!("the ledger didn't end in good order: {why}"));
        // When it has ended already, its result says so.
        let _ = self.stop.send(());
        let Some(task) = self.task else { return Ok(()) };
        match timeout(LEDGER_STOP_TIMEOUT, task).await {
            Ok(Ok(result)) => result.map_err(|error| failed(format!("{error:#}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("it took longer than {LEDGER_STOP_TIMEOUT:?}"))),
        }
    }
}

async fn ended(task: &mut JoinHandle<anyhow::Result<()>>) -> Failure {
    let why = match task.await {
        Ok(Ok(())) => "it was never asked to".to_owned(),
        Ok(Err(error)) => format!("{error:#}"),
        Err(error) => error.to_string(),
    };
    Failure::new("ledger", format!("the ledger ended: {why}"))
}
