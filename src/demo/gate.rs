//! A whole gate: sample API, ledger and Envoy, started in this order and ended in the opposite one.
//!
//! What must hold: after `stop`, and after any failure of `start`, nothing that was started is left;
//! at a stop in good order no credits are left in a lease.

use crate::{
    address::{loopback, require_free},
    envoy::{Envoy, Launch},
    envoy_config::{Site, envoy_config},
    fit::{examine, require},
    home::StateDir,
    ledger::Ledger,
    sample::sample_api,
    upstream::Upstream,
};
use faregate_client::{
    Failure,
    admin::Admin,
    screen::{list, text},
    terminal::print_to_stderr,
};
use faregate_protocol::Credits;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::task::JoinHandle;

/// The longest to wait at the end until all leases are handed back.
const RECALL_TIMEOUT: Duration = Duration::from_secs(3);
/// A gateway heartbeats every second; one that was silent for this long is gone, in milliseconds.
const ALIVE_MS: u64 = 5_000;
/// Where the system's trusted certificates lie, on one system or another.
const TRUSTED_CA: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What to start.
pub struct Plan {
    pub data: PathBuf,
    /// Where Envoy accepts requests; port 0 picks a free one.
    pub listen: SocketAddr,
    /// `None` starts the sample API.
    pub upstream: Option<Upstream>,
    pub price: Credits,
    pub envoy: Option<PathBuf>,
    pub filter: Option<PathBuf>,
    /// The usual ports of the ledger, where they are free; else free ones.
    pub usual_ports: bool,
    /// Whether the portal for customers is open, too.
    pub portal: bool,
}

/// A running gate.
pub struct Gate {
    pub home: StateDir,
    pub admin: Admin,
    /// The demo account's key.
    pub key: String,
    /// What the demo account may spend.
    pub available: Credits,
    /// Where the gate accepts requests.
    pub listen: SocketAddr,
    /// Where the portal for customers is, if it is open.
    pub portal: Option<SocketAddr>,
    envoy: Envoy,
    ledger: Ledger,
    sample: Option<JoinHandle<()>>,
}

impl Gate {
    /// Starts everything; each line of Envoy's access log goes to `on_request`.
    pub async fn start(plan: Plan, on_request: impl Fn(&str) + Send + 'static) -> Result<Self, Failure> {
        let program = require(plan.envoy.as_deref())?;
        let filter = find_filter(plan.filter.as_deref())?;
        if let Some(note) = examine(&program).await?.note {
            print_to_stderr(&note);
        }
        let trusted_ca = TRUSTED_CA.iter().map(Path::new).find(|path| path.exists());
        if plan.upstream.as_ref().is_some_and(|upstream| upstream.tls) && trusted_ca.is_none() {
            return Err(Failure::new(
                "upstream",
                "an https:// upstream needs the system's trusted certificates, and there are none",
            )
            .cure("install them (Debian: ca-certificates), or give an http:// upstream"));
        }
        require_free(plan.listen)?;
        let home = StateDir::open(&plan.data)?;
        let (upstream, sample) = match plan.upstream {
            Some(upstream) => (
                blocking({
                    let upstream = upstream.clone();
                    move || upstream.reach()
                })
                .await
                .map(|()| upstream)?,
                None,
            ),
            None => start_sample().await?,
        };
        let ledger = Ledger::start(&home, plan.usual_ports, plan.portal).await?;
        let url = format!("http://{}", ledger.bound.admin);
        home.write("admin-url", &format!("{url}\n"))?;
        let admin = Admin::new(&url, home.admin_token.clone())?;
        let (home, key, available) = {
            let admin = admin.clone();
            blocking(move || home.demo_key(&admin).map(|(key, available)| (home, key, available))).await?
        };
        let config = envoy_config(&Site {
            listen: plan.listen,
            ledger: ledger.bound.gateway,
            upstream: &upstream,
            price: plan.price,
            filter: &filter,
            trusted_ca,
        });
        let config = home.write("envoy.json", &format!("{config:#}\n"))?;
        let launch = Launch {
            program: &program,
            config: &config,
            admin_address: home.file("envoy-admin"),
            gateway_token: &home.gateway_token,
        };
        let envoy = Envoy::start(launch, on_request).await?;
        let listen = match plan.listen.port() {
            0 => envoy
                .listening()
                .await
                .ok_or_else(|| Failure::new("envoy", "Envoy doesn't say where it listens"))?,
            _ => plan.listen,
        };
        let portal = ledger.bound.portal;
        Ok(Self { home, admin, key, available, listen, portal, envoy, ledger, sample })
    }

