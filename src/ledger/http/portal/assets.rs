//! The style sheet with the operator's colors, and the logo.

use super::state::Portal;
use super::trouble::Trouble;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use std::sync::Arc;

/// Pages name these with a version, so that browsers may keep them.
const KEPT: &str = "public, max-age=31536000, immutable";
/// An image that is opened as a page of its own does nothing.
const IMAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
/// What is shown when the operator has given none.
const ICON: &str = include_str!("../console/icon.svg");

/// The style sheet.
pub async fn style(State(portal): State<Arc<Portal>>) -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, KEPT)];
    (headers, portal.style.clone()).into_response()
}

/// The logo.
pub async fn logo(State(portal): State<Arc<Portal>>) -> Result<Response, Trouble> {
    let (kind, bytes) = match &portal.settings.logo {
        Some(logo) => (logo.kind, logo.bytes.clone()),
        None => ("image/svg+xml", ICON.as_bytes().to_vec()),
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT), (CONTENT_SECURITY_POLICY, IMAGE_POLICY)];
    Ok((headers, bytes).into_response())
}
