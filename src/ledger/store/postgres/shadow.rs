//! What rules that only watch would have refused: to whom, under which rule, and why.

use super::lists;
use super::trouble::Trouble;
use crate::api;
use crate::store::{ShadowQuery, at, minute};
use deadpool_postgres::Client;
use tokio_postgres::{Error, Row};

/// Who would have been refused, those of the most requests first, with the total over all.
pub async fn list(conn: &Client, query: &ShadowQuery) -> Result<api::Shadow, Trouble> {
    let account = match &query.account {
        Some(id) => Some(lists::number(conn, id).await?),
        None => None,
    };
    let since = query.since.map_or(i64::MIN, minute);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let sql = "SELECT a.id, k.id, s.rule, s.code, s.requests, s.first, s.last, count(*) OVER (),
           (sum(s.requests) OVER ())::bigint
         FROM (SELECT account, key, rule, code, sum(requests)::bigint AS requests, min(minute) AS first,
               max(minute) AS last
             FROM shadow WHERE minute >= $1 AND ($2::bigint IS NULL OR account = $2)
             GROUP BY account, key, rule, code) s
           LEFT JOIN accounts a ON a.no = s.account LEFT JOIN keys k ON k.no = s.key
         ORDER BY s.requests DESC, s.account, s.key, s.rule, s.code LIMIT $3";
    let read = |row: &Row| {
        let total = api::ShadowTotal { lines: lists::count(row, 7)?, requests: lists::count(row, 8)? };
        Ok((read_line(row)?, total))
    };
    let found = lists::rows(conn, &[sql], &[&since, &account, &limit], read).await?;
    let total = found.first().map(|(_, total)| *total).unwrap_or_default();
    Ok(api::Shadow { lines: found.into_iter().map(|(line, _)| line).collect(), total })
}

fn read_line(row: &Row) -> Result<api::ShadowLine, Error> {
    let time = |column: usize| row.try_get::<_, i64>(column).map(|minute| at(minute.saturating_mul(60_000)));
    Ok(api::ShadowLine {
        account: row.try_get(0)?,
        key: row.try_get(1)?,
        rule: row.try_get(2)?,
        code: row.try_get(3)?,
        requests: lists::count(row, 4)?,
        first_seen: time(5)?,
        last_seen: time(6)?,
    })
}
