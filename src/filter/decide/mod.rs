//! What the gate decides, and why: no proxy_wasm, no clock, no randomness.
//!
//! Layers, from the ground up. A file imports from its own layer and from lower ones only (`layers.rs` is a test of that):
//! - [`base`]: texts, bytes, JSON, containers, time.
//! - [`lease`]: a payer's credential, how much and how fast it may still spend here, and the shared memory of all workers
//!   that holds it.
//! - [`settings`]: what the operator configured, checked when Envoy loads it.
//! - [`settlement`] and [`usage`]: the outcome of each charge, reported to the lease and to the ledger; [`calls`]: records of single
//!   requests; [`refusal`]: the
//!   only place that words a refusal.
//! - [`meter`]: what a metered request used, by what the answer says.
//! - [`request`]: who asks, for what, what it costs, how it ended; and what callers may ask about themselves.
//! - [`outcome`]: the outcome of a request.
//! - [`gate`]: ties these together for one worker, and talks to the ledger.

pub mod base;
pub mod calls;
pub mod gate;
pub mod lease;
pub mod meter;
pub mod outcome;
pub mod refusal;
pub mod request;
pub mod settings;
pub mod settlement;
pub mod usage;
