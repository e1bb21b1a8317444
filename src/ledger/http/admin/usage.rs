//! Usage under metered rules, by model or tool.

use super::query::{Asked, Grouped};
use crate::api::UsageByItem;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// Show what was used by model or tool
///
/// Of rules that are priced by what requests use. Those that cost the most come first.
#[utoipa::path(get, path = "/admin/v1/usage", tag = "usage", operation_id = "show_usage_by_item",
    params(Grouped), responses((status = 200, body = UsageByItem)))]
pub async fn by_item(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Grouped>,
) -> Result<Json<UsageByItem>, Failure> {
    Ok(Json(app.store.usage_by_item(asked.items()?).await?))
}
