//! Plans: create, list, show, change.

use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{MAX_EVERY, NewPlan, Plan, PlanChange, Plans};
use crate::domain::period::{self, Rhythm};
use crate::domain::plan::{Changes, PlanName, Terms};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use crate::store::Command;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_AMOUNT;
use jiff::tz::TimeZone;
use std::convert::identity;
use std::sync::Arc;

pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewPlan>,
) -> Result<Response, Failure> {
    let name = PlanName::parse(&body.name).map_err(|error| Invalid::field("name", error.to_string()))?;
    let zone = zone(Some(body.time_zone.as_deref().unwrap_or("UTC")))?;
    let terms = Terms {
        quota: quota(Some(body.quota))?.unwrap_or(body.quota),
        rhythm: Rhythm {
            unit: body.period,
            every: every(body.every)?.unwrap_or(1),
            anchor: body.anchor.unwrap_or_default(),
            zone: zone.unwrap_or(TimeZone::UTC),
        },
        rollover: rollover(body.rollover)?.unwrap_or_default(),
    };
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
    };
    if changes == Changes::default() {
        let why = "changes nothing; name what is to be different: quota, period, every, anchor, time_zone, rollover";
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

pub fn zone(given: Option<&str>) -> Result<Option<TimeZone>, Invalid> {
    let Some(name) = given else { return Ok(None) };
    let unknown = || {
        let why =
            format!("{name:?} is no time zone that is known here; use an IANA name such as Europe/Berlin");
        Invalid::field("time_zone", why)
    };
    period::zone(name).map(Some).ok_or_else(unknown)
}
