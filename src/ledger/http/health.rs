//! Whether the ledger is alive, ready, and what it counts. None of these need a token: they tell
//! nothing about accounts, and who probes and scrapes should hold no token that moves money.

use super::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use std::sync::Arc;

/// The process answers.
pub async fn healthz() -> &'static str {
    "alive\n"
}

/// A write to the database works.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.store.pulse(Timestamp::now()).await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// The counters, for Prometheus.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.store.at_risk().await {
        Ok((leases, credits)) => app.metrics.at_risk(leases, credits),
        Err(error) => tracing::warn!(%error, "the credits at risk could not be read"),
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.text()).into_response()
}