    /// Ready when a part ends unasked; says which, and its last output.
    pub async fn broken(&mut self) -> Failure {
        tokio::select! {
            failure = self.envoy.died() => failure,
            failure = self.ledger.died() => failure,
        }
    }

    /// Ends everything in good order: no new requests, credits handed back, then Envoy, then the ledger.
    pub async fn stop(self) -> Result<(), Failure> {
        self.envoy.drain().await;
        self.recall().await;
        self.abandon().await
    }

    /// Ends everything at once. What gateways held is reclaimed in the next run.
    pub async fn abandon(self) -> Result<(), Failure> {
        self.envoy.stop().await;
        if let Some(sample) = self.sample {
            sample.abort();
        }
        self.ledger.stop().await
    }

    /// Asks for all leases, and waits a moment until our Envoy holds no money. What is still out after
    /// that, the ledger reclaims by itself in its next run.
    async fn recall(&self) {
        let admin = self.admin.clone();
        let recall = move || {
            let deadline = std::time::Instant::now() + RECALL_TIMEOUT;
            admin.post("/admin/v1/recall", &json!({}))?;
            while std::time::Instant::now() < deadline {
                let answer = admin.get("/admin/v1/leases", &[])?;
                if !list(answer.get("leases").unwrap_or(&Value::Null)).iter().any(is_ours) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        };
        if let Err(failure) = blocking(recall).await {
            print_to_stderr(&format!("the credits in leases were not handed back: {failure}"));
        }
    }
}

/// Whether a lease holds money of a gateway that is alive. One that was killed in an earlier run
/// answers no recall; waiting for it would be in vain.
fn is_ours(lease: &Value) -> bool {
    let heard_ms_ago = lease.get("heard_ms_ago").and_then(Value::as_u64).unwrap_or(0);
    text(lease, "at_risk") != "0" && heard_ms_ago < ALIVE_MS
}

async fn start_sample() -> Result<(Upstream, Option<JoinHandle<()>>), Failure> {
    let failed =
        |error: std::io::Error| Failure::new("sample", format!("can't start the sample API: {error}"));
    let listener = tokio::net::TcpListener::bind(loopback(0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, sample_api()).await {
            print_to_stderr(&format!("the sample API ended: {error}"));
        }
    });
    Ok((Upstream { host: address.ip().to_string(), port: address.port(), tls: false }, Some(task)))
}

/// Finds the wasm file: what was named, beside this program, or where cargo puts it.
fn find_filter(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let missing = |what: String| {
        Failure::new("filter", what)
            .cure("build it with `make wasm`, or name it with --filter or FAREGATE_WASM")
    };
    if let Some(path) = named {
        return path
            .canonicalize()
            .map_err(|error| missing(format!("there is no filter at {}: {error}", path.display())));
    }
    let program = std::env::current_exe().and_then(|program| program.canonicalize()).unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("."));
    ["faregate.wasm", "../wasm32-wasip1/wasm/faregate.wasm"]
        .iter()
        .find_map(|place| folder.join(place).canonicalize().ok())
        .ok_or_else(|| {
            missing(
                "the filter faregate.wasm is neither beside this program nor where cargo puts it".to_owned(),
            )
        })
}

/// Runs what blocks beside the runtime.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::new("task", format!("a task was cut off: {error}"))))
}
