//! Named tokens of fleets of gateways: create, list, revoke.

use super::operators::{make, name};
use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{NewGatewayToken, RevokeTokens, Token, Tokens};
use crate::command::admin::Command;
use crate::command::tokens::Holder;
use crate::domain::access::TokenKind;
use crate::http::App;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::convert::identity;
use std::sync::Arc;

/// Make a gateway token
///
/// For one fleet of Envoys. A gateway that has come with it is refused with any other name's token. A name may have 10 valid tokens at
/// a time. The token is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/gateway-tokens", tag = "operators", operation_id = "make_gateway_token",
    request_body = NewGatewayToken, responses((status = 201, body = Token)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewGatewayToken>,
) -> Result<Response, Failure> {
    make(&app, TokenKind::Gateway, Holder::Gateways(name(&body.name)?), body.expires_at, memo).await
}

/// List gateway tokens
///
/// Without their secrets; oldest first. Those that are no longer valid stay for 90 days.
#[utoipa::path(get, path = "/admin/v1/gateway-tokens", tag = "operators", operation_id = "list_gateway_tokens",
    params(List), responses((status = 200, body = Tokens)))]
pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Tokens>, Failure> {
    Ok(Json(app.store.tokens(TokenKind::Gateway, list.page()?, Timestamp::now()).await?))
}

/// Revoke the gateway tokens of a name
///
/// All of them, or one.
#[utoipa::path(post, path = "/admin/v1/gateway-tokens/{id}/revoke", tag = "operators", operation_id = "revoke_gateway_token",
    request_body = RevokeTokens, responses((status = 200, body = Tokens)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { body, memo }: Post<RevokeTokens>,
) -> Result<Response, Failure> {
    let command = Command::RevokeTokens { kind: TokenKind::Gateway, name, token: body.token };
    execute(&app, command, memo, StatusCode::OK, identity).await
}
