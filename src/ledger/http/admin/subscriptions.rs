//! Subscriptions: begin, show, activate, past due, pause, resume, cancel, change.

use super::post::{Id, Nothing, Post, execute};
use crate::api::{Cancel, NewSubscription, PastDue, Subscription, SubscriptionChange};
use crate::command::admin::{Command, IdempotencyRecord};
use crate::domain::subscription::Turn;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewSubscription>,
) -> Result<Response, Failure> {
    let id = format!("sub_{}", Uuid::now_v7().simple());
    let command = Command::Subscribe { account, id, asked: body };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

pub async fn show(State(app): State<Arc<App>>, Id(account): Id) -> Result<Json<Subscription>, Failure> {
    Ok(Json(app.store.subscription(account).await?))
}

pub async fn activate(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Turn::Activate).await
}

pub async fn past_due(
    app: State<Arc<App>>,
    id: Id,
    Post { body, memo }: Post<PastDue>,
) -> Result<Response, Failure> {
    turn(app, id, memo, Turn::PastDue(body.grace_until)).await
}

pub async fn pause(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Turn::Pause).await
}

pub async fn resume(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post.memo, Turn::Resume).await
}

pub async fn cancel(
    app: State<Arc<App>>,
    id: Id,
    Post { body, memo }: Post<Cancel>,
) -> Result<Response, Failure> {
    turn(app, id, memo, Turn::Cancel { at_once: body.at_once }).await
}

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
    turn: Turn,
) -> Result<Response, Failure> {
    execute(&app, Command::TurnSubscription { account, turn }, memo, StatusCode::OK, identity).await
}
