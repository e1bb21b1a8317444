//! The two listeners: one for gateways, one for operators, each with a token of its own.
//!
//! What must hold: nothing is read without a limit, nothing answered before its commit, no token or
//! key is ever logged, and whatever a client sends, it gets an answer that says what is wrong.

mod admin;
mod admission;
mod auth;
mod body;
mod certificates;
mod connection;
mod connections;
mod fitting;
mod gateway;
mod handshake;
mod health;
mod listener;
mod problem;
mod server;
mod shared;
#[cfg(test)]
mod tests;
mod tls;
mod watched;

pub use certificates::{Certificates, Seen};
pub use connection::Reason;
pub use connections::{Connections, MAX_CONNECTIONS};
pub use health::Looks;
pub use listener::Listener;
pub use server::{MAX_ENDING, serve};
pub use tls::{TlsError, TlsFiles};

use crate::Secret;
use crate::domain::reclaim::Watch;
use crate::metrics::Metrics;
use crate::store::Store;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a request may take, its body included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an audit may take, which reads every entry that was ever made.
const AUDIT_PATIENCE: Duration = Duration::from_hours(1);

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// What gateways must show.
    pub gateway_token: Secret,
    /// What operators must show.
    pub admin_token: Secret,
    /// How long a lease may be spent from, in milliseconds.
    pub ttl_ms: u64,
    /// How long leases have been silent.
    pub watch: Arc<Mutex<Watch>>,
    /// What the database last said to those who ask without a token.
    pub looks: Looks,
}

/// The gateway API.
pub fn gateway_router(app: Arc<App>) -> Router {
    gateway::router(app)
}

/// Whether the gateway API takes these bytes for an exchange; else what it would say. For tools that test a
/// gateway without a ledger.
pub fn readable(body: &[u8]) -> Result<(), String> {
    gateway::readable(body)
}

/// The admin API.
pub fn admin_router(app: Arc<App>) -> Router {
    admin::router(app)
}

/// A request that was given up.
struct TooLong;

/// Gives up on requests that take too long, such as bodies that never end, and says so as `F` does.
async fn in_time<F: From<TooLong>>(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, F> {
    let is_audit = request.uri().path() == "/admin/v1/audit";
    let patience = if is_audit { patience.max(AUDIT_PATIENCE) } else { patience };
    tokio::time::timeout(patience, next.run(request)).await.map_err(|_| TooLong.into())
}
