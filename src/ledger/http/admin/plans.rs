//! Plans: create, list, show, change.

use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{Edit, MAX_EVERY, NewPlan, Plan, PlanChange, PlanProduct, Plans};
use crate::domain::period::{self, Rhythm};
use crate::domain::plan::{Changes, PlanName, Terms, Unfit};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use crate::store::Command;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{MAX_AMOUNT, Product};
use jiff::tz::TimeZone;
use std::convert::identity;
use std::sync::Arc;

pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewPlan>,
) -> Result<Response, Failure> {
    let name = PlanName::parse(&body.name).map_err(|error| Invalid::field("name", error.to_string()))?;
    let zone = zone(Some(body.time_zone.as_deref().unwrap_or("UTC")))?;
    let rhythm = Rhythm {
        unit: body.period,
        every: every(body.every)?.unwrap_or(1),
        anchor: body.anchor.unwrap_or_default(),
        zone: zone.unwrap_or(TimeZone::UTC),
    };
    let given = Changes {
        rollover: rollover(body.rollover)?,
        beyond: body.beyond,
        overdraft: body.overdraft,
        rate: rate(body.rate_per_second.map_or(Edit::Keep, Edit::Set))?,
        burst: body.burst.map_or(Edit::Keep, Edit::Set),
        concurrent: body.concurrent.map_or(Edit::Keep, Edit::Set),
        products: products(body.products.map_or(Edit::Keep, Edit::Set))?,
        remainder: body.remainder,
        ..Changes::default()
    };
    let quota = quota(Some(body.quota))?.unwrap_or(body.quota);
    let terms = Terms::plain(quota, rhythm).changed(&given);
    let terms = terms.map_err(|Unfit { field, why }| Invalid::field(field, why))?;
    execute(&app, Command::CreatePlan { name, terms }, memo, StatusCode::CREATED, identity).await
}

pub async fn change(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { body, memo }: Post<PlanChange>,
) -> Result<Response, Failure> {
    let changes = Changes {
        quota: quota(body.quota)?,
        unit: body.period,
        every: every(body.every)?,
        anchor: body.anchor,
        zone: zone(body.time_zone.as_deref())?,
        rollover: rollover(body.rollover)?,
        beyond: body.beyond,
        overdraft: body.overdraft,
        rate: rate(body.rate_per_second)?,
        burst: body.burst,
        concurrent: body.concurrent,
        products: products(body.products)?,
        remainder: body.remainder,
    };
    if changes == Changes::default() {
        let why = "changes nothing; name what is to be different: quota, period, every, anchor, time_zone, rollover, \
            beyond, overdraft, rate_per_second, burst, concurrent, products, remainder";
        return Err(Invalid { field: None, reason: format!("the request {why}") }.into());
    }
    let command = Command::ChangePlan { name, changes, at_once: body.at_once };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Plans>, Failure> {
    Ok(Json(app.store.plans(list.page()?).await?))
}

pub async fn show(State(app): State<Arc<App>>, Id(name): Id) -> Result<Json<Plan>, Failure> {
    Ok(Json(app.store.plan(name).await?))
}

fn quota(given: Option<Credits>) -> Result<Option<Credits>, Invalid> {
    match given {
        Some(quota) if !quota.is_positive() || quota > MAX_AMOUNT => {
            let why = format!("is {quota}; it must be above zero, and at most {MAX_AMOUNT}");
            Err(Invalid::field("quota", why))
        }
        fits => Ok(fits),
    }
}

fn rollover(given: Option<Credits>) -> Result<Option<Credits>, Invalid> {
    match given {
        Some(most) if most > MAX_AMOUNT => {
            Err(Invalid::field("rollover", format!("is {most}; the most is {MAX_AMOUNT}")))
        }
        fits => Ok(fits),
    }
}

pub fn every(given: Option<u16>) -> Result<Option<u16>, Invalid> {
    match given {
        None | Some(1..=MAX_EVERY) => Ok(given),
        Some(found) => {
            Err(Invalid::field("every", format!("is {found}; a period has 1 to {MAX_EVERY} units")))
        }
    }
}

/// Thousandths of a request per second.
fn rate(given: Edit<String>) -> Result<Edit<u32>, Invalid> {
    given.try_map(|text| {
        let wrong = |why: &str| Invalid::field("rate_per_second", format!("is {text:?}: {why}"));
        let rate = Credits::parse(&text).map_err(|error| wrong(&error.to_string()))?.micros();
        if rate % 1_000 != 0 {
            return Err(wrong("at most 3 digits may stand behind the point"));
        }
        Ok(u32::try_from(rate / 1_000).unwrap_or(u32::MAX))
    })
}

fn products(given: Edit<Vec<PlanProduct>>) -> Result<Edit<Vec<Product>>, Invalid> {
    given.try_map(|products| {
        let read = |product: PlanProduct| {
            let name: String = product.name.chars().take(80).collect();
            let why = || format!("{name:?} has both times and price; choose one");
            product.read().ok_or_else(|| Invalid::field("products", why()))
        };
        products.into_iter().map(read).collect()
    })
}

pub fn zone(given: Option<&str>) -> Result<Option<TimeZone>, Invalid> {
    let Some(name) = given else { return Ok(None) };
    let unknown = || {
        let why =
            format!("{name:?} is no time zone that is known here; use an IANA name such as Europe/Berlin");
        Invalid::field("time_zone", why)
    };
    period::zone(name).map(Some).ok_or_else(unknown)
}
