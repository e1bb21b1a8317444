//! The admin API: accounts, teams, keys, budgets, grants, plans, subscriptions, leases, audit.
//!
//! Every POST needs an `Idempotency-Key`; a repeated key gets the first answer again.

mod accounts;
mod budgets;
mod grants;
mod keys;
mod leases;
mod plans;
mod post;
mod query;
mod shadow;
mod subscriptions;
mod teams;

use super::admission::{Door, admit};
use super::app::{App, PATIENCE, in_time};
use super::health;
use super::problem::Failure;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use std::sync::Arc;

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The admin API.
pub fn router(app: Arc<App>) -> Router {
    let door = Door::new("admin", app.admin_token.clone(), MAX_BODY_BYTES, "");
    let guarded = Router::new()
        .route("/admin/v1/accounts", get(accounts::list).post(accounts::create))
        .route("/admin/v1/accounts/{id}", get(accounts::show))
        .route("/admin/v1/accounts/{id}/suspend", post(accounts::suspend))
        .route("/admin/v1/accounts/{id}/resume", post(accounts::resume))
        .route("/admin/v1/accounts/{id}/close", post(accounts::close))
        .route("/admin/v1/accounts/{id}/balance", get(accounts::balance))
        .route("/admin/v1/accounts/{id}/usage", get(accounts::usage))
        .route("/admin/v1/accounts/{id}/keys", get(keys::list).post(keys::create))
        .route("/admin/v1/keys/{id}/revoke", post(keys::revoke))
        .route("/admin/v1/accounts/{id}/teams", get(teams::list).post(teams::create))
        .route("/admin/v1/accounts/{id}/budgets", get(budgets::list).post(budgets::set))
        .route("/admin/v1/accounts/{id}/budgets/clear", post(budgets::clear))
        .route("/admin/v1/accounts/{id}/grants", get(grants::list).post(grants::create))
        .route("/admin/v1/plans", get(plans::list).post(plans::create))
        .route("/admin/v1/plans/{id}", get(plans::show))
        .route("/admin/v1/plans/{id}/change", post(plans::change))
        .route("/admin/v1/accounts/{id}/subscription", get(subscriptions::show).post(subscriptions::create))
        .route("/admin/v1/accounts/{id}/subscription/activate", post(subscriptions::activate))
        .route("/admin/v1/accounts/{id}/subscription/past-due", post(subscriptions::past_due))
        .route("/admin/v1/accounts/{id}/subscription/pause", post(subscriptions::pause))
        .route("/admin/v1/accounts/{id}/subscription/resume", post(subscriptions::resume))
        .route("/admin/v1/accounts/{id}/subscription/cancel", post(subscriptions::cancel))
        .route("/admin/v1/accounts/{id}/subscription/change", post(subscriptions::change))
        .route("/admin/v1/shadow", get(shadow::show))
        .route("/admin/v1/leases", get(leases::list))
        .route("/admin/v1/recall", post(leases::recall))
        .route("/admin/v1/audit", get(leases::audit))
        .route_layer(middleware::from_fn_with_state(door, admit::<Failure>));
    let open = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    guarded
        .merge(open)
        .fallback(|| async {
            Failure::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        })
        .method_not_allowed_fallback(|| async {
            Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path takes another method",
            )
        })
        .layer(middleware::from_fn_with_state(PATIENCE, in_time::<Failure>))
        .with_state(app)
}
