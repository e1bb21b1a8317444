//! The style sheet with the operator's colors, and the logo.

use super::state::Portal;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// Pages name these with a version, so that browsers may keep them.
const KEPT: &str = "public, max-age=31536000, immutable";
/// An image that is opened as a page of its own does nothing.
const IMAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
/// What is shown when the operator has given none.
const ICON: &str = include_str!("../console/icon.svg");

/// How long a browser may keep what it asks for by this version.
fn kept(portal: &Portal, query: Option<&str>) -> &'static str {
    if query == Some(&portal.version) { KEPT } else { "no-store" }
}

/// The style sheet.
pub async fn style(State(portal): State<Arc<Portal>>, RawQuery(query): RawQuery) -> Response {
    let kept = kept(&portal, query.as_deref());
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, kept)];
    (headers, portal.style.clone()).into_response()
}

/// The logo.
pub async fn logo(State(portal): State<Arc<Portal>>, RawQuery(query): RawQuery) -> Response {
    let kept = kept(&portal, query.as_deref());
    let (kind, bytes) = match &portal.settings.logo {
        Some(logo) => (logo.kind, logo.bytes.clone()),
        None => ("image/svg+xml", ICON.as_bytes().to_vec()),
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, kept), (CONTENT_SECURITY_POLICY, IMAGE_POLICY)];
    (headers, bytes).into_response()
}
