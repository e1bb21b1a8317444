//! Usage of all accounts or of one: by model or tool, and by periods; and why an account is refused.

use super::post::Id;
use super::query::{Asked, Asking, Grouped, Summed};
use crate::api::{UsageByItem, UsageSums, Why};
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use std::sync::Arc;

/// Sum up usage by periods
///
/// By hours, days or months, and within them by account, team, key, rule, product, or model and tool.
#[utoipa::path(get, path = "/admin/v1/usage/sums", tag = "usage", operation_id = "sum_up_usage",
    params(Summed), responses((status = 200, body = UsageSums)))]
pub async fn sums(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Summed>,
) -> Result<Json<UsageSums>, Failure> {
    Ok(Json(app.store.usage_sums(asked.sums(Timestamp::now())?).await?))
}

/// Show why an account is refused
///
/// What keeps its requests from passing now and what cures it, and what was refused lately.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/why", tag = "accounts", operation_id = "show_why",
    params(Asking), responses((status = 200, body = Why)))]
pub async fn why(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Asked(asked): Asked<Asking>,
) -> Result<Json<Why>, Failure> {
    let now = Timestamp::now();
    let (price, since) = asked.meant(now)?;
    Ok(Json(app.store.why(id, price, since, now).await?))
}

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
