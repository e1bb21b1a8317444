//! Endpoints to which events are delivered.

use super::post::{Id, Nothing, Post, execute};
use super::query::{Asked, List, OfDeliveries};
use crate::api::{Deliveries, NewWebhook, Replay, RotateSecret, Webhook, WebhookTest, Webhooks};
use crate::command::admin::{Command, Done};
use crate::command::webhooks::{self, Secret, WebhookTurn};
use crate::domain::outgoing::{Message, SECRET_BYTES, shown_secret, target};
use crate::domain::webhook::MAX_OVERLAP_S;
use crate::domain::{EventId, WebhookId};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;
use std::convert::identity;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// What a test event is called.
const TEST: &str = "webhook.test";

/// Make a webhook
///
/// From now on events are posted to its URL. The secret with which deliveries are signed is only in the first answer: a repeated request
/// gets 409 `key_already_shown`. There are at most 20.
#[utoipa::path(post, path = "/admin/v1/webhooks", tag = "webhooks", operation_id = "make_webhook",
    request_body = NewWebhook, responses((status = 201, body = Webhook)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewWebhook>,
) -> Result<Response, Failure> {
    let NewWebhook { url, events, account } = body;
    let invalid = |why: crate::domain::plan::InvalidField| Invalid::field(why.field, why.why);
    target(&url, app.sender.allows_private()).map_err(invalid)?;
    if events.as_ref().is_some_and(Vec::is_empty) {
        return Err(Invalid::field("events", "is empty; leave it out to get all").into());
    }
    let secret = fresh_secret()?;
    let shown = shown_secret(&secret.0);
    let id = WebhookId::generated(Uuid::now_v7());
    let new = webhooks::NewWebhook { id, url, kinds: events, account, secret };
    execute(&app, Command::CreateWebhook(new), memo, StatusCode::CREATED, |done| with(done, shown)).await
}

/// List webhooks
///
/// Without their secrets; oldest first.
#[utoipa::path(get, path = "/admin/v1/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    params(List), responses((status = 200, body = Webhooks)))]
pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Webhooks>, Failure> {
    Ok(Json(app.store.webhooks(list.page()?, Timestamp::now()).await?))
}

/// Show a webhook
///
/// Without its secret.
#[utoipa::path(get, path = "/admin/v1/webhooks/{id}", tag = "webhooks", operation_id = "show_webhook",
    responses((status = 200, body = Webhook)))]
pub async fn show(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<Webhook>, Failure> {
    Ok(Json(app.store.webhook(id, Timestamp::now()).await?))
}

/// List the deliveries of a webhook
///
/// Those of the last 30 days and those that wait, newest first.
#[utoipa::path(get, path = "/admin/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "list_deliveries",
    params(OfDeliveries), responses((status = 200, body = Deliveries)))]
pub async fn deliveries(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Asked(asked): Asked<OfDeliveries>,
) -> Result<Json<Deliveries>, Failure> {
    let (state, page) = asked.read()?;
    Ok(Json(app.store.deliveries(id, state, page).await?))
}

/// Replace the secret of a webhook
///
/// For `overlap_seconds` deliveries are signed with both. The new one is only in the first answer: a repeated request gets 409
/// `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/rotate-secret", tag = "webhooks", operation_id = "rotate_webhook_secret",
    request_body = RotateSecret, responses((status = 200, body = Webhook)))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { body, memo }: Post<RotateSecret>,
) -> Result<Response, Failure> {
    let overlap_s = body.overlap_seconds;
    if overlap_s > MAX_OVERLAP_S {
        let why = format!("is {overlap_s}; the most is {MAX_OVERLAP_S}, which is 30 days");
        return Err(Invalid::field("overlap_seconds", why).into());
    }
    let secret = fresh_secret()?;
    let shown = shown_secret(&secret.0);
    let command = Command::TurnWebhook { id, turn: WebhookTurn::Rotate(secret, overlap_s) };
    execute(&app, command, memo, StatusCode::OK, |done| with(done, shown)).await
}

/// Pause a webhook
///
/// Its events wait until it is resumed, for at most 30 days.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/pause", tag = "webhooks", operation_id = "pause_webhook",
    responses((status = 200, body = Webhook)))]
pub async fn pause(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    let command = Command::TurnWebhook { id, turn: WebhookTurn::Pause };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Resume a webhook
///
/// It gets the events that waited, and those that come.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/resume", tag = "webhooks", operation_id = "resume_webhook",
    responses((status = 200, body = Webhook)))]
pub async fn resume(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    let command = Command::TurnWebhook { id, turn: WebhookTurn::Resume };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Delete a webhook
///
/// It gets nothing more, also not what waits.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/delete", tag = "webhooks", operation_id = "delete_webhook",
    responses((status = 200, body = Webhook)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    let command = Command::TurnWebhook { id, turn: WebhookTurn::Delete };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Deliver events again
///
/// With `since` all that it would have got since then: also those that were delivered, and those from before it was made. With
/// `event` that one. Each has the identifier that it had.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/replay", tag = "webhooks", operation_id = "replay_webhook",
    request_body = Replay, responses((status = 200, body = Webhook)))]
pub async fn replay(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { body, memo }: Post<Replay>,
) -> Result<Response, Failure> {
    let turn = match (body.since, body.event) {
        (Some(since), None) if since > Timestamp::now() => {
            return Err(Invalid::field("since", format!("is {since}, which is in the future")).into());
        }
        (Some(since), None) => WebhookTurn::Replay(since),
        (None, Some(event)) => WebhookTurn::ReplayOne(event),
        (Some(_), Some(_)) => {
            return Err(Invalid::field("event", "is there beside `since`; give one of them").into());
        }
        (None, None) => {
            return Err(Invalid::field("since", "is missing, and so is `event`; give one of them").into());
        }
    };
    let command = Command::TurnWebhook { id, turn };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Test a webhook
///
/// Sends an event of type `webhook.test` now, whatever its state is, and says what came of it. It changes nothing and is not repeated,
/// so a repeated request sends another one.
#[utoipa::path(post, path = "/admin/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "test_webhook",
    responses((status = 200, body = WebhookTest)))]
pub async fn test(
    State(app): State<Arc<App>>,
    Id(id): Id,
    _: Post<Nothing>,
) -> Result<Json<WebhookTest>, Failure> {
    let endpoint = app.store.webhook_row(id).await?;
    let now = Timestamp::now();
    let message = Message {
        id: EventId::generated(Uuid::now_v7()).to_string(),
        kind: TEST.to_owned(),
        account: Some(TEST.to_owned()),
        sequence: 0,
        time: now,
        data: json!({"webhook": endpoint.id.as_str()}),
    };
    let begun = Instant::now();
    let answered = app.sender.deliver(&endpoint, &message, now).await;
    Ok(Json(WebhookTest {
        webhook: endpoint.id.to_string(),
        event: message.id,
        delivered: answered.error.is_none(),
        status: answered.status,
        error: answered.error,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }))
}

fn with(done: Done, secret: String) -> Done {
    match done {
        Done::Webhook(webhook) => Done::Webhook(Webhook { secret: Some(secret), ..webhook }),
        other => other,
    }
}

fn fresh_secret() -> Result<Secret, Failure> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(Code::Internal, format!("no randomness: {error}")))?;
    Ok(Secret(bytes))
}
