//! Grants: give and list.

use super::post::{Id, Post, execute, short};
use super::query::{Asked, OfGrants};
use crate::api::{Grant, Grants, MAX_PRIORITY, NewGrant};
use crate::command::admin::Command;
use crate::domain::GrantId;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// Give credits to an account
///
/// An account has at most 1000 grants with something left. They are spent in the order of priority, then of expiry, then of age.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/grants", tag = "grants", operation_id = "give_grant",
    request_body = NewGrant, responses((status = 201, body = Grant)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewGrant>,
) -> Result<Response, Failure> {
    let NewGrant { amount, priority, expires_at, note, source } = body;
    if !amount.is_positive() {
        return Err(Invalid::field("amount", "\"0\" gives nothing; it must be above zero").into());
    }
    if priority > MAX_PRIORITY {
        return Err(
            Invalid::field("priority", format!("is {priority}; it must be 0 to {MAX_PRIORITY}")).into()
        );
    }
    short("note", note.as_ref(), 200)?;
    short("source", source.as_ref(), 64)?;
    let id = GrantId::generated(Uuid::now_v7());
    let command = Command::Grant { account, id, amount, priority, expires_at, note, source };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// List the grants of an account
///
/// With what remains of each; oldest first.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/grants", tag = "grants", operation_id = "list_grants",
    params(OfGrants), responses((status = 200, body = Grants)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Asked(asked): Asked<OfGrants>,
) -> Result<Json<Grants>, Failure> {
    let (page, left) = asked.read()?;
    Ok(Json(app.store.grants(account, page, left, Timestamp::now()).await?))
}
