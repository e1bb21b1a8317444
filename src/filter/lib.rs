//! The gate: a filter in Envoy's request path that charges a prepaid account before a request reaches
//! the service, and answers 402 when it can't.
//!
//! - [`decide`] decides: pure functions and plain state machines, with `now` and shared memory as
//!   arguments. The wasm filter, `faregate check` and the simulator run the same code.
//! - `host` is the only place that names `proxy_wasm`, and exists only in the wasm build.

pub mod decide;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(test)]
mod layers;
