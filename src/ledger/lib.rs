//! The ledger: the small service that keeps accounts, keys and money for the gates.
//!
//! A tour of the rooms:
//! - [`api`]: the admin API's requests and answers, shared by the server and the command line.
//! - [`domain`]: the rules of the money, as plain functions over plain data. No clock, no I/O.
//! - [`store`]: SQLite or PostgreSQL, with group commit. An answer exists only after its commit.
//! - [`http`]: the listeners: one for gateways, one for operators, and one for customers.
//! - [`oidc`]: sign-in by OpenID Connect, at one provider.
//! - [`outgoing`]: requests that the ledger makes: deliveries of events. [`mailer`]: the same by mail. [`otlp`]: call records for a
//!   collector.
//! - [`jobs`]: what happens without being asked: reclaiming, expiry, pruning, deliveries.
//! - [`serve`]: puts these together and takes them apart again.
//!
//! What must hold: never more is spent than was granted, nothing that was acknowledged is lost, and
//! replaying any message changes nothing.

pub mod api;
pub mod command;
mod descriptors;
mod dialer;
pub mod domain;
mod exposition;
pub mod http;
pub mod jobs;
mod log_limit;
pub mod mailer;
pub mod metrics;
pub mod oidc;
pub mod otlp;
pub mod outgoing;
#[cfg(test)]
mod rooms;
pub mod secret;
pub mod serve;
pub mod spreadsheet;
pub mod store;

pub use domain::call_log::CallLimits;
pub use http::{MAX_SETTINGS_BYTES, PortalSettings, TlsFiles};
pub use secret::Secret;
pub use serve::{Bound, PortalConfig, ServeConfig, serve, serve_and_tell};
pub use store::{Database, WhereNone};
