//! What the console's overview shows besides lists: what was refused, whose credits will soon be used up, how many have a plan.
//!
//! What must hold: each statement looks only at what an index leaves of the time that is asked for, and has a limit.

use super::{BILLION, Reader, count, credits, get, most, sum};
use crate::domain::time::minute;
use crate::store::{Page, StoreError};
use faregate_protocol::Credits;
use jiff::Timestamp;

const HOUR_S: i64 = 3_600;
/// Subscriptions to a plan are counted up to this many.
pub const MAX_COUNTED: i64 = 10_000;

/// What was refused for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFor {
    /// The code of the refusal.
    pub code: String,
    /// How many requests.
    pub requests: u64,
    /// Of how many accounts.
    pub accounts: i64,
}

/// Refusals of this hour or later, the most frequent cause first.
pub async fn refusals(
    reader: &impl Reader,
    since: Timestamp,
    limit: usize,
) -> Result<Vec<RefusedFor>, StoreError> {
    let sql = format!(
        "SELECT code, {}, count(DISTINCT account) FROM refusals WHERE hour >= ?1 GROUP BY code
         ORDER BY sum(requests / {BILLION}) DESC, sum(requests % {BILLION}) DESC, code LIMIT ?2",
        sum("requests")
    );
    let given = [since.as_second().div_euclid(HOUR_S).into(), most(limit)];
    reader
        .rows(&sql, &given, |row| {
            Ok(RefusedFor { code: get(row, 0)?, requests: count(row, 1)?, accounts: get(row, 3)? })
        })
        .await
}

/// An account that spends faster than it can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearEnd {
    /// Its identifier.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// What it can spend, leases included.
    pub left: Credits,
    /// What it has spent since the time that was asked for.
    pub spent: Credits,
}

/// Active accounts that have less left than `times` of what they have spent since this minute: those that end soonest first.
pub async fn near_end(
    reader: &impl Reader,
    since: Timestamp,
    times: i64,
    limit: usize,
) -> Result<Vec<NearEnd>, StoreError> {
    let left = "(CAST(a.available AS double precision) + CAST(a.held AS double precision))";
    let spent = format!("(CAST(u.billions AS double precision) * {BILLION} + u.rest)");
    let sql = format!(
        "WITH u AS (SELECT account, CAST(sum(credits / {BILLION}) AS bigint) AS billions,
             CAST(sum(credits % {BILLION}) AS bigint) AS rest FROM usage WHERE minute >= ?1 GROUP BY account)
         SELECT a.id, a.name, a.available, a.held, u.billions, u.rest FROM u JOIN accounts a ON a.no = u.account
         WHERE a.state = 'active' AND {spent} > 0 AND {left} < {spent} * CAST(?2 AS bigint)
         ORDER BY {left} / {spent}, a.id LIMIT ?3"
    );
    let given = [minute(since).into(), times.into(), most(limit)];
    reader
        .rows(&sql, &given, |row| {
            let (available, held): (Credits, Credits) = (get(row, 2)?, get(row, 3)?);
            Ok(NearEnd {
                id: get(row, 0)?,
                name: get(row, 1)?,
                left: available.saturating_add(held),
                spent: credits(row, 4)?,
            })
        })
        .await
}

/// How many running subscriptions each plan of a page has, up to one more than [`MAX_COUNTED`].
pub async fn subscriptions(reader: &impl Reader, page: &Page) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = "SELECT p.name, (SELECT count(*) FROM (SELECT 1 FROM subscriptions s
             WHERE s.plan = p.no AND s.state NOT IN ('cancelled', 'expired') LIMIT ?3) c)
         FROM plans p WHERE p.name > ?1 ORDER BY p.name LIMIT ?2";
    let given = [
        page.after.as_deref().unwrap_or("").into(),
        page.rows().into(),
        MAX_COUNTED.saturating_add(1).into(),
    ];
    reader.rows(sql, &given, |row| Ok((get(row, 0)?, get(row, 1)?))).await
}
