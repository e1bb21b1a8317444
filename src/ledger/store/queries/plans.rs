//! Plans, by their newest versions.

use super::{Reader, columns, first, get, missing};
use crate::api;
use crate::domain::plan_words;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::VersionRow;
use crate::store::{Page, StoreError};

fn newest(which: &str) -> String {
    versions("p.version", which)
}

fn versions(version: &str, which: &str) -> String {
    let columns = columns(VersionRow::TABLE, "v");
    let from = format!("plans p JOIN plan_versions v ON v.plan = p.no AND v.version = {version}");
    format!("SELECT {columns}, p.name, p.archived_ms FROM {from} WHERE {which}")
}

fn read(row: &dyn Columns) -> Result<api::Plan, BadRow> {
    let version = VersionRow::read(row)?;
    let more = VersionRow::TABLE.columns.len();
    let (name, archived_at) = (get(row, more)?, get(row, more.saturating_add(1))?);
    let shown = plan_words::shown(name, version.version, &version.read_as().terms, version.created_at);
    Ok(api::Plan { archived_at, ..shown })
}

/// A plan's newest version.
pub async fn one(reader: &impl Reader, name: &str) -> Result<api::Plan, StoreError> {
    let found = first(reader, &newest("p.name = ?1"), &[name.into()], read).await?;
    found.ok_or_else(|| missing("plan", name))
}

/// A version of a plan.
pub async fn version(reader: &impl Reader, name: &str, version: u32) -> Result<api::Plan, StoreError> {
    let sql = versions("?2", "p.name = ?1");
    let found = first(reader, &sql, &[name.into(), i64::from(version).into()], read).await?;
    found.ok_or_else(|| missing("plan", name))
}

/// A page of the plans, by name; with `archived`, also of those.
pub async fn page(reader: &impl Reader, page: &Page, archived: bool) -> Result<api::Plans, StoreError> {
    let after = page.after.as_deref().unwrap_or("");
    let which = if archived { "" } else { "AND p.archived_ms IS NULL " };
    let sql = newest(&format!("p.name > ?1 {which}ORDER BY p.name LIMIT ?2"));
    let mut plans = reader.rows(&sql, &[after.into(), page.rows().into()], read).await?;
    let next = page.cut(&mut plans).map(|last| last.name.clone());
    Ok(api::Plans { plans, next })
}
