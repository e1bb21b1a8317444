//! Plans: create, list, show, change.

use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{NewPlan, Plan, PlanChange, Plans};
use crate::command::admin::Command;
use crate::domain::plan::Changes;
use crate::domain::plan_words;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::Arc;

pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewPlan>,
) -> Result<Response, Failure> {
    let (name, terms) = plan_words::read(body)?;
    execute(&app, Command::CreatePlan { name, terms }, memo, StatusCode::CREATED, identity).await
}

pub async fn change(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { body, memo }: Post<PlanChange>,
) -> Result<Response, Failure> {
    let at_once = body.at_once;
    let changes = plan_words::read_change(body)?;
    if changes == Changes::default() {
        let why = "changes nothing; name what is to be different: quota, period, every, anchor, time_zone, rollover, \
            beyond, overdraft, rate_per_second, burst, concurrent, products, remainder, warn_below";
        return Err(Invalid { field: None, reason: format!("the request {why}") }.into());
    }
    let command = Command::ChangePlan { name, changes, at_once };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

pub async fn list(State(app): State<Arc<App>>, Asked(list): Asked<List>) -> Result<Json<Plans>, Failure> {
    Ok(Json(app.store.plans(list.page()?).await?))
}

pub async fn show(State(app): State<Arc<App>>, Id(name): Id) -> Result<Json<Plan>, Failure> {
    Ok(Json(app.store.plan(name).await?))
}
