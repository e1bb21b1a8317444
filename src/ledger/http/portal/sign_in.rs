//! Signing in with a key, to look; signing out; the choice of a time zone.
//!
//! What must hold: each sign-in begins a session of a new value, whatever cookie came with it; a key is never shown again or logged; and
//! failures are limited per address and counted.

use super::access::Access;
use super::oidc;
use super::page::Bare;
use super::session::{self, SessionValue, with_cookie};
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::{Filled, ZONE_COOKIE};
use super::who::{from, of_key};
use crate::command::portal::EndPortalSession;
use crate::http::denial::Denial;
use crate::http::pages::attempts;
use crate::http::pages::fields::{Fields, read_form};
use crate::http::pages::page::html;
use crate::http::pages::same_site;
use crate::http::pages::show::{Zone, encoded};
use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

#[derive(Template)]
#[template(path = "portal/sign_in.html")]
struct SignInPage {
    bare: Bare,
    next: String,
    takes_keys: bool,
    has_provider: bool,
    wrong: Option<String>,
}

/// Where to go after signing in: a page of the portal and nothing else.
pub fn own_page(next: Option<&str>) -> String {
    let is_own = |next: &&str| {
        let rest = next.strip_prefix("/portal");
        let follows = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let is_entrance = ["/sign-in", "/sign-out", "/oidc", "/enter"]
            .iter()
            .any(|entrance| rest.is_some_and(|rest| rest.starts_with(entrance)));
        follows && !is_entrance && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_own).unwrap_or("/portal").to_owned()
}

/// The form.
pub async fn form(State(portal): State<Arc<Portal>>, RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    shown(&portal, StatusCode::OK, own_page(query.get("next")), None)
}

/// The page with the ways to sign in.
pub fn shown(portal: &Portal, status: StatusCode, next: String, wrong: Option<String>) -> Response {
    let takes_keys = portal.settings.key_sign_in;
    let has_provider = portal.app.portal_sign_on.is_some();
    html(status, &SignInPage { bare: Bare::of(portal), next, takes_keys, has_provider, wrong })
}

/// What an address sees that has failed too often.
pub fn too_many(portal: &Portal, next: String) -> Response {
    let seconds = attempts::PERIOD.as_secs();
    let wrong =
        format!("Too many attempts from this address have failed. Wait {seconds} seconds, then try again.");
    let mut answer = shown(portal, StatusCode::TOO_MANY_REQUESTS, next, Some(wrong));
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Begins a session with a key.
pub async fn enter(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Trouble> {
    let headers = request.headers().clone();
    if !same_site::is_own(&headers) {
        return Err(Trouble::ForeignForm);
    }
    let (parts, body) = request.into_parts();
    let from = from(&portal, &parts);
    let form = read_form(Request::from_parts(parts, body)).await?;
    let next = own_page(form.get("next"));
    let peer = from.peer();
    if !portal.attempts.may_try(&peer, Instant::now()) {
        return Ok(too_many(&portal, next));
    }
    let Some((customer, key)) = of_key(&portal, &form.text("key"), Timestamp::now()).await? else {
        portal.denials.note(Denial::Unknown, from.socket(), None);
        portal.attempts.failed(peer, Instant::now());
        let wrong = "This is no API key that works. Enter one of your keys.".to_owned();
        return Ok(shown(&portal, StatusCode::UNAUTHORIZED, next, Some(wrong)));
    };
    session::end(&portal, &headers).await?;
    let value = session::begin(&portal, customer.no, Some(key.no), Access::Read).await?;
    tracing::info!(account = %customer.id, peer = %from.client, "a customer has signed in to the portal with a key");
    from.trust();
    let answer = Redirect::to(&next).into_response();
    Ok(with_cookie(answer, value.cookie(portal.is_tls(&headers))))
}

/// Ends the session, and leads back to where the customer came from.
pub async fn leave(State(portal): State<Arc<Portal>>, filled: Filled) -> Result<Response, Trouble> {
    let visit = filled.visit;
    let row = portal.app.store.portal_session(visit.session.hash()).await?.map(|found| found.row);
    let ends = EndPortalSession(visit.session.hash().to_vec());
    portal.app.store.end_portal_session(ends, Timestamp::now()).await?;
    let forgotten = SessionValue::forgotten(visit.is_tls);
    if let Some(row) = row
        && let Some(page) = oidc::signed_out(&portal, &row).await
    {
        return Ok(with_cookie(page, forgotten));
    }
    Ok(with_cookie(Redirect::to("/portal/sign-in?out=1").into_response(), forgotten))
}

/// Keeps the choice of a time zone.
pub async fn choose_zone(RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    let zone = query.get("zone").and_then(Zone::named).unwrap_or_default();
    let cookie =
        format!("{ZONE_COOKIE}={}; Path=/portal; Max-Age=31536000; HttpOnly; SameSite=Lax", zone.name);
    let back = own_page(query.get("back"));
    with_cookie(Redirect::to(&back).into_response(), HeaderValue::from_str(&cookie).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_the_portal_alone() {
        for own in ["/portal", "/portal/usage?by=day"] {
            assert_eq!(own_page(Some(own)), own);
        }
        for other in [
            "",
            "/portal/oidc?state=x",
            "/portal/sign-in/oidc",
            "//evil.test",
            "/portalx",
            "https://evil.test/portal",
            "/portal/\\evil",
            "/portal/\r\nx",
        ] {
            assert_eq!(own_page(Some(other)), "/portal", "{other}");
        }
    }
}
