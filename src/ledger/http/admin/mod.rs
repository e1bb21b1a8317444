//! The admin API: accounts, teams, keys, budgets, grants, plans, prices, subscriptions, leases, audit, tokens, trail, calls, events, webhooks, mail.
//!
//! Every write needs an `Idempotency-Key`; a repeated key gets the first answer again.

mod accounts;
mod batch;
mod budgets;
pub mod call_query;
mod calls;
mod corrections;
pub(super) mod events;
mod gateway_tokens;
mod grants;
pub(super) mod keys;
mod leases;
mod mail;
pub(super) mod openapi;
mod operators;
mod plans;
mod portal;
pub(super) mod post;
mod prices;
pub(super) mod query;
pub(super) mod routes;
mod shadow;
mod subscriptions;
mod teams;
mod trail;
mod usage;
mod webhooks;

use super::admission::{Door, ListenerGuard, admit, authorize};
use super::app::{App, REQUEST_TIMEOUT, in_time};
use super::auth::Caller;
use super::codes::Code;
use super::health;
use super::problem::Failure;
use crate::domain::access::AccessScope;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use routes::{Route, Routes};
use std::sync::{Arc, LazyLock};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The routes that need the token: each with its handler, and what that says of it.
fn guarded() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::suspend))
        .routes(routes!(accounts::resume))
        .routes(routes!(accounts::close))
        .routes(routes!(accounts::reopen))
        .routes(routes!(accounts::rename))
        .routes(routes!(accounts::balance))
        .routes(routes!(accounts::usage))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::find))
        .routes(routes!(keys::show))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(teams::list, teams::create))
        .routes(routes!(budgets::list, budgets::set))
        .routes(routes!(budgets::clear))
        .routes(routes!(grants::list, grants::create))
        .routes(routes!(grants::show))
        .routes(routes!(grants::change))
        .routes(routes!(corrections::void))
        .routes(routes!(corrections::adjust))
        .routes(routes!(corrections::list))
        .routes(routes!(plans::list, plans::create))
        .routes(routes!(plans::show))
        .routes(routes!(plans::change))
        .routes(routes!(plans::archive))
        .routes(routes!(plans::unarchive))
        .routes(routes!(subscriptions::show, subscriptions::create))
        .routes(routes!(subscriptions::activate))
        .routes(routes!(subscriptions::past_due))
        .routes(routes!(subscriptions::pause))
        .routes(routes!(subscriptions::resume))
        .routes(routes!(subscriptions::cancel))
        .routes(routes!(subscriptions::change))
        .routes(routes!(prices::list, prices::set_many))
        .routes(routes!(prices::show, prices::set, prices::remove))
        .routes(routes!(usage::by_item))
        .routes(routes!(usage::sums))
        .routes(routes!(usage::forecast))
        .routes(routes!(usage::why))
        .routes(routes!(shadow::show))
        .routes(routes!(leases::list))
        .routes(routes!(leases::recall))
        .routes(routes!(leases::audit))
        .routes(routes!(operators::list, operators::create))
        .routes(routes!(operators::create_token))
        .routes(routes!(operators::revoke))
        .routes(routes!(operators::sign_out))
        .routes(routes!(gateway_tokens::list, gateway_tokens::create))
        .routes(routes!(gateway_tokens::revoke))
        .routes(routes!(trail::list))
        .routes(routes!(calls::list))
        .routes(routes!(events::list))
        .routes(routes!(events::show_default, events::set_default))
        .routes(routes!(events::show, events::set))
        .routes(routes!(portal::create))
        .routes(routes!(portal::subjects))
        .routes(routes!(portal::link_subject))
        .routes(routes!(portal::unlink_subject))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::show))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::pause))
        .routes(routes!(webhooks::resume))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::test))
        .routes(routes!(mail::list, mail::add))
        .routes(routes!(mail::show))
        .routes(routes!(mail::deliveries))
        .routes(routes!(mail::delete))
        .routes(routes!(mail::test))
}

/// The route by which many requests come in one.
fn batched() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(batch::run))
}

/// The routes that everybody may ask.
fn open() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(description))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// What is said of the routes that need a token.
fn all() -> OpenApi {
    let mut all = guarded().into_openapi();
    all.merge(batched().into_openapi());
    all
}

/// What the routes that need a token are called, and which scope each needs.
static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::of(all()));

/// What a request is called that goes to this route, and which scope it needs.
fn route(method: &Method, path: &str) -> (String, AccessScope) {
    let Route { command, scope } = ROUTES.find(method, path);
    (command, scope)
}

/// The description of this API, as `docs/openapi.json` has it.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut api = openapi::complete(all());
    api.merge(open().into_openapi());
    let text = api.to_pretty_json();
    // A description holds nothing but text and numbers, which always become JSON.
    text.map(|text| text + "\n").unwrap_or_default()
});

/// Show this document
///
/// It needs no token.
#[utoipa::path(get, path = "/admin/v1/openapi.json", tag = "ledger", operation_id = "show_openapi",
    responses((status = 200, description = "The description of the admin API", body = BTreeMap<String, Value>)))]
async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION.as_str())
}

/// The routes for those whom the console has let in: each request says by an extension whose it is.
pub fn inside(app: &Arc<App>) -> Router {
    let authorized = middleware::from_fn_with_state(Arc::clone(app), authorized);
    fallbacks(Router::from(guarded()).route_layer(authorized)).with_state(Arc::clone(app))
}

async fn authorized(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    authorize(&app, &mut request, &caller, route)?;
    Ok(next.run(request).await)
}

/// The least scope of a route.
pub fn needs(method: &Method, path: &str) -> AccessScope {
    route(method, path).1
}

/// Whether there is such a route.
#[cfg(test)]
pub fn is_route(method: &str, path: &str) -> bool {
    routes::SCOPES.iter().any(|(of, known, _)| (*of, *known) == (method, path))
}

/// The admin API.
pub fn router(app: Arc<App>) -> Router {
    let door = ListenerGuard::new(Arc::clone(&app), Door::Admin(route), MAX_BODY_BYTES, "");
    let admitted = middleware::from_fn_with_state(door, admit::<Failure>);
    let guarded = Router::from(guarded()).route_layer(admitted.clone());
    let routes = batch::Routes(fallbacks(guarded.clone()).with_state(Arc::clone(&app)));
    let batched = Router::from(batched()).route_layer(Extension(routes)).route_layer(admitted);
    fallbacks(guarded.merge(batched).merge(open()))
        .layer(middleware::from_fn_with_state(REQUEST_TIMEOUT, in_time::<Failure>))
        .with_state(app)
}

fn fallbacks(router: Router<Arc<App>>) -> Router<Arc<App>> {
    router
        .fallback(|| async { Failure::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Failure::new(Code::MethodNotAllowed, "this path takes another method")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    /// `make docs` brings it up to date.
    #[test]
    fn the_committed_openapi_description_matches_the_routes() {
        expect_file!["../../../../docs/openapi.json"].assert_eq(&DESCRIPTION);
    }
}
