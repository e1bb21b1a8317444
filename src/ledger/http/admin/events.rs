//! Events, and what is announced.

use super::post::{Id, Post, execute};
use super::query::{Asked, OfEvents};
use crate::api::{Alerts, Events, NewAlerts};
use crate::command::admin::Command;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::exchange::MAX_AMOUNT;
use std::convert::identity;
use std::sync::Arc;

/// List events
///
/// What happened about accounts in the last 30 days, newest first.
#[utoipa::path(get, path = "/admin/v1/events", tag = "events", operation_id = "list_events",
    params(OfEvents), responses((status = 200, body = Events)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<OfEvents>,
) -> Result<Json<Events>, Failure> {
    Ok(Json(app.store.events(asked.read()?).await?))
}

/// Show what is announced of all accounts
///
/// It holds for accounts that say nothing else.
#[utoipa::path(get, path = "/admin/v1/alerts", tag = "events", operation_id = "show_default_alerts",
    responses((status = 200, body = Alerts)))]
pub async fn show_default(State(app): State<Arc<App>>) -> Result<Json<Alerts>, Failure> {
    Ok(Json(app.store.alerts(None).await?))
}

/// Set what is announced of all accounts
///
/// It holds for accounts that say nothing else, from the next time that their balance changes.
#[utoipa::path(post, path = "/admin/v1/alerts", tag = "events", operation_id = "set_default_alerts",
    request_body = NewAlerts, responses((status = 200, body = Alerts)))]
pub async fn set_default(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewAlerts>,
) -> Result<Response, Failure> {
    check(&body)?;
    execute(&app, Command::SetAlerts { account: None, asked: body }, memo, StatusCode::OK, identity).await
}

/// Show what is announced of an account
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/alerts", tag = "events", operation_id = "show_alerts",
    responses((status = 200, body = Alerts)))]
pub async fn show(State(app): State<Arc<App>>, Id(account): Id) -> Result<Json<Alerts>, Failure> {
    Ok(Json(app.store.alerts(Some(account)).await?))
}

/// Set what is announced of an account
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/alerts", tag = "events", operation_id = "set_alerts",
    request_body = NewAlerts, responses((status = 200, body = Alerts)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewAlerts>,
) -> Result<Response, Failure> {
    check(&body)?;
    let command = Command::SetAlerts { account: Some(account), asked: body };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Whether it may be announced.
pub fn check(asked: &NewAlerts) -> Result<(), Invalid> {
    match asked.balance_below {
        Some(below) if below > MAX_AMOUNT => {
            Err(Invalid::field("balance_below", format!("is {below}; the most is {MAX_AMOUNT}")))
        }
        _ => Ok(()),
    }
}
