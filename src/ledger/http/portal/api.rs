//! The portal as JSON: what the pages show and do, for operators who build pages of their own.

use super::answers::{
    Me, NewOwnKey, NewSession, OwnCalls, OwnPlan, OwnPrices, OwnRefusals, OwnUsage, RotateOwnKey, Session,
};
use super::data;
use super::enter;
use super::openapi;
use super::posted::{self, Posted};
use super::query::{OfOwnCalls, OfUsage, Since};
use super::session::PREFIX;
use super::state::{From, Portal};
use super::who::Who;
use crate::api::{
    Alerts, Balance, Budgets, Grant, Grants, Key, Keys, NewAlerts, REPLAYED_HEADER, RotatedKey, Teams,
};
use crate::command::admin::Answer;
use crate::command::portal::{EndPortalSession, MAX_AGE};
use crate::http::admin::query::{Asked, List};
use crate::http::body;
use crate::http::codes::Code;
use crate::http::connections::ConnectionSlot;
use crate::http::problem::Failure;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::{Arc, LazyLock};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes, each with its handler and what that says of it.
pub fn routes() -> OpenApiRouter<Arc<Portal>> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(balance))
        .routes(routes!(usage))
        .routes(routes!(keys, make_key))
        .routes(routes!(rotate_key))
        .routes(routes!(revoke_key))
        .routes(routes!(teams))
        .routes(routes!(budgets))
        .routes(routes!(plan))
        .routes(routes!(prices))
        .routes(routes!(alerts, set_alerts))
        .routes(routes!(receipts))
        .routes(routes!(receipt))
        .routes(routes!(refusals))
        .routes(routes!(calls))
        .routes(routes!(begin_session))
        .routes(routes!(end_session))
}

/// The description, as `docs/portal-openapi.json` has it.
pub static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let text = openapi::complete(routes().into_openapi()).to_pretty_json();
    // A description holds nothing but text and numbers, which always become JSON.
    text.map(|text| text + "\n").unwrap_or_default()
});

/// The API.
pub fn router() -> Router<Arc<Portal>> {
    let described = async || ([(CONTENT_TYPE, "application/json")], DESCRIPTION.as_str());
    Router::from(routes())
        .route("/portal/v1/openapi.json", axum::routing::get(described))
        .route("/portal/v1/{*path}", axum::routing::any(async || nothing_here()))
        .method_not_allowed_fallback(async || {
            Failure::new(Code::MethodNotAllowed, "this path takes another method")
        })
}

fn nothing_here() -> Failure {
    Failure::new(Code::NotFound, "there is nothing at this path")
}

fn written(status: StatusCode, answer: Answer) -> Result<Response, Failure> {
    let json = |body: String| (status, [(CONTENT_TYPE, "application/json")], body);
    match answer {
        Answer::First(done) => {
            let body = serde_json::to_string(&done);
            Ok(json(body.map_err(|error| Failure::new(Code::Internal, error.to_string()))?).into_response())
        }
        Answer::Replayed(body) => Ok(([(REPLAYED_HEADER, "true")], json(body)).into_response()),
    }
}

/// Show who asks
///
/// Which account it is, and what is allowed.
#[utoipa::path(get, path = "/portal/v1/me", tag = "account", operation_id = "show_me",
    responses((status = 200, body = Me)))]
async fn me(State(portal): State<Arc<Portal>>, who: Who) -> Json<Me> {
    Json(data::me(&portal, &who))
}

/// Show the balance
#[utoipa::path(get, path = "/portal/v1/balance", tag = "account", operation_id = "show_own_balance",
    responses((status = 200, body = Balance)))]
async fn balance(State(portal): State<Arc<Portal>>, who: Who) -> Result<Json<Balance>, Failure> {
    Ok(Json(data::balance(&portal, &who).await?))
}

/// Sum up usage
///
/// By hours, days or months, and within them by team, key, rule, product, or model and tool.
#[utoipa::path(get, path = "/portal/v1/usage", tag = "usage", operation_id = "sum_up_own_usage",
    params(OfUsage), responses((status = 200, body = OwnUsage)))]
async fn usage(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(asked): Asked<OfUsage>,
) -> Result<Json<OwnUsage>, Failure> {
    Ok(Json(data::usage(&portal, &who, asked).await?))
}

