//! Operators and their tokens: create, list, revoke.

use super::keys::fresh_key;
use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{NewOperator, NewOperatorToken, RevokeTokens, Token, Tokens};
use crate::command::admin::{Command, Done, IdempotencyRecord};
use crate::command::tokens::{Holder, NewToken};
use crate::domain::TokenId;
use crate::domain::access::{FreshToken, TokenKind, TokenName};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// Make an operator
///
/// With a first token, which is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/operators", tag = "operators", operation_id = "make_operator",
    request_body = NewOperator, responses((status = 201, body = Token)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewOperator>,
) -> Result<Response, Failure> {
    let holder = Holder::NewOperator(name(&body.name)?, body.scope);
    make(&app, TokenKind::Operator, holder, body.expires_at, memo).await
}

/// Make a further token for an operator
///
/// Of the same scope; at most 10 may be valid at a time. It is only in the first answer: a repeated request gets 409
/// `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/operators/{id}/tokens", tag = "operators", operation_id = "make_operator_token",
    request_body = NewOperatorToken, responses((status = 201, body = Token)))]
pub async fn create_token(
    State(app): State<Arc<App>>,
    Id(operator): Id,
    Post { body, memo }: Post<NewOperatorToken>,
) -> Result<Response, Failure> {
    make(&app, TokenKind::Operator, Holder::Operator(operator), body.expires_at, memo).await
}

/// List the tokens of all operators
///
/// Without their secrets; oldest first. Those that are no longer valid stay for 90 days.
#[utoipa::path(get, path = "/admin/v1/operators", tag = "operators", operation_id = "list_operators",
    params(List), responses((status = 200, body = Tokens)))]
pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Tokens>, Failure> {
    Ok(Json(app.store.tokens(TokenKind::Operator, list.page()?, Timestamp::now()).await?))
}

/// Revoke the tokens of an operator
///
/// All of them, or one.
#[utoipa::path(post, path = "/admin/v1/operators/{id}/revoke", tag = "operators", operation_id = "revoke_operator",
    request_body = RevokeTokens, responses((status = 200, body = Tokens)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { body, memo }: Post<RevokeTokens>,
) -> Result<Response, Failure> {
    let command = Command::RevokeTokens { kind: TokenKind::Operator, name, token: body.token };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// The name of a holder of tokens.
pub fn name(text: &str) -> Result<TokenName, Invalid> {
    TokenName::parse(text).map_err(|error| Invalid::field("name", error.to_string()))
}

/// Makes a token, and answers with its secret.
pub async fn make(
    app: &App,
    kind: TokenKind,
    holder: Holder,
    expires_at: Option<Timestamp>,
    memo: IdempotencyRecord,
) -> Result<Response, Failure> {
    let fresh = FreshToken::of(kind, &fresh_key()?);
    let unmade = || Failure::new(Code::Internal, "a token could not be composed");
    let FreshToken { secret, hash, prefix } = fresh.ok_or_else(unmade)?;
    let id = TokenId::generated(Uuid::now_v7());
    let command = Command::CreateToken(NewToken { id, hash, prefix, expires_at, holder });
    execute(app, command, memo, StatusCode::CREATED, |done| match done {
        Done::Token(token) => Done::Token(Token { token: Some(secret), ..token }),
        other => other,
    })
    .await
}
