//! Signing in with a key, to look; signing out; the choice of a time zone.
//!
//! What must hold: each sign-in begins a session of a new value, whatever cookie came with it; a key is never shown again or logged; and
//! failures are limited per address and counted.

use super::access::Access;
use super::entrance::{own_page, shown, too_many};
use super::oidc;
use super::session::{self, SessionValue, with_cookie};
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::{Filled, ZONE_COOKIE};
use super::who::{from, of_key};
use crate::command::portal::EndPortalSession;
use crate::http::denial::Denial;
use crate::http::pages::fields::{Fields, read_form};
use crate::http::pages::same_site;
use crate::http::pages::show::Zone;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderValue;
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// The form.
pub async fn form(State(portal): State<Arc<Portal>>, RawQuery(query): RawQuery) -> Response {
    let query = Fields::parse(query.as_deref().unwrap_or_default());
    shown(&portal, StatusCode::OK, own_page(query.get("next")), None)
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
