//! What rules that only watch would have refused.

use super::query::{Asked, Watched};
use crate::api::Shadow;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// Show what rules with `shadow` would have refused
///
/// Of the last 30 days.
#[utoipa::path(get, path = "/admin/v1/shadow", tag = "shadow", operation_id = "show_shadow",
    params(Watched), responses((status = 200, body = Shadow)))]
pub async fn show(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Watched>,
) -> Result<Json<Shadow>, Failure> {
    Ok(Json(app.store.shadow(asked.shadow()?).await?))
}
