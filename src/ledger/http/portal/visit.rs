//! Who looks at a page: the session behind a request, and forms that its pages have sent.
//!
//! What must hold: nothing is shown or done without a session that is not over; and what writes was sent by a form of that session.

use super::access::Access;
use super::data::Right;
use super::page::{Bare, Frame};
use super::session::SessionValue;
use super::state::Portal;
use super::trouble::Trouble;
use super::who::{By, Who, by_cookie, from};
use crate::http::pages::fields::{Fields, read_form};
use crate::http::pages::same_site;
use crate::http::pages::session_value::cookie;
use crate::http::pages::show::{Html, Zone};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use std::sync::Arc;

/// The name of the cookie with the time zone.
pub const ZONE_COOKIE: &str = "faregate_portal_zone";
/// The field of a form that shows its session's form token.
const FORM_TOKEN_FIELD: &str = "form_token";

/// A request of a customer who is signed in.
pub struct Visit {
    /// Who.
    pub who: Who,
    /// The session.
    pub session: SessionValue,
    /// The zone in which times are shown.
    pub zone: Zone,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// The path and query.
    pub path: String,
    /// What the query says, without the zone and what is empty.
    pub query: Fields,
}

impl FromRequestParts<Arc<Portal>> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Trouble> {
        let path = parts.uri.path_and_query().map_or("/portal", |path| path.as_str()).to_owned();
        let sign_in =
            || Trouble::SignIn(if parts.method == Method::GET { path.clone() } else { String::new() });
        let found = by_cookie(portal, &parts.headers, from(portal, parts)).await?;
        let who = found.ok_or_else(sign_in)?;
        let By::Cookie(session) = who.by.clone() else { return Err(sign_in()) };
        let mut query = Fields::parse(parts.uri.query().unwrap_or_default());
        let asked = query.take("zone").and_then(|name| Zone::named(&name));
        let kept = || cookie(&parts.headers, ZONE_COOKIE).and_then(Zone::named);
        let zone = asked.or_else(kept).unwrap_or_default();
        let is_tls = portal.is_tls(&parts.headers);
        Ok(Self { who, session, zone, is_tls, path, query })
    }
}

impl Visit {
    /// The frame of a page.
    pub fn frame(&self, portal: &Portal, here: &'static str, title: impl Into<String>) -> Frame {
        let (bare, who) = (Bare::of(portal), &self.who);
        let account = who.account();
        Frame {
            title: title.into(),
            here,
            account: Html::text(who.customer.name.as_ref().unwrap_or(&account)),
            read_only: who.access == Access::Read,
            form_token: self.session.form_token(),
            zone: self.zone.clone(),
            path: self.path.clone(),
            back: who.return_url.clone().or_else(|| bare.home.clone()),
            top_up: portal.settings.top_up(&account),
            upgrade: portal.settings.upgrade(&account),
            may_make_keys: Right::MakeKeys.may(portal, who),
            shows_calls: portal.settings.calls,
            bare,
        }
    }

    /// Whether this customer may do it.
    pub fn may(&self, portal: &Portal, right: Right) -> bool {
        right.may(portal, &self.who)
    }
}

/// A form that a page of the customer's session has sent.
pub struct Filled {
    /// Who sent it.
    pub visit: Visit,
    /// What it says.
    pub form: Fields,
}

impl FromRequest<Arc<Portal>> for Filled {
    type Rejection = Trouble;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Trouble> {
        if !same_site::is_own(request.headers()) {
            return Err(Trouble::ForeignForm);
        }
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, portal).await?;
        let form = read_form(Request::from_parts(parts, body)).await?;
        if !visit.session.is_form_token(form.get(FORM_TOKEN_FIELD).unwrap_or_default()) {
            return Err(Trouble::ForeignForm);
        }
        Ok(Self { visit, form })
    }
}
