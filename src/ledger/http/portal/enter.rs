//! Signing in with a link.
//!
//! What must hold: looking at a link doesn't use it, because programs look at links in mails; it is used by the button of our own page,
//! once, and begins a session of a new value.

use super::page::Bare;
use super::session::{self, SessionValue};
use super::state::{From, Portal};
use super::trouble::Trouble;
use super::who::{from, too_many};
use crate::api::AccountState;
use crate::command::portal::UseLink;
use crate::domain::portal::PortalRefusal;
use crate::http::denial::Denial;
use crate::http::link::LinkValue;
use crate::http::pages::fields::{Fields, read_form};
use crate::http::pages::page::html;
use crate::http::pages::same_site;
use crate::http::pages::show::Html;
use crate::http::problem::Failure;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

#[derive(Template)]
#[template(path = "portal/enter.html")]
struct EnterPage {
    bare: Bare,
    link: String,
    account: Html,
    name: Html,
}

/// The page with the button.
pub async fn ask(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Trouble> {
    let (parts, _) = request.into_parts();
    let from = from(&portal, &parts);
    let link = Fields::parse(parts.uri.query().unwrap_or_default()).text("link");
    let value = tried(&portal, &from, LinkValue::parse(&link))?;
    let found = portal.app.store.portal_link(value.hash()).await?;
    let (row, customer) = tried(&portal, &from, found.filter(|(row, _)| row.expires_at > Timestamp::now()))?;
    if row.used_at.is_some() {
        return Err(session::refused(PortalRefusal::UsedLink).into());
    }
    if customer.state == AccountState::Closed {
        return Err(session::refused(PortalRefusal::Closed).into());
    }
    let page = EnterPage {
        bare: Bare::of(&portal),
        link,
        account: Html::text(&customer.id),
        name: customer.name.map(Html::text).unwrap_or_default(),
    };
    Ok(html(StatusCode::OK, &page))
}

/// What was found; who finds nothing too often has to wait.
fn tried<T>(portal: &Portal, from: &From, found: Option<T>) -> Result<T, Failure> {
    if !portal.attempts.may_try(&from.peer(), Instant::now()) {
        return Err(too_many());
    }
    found.ok_or_else(|| {
        portal.denials.note(Denial::Unknown, from.socket(), None);
        portal.attempts.failed(from.peer(), Instant::now());
        session::refused(PortalRefusal::UnknownLink)
    })
}

/// Begins a session, and uses the link up. Gives the account's identifier, too.
pub async fn use_link(portal: &Portal, link: &str, from: &From) -> Result<(SessionValue, String), Failure> {
    let link = tried(portal, from, LinkValue::parse(link))?;
    let (value, session) = session::fresh()?;
    let (store, now) = (&portal.app.store, Timestamp::now());
    let used = store.use_link(UseLink { link: link.hash(), session }, now).await?;
    match used {
        Err(PortalRefusal::UnknownLink) => tried(portal, from, None)?,
        used => used.map_err(session::refused)?,
    }
    let entered = store.portal_session(value.hash()).await?;
    let account = entered.map(|found| found.customer.id).unwrap_or_default();
    tracing::info!(%account, peer = %from.client, "a customer has signed in to the portal with a link");
    Ok((value, account))
}

/// The button was pressed.
pub async fn enter(State(portal): State<Arc<Portal>>, request: Request) -> Result<Response, Trouble> {
    let headers = request.headers().clone();
    if !same_site::is_own(&headers) {
        return Err(Trouble::ForeignForm);
    }
    let (parts, body) = request.into_parts();
    let from = from(&portal, &parts);
    let form = read_form(Request::from_parts(parts, body)).await?;
    let (value, _) = use_link(&portal, &form.text("link"), &from).await?;
    session::end(&portal, &headers).await?;
    Ok(session::entered(&portal, &headers, &from, &value))
}
