//! Whether the ledger is alive, ready, and what it counts. None of these need a token: they tell
//! nothing about accounts, and who probes and scrapes should hold no token that moves money.

use super::app::App;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long a look at the database may take: with [`KEPT`](super::shared::KEPT), who asks hears of a fault within 2 s.
const LOOK: Duration = Duration::from_millis(1_500);

/// What a scraper accepts that reads the OpenMetrics format.
const OPENMETRICS: &str = "application/openmetrics-text";

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "ledger", operation_id = "healthz",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
pub async fn healthz() -> &'static str {
    "alive\n"
}

/// A write to the database works, or did within half a second, and none has failed since.
#[utoipa::path(get, path = "/readyz", tag = "ledger", operation_id = "readyz",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String),
        (status = 503, description = "It doesn't; the text says why", content_type = "text/plain", body = String)))]
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    match readiness(&app).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// Whether a write works; why not.
pub async fn readiness(app: &App) -> Result<(), String> {
    let write = async {
        let write_probe = Box::pin(app.store.write_probe(Timestamp::now()));
        let written = tokio::time::timeout(LOOK, write_probe).await;
        let late = |_| {
            format!(
                "a write to the database takes more than {LOOK:?}; look at its disk, and at the ledger's log"
            )
        };
        written.map_err(late)?.map_err(|error| error.to_string())
    };
    let written = app.looks.ready.get(write).await;
    written.and_then(|()| app.store.recent_fault().map_err(|error| error.to_string()))
}

/// The counters, for Prometheus: in its text format, or in the OpenMetrics format for those who accept that.
#[utoipa::path(get, path = "/metrics", tag = "ledger", operation_id = "metrics",
    responses((status = 200, description = "In Prometheus' text format", content_type = "text/plain", body = String)))]
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    refresh(&app).await;
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, page) = if accepted.into_iter().any(|kinds| kinds.contains(OPENMETRICS)) {
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", app.metrics.openmetrics())
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", app.metrics.text())
    };
    ([(CONTENT_TYPE, kind)], page).into_response()
}

/// Has the counters say how things are now.
pub async fn refresh(app: &App) {
    let read = async {
        let read = tokio::time::timeout(LOOK, Box::pin(app.store.at_risk())).await;
        match read {
            Ok(Ok(read)) => Some(read),
            Ok(Err(error)) if error.is_outage() => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the credits at risk could not be read");
                None
            }
            Err(_) => {
                tracing::warn!("the credits at risk could not be read: no answer within {LOOK:?}");
                None
            }
        }
    };
    let size = async {
        let read = tokio::time::timeout(LOOK, Box::pin(app.store.size_bytes())).await;
        read.ok().and_then(Result::ok)
    };
    // All at once: a database that doesn't answer delays the page by one look.
    let (ready, at_risk, size) =
        tokio::join!(readiness(app), app.looks.at_risk.get(read), app.looks.size.get(size));
    app.metrics.ready(ready.is_ok());
    if let Some((leases, credits)) = at_risk {
        app.metrics.at_risk(leases, credits);
    }
    if let Some(bytes) = size {
        app.metrics.database_size(bytes);
    }
    let waiting = async {
        let read = tokio::time::timeout(LOOK, Box::pin(app.store.waiting_deliveries())).await;
        read.ok().and_then(Result::ok)
    };
    if let Some(events) = app.looks.waiting.get(waiting).await {
        app.metrics.waiting_deliveries(events);
    }
    let waiting = async {
        let read = tokio::time::timeout(LOOK, Box::pin(app.store.waiting_mails())).await;
        read.ok().and_then(Result::ok)
    };
    if let Some(mails) = app.looks.waiting_mails.get(waiting).await {
        app.metrics.waiting_mails(mails);
    }
    app.metrics.queued(app.store.queued());
}
