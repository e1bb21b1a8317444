//! `faregate serve`: runs the ledger until a signal stops it.

use super::{
    certificates::Tls,
    failure::Failure,
    place::{Limits, Place},
    tokens::{self, process_environment},
    when,
};
use clap::Args;
use faregate_ledger::{Secret, ServeConfig};
use std::{net::SocketAddr, task::Poll, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that says what is logged, for example `info` or `faregate_ledger=debug`.
const LOG_VARIABLE: &str = "FAREGATE_LOG";

/// The tokens come from FAREGATE_GATEWAY_TOKEN and FAREGATE_ADMIN_TOKEN, or from the files that
/// FAREGATE_GATEWAY_TOKEN_FILE and FAREGATE_ADMIN_TOKEN_FILE name. There is no default.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    tls: Tls,
    /// Where gateways exchange
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7401")]
    gateway_listen: SocketAddr,
    /// Where operators administrate
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7402")]
    admin_listen: SocketAddr,
    /// How long a gateway may spend from a lease without a word from the ledger
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = when::duration)]
    lease_ttl: Duration,
    /// How much longer the ledger waits before it takes an unheard-of lease back
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = when::duration)]
    lease_grace: Duration,
}

impl Serve {
    pub fn run(self, json: bool) -> Result<(), Failure> {
        let gateway_token = tokens::from_environment(tokens::GATEWAY, &process_environment)?;
        let admin_token = tokens::from_environment(tokens::ADMIN, &process_environment)?;
        if gateway_token == admin_token {
            return Err(Failure::new(
                "token",
                format!("{} and {} are the same", tokens::GATEWAY, tokens::ADMIN),
            )
            .cure("make two: a gateway must not be able to grant credits"));
        }
        log_to_stderr(json, "info")?;
        let mut database = self.place.database(&process_environment)?;
        self.limits.apply(&mut database)?;
        let (gateway_tls, admin_tls) = self.tls.files(&process_environment)?;
        let config = ServeConfig {
            database,
            gateway_listen: self.gateway_listen,
            admin_listen: self.admin_listen,
            gateway_tls,
            admin_tls,
            gateway_token: Secret::new(gateway_token),
            admin_token: Secret::new(admin_token),
            lease_ttl: self.lease_ttl,
            lease_grace: self.lease_grace,
        };
        runtime()?.block_on(async {
            let stop = stop_signal(&STOP)?;
            faregate_ledger::serve(config, stop)
                .await
                .map_err(|error| Failure::new("serve", format!("{error:#}")))
        })
    }
}

/// The runtime that everything which serves runs on.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("runtime", format!("can't start the asynchronous runtime: {error}")))
}

/// What asks `serve` to end.
pub const STOP: [SignalKind; 2] = [SignalKind::interrupt(), SignalKind::terminate()];
/// What asks a gate in the foreground to end: its terminal's closing, too, or Envoy would be left behind.
pub const STOP_OR_HANGUP: [SignalKind; 3] =
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];

/// Ready once the process gets one of these signals. Must be called inside a runtime.
pub fn stop_signal(kinds: &[SignalKind]) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let caught: Result<Vec<Signal>, _> = kinds.iter().map(|kind| signal(*kind)).collect();
    let mut caught =
        caught.map_err(|error| Failure::new("signal", format!("can't catch signals: {error}")))?;
    Ok(std::future::poll_fn(move |context| {
        let arrived = caught.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if arrived { Poll::Ready(()) } else { Poll::Pending }
    }))
}

/// Structured logs on stderr, as text or JSON, at the level of `FAREGATE_LOG`.
pub fn log_to_stderr(json: bool, default_level: &str) -> Result<(), Failure> {
    let wanted = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| default_level.to_owned());
    let targets: Targets = wanted.parse().map_err(|error| {
        Failure::usage(format!("{LOG_VARIABLE}: {wanted:?}: {error}"))
            .cure("give a level (error, warn, info, debug, trace), or target=level pairs with commas between")
    })?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    // A second call changes nothing: the first log stays.
    let _ = if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
        registry.with(layer.with_ansi(ansi).with_target(false)).try_init()
    };
    Ok(())
}
