//! Records of single requests.

use super::call_query::OfCalls;
use super::query::Asked;
use crate::api::Calls;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// List calls
///
/// Single requests that gateways decided about, newest first, of rules that record them. What no index finds is looked for at most two
/// seconds: then `next` says where to go on. Indexes find an account's calls, and a request's identifier.
#[utoipa::path(get, path = "/admin/v1/calls", tag = "calls", operation_id = "list_calls",
    params(OfCalls), responses((status = 200, body = Calls)))]
pub async fn list(State(app): State<Arc<App>>, Asked(asked): Asked<OfCalls>) -> Result<Json<Calls>, Failure> {
    Ok(Json(app.calls.search(asked.read()?).await?))
}