/// List the keys
///
/// Without their secrets; oldest first.
#[utoipa::path(get, path = "/portal/v1/keys", tag = "keys", operation_id = "list_own_keys",
    params(List), responses((status = 200, body = Keys)))]
async fn keys(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(list): Asked<List>,
) -> Result<Json<Keys>, Failure> {
    Ok(Json(data::keys(&portal, &who, list.page()?).await?))
}

/// Make a key
///
/// The secret is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/portal/v1/keys", tag = "keys", operation_id = "make_own_key",
    request_body = NewOwnKey, responses((status = 201, body = Key)))]
async fn make_key(
    State(portal): State<Arc<Portal>>,
    Posted { who, body, once }: Posted<NewOwnKey>,
) -> Result<Response, Failure> {
    written(StatusCode::CREATED, posted::make_key(&portal, &who, body, &once).await?)
}

/// Rotate a key
///
/// Makes a new key with the old one's team, products, note and budget. The old one works for `overlap_seconds` more. The secret is only in
/// the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/portal/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_own_key",
    request_body = RotateOwnKey, responses((status = 201, body = RotatedKey)))]
async fn rotate_key(
    State(portal): State<Arc<Portal>>,
    Path(id): Path<String>,
    Posted { who, body, once }: Posted<RotateOwnKey>,
) -> Result<Response, Failure> {
    written(StatusCode::CREATED, posted::rotate_key(&portal, &who, &id, body, &once).await?)
}

/// A body that says nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Revoke a key
///
/// It is refused for good.
#[utoipa::path(post, path = "/portal/v1/keys/{id}/revoke", tag = "keys", operation_id = "revoke_own_key",
    responses((status = 200, body = Key)))]
async fn revoke_key(
    State(portal): State<Arc<Portal>>,
    Path(id): Path<String>,
    Posted { who, once, .. }: Posted<Nothing>,
) -> Result<Response, Failure> {
    written(StatusCode::OK, posted::revoke_key(&portal, &who, &id, &once).await?)
}

/// List the teams
#[utoipa::path(get, path = "/portal/v1/teams", tag = "account", operation_id = "list_own_teams",
    params(List), responses((status = 200, body = Teams)))]
async fn teams(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(list): Asked<List>,
) -> Result<Json<Teams>, Failure> {
    Ok(Json(data::teams(&portal, &who, list.page()?).await?))
}

/// List the budgets
///
/// Of the account, its keys and its teams.
#[utoipa::path(get, path = "/portal/v1/budgets", tag = "account", operation_id = "list_own_budgets",
    params(List), responses((status = 200, body = Budgets)))]
async fn budgets(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(list): Asked<List>,
) -> Result<Json<Budgets>, Failure> {
    Ok(Json(data::budgets(&portal, &who, list.page()?).await?))
}

/// Show the plan
///
/// 404 without a subscription.
#[utoipa::path(get, path = "/portal/v1/plan", tag = "plan", operation_id = "show_own_plan",
    responses((status = 200, body = OwnPlan)))]
async fn plan(State(portal): State<Arc<Portal>>, who: Who) -> Result<Json<OwnPlan>, Failure> {
    let found = data::plan(&portal, &who).await?;
    found.map(Json).ok_or_else(|| Failure::new(Code::NotFound, "the account has not subscribed to a plan"))
}

/// List the prices of models
#[utoipa::path(get, path = "/portal/v1/prices", tag = "plan", operation_id = "list_model_prices",
    params(List), responses((status = 200, body = OwnPrices)))]
async fn prices(
    State(portal): State<Arc<Portal>>,
    _who: Who,
    Asked(list): Asked<List>,
) -> Result<Json<OwnPrices>, Failure> {
    Ok(Json(data::prices(&portal, list.page()?).await?))
}

/// Show what is announced
///
/// Below which balance it is.
#[utoipa::path(get, path = "/portal/v1/alerts", tag = "account", operation_id = "show_own_alerts",
    responses((status = 200, body = Alerts)))]
async fn alerts(State(portal): State<Arc<Portal>>, who: Who) -> Result<Json<Alerts>, Failure> {
    Ok(Json(data::alerts(&portal, &who).await?))
}

