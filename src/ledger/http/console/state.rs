//! What the console's handlers share.

use super::attempts::Attempts;
use super::figures::Figures;
use crate::http::app::App;
use crate::log_limit::LogLimit;
use axum::Router;
use std::sync::Arc;
use std::time::Duration;

/// How the ledger is served, as far as the console shows it or depends on it.
#[derive(Clone, Debug, Default)]
pub struct ServedAs {
    /// Whether the admin listener speaks TLS.
    pub is_tls: bool,
    /// Whether the gateway listener speaks TLS.
    pub gateway_is_tls: bool,
    /// How long the trail is kept.
    pub keep_trail: Duration,
    /// How much longer than its lease a silent gateway is waited for.
    pub lease_grace: Duration,
}

/// The console.
#[derive(Debug)]
pub struct Console {
    /// What both APIs work on.
    pub app: Arc<App>,
    /// The routes of the admin API, for those who are let in.
    pub api: Router,
    /// How the ledger is served.
    pub served: ServedAs,
    /// Who failed to sign in.
    pub attempts: Attempts,
    /// What the overview shows.
    pub figures: Figures,
    /// Keeps sign-ins at a provider that is down from filling the log.
    pub sign_on_log: LogLimit,
}
