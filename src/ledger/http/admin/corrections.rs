//! Corrections: void a grant, adjust a balance, list.

use super::post::{Id, Post, execute, short};
use super::query::{Asked, List};
use crate::api::{Correction, Corrections, NewAdjustment, VoidGrant};
use crate::command::admin::Command;
use crate::command::corrections::{Adjust, Void};
use crate::domain::{CorrectionId, GrantId};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// Take back a grant
///
/// All of it, or an amount. What remains is taken at once. What is in leases is recalled, and taken as gateways return it. What is spent
/// stays spent, or becomes owed.
#[utoipa::path(post, path = "/admin/v1/grants/{id}/void", tag = "corrections", operation_id = "void_grant",
    request_body = VoidGrant, responses((status = 201, body = Correction)))]
pub async fn void(
    State(app): State<Arc<App>>,
    Id(grant): Id,
    Post { body, memo }: Post<VoidGrant>,
) -> Result<Response, Failure> {
    if body.amount.is_some_and(|amount| !amount.is_positive()) {
        let why = "\"0\" takes nothing back; it must be above zero, or absent to take back all";
        return Err(Invalid::field("amount", why).into());
    }
    short("note", body.note.as_ref(), 200)?;
    let id = CorrectionId::generated(Uuid::now_v7());
    let command = Command::VoidGrant(Void { id, grant, asked: body });
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// Adjust a balance
///
/// An amount above zero is given as a grant. One below zero is taken from the grants in the order in which they are spent; what isn't there
/// is refused, or becomes owed.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/adjust", tag = "corrections", operation_id = "adjust_balance",
    request_body = NewAdjustment, responses((status = 201, body = Correction)))]
pub async fn adjust(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewAdjustment>,
) -> Result<Response, Failure> {
    if body.amount.is_zero() {
        return Err(Invalid::field("amount", "\"0\" changes nothing; it must be above or below zero").into());
    }
    short("note", body.note.as_ref(), 200)?;
    let (id, grant) = (CorrectionId::generated(Uuid::now_v7()), GrantId::generated(Uuid::now_v7()));
    let command = Command::Adjust(Adjust { id, account, grant, asked: body });
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// List the corrections of an account
///
/// Voided grants and adjustments; oldest first.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/corrections", tag = "corrections", operation_id = "list_corrections",
    params(List), responses((status = 200, body = Corrections)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Asked(list): Asked<List>,
) -> Result<Json<Corrections>, Failure> {
    Ok(Json(app.store.corrections(account, list.page()?).await?))
}