/// Set what is announced
#[utoipa::path(post, path = "/portal/v1/alerts", tag = "account", operation_id = "set_own_alerts",
    request_body = NewAlerts, responses((status = 200, body = Alerts)))]
async fn set_alerts(
    State(portal): State<Arc<Portal>>,
    Posted { who, body, once }: Posted<NewAlerts>,
) -> Result<Response, Failure> {
    written(StatusCode::OK, posted::set_alerts(&portal, &who, body, &once).await?)
}

/// List the receipts
///
/// What the account was given other than by its plan, newest first.
#[utoipa::path(get, path = "/portal/v1/receipts", tag = "receipts", operation_id = "list_receipts",
    params(List), responses((status = 200, body = Grants)))]
async fn receipts(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(list): Asked<List>,
) -> Result<Json<Grants>, Failure> {
    Ok(Json(data::receipts(&portal, &who, list.page()?).await?))
}

/// Show a receipt
#[utoipa::path(get, path = "/portal/v1/receipts/{id}", tag = "receipts", operation_id = "show_receipt",
    responses((status = 200, body = Grant)))]
async fn receipt(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Json<Grant>, Failure> {
    Ok(Json(data::receipt(&portal, &who, &id).await?))
}

/// Show why requests are refused
///
/// What is wrong now and what cures it, and what was refused lately.
#[utoipa::path(get, path = "/portal/v1/refusals", tag = "usage", operation_id = "show_own_refusals",
    params(Since), responses((status = 200, body = OwnRefusals)))]
async fn refusals(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(asked): Asked<Since>,
) -> Result<Json<OwnRefusals>, Failure> {
    Ok(Json(data::refusals(&portal, &who, asked.since).await?))
}

/// List calls
///
/// Single requests of the account that gateways have recorded, newest first. Which are recorded, the operator decides. A search takes at
/// most two seconds; then `next` says where to go on.
#[utoipa::path(get, path = "/portal/v1/calls", tag = "usage", operation_id = "list_own_calls",
    params(OfOwnCalls), responses((status = 200, body = OwnCalls)))]
async fn calls(
    State(portal): State<Arc<Portal>>,
    who: Who,
    Asked(asked): Asked<OfOwnCalls>,
) -> Result<Json<OwnCalls>, Failure> {
    Ok(Json(data::calls(&portal, &who, asked).await?))
}

/// Begin a session
///
/// With a link of the admin API, which can't be used again. It needs no authentication. The session's value may be sent as
/// `Authorization: Bearer …`.
#[utoipa::path(post, path = "/portal/v1/sessions", tag = "sessions", operation_id = "begin_session",
    request_body = NewSession, responses((status = 201, body = Session)))]
async fn begin_session(
    State(portal): State<Arc<Portal>>,
    seat: Option<Extension<Arc<ConnectionSlot>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let from = From::of(&portal, &headers, seat.map(|Extension(seat)| seat));
    if let Some(seat) = &from.seat {
        seat.connection.body_read();
    }
    let NewSession { link } = body::parse(&body)?;
    let (value, account) = enter::use_link(&portal, &link, &from).await?;
    let session = Session {
        session: [PREFIX, value.expose()].concat(),
        account,
        expires_at: Timestamp::now().saturating_add(MAX_AGE).unwrap_or(Timestamp::MAX),
    };
    Ok((StatusCode::CREATED, Json(session)).into_response())
}

/// End the session
///
/// That with which this is asked.
#[utoipa::path(post, path = "/portal/v1/sessions/end", tag = "sessions", operation_id = "end_session",
    responses((status = 204)))]
async fn end_session(
    State(portal): State<Arc<Portal>>,
    Posted { who, .. }: Posted<Nothing>,
) -> Result<StatusCode, Failure> {
    let Some(session) = who.session else {
        return Err(Failure::new(Code::Forbidden, "a key was shown, not a session; nothing was ended"));
    };
    portal.app.store.end_portal_session(EndPortalSession(session), Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    /// `make docs` brings it up to date.
    #[test]
    fn the_committed_portal_description_matches_the_routes() {
        expect_file!["../../../../docs/portal-openapi.json"].assert_eq(&DESCRIPTION);
    }
}
