//! What models cost: set, list, show, remove.

use super::post::{Id, Nothing, Post, execute};
use super::query::{Asked, From, List};
use crate::api::{
    MAX_PRICES, ModelPriceHistory, NewModelPrices, NewPriceList, NewPriceListEntry, PriceChanges, Prices,
};
use crate::command::admin::Command;
use crate::command::prices::NewPrices;
use crate::domain::price_list::InvalidListed;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use std::convert::identity;
use std::sync::Arc;

/// Set the prices of many models
///
/// All of them or, if one is unusable, none. Prices that are valid already make no new version.
#[utoipa::path(post, path = "/admin/v1/prices", tag = "prices", operation_id = "set_prices",
    request_body = NewPriceList, responses((status = 200, body = PriceChanges)))]
pub async fn set_many(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewPriceList>,
) -> Result<Response, Failure> {
    let count = body.entries.len();
    if count > MAX_PRICES {
        let reason = format!("{count} are too many; send at most {MAX_PRICES} at once");
        return Err(Invalid::field("entries", reason).into());
    }
    let mut all = Vec::with_capacity(count);
    for (n, NewPriceListEntry { model, prices, cost, valid_from }) in body.entries.into_iter().enumerate() {
        let new = NewPrices { model, prices, cost, valid_from };
        check(&new, &format!("entries[{n}]."), "model")?;
        all.push(new);
    }
    execute(&app, Command::SetPrices(all), memo, StatusCode::OK, identity).await
}

/// Set the prices of a model
///
/// They are valid until the model's next entry. Prices that are valid already make no new version.
#[utoipa::path(put, path = "/admin/v1/prices/{id}", tag = "prices", operation_id = "set_model_prices",
    request_body = NewModelPrices, responses((status = 200, body = PriceChanges)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Id(model): Id,
    Post { body, memo }: Post<NewModelPrices>,
) -> Result<Response, Failure> {
    let NewModelPrices { prices, cost, valid_from } = body;
    let new = NewPrices { model, prices, cost, valid_from };
    check(&new, "", "id")?;
    execute(&app, Command::SetPrices(vec![new]), memo, StatusCode::OK, identity).await
}

/// Remove the prices of a model
///
/// All of them, or those from a time on: as if they had never been. Usage that was charged stays as it is.
#[utoipa::path(delete, path = "/admin/v1/prices/{id}", tag = "prices", operation_id = "remove_model_prices",
    params(From), responses((status = 200, body = PriceChanges)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    Id(model): Id,
    Asked(From { from }): Asked<From>,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    execute(&app, Command::RemovePrices { model, from }, memo, StatusCode::OK, identity).await
}

/// List prices
///
/// What models cost now and later, in the order of their names and times.
#[utoipa::path(get, path = "/admin/v1/prices", tag = "prices", operation_id = "list_prices",
    params(List), responses((status = 200, body = Prices)))]
pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Prices>, Failure> {
    Ok(Json(app.store.prices(list.page()?, Timestamp::now()).await?))
}

/// Show all prices of a model
///
/// Also those that others have followed; the oldest first.
#[utoipa::path(get, path = "/admin/v1/prices/{id}", tag = "prices", operation_id = "show_model_prices",
    responses((status = 200, body = ModelPriceHistory)))]
pub async fn show(State(app): State<Arc<App>>, Id(model): Id) -> Result<Json<ModelPriceHistory>, Failure> {
    Ok(Json(app.store.model_prices(model).await?))
}

/// Whether an entry keeps all limits; `model` is the name of the field with its name.
fn check(new: &NewPrices, path: &str, model: &str) -> Result<(), Invalid> {
    new.listed(Timestamp::UNIX_EPOCH).check().map_err(|why| {
        let field = match why {
            InvalidListed::Name { .. } => model,
            InvalidListed::Cost { .. } => "cost",
            InvalidListed::Prices { .. } | InvalidListed::Full => "prices",
        };
        Invalid::field(format!("{path}{field}"), why.to_string())
    })
}
