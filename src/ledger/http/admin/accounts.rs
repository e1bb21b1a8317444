//! Accounts: create, list, show, rename, suspend, resume, close, reopen; their balance and usage.

use super::post::{Id, Nothing, Post, execute, short};
use super::query::{Asked, OfAccounts, Times};
use crate::api::{Account, AccountName, Accounts, Balance, NewAccount, Usage};
use crate::command::admin::Command;
use crate::domain::AccountId;
use crate::domain::account::Transition;
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

/// Open an account
#[utoipa::path(post, path = "/admin/v1/accounts", tag = "accounts", operation_id = "open_account",
    request_body = NewAccount, responses((status = 201, body = Account)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewAccount>,
) -> Result<Response, Failure> {
    short("name", body.name.as_ref(), 200)?;
    let id = match body.id {
        Some(id) => AccountId::parse(&id).map_err(|error| Invalid::field("id", error.to_string()))?,
        None => AccountId::generated(Uuid::now_v7()),
    };
    let command = Command::CreateAccount { id, name: body.name };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// List accounts
///
/// In the order of their identifiers: those for which all conditions are true. With a condition one answer looks at no more than
/// 10000 accounts, so it may have fewer than `limit`, even none, while `next` says that there are more to look at.
#[utoipa::path(get, path = "/admin/v1/accounts", tag = "accounts", operation_id = "list_accounts",
    params(OfAccounts), responses((status = 200, body = Accounts)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<OfAccounts>,
) -> Result<Json<Accounts>, Failure> {
    Ok(Json(app.store.accounts(asked.read()?).await?))
}

/// Show an account
#[utoipa::path(get, path = "/admin/v1/accounts/{id}", tag = "accounts", operation_id = "show_account",
    responses((status = 200, body = Account)))]
pub async fn show(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<Account>, Failure> {
    Ok(Json(app.store.account(id).await?))
}

/// Suspend an account
///
/// All of its requests are refused until it is resumed.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/suspend", tag = "accounts", operation_id = "suspend_account",
    responses((status = 200, body = Account)))]
pub async fn suspend(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post, Transition::Suspend).await
}

/// Resume a suspended account
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/resume", tag = "accounts", operation_id = "resume_account",
    responses((status = 200, body = Account)))]
pub async fn resume(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post, Transition::Resume).await
}

/// Close an account
///
/// All of its requests are refused, and its subscription ends. It can be reopened for 30 days.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/close", tag = "accounts", operation_id = "close_account",
    responses((status = 200, body = Account)))]
pub async fn close(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post, Transition::Close).await
}

/// Reopen a closed account
///
/// Within 30 days after it was closed. It is active again, with its keys and what is left of its grants, and without a subscription.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/reopen", tag = "accounts", operation_id = "reopen_account",
    responses((status = 200, body = Account)))]
pub async fn reopen(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    turn(app, id, post, Transition::Reopen).await
}

/// Rename an account
///
/// Its identifier stays.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/rename", tag = "accounts", operation_id = "rename_account",
    request_body = AccountName, responses((status = 200, body = Account)))]
pub async fn rename(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<AccountName>,
) -> Result<Response, Failure> {
    let name = body.name;
    if name.is_empty() {
        return Err(Invalid::field("name", "is empty; give the account a name").into());
    }
    short("name", Some(&name), 200)?;
    execute(&app, Command::RenameAccount { account, name }, memo, StatusCode::OK, identity).await
}

async fn turn(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { memo, .. }: Post<Nothing>,
    turn: Transition,
) -> Result<Response, Failure> {
    execute(&app, Command::TurnAccount { account, turn }, memo, StatusCode::OK, identity).await
}

/// Show the balance of an account
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/balance", tag = "accounts", operation_id = "show_balance",
    responses((status = 200, body = Balance)))]
pub async fn balance(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<Balance>, Failure> {
    Ok(Json(app.store.balance(id, Timestamp::now()).await?))
}

/// List the usage of an account
///
/// Per minute, key and rule; oldest first.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/usage", tag = "accounts", operation_id = "list_usage",
    params(Times), responses((status = 200, body = Usage)))]
pub async fn usage(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Asked(times): Asked<Times>,
) -> Result<Json<Usage>, Failure> {
    Ok(Json(app.store.usage(id, times.usage()?).await?))
}
