//! Signing in with an operator's token, and out again; the choice of a time zone.
//!
//! What must hold: each sign-in begins a session of a new value, whatever cookie came with it; a token is never shown again or logged;
//! and failures are limited per address and counted as those of the admin API are.

use super::entrance::{Visitor, own_page, page_of, too_many, with_cookie};
use super::session::{SessionValue, ZONE_COOKIE, no_randomness};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::{Fields, Posted, is_tls, read_form};
use super::{oidc, page};
use crate::command::sessions::{BeginSession, EndSession};
use crate::domain::access::TokenKind;
use crate::http::auth::{self, Caller};
use crate::http::denial::Denial;
use crate::http::pages::same_site;
use crate::http::pages::show::Zone;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// The form.
pub async fn form(State(console): State<Arc<Console>>, RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    page::html(StatusCode::OK, &page_of(&console, own_page(query.get("next")), None))
}

/// Begins a session.
pub async fn enter(State(console): State<Arc<Console>>, request: Request) -> Result<Response, Trouble> {
    let visitor = Visitor::of(&console, &request);
    let (headers, address) = (&visitor.headers, visitor.address);
    if !same_site::is_own(headers) {
        return Err(Trouble::ForeignForm);
    }
    let form = read_form(request).await?;
    let next = own_page(form.get("next"));
    if !console.attempts.may_try(&address, Instant::now()) {
        return Ok(too_many(&console, next));
    }
    let (access, now) = (&console.app.admin_access, Timestamp::now());
    // As if the API had been asked with it.
    let token = form.text("token");
    let mut shown = HeaderMap::new();
    if let (false, Ok(value)) = (token.is_empty(), HeaderValue::from_str(&format!("Bearer {token}"))) {
        shown.insert(AUTHORIZATION, value);
    }
    let known = console.app.store.known_tokens();
    let caller = match auth::caller(&shown, TokenKind::Operator, &access.tokens, known, now) {
        Ok(caller) => caller,
        Err((why, whose)) => {
            access.denials.note(why, visitor.socket, whose.as_ref());
            console.attempts.failed(address, Instant::now());
            let wrong = match why {
                Denial::Expired => "This token has expired. Ask an admin for another one.",
                Denial::Revoked => "This token was revoked. Ask an admin for another one.",
                Denial::Missing => "Enter the token of an operator.",
                _ => "The ledger doesn\u{2019}t know this token. Enter the token of an operator.",
            };
            let page = page_of(&console, next, Some(wrong.to_owned()));
            return Ok(page::html(StatusCode::UNAUTHORIZED, &page));
        }
    };
    let tls = is_tls(&console, headers);
    // What was signed in here before is over.
    if let Some(before) = SessionValue::of(headers, tls) {
        console.app.store.end_session(EndSession(before.hash().to_vec()), now).await?;
    }
    let value = begin(&console, &caller, &token, visitor.client.clone(), now).await?;
    tracing::info!(operator = caller.name(), peer = %visitor.client, "an operator has signed in to the console");
    visitor.trust();
    Ok(with_cookie(Redirect::to(&next).into_response(), value.cookie(tls)))
}

async fn begin(
    console: &Console,
    caller: &Caller,
    token: &str,
    peer: String,
    now: Timestamp,
) -> Result<SessionValue, Trouble> {
    let value = SessionValue::fresh().map_err(no_randomness)?;
    let id = caller.shown();
    let proof = id.is_none().then(|| value.proof(&crate::Secret::new(token)));
    let operator = caller.name().to_owned();
    let session = BeginSession { hash: value.hash(), operator, token: id, proof, identity: None, peer };
    console.app.store.begin_session(session, now).await?;
    Ok(value)
}

/// Ends the session.
pub async fn leave(State(console): State<Arc<Console>>, posted: Posted) -> Result<Response, Trouble> {
    let hash = posted.visit.session.hash();
    let began = console.app.store.session(hash).await?;
    console.app.store.end_session(EndSession(hash.to_vec()), Timestamp::now()).await?;
    let id_token = began.as_ref().and_then(|row| row.id_token.as_deref());
    let there = oidc::signed_out(&console, id_token).await;
    let answer = there.unwrap_or_else(|| Redirect::to("/console/sign-in").into_response());
    Ok(with_cookie(answer, SessionValue::forgotten(posted.visit.is_tls)))
}

/// Keeps the choice of a time zone.
pub async fn choose_zone(RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    let zone = query.get("zone").and_then(Zone::named).unwrap_or_default();
    let cookie =
        format!("{ZONE_COOKIE}={}; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Strict", zone.name);
    let back = own_page(query.get("back"));
    with_cookie(Redirect::to(&back).into_response(), HeaderValue::from_str(&cookie).ok())
}
