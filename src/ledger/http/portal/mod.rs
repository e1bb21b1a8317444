//! The portal for customers: pages and an API on a listener of its own, about the one account of the customer who asks.
//!
//! What must hold: which account it is follows from the session or the key and from nothing else in a request; each answer carries the
//! headers that keep other sites and scripts out; and what customers change goes through the ledger's commands and into its trail.

mod access;
mod alerts;
mod answers;
mod api;
mod assets;
mod calls;
mod colors;
mod data;
mod enter;
mod entrance;
mod findings;
mod forms;
mod home;
mod keys;
mod logo;
mod oidc;
mod openapi;
mod page;
mod plan;
mod posted;
mod query;
mod receipts;
mod refusals;
mod session;
mod settings;
mod sign_in;
mod state;
mod trouble;
mod turns;
mod usage;
mod visit;
mod who;

use super::app::{App, REQUEST_TIMEOUT, in_time};
use super::codes::Code;
use super::health;
use super::problem::Failure;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::middleware::{self, Next};
use axum::response::{Redirect, Response};
use axum::routing::{any, get, post};
pub use settings::{MAX_SETTINGS_BYTES, PortalSettings};
use state::Portal;
pub use state::PortalServedAs;
use std::sync::Arc;
use trouble::Trouble;

/// The largest form, and the largest body of the API, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What browsers may do with pages of the portal.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";

/// Headers of each answer. A form names its origin only where the policy about referrers is not stricter than this.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The portal.
pub fn router(app: Arc<App>, settings: PortalSettings, served: PortalServedAs) -> Router {
    let portal = Arc::new(Portal::new(app, settings, served));
    let pages = Router::new()
        .route("/portal", get(home::show))
        .route("/portal/", get(|| async { Redirect::to("/portal") }))
        .route("/portal/enter", get(enter::ask).post(enter::enter))
        .route("/portal/sign-in", get(sign_in::form).post(sign_in::enter))
        .route("/portal/sign-in/oidc", get(oidc::begin))
        .route("/portal/oidc", get(oidc::finish))
        .route("/portal/sign-out", post(sign_in::leave))
        .route("/portal/zone", get(sign_in::choose_zone))
        .route("/portal/style.css", get(assets::style))
        .route("/portal/logo", get(assets::logo))
        .route("/portal/usage", get(usage::show))
        .route("/portal/usage.csv", get(usage::csv))
        .route("/portal/calls", get(calls::show))
        .route("/portal/calls.csv", get(calls::csv))
        .route("/portal/keys", get(keys::list))
        .route("/portal/keys/new", get(keys::ask_new).post(keys::make))
        .route("/portal/keys/{id}/rotate", get(keys::ask_rotate).post(keys::rotate))
        .route("/portal/keys/{id}/revoke", get(keys::ask_revoke).post(keys::revoke))
        .route("/portal/plan", get(plan::show))
        .route("/portal/alerts", get(alerts::show).post(alerts::set))
        .route("/portal/receipts", get(receipts::list))
        .route("/portal/receipts/{id}", get(receipts::show))
        .route("/portal/receipts.csv", get(receipts::csv))
        .route("/portal/refusals", get(refusals::show))
        .route("/portal/{*path}", any(|| async { Trouble::nothing_here() }))
        .layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, in_time::<Trouble>));
    let api = api::router().layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, in_time::<Failure>));
    Router::new()
        .merge(pages)
        .merge(api)
        .route("/", get(|| async { Redirect::to("/portal") }))
        .route("/healthz", get(health::healthz))
        .fallback(|| async { Failure::new(Code::NotFound, "there is nothing at this path") })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(protected))
        .with_state(portal)
}

async fn protected(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}
