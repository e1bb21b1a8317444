//! Teams: create, list.

use super::post::{Id, Post, execute, short};
use super::query::{Asked, List};
use crate::api::{NewTeam, Team, Teams};
use crate::command::admin::Command;
use crate::domain::TeamId;
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::convert::identity;
use std::sync::Arc;

/// Make a team
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/teams", tag = "teams", operation_id = "make_team",
    request_body = NewTeam, responses((status = 201, body = Team)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<NewTeam>,
) -> Result<Response, Failure> {
    short("name", body.name.as_ref(), 200)?;
    let id = TeamId::parse(&body.id).map_err(|error| Invalid::field("id", error.to_string()))?;
    let command = Command::CreateTeam { account, id, name: body.name };
    execute(&app, command, memo, StatusCode::CREATED, identity).await
}

/// List the teams of an account
///
/// In the order of their identifiers.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/teams", tag = "teams", operation_id = "list_teams",
    params(List), responses((status = 200, body = Teams)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Asked(list): Asked<List>,
) -> Result<Json<Teams>, Failure> {
    Ok(Json(app.store.teams(account, list.page()?).await?))
}
