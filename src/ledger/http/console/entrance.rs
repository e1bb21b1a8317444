//! What all ways to sign in have in common: the page with the form, who asks, and where one goes then.

use super::assets::version;
use super::page;
use super::state::Console;
use crate::http::connection::Peer;
use crate::http::connections::ConnectionSlot;
use crate::http::forwarded;
use crate::http::pages::attempts;
use crate::http::pages::show::encoded;
use askama::Template;
use axum::extract::Request;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The page with the form.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Where to go then.
    pub next: String,
    /// What was wrong with the last attempt.
    pub wrong: Option<String>,
    /// Whether there is a provider to sign in at.
    pub single_sign_on: bool,
}

/// Who wants to sign in, from where.
pub struct Visitor {
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The address of the connection.
    pub socket: Option<SocketAddr>,
    /// The address of the client, as the log has it.
    pub client: String,
    /// The same, as attempts are counted.
    pub address: Option<Peer>,
    seat: Option<Arc<ConnectionSlot>>,
}

impl Visitor {
    /// Reads it from a request.
    pub fn of(console: &Console, request: &Request) -> Self {
        let headers = request.headers().clone();
        let seat = request.extensions().get::<Arc<ConnectionSlot>>().cloned();
        let socket = seat.as_ref().map(|seat| seat.connection.address);
        let client =
            forwarded::client(&headers, socket.map(|socket| socket.ip()), console.app.trusted_proxies);
        let address = client.parse::<IpAddr>().ok().map(Peer::of);
        Self { headers, socket, client, address, seat }
    }

    /// They have signed in: their connection may stay.
    pub fn trust(&self) {
        if let Some(seat) = &self.seat {
            seat.trust();
        }
    }
}

/// Where to go after signing in: a page of the console and nothing else.
pub fn own_page(next: Option<&str>) -> String {
    let is_own = |next: &&str| {
        let rest = next.strip_prefix("/console");
        let follows = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let is_entrance = ["/sign-in", "/sign-out", "/oidc"]
            .iter()
            .any(|entrance| rest.is_some_and(|rest| rest.starts_with(entrance)));
        follows && !is_entrance && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_own).unwrap_or("/console").to_owned()
}

/// The page with the form.
pub fn page_of(console: &Console, next: String, wrong: Option<String>) -> SignInPage {
    SignInPage { next, wrong, single_sign_on: console.app.single_sign_on.is_some() }
}

/// What an address sees that has failed too often.
pub fn too_many(console: &Console, next: String) -> Response {
    let wrong = format!(
        "Too many attempts from this address have failed. Wait {} seconds, then try again.",
        attempts::PERIOD.as_secs()
    );
    let mut answer = page::html(StatusCode::TOO_MANY_REQUESTS, &page_of(console, next, Some(wrong)));
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(attempts::PERIOD.as_secs()));
    answer
}

/// An answer that sets a cookie.
pub fn with_cookie(mut answer: Response, cookie: Option<HeaderValue>) -> Response {
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
        for other in [
            "",
            "/console/sign-in/oidc?next=x",
            "/console/oidc",
            "//evil.test",
            "/consolex",
            "https://evil.test/console",
            "/console/\\evil",
            "/console/\r\nx",
        ] {
            assert_eq!(own_page(Some(other)), "/console", "{other}");
        }
    }
}
