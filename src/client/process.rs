//! A program that serves: its runtime, its log, and the signals that ask it to end.

use crate::Failure;
use crate::terminal::{Log, is_read_by_people};
use futures_util::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that says what is logged, for example `info` or `faregate_ledger=debug`.
const LOG_VARIABLE: &str = "FAREGATE_LOG";

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
    Ok(async move {
        select_all(caught.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    })
}

/// Structured logs on stderr, as text or JSON, at the level of `FAREGATE_LOG`.
pub fn log_to_stderr(json: bool, default_level: &str) -> Result<(), Failure> {
    let wanted = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| default_level.to_owned());
    let targets: Targets = wanted.parse().map_err(|error| {
        Failure::usage(format!("{LOG_VARIABLE}: {wanted:?}: {error}"))
            .cure("give a level (error, warn, info, debug, trace), or target=level pairs with commas between")
    })?;
    let ansi = !json && is_read_by_people()[1];
    let layer = tracing_subscriber::fmt::layer().with_writer(move || Log { colours: ansi });
    let registry = tracing_subscriber::registry().with(targets);
    // A second call changes nothing: the first log stays.
    let _ = if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry.with(layer.with_ansi(ansi).with_target(false)).try_init()
    };
    Ok(())
}
