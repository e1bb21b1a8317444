//! What a table shows, as the admin API answers it: as JSON, or as comma-separated values for spreadsheets.

use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use crate::spreadsheet;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use std::sync::Arc;

/// The answer itself.
pub async fn json(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path(path): Path<String>,
) -> Result<Response, Trouble> {
    let answer = ask(&console, &visit, &path).await?;
    let text = serde_json::to_string_pretty(&answer)
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], text + "\n").into_response())
}

/// The rows of its list.
pub async fn csv(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path(path): Path<String>,
) -> Result<Response, Trouble> {
    let answer = ask(&console, &visit, &path).await?;
    let lists = answer.as_object().into_iter().flatten();
    let rows = lists.map(|(_, member)| member).find_map(Value::as_array).map(Vec::as_slice);
    let text = spreadsheet::table(rows.unwrap_or_default());
    let name = path.rsplit('/').next().unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let attachment = format!("attachment; filename=\"{name}.csv\"");
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, attachment)];
    Ok((headers, text).into_response())
}

/// The path as it came: what was encoded in it stays so.
async fn ask(console: &Console, visit: &Visit, path: &str) -> Result<Value, Trouble> {
    // It reads every entry that was ever made.
    if path == "audit" {
        return Err(Trouble::nothing_here());
    }
    let rest = visit.path.strip_prefix("/console/").and_then(|rest| rest.split_once('/'));
    let (_, rest) = rest.ok_or_else(Trouble::nothing_here)?;
    Ok(visit.get(console, &format!("/admin/v1/{rest}")).await?)
}
