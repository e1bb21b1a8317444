//! Plans, by their newest versions.

use super::{Reader, columns, first, get, missing};
use crate::api;
use crate::domain::plan_words;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::VersionRow;
use crate::store::{Page, StoreError};

fn newest(which: &str) -> String {
    let columns = columns(VersionRow::TABLE, "v");
    let from = "plans p JOIN plan_versions v ON v.plan = p.no AND v.version = p.version";
    format!("SELECT {columns}, p.name FROM {from} WHERE {which}")
}

fn read(row: &dyn Columns) -> Result<api::Plan, BadRow> {
    let version = VersionRow::read(row)?;
    let name = get(row, VersionRow::TABLE.columns.len())?;
    Ok(plan_words::shown(name, version.version, &version.read_as().terms, version.created_at))
}

/// A plan's newest version.
pub async fn one(reader: &impl Reader, name: &str) -> Result<api::Plan, StoreError> {
    let found = first(reader, &newest("p.name = ?1"), &[name.into()], read).await?;
    found.ok_or_else(|| missing("plan", name))
}

/// A page of the plans, by name.
pub async fn page(reader: &impl Reader, page: &Page) -> Result<api::Plans, StoreError> {
    let after = page.after.as_deref().unwrap_or("");
    let sql = newest("p.name > ?1 ORDER BY p.name LIMIT ?2");
    let mut plans = reader.rows(&sql, &[after.into(), page.rows().into()], read).await?;
    let next = page.cut(&mut plans).map(|last| last.name.clone());
    Ok(api::Plans { plans, next })
}
