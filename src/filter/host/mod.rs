//! The filter's shell: everything that talks to Envoy, and the only place that names `proxy_wasm`.
//!
//! - [`callbacks`] is where Envoy enters; it dispatches to the two others:
//! - [`root`] is one per worker and configuration: it configures the gate, ticks, and holds the
//!   conversation with the ledger.
//! - [`stream`] is one per request; [`body`]: its body decides its price; [`changes`]: and is changed; [`answer`]: its answer is read.
//! - [`memory`], [`clock`], [`metrics`] give the core what it takes as arguments.
//!
//! What must hold: no callback panics (Envoy would drop the whole VM), so only host calls that answer with a
//! `Result`, and only values as bytes; and the gate is never borrowed while Envoy may call back.

mod answer;
mod body;
mod callbacks;
mod chain;
mod changes;
mod clock;
mod failure;
mod headers;
mod ledger;
mod memory;
mod metrics;
mod reply;
mod root;
mod stream;
mod system;
mod worker;

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

// Nothing is to be done before Envoy calls: the SDK's logger and its panic hook aren't in use.
proxy_wasm::main! {{}}

/// Writes a line to Envoy's log.
fn log(level: LogLevel, line: &str) {
    let _ = hostcalls::log(level, line);
}

/// An attribute of Envoy's.
fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}
