//! The operator's console: pages on the admin listener, written here and complete without a script. Their one script follows what happens.
//!
//! Pages read by the admin API and the store's queries; what they do, the admin API does, with its checks, scopes and trail. What must
//! hold: no page is shown without a session; each answer carries the headers that keep other sites and scripts out.

mod account;
mod account_live;
mod accounts;
mod actions;
mod assets;
mod calls;
mod entrance;
mod export;
mod figures;
mod forms;
mod gateways;
mod links;
mod live;
mod oidc;
mod operators;
mod overview;
mod page;
mod plans;
mod prices;
mod session;
mod settings;
mod shadow;
mod sign_in;
mod state;
mod streams;
mod survey;
mod timeline;
mod trail;
mod trouble;
mod visit;
mod webhooks;
mod who;

use super::app::{App, REQUEST_TIMEOUT, in_time};
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
use state::Console;
pub use state::ServedAs;
use std::sync::Arc;
use tokio::sync::watch;
use trouble::Trouble;

/// The largest form, in bytes.
const MAX_FORM_BYTES: usize = 16 * 1024;

/// What browsers may do with pages of the console.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of each answer. A form names its origin only where the policy about referrers is not stricter than this.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// The console, over these routes of the admin API.
pub fn router(app: Arc<App>, api: Router, served: ServedAs) -> Router {
    let (attempts, figures, streams, sign_on_log) = Default::default();
    let never = watch::Sender::new(false);
    let console = Arc::new(Console { app, api, served, attempts, figures, streams, never, sign_on_log });
    Router::new()
        .route("/console", get(overview::show))
        .route("/console/", get(|| async { Redirect::to("/console") }))
        .route("/console/sign-in", get(sign_in::form).post(sign_in::enter))
        .route("/console/sign-in/oidc", get(oidc::begin))
        .route("/console/oidc", get(oidc::finish))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/zone", get(sign_in::choose_zone))
        .route("/console/console.css", get(assets::style))
        .route("/console/icon.svg", get(assets::icon))
        .route("/console/live.js", get(assets::script))
        .route("/console/live/overview", get(live::overview))
        .route("/console/live/accounts/{id}", get(live::account))
        .route("/console/accounts", get(accounts::show))
        .route("/console/accounts/{id}", get(account::show))
        .route("/console/accounts/{id}/{action}", get(actions::ask_account).post(actions::do_account))
        .route("/console/keys/{id}/{action}", get(actions::ask_key).post(actions::do_key))
        .route("/console/grants/{id}/{action}", get(actions::ask_grant).post(actions::do_grant))
        .route("/console/calls", get(calls::show))
        .route("/console/plans", get(plans::list))
        .route("/console/plans/{name}", get(plans::show))
        .route("/console/prices", get(prices::show))
        .route("/console/gateways", get(gateways::show))
        .route("/console/shadow", get(shadow::show))
        .route("/console/webhooks", get(webhooks::show))
        .route("/console/trail", get(trail::show))
        .route("/console/operators", get(operators::show))
        .route("/console/settings", get(settings::show))
        .route("/console/json/{*path}", get(export::json))
        .route("/console/csv/{*path}", get(export::csv))
        .route("/console/{*path}", any(|| async { Trouble::nothing_here() }))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, in_time::<Trouble>))
        .layer(middleware::from_fn(protected))
        .with_state(console)
}

async fn protected(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}
