//! The trail: what operators did.

use super::query::{self, Asked};
use crate::api::Trail;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// List what operators did
///
/// Each write of this API, newest first.
#[utoipa::path(get, path = "/admin/v1/trail", tag = "operators", operation_id = "list_trail",
    params(query::Done), responses((status = 200, body = Trail)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<query::Done>,
) -> Result<Json<Trail>, Failure> {
    Ok(Json(app.store.trail(asked.trail()?).await?))
}
