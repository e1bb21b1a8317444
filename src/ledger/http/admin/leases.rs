//! Leases: what is out there, how to get it back, and whether the books agree.

use super::post::{Post, execute};
use super::query::{Asked, OfGateway};
use crate::api::{Audit, Leases, RecallAnswer, RecallRequest};
use crate::command::admin::Command;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// List open leases
#[utoipa::path(get, path = "/admin/v1/leases", tag = "leases", operation_id = "list_leases",
    params(OfGateway), responses((status = 200, body = Leases)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<OfGateway>,
) -> Result<Json<Leases>, Failure> {
    let (leases, at_risk) = app.store.leases(asked.gateway).await?;
    let watch = app.watch.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let leases = leases.into_iter().map(|(mut lease, touch)| {
        lease.heard_ms_ago = u64::try_from(watch.silence(now, touch).as_millis()).unwrap_or(u64::MAX);
        lease
    });
    Ok(Json(Leases { leases: leases.collect(), at_risk }))
}

/// Recall leases
///
/// Gateways are asked to return unused credits.
#[utoipa::path(post, path = "/admin/v1/recall", tag = "leases", operation_id = "recall_leases",
    request_body = RecallRequest, responses((status = 200, body = RecallAnswer)))]
pub async fn recall(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<RecallRequest>,
) -> Result<Response, Failure> {
    execute(&app, Command::Recall { gateway: body.gateway }, memo, StatusCode::OK, identity).await
}

/// Audit the books
///
/// Recomputes every balance from the entries. May take up to an hour.
#[utoipa::path(get, path = "/admin/v1/audit", tag = "leases", operation_id = "audit",
    responses((status = 200, body = Audit)))]
pub async fn audit(State(app): State<Arc<App>>) -> Result<Json<Audit>, Failure> {
    let audit = app.store.audit().await?;
    app.metrics.audited(audit.agrees());
    Ok(Json(audit))
}
