//! What the handlers of both listeners have in common: what they work on, and how long they may take.

use super::auth::Access;
use super::shared::Shared;
use super::single_sign_on::{PortalSignOn, SingleSignOn};
use crate::domain::reclaim::Watch;
use crate::mailer::Mailer;
use crate::metrics::Metrics;
use crate::outgoing::Sender;
use crate::store::{CallLog, Store};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use faregate_protocol::Credits;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a request may take, its body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an audit may take, which reads every entry that was ever made.
const AUDIT_PATIENCE: Duration = Duration::from_hours(1);

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who may use the gateway API.
    pub gateway_access: Access,
    /// Who may use the admin API.
    pub admin_access: Access,
    /// How many proxies stand before the admin API whose `x-forwarded-for` is believed.
    pub trusted_proxies: u8,
    /// How long a lease may be spent from, in milliseconds.
    pub ttl_ms: u64,
    /// How long leases have been silent.
    pub watch: Arc<Mutex<Watch>>,
    /// What the database last said to those who ask without a token.
    pub looks: CachedProbes,
    /// Records of single requests.
    pub calls: CallLog,
    /// Where customers reach the portal, without a slash at the end; none where that isn't known.
    pub portal_url: Option<String>,
    /// Makes requests to endpoints.
    pub sender: Sender,
    /// Sends mail, if it does.
    pub mailer: Option<Mailer>,
    /// How operators sign in at a provider, if they may.
    pub single_sign_on: Option<SingleSignOn>,
    /// How customers sign in to the portal at a provider; otherwise than so, without it.
    pub portal_sign_on: Option<PortalSignOn>,
}

/// What the database last said to those who ask without a token.
#[derive(Debug, Default)]
pub struct CachedProbes {
    pub(super) ready: Shared<Result<(), String>>,
    pub(super) at_risk: Shared<Option<(i64, Credits)>>,
    pub(super) size: Shared<Option<u64>>,
    pub(super) waiting: Shared<Option<u64>>,
    pub(super) waiting_mails: Shared<Option<u64>>,
}

/// A request that was given up.
pub struct TooLong;

/// Gives up on requests that take too long, such as bodies that never end, and says so as `F` does.
pub async fn in_time<F: From<TooLong>>(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, F> {
    let is_audit = request.uri().path() == "/admin/v1/audit";
    let patience = if is_audit { patience.max(AUDIT_PATIENCE) } else { patience };
    tokio::time::timeout(patience, next.run(request)).await.map_err(|_| TooLong.into())
}
