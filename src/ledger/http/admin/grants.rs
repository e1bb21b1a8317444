//! Grants: give, list, show, change.

use super::post::{Id, Post, execute, short};
use super::query::{Asked, OfGrants};
use crate::api::{Edit, Grant, GrantChange, Grants, MAX_PRIORITY, NewGrant};
use crate::command::admin::Command;
use crate::command::grants::ChangedGrant;
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
    in_range(priority)?;
    short("note", note.as_ref(), 200)?;
    short("source", source.as_ref(), 64)?;
    let id = GrantId::generated(Uuid::now_v7());
    let command = Command::Grant { account, id, amount, priority, expires_at, note, source };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

fn in_range(priority: u16) -> Result<(), Invalid> {
    if priority > MAX_PRIORITY {
        return Err(Invalid::field("priority", format!("is {priority}; it must be 0 to {MAX_PRIORITY}")));
    }
    Ok(())
}

/// Show a grant
#[utoipa::path(get, path = "/admin/v1/grants/{id}", tag = "grants", operation_id = "show_grant",
    responses((status = 200, body = Grant)))]
pub async fn show(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<Grant>, Failure> {
    Ok(Json(app.store.grant(id, Timestamp::now()).await?))
}

/// Change a grant
///
/// When it expires, its priority, its note. Of a grant that came with a plan, only the note.
#[utoipa::path(post, path = "/admin/v1/grants/{id}/change", tag = "grants", operation_id = "change_grant",
    request_body = GrantChange, responses((status = 200, body = Grant)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { body, memo }: Post<GrantChange>,
) -> Result<Response, Failure> {
    if body == GrantChange::default() {
        let why = "is absent, and so is all else; give expires_at, priority or note";
        return Err(Invalid::field("expires_at", why).into());
    }
    in_range(body.priority.unwrap_or_default())?;
    if let Edit::Set(note) = &body.note {
        short("note", Some(note), 200)?;
    }
    let command = Command::ChangeGrant(ChangedGrant { id, changes: body });
    execute(&app, command, memo, StatusCode::OK, identity).await
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
