//! How a page is sent, and the zones that pages offer.

use super::show::Zone;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

/// Zones that the page offers; others come by `?zone=`.
const ZONES: [&str; 11] = [
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

/// The zones that are offered, and whether each is the chosen one: that is among them, too.
pub fn zones(zone: &Zone) -> Vec<(&str, bool)> {
    let chosen = zone.name.as_str();
    let mut zones: Vec<_> = ZONES.iter().map(|zone| (*zone, *zone == chosen)).collect();
    if !ZONES.contains(&chosen) {
        zones.push((chosen, true));
    }
    zones
}

/// A page as it is sent.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
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
