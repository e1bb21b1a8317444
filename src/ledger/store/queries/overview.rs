//! What the console's overview shows besides lists: what was refused, whose credits will soon be used up, how many have a plan.
//!
//! What must hold: each statement looks only at what an index leaves of the time that is asked for, and has a limit.

use super::{BILLION, Reader, count, credits, first, get, most, sum};
use crate::api::UsageTotal;
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

/// Of a walk over all accounts, which ones are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountWindow {
    /// Those behind this number.
    pub after: i64,
    /// At most so many.
    pub accounts: usize,
}

/// Of a window of accounts, active ones that have less left than `times` of what they have spent since this minute: those that end
/// soonest first. And where the next window begins; none at the end.
pub async fn near_end(
    reader: &impl Reader,
    window: AccountWindow,
    since: Timestamp,
    times: i64,
    limit: usize,
) -> Result<(Vec<NearEnd>, Option<i64>), StoreError> {
    // A sum of its own for each account, found by the primary key, and once: the inner limit keeps PostgreSQL from putting the
    // sum into each place where it is used.
    let sql = "SELECT w.id, w.name, w.available, w.held,
           CAST(CASE WHEN w.spent < 9e18 THEN w.spent ELSE 9e18 END AS bigint)
         FROM (SELECT a.id, a.name, a.available, a.held,
             CAST(a.available AS double precision) + CAST(a.held AS double precision) AS funds,
             (SELECT sum(CAST(u.credits AS double precision)) FROM usage u
               WHERE u.account = a.no AND u.minute >= ?1) AS spent
           FROM (SELECT * FROM accounts WHERE no > ?2 ORDER BY no LIMIT ?3) a WHERE a.state = 'active' LIMIT ?3) w
         WHERE w.spent > 0 AND w.funds < w.spent * CAST(?4 AS bigint) ORDER BY w.funds / w.spent, w.id LIMIT ?5";
    let given = [minute(since).into(), window.after.into(), most(window.accounts), times.into(), most(limit)];
    let found = reader.rows(sql, &given, |row| {
        let (available, held): (Credits, Credits) = (get(row, 2)?, get(row, 3)?);
        Ok(NearEnd {
            id: get(row, 0)?,
            name: get(row, 1)?,
            left: available.saturating_add(held),
            spent: get(row, 4)?,
        })
    });
    let found = found.await?;
    let sql = "SELECT no FROM accounts WHERE no > ?1 ORDER BY no LIMIT 1 OFFSET ?2";
    let last = [window.after.into(), most(window.accounts.saturating_sub(1))];
    Ok((found, first(reader, sql, &last, |row| get(row, 0)).await?))
}

/// What was used of all accounts from a minute until before another, by minute. By the index on the minute.
pub async fn usage_by_minute(
    reader: &impl Reader,
    (from, until): (i64, i64),
) -> Result<Vec<(i64, UsageTotal)>, StoreError> {
    let sql = format!(
        "SELECT minute, {}, {}, {} FROM usage WHERE minute >= ?1 AND minute < ?2 GROUP BY minute",
        sum("requests"),
        sum("credits"),
        sum("refunds")
    );
    reader
        .rows(&sql, &[from.into(), until.into()], |row| {
            let total =
                UsageTotal { requests: count(row, 1)?, credits: credits(row, 3)?, refunds: count(row, 5)? };
            Ok((get(row, 0)?, total))
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
