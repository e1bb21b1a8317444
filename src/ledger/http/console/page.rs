//! What all pages have in common: the frame around them, and how one is sent.

use super::show::Zone;
use crate::domain::access::AccessScope;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

/// A page's address and name in the navigation.
pub const PAGES: [(&str, &str); 10] = [
    ("", "Overview"),
    ("/accounts", "Accounts"),
    ("/plans", "Plans"),
    ("/prices", "Prices"),
    ("/gateways", "Gateways"),
    ("/shadow", "Shadow"),
    ("/webhooks", "Webhooks"),
    ("/trail", "Trail"),
    ("/operators", "Operators"),
    ("/settings", "Settings"),
];

/// Zones that the page offers; others come by `?zone=`.
pub const ZONES: [&str; 11] = [
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Prague",
];

/// The frame around a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The page's name.
    pub title: String,
    /// Which page of the navigation it belongs to.
    pub here: &'static str,
    /// Who looks.
    pub operator: String,
    /// What that operator may do.
    pub scope: AccessScope,
    /// What forms must show.
    pub form_token: String,
    /// The zone of times.
    pub zone: Zone,
    /// This page's path and query.
    pub path: String,
    /// The ledger's version.
    pub version: &'static str,
}

impl Frame {
    /// The pages of the navigation that this operator may see, and whether it is this one.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let is_admin = self.scope == AccessScope::Admin;
        let seen = PAGES
            .into_iter()
            .filter(move |(path, _)| is_admin || !["/operators", "/webhooks"].contains(path));
        seen.map(|(path, name)| (path, name, path == self.here))
    }

    /// The zones that are offered: the chosen one, too.
    pub fn zones(&self) -> Vec<(&str, bool)> {
        let chosen = self.zone.name.as_str();
        let mut zones: Vec<_> = ZONES.iter().map(|zone| (*zone, *zone == chosen)).collect();
        if !ZONES.contains(&chosen) {
            zones.push((chosen, true));
        }
        zones
    }

    /// Whether this operator may do what needs this scope.
    pub fn may(&self, needs: AccessScope) -> bool {
        self.scope >= needs
    }

    /// Whether this operator may help customers.
    pub fn may_support(&self) -> bool {
        self.may(AccessScope::Support)
    }

    /// Whether this operator may move credits.
    pub fn may_bill(&self) -> bool {
        self.may(AccessScope::Billing)
    }
}

/// A page as it is sent.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be written; the ledger's log says why\n")
                .into_response()
        }
    }
}

/// An error's text as a sentence: with a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    [&first, chars.as_str(), end].concat()
}
