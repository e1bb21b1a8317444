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
mod errno;
mod headers;
mod ledger;
mod memory;
mod metrics;
mod reply;
mod root;
mod stream;
mod worker;

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
}}

/// An attribute of Envoy's.
fn property(path: Vec<&str>) -> Option<Vec<u8>> {
    hostcalls::get_property(path).ok().flatten()
}
