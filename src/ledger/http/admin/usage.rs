//! Usage of all accounts or of one: by model or tool, and by periods; and why an account is refused.

use super::post::Id;
use super::query::{Asked, Asking, Foreseen, Grouped, Summed};
use crate::api::{Forecast, UsageByItem, UsageSums, Why};
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

/// Forecast what will have been spent
///
/// When the running period ends: that of the account's plan, else the month. At the pace of the last 7 days. Of all accounts it reads
/// all usage of the month.
#[utoipa::path(get, path = "/admin/v1/usage/forecast", tag = "usage", operation_id = "forecast_usage",
    params(Foreseen), responses((status = 200, body = Forecast)))]
pub async fn forecast(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Foreseen>,
) -> Result<Json<Forecast>, Failure> {
    let (account, zone) = asked.meant()?;
    Ok(Json(app.store.forecast(account, zone, Timestamp::now()).await?))
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
