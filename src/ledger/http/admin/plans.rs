//! Plans: create, list, show, change, archive.

use super::post::{Id, Nothing, Post, execute};
use super::query::{Asked, WithArchived};
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

/// Make a plan
#[utoipa::path(post, path = "/admin/v1/plans", tag = "plans", operation_id = "make_plan",
    request_body = NewPlan, responses((status = 201, body = Plan)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Post { body, memo }: Post<NewPlan>,
) -> Result<Response, Failure> {
    let (name, terms) = plan_words::read(body)?;
    execute(&app, Command::CreatePlan { name, terms }, memo, StatusCode::CREATED, identity).await
}

/// Make a new version of a plan
///
/// It applies to periods that begin later, or with `at_once` to current periods, too.
#[utoipa::path(post, path = "/admin/v1/plans/{id}/change", tag = "plans", operation_id = "change_plan",
    request_body = PlanChange, responses((status = 200, body = Plan)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { body, memo }: Post<PlanChange>,
) -> Result<Response, Failure> {
    let at_once = body.at_once;
    let changes = plan_words::read_change(body)?;
    if changes == Changes::default() {
        let reason =
            "the request changes nothing; name the fields of the plan that change, such as quota".to_owned();
        return Err(Invalid { field: None, reason }.into());
    }
    let command = Command::ChangePlan { name, changes, at_once };
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// List plans
///
/// Each in its newest version, in the order of their names. Archived ones are left out, unless they are asked for.
#[utoipa::path(get, path = "/admin/v1/plans", tag = "plans", operation_id = "list_plans",
    params(WithArchived), responses((status = 200, body = Plans)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Asked(list): Asked<WithArchived>,
) -> Result<Json<Plans>, Failure> {
    let archived = list.archived();
    Ok(Json(app.store.plans(list.page()?, archived).await?))
}

/// Archive a plan
///
/// It takes no new subscriptions and is left out of the list. Subscriptions to it must be over.
#[utoipa::path(post, path = "/admin/v1/plans/{id}/archive", tag = "plans", operation_id = "archive_plan",
    responses((status = 200, body = Plan)))]
pub async fn archive(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    set_archived(app, id, post, true).await
}

/// Take a plan out of the archive
#[utoipa::path(post, path = "/admin/v1/plans/{id}/unarchive", tag = "plans", operation_id = "unarchive_plan",
    responses((status = 200, body = Plan)))]
pub async fn unarchive(app: State<Arc<App>>, id: Id, post: Post<Nothing>) -> Result<Response, Failure> {
    set_archived(app, id, post, false).await
}

async fn set_archived(
    State(app): State<Arc<App>>,
    Id(name): Id,
    Post { memo, .. }: Post<Nothing>,
    archived: bool,
) -> Result<Response, Failure> {
    execute(&app, Command::ArchivePlan { name, archived }, memo, StatusCode::OK, identity).await
}

/// Show a plan in its newest version
#[utoipa::path(get, path = "/admin/v1/plans/{id}", tag = "plans", operation_id = "show_plan",
    responses((status = 200, body = Plan)))]
pub async fn show(State(app): State<Arc<App>>, Id(name): Id) -> Result<Json<Plan>, Failure> {
    Ok(Json(app.store.plan(name).await?))
}
