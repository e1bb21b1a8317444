//! Budgets: set, clear, list.

use super::post::{Id, Post, execute};
use super::query::{Asked, List};
use crate::api::{self, Anchor, BudgetScope, Budgets, ClearBudget};
use crate::command::admin::Command;
use crate::command::budgets::{NewBudget, Whose};
use crate::domain::period::Rhythm;
use crate::domain::plan_words::{every, zone};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::exchange::MAX_AMOUNT;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::convert::identity;
use std::sync::Arc;

/// Set or change a budget
///
/// Another amount keeps what was spent in the current period; other periods begin with nothing spent.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/budgets", tag = "budgets", operation_id = "set_budget",
    request_body = api::NewBudget, responses((status = 200, body = api::Budget)))]
pub async fn set(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<api::NewBudget>,
) -> Result<Response, Failure> {
    let credits = body.credits;
    if !credits.is_positive() || credits > MAX_AMOUNT {
        let why = format!("is {credits}; it must be above zero, and at most {MAX_AMOUNT}");
        return Err(Invalid::field("credits", why).into());
    }
    let rhythm = Rhythm {
        unit: body.period,
        every: every(body.every)?.unwrap_or(1),
        anchor: Anchor::Calendar,
        zone: zone(Some(body.time_zone.as_deref().unwrap_or("UTC")))?.unwrap_or(TimeZone::UTC),
    };
    let whose = whose(body.scope, body.target)?;
    let command = Command::SetBudget(NewBudget { account, whose, credits, rhythm });
    execute(&app, command, memo, StatusCode::OK, identity).await
}

/// Clear a budget
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/budgets/clear", tag = "budgets", operation_id = "clear_budget",
    request_body = ClearBudget, responses((status = 200, body = api::Budget)))]
pub async fn clear(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<ClearBudget>,
) -> Result<Response, Failure> {
    let whose = whose(body.scope, body.target)?;
    execute(&app, Command::ClearBudget { account, whose }, memo, StatusCode::OK, identity).await
}

/// List the budgets of an account
///
/// The account's, then those of its keys, then those of its teams; oldest first.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/budgets", tag = "budgets", operation_id = "list_budgets",
    params(List), responses((status = 200, body = Budgets)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Asked(list): Asked<List>,
) -> Result<Json<Budgets>, Failure> {
    Ok(Json(app.store.budgets(account, list.page()?, Timestamp::now()).await?))
}

fn whose(scope: BudgetScope, target: Option<String>) -> Result<Whose, Invalid> {
    match (scope, target) {
        (BudgetScope::Account, None) => Ok(Whose::Account),
        (BudgetScope::Team, Some(id)) => Ok(Whose::Team(id)),
        (BudgetScope::Key, Some(id)) => Ok(Whose::Key(id)),
        (BudgetScope::Account, Some(_)) => {
            Err(Invalid::field("target", "goes with a team or a key; leave it out for the account"))
        }
        (BudgetScope::Team | BudgetScope::Key, None) => {
            Err(Invalid::field("target", "is missing; give the identifier of the team or the key"))
        }
    }
}
