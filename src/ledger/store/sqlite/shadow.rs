//! What rules that only watch would have refused: to whom, under which rule, and why.

use super::{accounts, at, count, lists, minute};
use crate::api;
use crate::store::{ShadowQuery, StoreError};
use rusqlite::{Connection, Row, params};

/// Who would have been refused, those of the most requests first, with the total over all.
pub fn list(conn: &Connection, query: &ShadowQuery) -> Result<api::Shadow, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::by_id(conn, id)?.no.0),
        None => None,
    };
    let since = query.since.map_or(i64::MIN, minute);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let sql = "SELECT a.id AS account, k.id AS key, s.rule, s.code, s.requests, s.first, s.last,
           count(*) OVER () AS lines, sum(s.requests) OVER () AS total
         FROM (SELECT account, key, rule, code, sum(requests) AS requests, min(minute) AS first, max(minute) AS last
             FROM shadow WHERE minute >= ?1 AND (?2 IS NULL OR account = ?2) GROUP BY account, key, rule, code) s
           LEFT JOIN accounts a ON a.no = s.account LEFT JOIN keys k ON k.no = s.key
         ORDER BY s.requests DESC, s.account, s.key, s.rule, s.code LIMIT ?3";
    let read = |row: &Row<'_>| {
        let total = api::ShadowTotal { lines: count(row, "lines")?, requests: count(row, "total")? };
        Ok((read_line(row)?, total))
    };
    let found = lists::rows(conn, sql, params![since, account, limit], read)?;
    let total = found.first().map(|(_, total)| *total).unwrap_or_default();
    Ok(api::Shadow { lines: found.into_iter().map(|(line, _)| line).collect(), total })
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<api::ShadowLine> {
    let time = |name: &str| row.get::<_, i64>(name).map(|minute| at(minute.saturating_mul(60_000)));
    Ok(api::ShadowLine {
        account: row.get("account")?,
        key: row.get("key")?,
        rule: row.get("rule")?,
        code: row.get("code")?,
        requests: count(row, "requests")?,
        first_seen: time("first")?,
        last_seen: time("last")?,
    })
}
