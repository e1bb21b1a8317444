//! The page with the ways to sign in, and where each leads.
//!
//! What must hold: signing in leads to a page of the portal and nowhere else.

use super::page::Bare;
use super::state::Portal;
use crate::http::pages::attempts;
use crate::http::pages::page::html;
use crate::http::pages::show::encoded;
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::Response;

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
