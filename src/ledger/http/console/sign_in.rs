//! Signing in with an operator's token, and out again; the choice of a time zone.
//!
//! What must hold: each sign-in begins a session of a new value, whatever cookie came with it; a token is never shown again or logged;
//! and failures are limited per address and counted as those of the admin API are.

use super::assets::version;
use super::page;
use super::session::{SessionValue, ZONE_COOKIE};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::{Fields, Posted, is_tls, read_form};
use crate::command::sessions::{BeginSession, EndSession};
use crate::domain::access::TokenKind;
use crate::http::auth::{self, Caller};
use crate::http::codes::Code;
use crate::http::connection::Peer;
use crate::http::connections::ConnectionSlot;
use crate::http::denial::Denial;
use crate::http::forwarded;
use crate::http::pages::show::Zone;
use crate::http::pages::{attempts, same_site};
use crate::http::problem::Failure;
use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    next: String,
    wrong: Option<String>,
}

/// Where to go after signing in: a page of the console and nothing else.
fn own_page(next: Option<&str>) -> String {
    let is_own = |next: &&str| {
        let rest = next.strip_prefix("/console");
        let follows = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        follows && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_own).unwrap_or("/console").to_owned()
}

/// The form.
pub async fn form(RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    page::html(StatusCode::OK, &SignInPage { next: own_page(query.get("next")), wrong: None })
}

/// Begins a session.
pub async fn enter(State(console): State<Arc<Console>>, request: Request) -> Result<Response, Trouble> {
    let headers = request.headers().clone();
    if !same_site::is_own(&headers) {
        return Err(Trouble::ForeignForm);
    }
    let seat = request.extensions().get::<Arc<ConnectionSlot>>().cloned();
    let socket = seat.as_ref().map(|seat| seat.connection.address);
    let client = forwarded::client(&headers, socket.map(|socket| socket.ip()), console.app.trusted_proxies);
    let address = client.parse::<IpAddr>().ok().map(Peer::of);
    let form = read_form(request).await?;
    let next = own_page(form.get("next"));
    if !console.attempts.may_try(&address, Instant::now()) {
        let wrong = format!(
            "Too many attempts from this address have failed. Wait {} seconds, then try again.",
            attempts::PERIOD.as_secs()
        );
        let mut answer = page::html(StatusCode::TOO_MANY_REQUESTS, &SignInPage { next, wrong: Some(wrong) });
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(attempts::PERIOD.as_secs()));
        return Ok(answer);
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
            access.denials.note(why, socket, whose.as_ref());
            console.attempts.failed(address, Instant::now());
            let wrong = match why {
                Denial::Expired => "This token has expired. Ask an admin for another one.",
                Denial::Revoked => "This token was revoked. Ask an admin for another one.",
                Denial::Missing => "Enter the token of an operator.",
                _ => "The ledger doesn\u{2019}t know this token. Enter the token of an operator.",
            };
            let page = SignInPage { next, wrong: Some(wrong.to_owned()) };
            return Ok(page::html(StatusCode::UNAUTHORIZED, &page));
        }
    };
    let tls = is_tls(&console, &headers);
    // What was signed in here before is over.
    if let Some(before) = SessionValue::of(&headers, tls) {
        console.app.store.end_session(EndSession(before.hash().to_vec()), now).await?;
    }
    let value = begin(&console, &caller, &token, client.clone(), now).await?;
    tracing::info!(operator = caller.name(), peer = %client, "an operator has signed in to the console");
    if let Some(seat) = &seat {
        seat.trust();
    }
    Ok(with_cookie(Redirect::to(&next).into_response(), value.cookie(tls)))
}

async fn begin(
    console: &Console,
    caller: &Caller,
    token: &str,
    peer: String,
    now: Timestamp,
) -> Result<SessionValue, Trouble> {
    let value = SessionValue::fresh()
        .map_err(|error| Failure::new(Code::Internal, format!("no randomness: {error}")))?;
    let (id, proof) = match caller {
        Caller::Named(token) => (Some(token.id().to_owned()), None),
        Caller::Root => (None, Some(value.proof(&crate::Secret::new(token)))),
    };
    let (hash, operator) = (value.hash(), caller.name().to_owned());
    let session = BeginSession { hash, operator, token: id, proof, peer };
    console.app.store.begin_session(session, now).await?;
    Ok(value)
}

/// Ends the session.
pub async fn leave(State(console): State<Arc<Console>>, posted: Posted) -> Result<Response, Trouble> {
    let hash = posted.visit.session.hash().to_vec();
    console.app.store.end_session(EndSession(hash), Timestamp::now()).await?;
    let forgotten = SessionValue::forgotten(posted.visit.is_tls);
    Ok(with_cookie(Redirect::to("/console/sign-in").into_response(), forgotten))
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

fn with_cookie(mut answer: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_the_console_alone() {
        for own in ["/console", "/console/accounts?name=a", "/console?by=day"] {
            assert_eq!(own_page(Some(own)), own);
        }
        for other in
            ["", "//evil.test", "/consolex", "https://evil.test/console", "/console/\\evil", "/console/\r\nx"]
        {
            assert_eq!(own_page(Some(other)), "/console", "{other}");
        }
    }
}
