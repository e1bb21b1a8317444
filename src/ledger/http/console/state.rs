//! What the console's handlers share.

use super::figures::Figures;
use super::streams::Streams;
use crate::http::app::App;
use crate::http::pages::attempts::Attempts;
use crate::log_limit::LogLimit;
use axum::Router;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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
    /// Says when the ledger shuts down.
    pub stop: Option<watch::Receiver<bool>>,
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
    /// Who follows what happens.
    pub streams: Arc<Streams>,
    /// What is followed where nothing says when the ledger shuts down.
    pub never: watch::Sender<bool>,
    /// Keeps sign-ins at a provider that is down from filling the log.
    pub sign_on_log: LogLimit,
}

impl Console {
    /// Says when the ledger shuts down.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.served.stop.clone().unwrap_or_else(|| self.never.subscribe())
    }
}
