//! Background work: candidates, which an operation checks again under a lock.

use super::{Reader, first, get, most};
use crate::command::roll_up::Timed;
use crate::command::soon::{EXPIRES_MS, Ending, RENEWS_MS};
use crate::domain::{AccountNo, GatewayNo, KeyNo};
use crate::store::StoreError;
use crate::store::maintenance::Kept;
use crate::store::record::Columns;
use crate::store::rows::LeaseKey;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The accounts of expired grants with remaining credits, from at most this many of the oldest grants.
pub async fn due_grants(
    reader: &impl Reader,
    now: Timestamp,
    limit: usize,
) -> Result<BTreeSet<AccountNo>, StoreError> {
    let sql = "SELECT account FROM grants WHERE expires_ms IS NOT NULL AND live AND expires_ms <= ?1
        ORDER BY expires_ms LIMIT ?2";
    let found = reader.rows(sql, &[now.as_millisecond().into(), most(limit)], |row| get(row, 0)).await?;
    Ok(found.into_iter().collect())
}

/// Expired keys that were not announced to gateways yet, with their accounts.
pub async fn due_keys(
    reader: &impl Reader,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(KeyNo, AccountNo)>, StoreError> {
    let sql = "SELECT no, account FROM keys WHERE expires_ms IS NOT NULL AND NOT expiry_announced AND expires_ms <= ?1 LIMIT ?2";
    let given = [now.as_millisecond().into(), most(limit)];
    reader.rows(sql, &given, |row| Ok((get(row, 0)?, get(row, 1)?))).await
}

/// Subscriptions whose time has come, and those for which a version of their plan counts at once: at most so many of each,
/// with their accounts.
pub async fn due_subscriptions(
    reader: &impl Reader,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, AccountNo)>, StoreError> {
    let sql = "SELECT no, account FROM (
          SELECT no, account FROM subscriptions WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2) d
        UNION SELECT no, account FROM (SELECT s.no, s.account FROM plans p JOIN subscriptions s ON s.plan = p.no
          WHERE p.at_once > 1 AND s.version < p.at_once AND s.due_ms IS NOT NULL AND s.period_ms IS NOT NULL
            AND s.state <> 'paused' AND NOT (s.state = 'past_due' AND s.until_ms IS NULL) LIMIT ?2) v";
    let given = [now.as_millisecond().into(), most(limit)];
    reader.rows(sql, &given, |row| Ok((get(row, 0)?, get(row, 1)?))).await
}

/// What ends soon and wasn't announced: bought grants, keys, and subscriptions that renew or end; at most so many of each.
pub async fn ending(reader: &impl Reader, now: Timestamp, limit: usize) -> Result<Vec<Ending>, StoreError> {
    let given = |within_ms: i64| {
        let now = now.as_millisecond();
        [now.into(), now.saturating_add(within_ms).into(), most(limit)]
    };
    let sql = "SELECT no, account FROM grants WHERE live AND subscription IS NULL AND soon_ms IS NULL
          AND expires_ms IS NOT NULL AND expires_ms > ?1 AND expires_ms <= ?2
          AND expires_ms - ?1 <= (expires_ms - created_ms) / 2 LIMIT ?3";
    let (expires, renews) = (given(EXPIRES_MS), given(RENEWS_MS));
    let grant = |row: &dyn Columns| Ok(Ending::Grant(get(row, 0)?, get(row, 1)?));
    let mut found = reader.rows(sql, &expires, grant).await?;
    let sql = "SELECT no, account FROM keys WHERE soon_ms IS NULL AND NOT revoked AND expires_ms IS NOT NULL
          AND expires_ms > ?1 AND expires_ms <= ?2 AND expires_ms - ?1 <= (expires_ms - created_ms) / 2 LIMIT ?3";
    let key = |row: &dyn Columns| Ok(Ending::Key(get(row, 0)?, get(row, 1)?));
    found.extend(reader.rows(sql, &expires, key).await?);
    let sql =
        "SELECT no, account FROM subscriptions WHERE due_ms IS NOT NULL AND due_ms > ?1 AND due_ms <= ?2
          AND (soon_ms IS NULL OR soon_ms <> due_ms)
          AND due_ms - ?1 <= (due_ms - coalesce(period_ms, created_ms)) / 2 LIMIT ?3";
    let subscription = |row: &dyn Columns| Ok(Ending::Subscription(get(row, 0)?, get(row, 1)?));
    found.extend(reader.rows(sql, &renews, subscription).await?);
    Ok(found)
}

/// Accounts of which it is time to look whether requests are still refused: at most so many.
pub async fn refusing(
    reader: &impl Reader,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<AccountNo>, StoreError> {
    let sql = "SELECT no FROM accounts WHERE refusing_ms IS NOT NULL AND refusing_ms <= ?1 ORDER BY refusing_ms LIMIT ?2";
    reader.rows(sql, &[now.as_millisecond().into(), most(limit)], |row| get(row, 0)).await
}

/// How many leases one look for silent ones walks over.
pub const WINDOW: i64 = 10_000;

/// What one look has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silent {
    /// Where the next look begins; none at the end.
    pub next: Option<LeaseKey>,
    /// Open leases that weren't named since the line was drawn, with their accounts.
    pub leases: Vec<(GatewayNo, KeyNo, AccountNo)>,
}

/// Walks over the next `window` leases behind a position; (0, 0) is before all. No index has the touch, which every
/// exchange changes.
pub async fn silent(
    reader: &impl Reader,
    after: LeaseKey,
    window: i64,
    touch: i64,
) -> Result<Silent, StoreError> {
    let position = [after.0.0.into(), after.1.0.into()];
    let sql = "SELECT gateway, key, account FROM (SELECT gateway, key, account, state, touch FROM leases
          WHERE (gateway, key) > (?1, ?2) ORDER BY gateway, key LIMIT ?3) w
        WHERE state = 'open' AND touch <= ?4";
    let given = [position.as_slice(), &[window.into(), touch.into()]].concat();
    let leases = reader.rows(sql, &given, |row| Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?))).await?;
    let sql = "SELECT gateway, key FROM leases WHERE (gateway, key) > (?1, ?2)
        ORDER BY gateway, key LIMIT 1 OFFSET ?3";
    let given = [position.as_slice(), &[window.saturating_sub(1).into()]].concat();
    let next = first(reader, sql, &given, |row| Ok((get(row, 0)?, get(row, 1)?))).await?;
    Ok(Silent { next, leases })
}

/// Rows of usage whose minutes are from `from` to before `until`, and don't begin a span of so many minutes: at most so many.
pub async fn unsummed<R: Timed>(
    reader: &impl Reader,
    (from, until): (i64, i64),
    span: i64,
    limit: usize,
) -> Result<Vec<R::Key>, StoreError> {
    // By an index on the minute, and only over the time that was asked for.
    let sql = format!(
        "SELECT {} FROM {} WHERE minute >= ?1 AND minute < ?2 AND minute % ?3 <> 0 ORDER BY minute LIMIT ?4",
        R::TABLE.names(),
        R::TABLE.name
    );
    let given = [from.into(), until.into(), span.into(), most(limit)];
    reader.rows(&sql, &given, |row| Ok(R::read(row)?.key())).await
}

/// How many rows of a kind may go that have served since before this time (ms); at most so many.
pub async fn served(
    reader: &impl Reader,
    kept: &'static Kept,
    before_ms: i64,
    limit: usize,
) -> Result<usize, StoreError> {
    let found =
        first(reader, &kept.count(), &[before_ms.into(), most(limit)], |row| get::<i64>(row, 0)).await?;
    Ok(usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX))
}
