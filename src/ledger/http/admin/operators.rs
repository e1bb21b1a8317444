//! Operators and their tokens: create, list, revoke.

use super::keys::fresh_key;
use super::post::{Id, Nothing, Post, execute};
use super::query::{Asked, List};
use crate::api::{NewOperator, NewOperatorToken, RevokeTokens, SignedOut, Token, Tokens};
use crate::command::admin::{Command, Done, IdempotencyRecord};
use crate::command::tokens::{Holder, NewToken};
use crate::domain::TokenId;
use crate::domain::access::{FreshToken, OidcSubject, TokenKind, TokenName};
use crate::domain::key;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use crate::oidc::is_subject;
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
/// With a first token, which is only in the first answer: a repeated request gets 409 `key_already_shown`. With `oidc_subject` there is
/// no token: who has that subject at the ledger's OpenID provider signs in to the console.
#[utoipa::path(post, path = "/admin/v1/operators", tag = "operators", operation_id = "make_operator",
    request_body = NewOperator, responses((status = 201, body = Token)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewOperator>,
) -> Result<Response, Failure> {
    let holder = Holder::NewOperator(name(&body.name)?, body.scope);
    match body.oidc_subject {
        Some(subject) => link(&app, subject, holder, body.expires_at, memo).await,
        None => make(&app, TokenKind::Operator, holder, body.expires_at, memo).await,
    }
}

/// Make a further token for an operator
///
/// Of the same scope; at most 10 may be valid at a time. It is only in the first answer: a repeated request gets 409
/// `key_already_shown`. With `oidc_subject` no token is made: that subject identifies the operator, too.
#[utoipa::path(post, path = "/admin/v1/operators/{id}/tokens", tag = "operators", operation_id = "make_operator_token",
    request_body = NewOperatorToken, responses((status = 201, body = Token)))]
pub async fn create_token(
    State(app): State<Arc<App>>,
    Id(operator): Id,
    Post { body, memo }: Post<NewOperatorToken>,
) -> Result<Response, Failure> {
    let holder = Holder::Operator(operator);
    match body.oidc_subject {
        Some(subject) => link(&app, subject, holder, body.expires_at, memo).await,
        None => make(&app, TokenKind::Operator, holder, body.expires_at, memo).await,
    }
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

/// Sign an operator out of the console
///
/// Ends all sessions of an operator, or of somebody whom a claim has let in: then the name is what the trail has. They may sign in again.
#[utoipa::path(post, path = "/admin/v1/operators/{id}/sign-out", tag = "operators", operation_id = "sign_out_operator",
    responses((status = 200, body = SignedOut)))]
pub async fn sign_out(
    State(app): State<Arc<App>>,
    Id(operator): Id,
    Post { body: Nothing {}, memo }: Post<Nothing>,
) -> Result<Response, Failure> {
    execute(&app, Command::SignOut { operator }, memo, StatusCode::OK, identity).await
}

/// Lets a subject of the ledger's provider stand for an operator.
async fn link(
    app: &App,
    subject: String,
    holder: Holder,
    expires_at: Option<Timestamp>,
    memo: IdempotencyRecord,
) -> Result<Response, Failure> {
    if !is_subject(&subject) {
        let why = "is no subject of OpenID Connect: 1 to 255 visible ASCII characters; the page after a sign-in shows it";
        return Err(Invalid::field("oidc_subject", why).into());
    }
    let Some(single) = &app.single_sign_on else {
        let why = "has no provider: start the ledger with --oidc-issuer";
        return Err(Invalid::field("oidc_subject", why).into());
    };
    let issuer = single.provider.issuer().to_owned();
    let id = TokenId::generated(Uuid::now_v7());
    // No token has this hash: all tokens begin in another way.
    let hash = key::hash(id.as_str());
    let identity_of = Some(OidcSubject { issuer, subject });
    let new = NewToken { id, hash, prefix: String::new(), expires_at, holder, identity: identity_of };
    execute(app, Command::CreateToken(new), memo, StatusCode::CREATED, identity).await
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
    let command = Command::CreateToken(NewToken { id, hash, prefix, expires_at, holder, identity: None });
    execute(app, command, memo, StatusCode::CREATED, |done| match done {
        Done::Token(token) => Done::Token(Token { token: Some(secret), ..token }),
        other => other,
    })
    .await
}
