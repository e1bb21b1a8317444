//! Subscriptions: begin, show, activate, past due, pause, resume, cancel, change.

use super::post::{Id, Nothing, Post, execute};
use crate::api::{Cancel, NewSubscription, PastDue, Subscription, SubscriptionChange};
use crate::command::admin::{Command, IdempotencyRecord};
use crate::domain::subscription::Transition;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// Subscribe an account to a plan
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription", tag = "subscriptions", operation_id = "subscribe",
    request_body = NewSubscription, responses((status = 201, body = Subscription)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewSubscription>,
) -> Result<Response, Failure> {
    let id = format!("sub_{}", Uuid::now_v7().simple());
    let command = Command::Subscribe { account, id, asked: body };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// Show the newest subscription of an account
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/subscription", tag = "subscriptions", operation_id = "show_subscription",
    responses((status = 200, body = Subscription)))]
pub async fn show(State(app): State<Arc<App>>, Id(account): Id) -> Result<Json<Subscription>, Failure> {
    Ok(Json(app.store.subscription(account).await?))
}

/// Activate a subscription
///
/// It is paid for: ends a trial or a grace period.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/activate", tag = "subscriptions", operation_id = "activate_subscription",
    responses((status = 200, body = Subscription)))]
pub async fn activate(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Transition::Activate).await
}

/// Mark a subscription as past due
///
/// A payment is missing: nothing may be spent after the grace period.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/past-due", tag = "subscriptions", operation_id = "mark_subscription_past_due",
    request_body = PastDue, responses((status = 200, body = Subscription)))]
pub async fn past_due(
    app: State<Arc<App>>,
    id: Id,
    Post { body, memo }: Post<PastDue>,
) -> Result<Response, Failure> {
    turn(app, id, memo, Transition::PastDue(body.grace_until)).await
}

/// Pause a subscription
///
/// No further period begins.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/pause", tag = "subscriptions", operation_id = "pause_subscription",
    responses((status = 200, body = Subscription)))]
pub async fn pause(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Transition::Pause).await
}

/// Resume a subscription
///
/// Periods begin again. Also takes back a cancellation or a change of the plan that is still to come.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/resume", tag = "subscriptions", operation_id = "resume_subscription",
    responses((status = 200, body = Subscription)))]
pub async fn resume(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Transition::Resume).await
}

/// Cancel a subscription
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/cancel", tag = "subscriptions", operation_id = "cancel_subscription",
    request_body = Cancel, responses((status = 200, body = Subscription)))]
pub async fn cancel(
    app: State<Arc<App>>,
    id: Id,
    Post { body, memo }: Post<Cancel>,
) -> Result<Response, Failure> {
    turn(app, id, memo, Transition::Cancel { at_once: body.at_once }).await
}

/// Change a subscription to another plan
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/subscription/change", tag = "subscriptions", operation_id = "change_subscription",
    request_body = SubscriptionChange, responses((status = 200, body = Subscription)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<SubscriptionChange>,
) -> Result<Response, Failure> {
    let id = format!(" {}", Uuid::now_v7().simple());
    let command = Command::ChangeSubscription { account, id, asked: body };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

async fn turn(
    State(app): State<Arc<App>>,
    Id(account): Id,
    memo: IdempotencyRecord,
    turn: Transition,
) -> Result<Response, Failure> {
    execute(&app, Command::TurnSubscription { account, turn }, memo, StatusCode::OK, identity).await
}
