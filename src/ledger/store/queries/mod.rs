//! What is read to be shown, or to find work: the SQL of each list once, in a text for both databases.
//!
//! What must hold: all that an answer is made of comes from one snapshot; every list has a limit; and no sum fails because
//! it leaves the range of an integer: it stays at its end.

pub mod accounts;
pub mod audit;
pub mod balance;
pub mod budgets;
pub mod corrections;
pub mod events;
pub mod forecast;
pub mod gateways;
pub mod grants;
pub mod items;
pub mod jobs;
pub mod keys;
pub mod leases;
pub mod mail;
pub mod news;
pub mod overview;
pub mod plans;
pub mod portal;
pub mod prices;
pub mod refusals;
pub mod sessions;
pub mod shadow;
pub mod size;
pub mod teams;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod trail;
pub mod unbooked;
pub mod usage;
pub mod usage_sums;
pub mod webhooks;

use super::dialect::Dialect;
use super::record::{BadRow, Columns, Field, Table};
use super::value::Value;
use super::{Refusal, StoreError};
use faregate_protocol::Credits;
use std::future::Future;

/// Reads rows from one snapshot.
pub trait Reader {
    /// Whose SQL it takes.
    const DIALECT: Dialect;

    /// All rows that a statement gives. What is given to it is named `?1`, `?2` and so on, in either database.
    fn rows<T: Send>(
        &self,
        sql: &str,
        given: &[Value],
        read: impl Fn(&dyn Columns) -> Result<T, BadRow> + Send,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send;
}

impl From<BadRow> for StoreError {
    fn from(error: BadRow) -> Self {
        Self::Backend(format!("a row is not known here: {error}"))
    }
}

/// The first row that a statement gives.
async fn first<T: Send>(
    reader: &impl Reader,
    sql: &str,
    given: &[Value],
    read: impl Fn(&dyn Columns) -> Result<T, BadRow> + Send,
) -> Result<Option<T>, StoreError> {
    Ok(reader.rows(sql, given, read).await?.into_iter().next())
}

/// A column that is never empty, or an optional one.
fn get<T: Field>(row: &dyn Columns, column: usize) -> Result<T, BadRow> {
    T::get(row, column)
}

/// The columns of a table by another name, with commas between.
fn columns(table: &Table, name: &str) -> String {
    table.columns.iter().map(|column| format!("{name}.{}", column.name)).collect::<Vec<_>>().join(", ")
}

fn missing(what: &'static str, id: &str) -> StoreError {
    Refusal::NotFound { what, id: id.to_owned() }.into()
}

/// At most this many rows.
fn most(limit: usize) -> Value {
    Value::Number(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// In two parts of a sum one counts billions and the other the rest: neither leaves the range of an integer on its way.
const BILLION: i64 = 1_000_000_000;

/// The sum over an expression, as two columns: [`total`] makes one number of them.
fn sum(of: &str) -> String {
    format!(
        "CAST(coalesce(sum(({of}) / {BILLION}), 0) AS bigint), CAST(coalesce(sum(({of}) % {BILLION}), 0) AS bigint)"
    )
}

/// The sum in this column and the next, exactly.
fn exactly(row: &dyn Columns, column: usize) -> Result<i128, BadRow> {
    let (billions, rest): (i64, i64) = (get(row, column)?, get(row, column.saturating_add(1))?);
    Ok(i128::from(billions).saturating_mul(BILLION.into()).saturating_add(rest.into()))
}

/// The sum in this column and the next, at most the largest integer.
fn total(row: &dyn Columns, column: usize) -> Result<i64, BadRow> {
    exactly(row, column).map(saturated)
}

/// A number, or the integer that is nearest to it.
fn saturated(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

/// The same, of amounts.
fn credits(row: &dyn Columns, column: usize) -> Result<Credits, BadRow> {
    total(row, column).map(Credits::from_micros)
}

/// The same, of counts.
fn count(row: &dyn Columns, column: usize) -> Result<u64, BadRow> {
    Ok(u64::try_from(total(row, column)?).unwrap_or(0))
}
