//! What rules that only watch would have refused: to whom, under which rule, and why.

use super::{BILLION, Reader, accounts, count, get, most};
use crate::api;
use crate::domain::time::{at, minute};
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{ShadowQuery, StoreError};

/// Who would have been refused, those of the most requests first, with the total over all.
pub async fn list(reader: &impl Reader, query: &ShadowQuery) -> Result<api::Shadow, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::number(reader, id).await?),
        None => None,
    };
    // Of one account by the primary key, of all by the index on the minute.
    let of = if account.is_some() { " AND account = ?3" } else { "" };
    let since = query.since.map_or(i64::MIN, minute);
    let sql = format!(
        "WITH s AS (SELECT account, key, rule, code, min(minute) AS first, max(minute) AS last,
             CAST(sum(requests / {BILLION}) AS bigint) AS billions, CAST(sum(requests % {BILLION}) AS bigint) AS rest
           FROM shadow WHERE minute >= ?1{of}
           GROUP BY account, key, rule, code)
         SELECT a.id, k.id, s.rule, s.code, s.billions, s.rest, s.first, s.last, count(*) OVER (),
           CAST(sum(s.billions) OVER () AS bigint), CAST(sum(s.rest) OVER () AS bigint)
         FROM s LEFT JOIN accounts a ON a.no = s.account LEFT JOIN keys k ON k.no = s.key
         ORDER BY s.billions + s.rest / {BILLION} DESC, s.rest % {BILLION} DESC, s.account, s.key, s.rule, s.code
         LIMIT ?2"
    );
    let owner = account.map(|number| number.0.into());
    let given: Vec<Value> = [since.into(), most(query.limit)].into_iter().chain(owner).collect();
    let found = reader.rows(&sql, &given, |row| {
        Ok((line(row)?, api::ShadowTotal { lines: get(row, 8)?, requests: count(row, 9)? }))
    });
    let found = found.await?;
    let total = found.first().map(|(_, total)| *total).unwrap_or_default();
    Ok(api::Shadow { lines: found.into_iter().map(|(line, _)| line).collect(), total })
}

fn line(row: &dyn Columns) -> Result<api::ShadowLine, BadRow> {
    let time = |column| get::<i64>(row, column).map(|minute| at(minute.saturating_mul(60_000)));
    Ok(api::ShadowLine {
        account: get(row, 0)?,
        key: get(row, 1)?,
        rule: get(row, 2)?,
        code: get(row, 3)?,
        requests: count(row, 4)?,
        first_seen: time(6)?,
        last_seen: time(7)?,
    })
}
