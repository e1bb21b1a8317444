//! Renews subscriptions whose time has come.

use super::{Work, steps, subscriptions};
use crate::store::plans::{AGAIN_MS, Renewed, Stored};
use crate::store::{StoreError, upkeep::RENEWALS};
use jiff::Timestamp;
use rusqlite::{Connection, params};

const DUE: &str = "SELECT no FROM (SELECT no FROM subscriptions WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2)
    UNION SELECT no FROM (SELECT s.no FROM plans p JOIN subscriptions s ON s.plan = p.no
      WHERE p.at_once > 1 AND s.version < p.at_once AND s.due_ms IS NOT NULL AND s.period_ms IS NOT NULL
        AND s.state <> 'paused' AND NOT (s.state = 'past_due' AND s.until_ms IS NULL) LIMIT ?2)";

/// Renews what is due. One that is refused leaves the others alone, and rests for a while.
pub fn renew(work: &Work<'_>, now: Timestamp) -> Result<Renewed, StoreError> {
    let conn = work.conn;
    let rows = i64::try_from(RENEWALS).unwrap_or(i64::MAX);
    let due: Vec<i64> = conn
        .prepare_cached(DUE)?
        .query_map(params![now.as_millisecond(), rows], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut renewed = Renewed { subscriptions: due.len(), grants: Vec::new() };
    for no in due {
        let mut stored = subscriptions::by_no(conn, no)?;
        conn.prepare_cached("SAVEPOINT renewal")?.execute([])?;
        match steps::advance(conn, &mut stored, now) {
            Ok(given) => renewed.grants.extend(given),
            Err(StoreError::Refused(why)) => {
                tracing::warn!(account = stored.account_id, %why, "a subscription could not renew");
                conn.prepare_cached("ROLLBACK TO renewal")?.execute([])?;
                rest(conn, &stored, now)?;
            }
            Err(error) => return Err(error),
        }
        conn.prepare_cached("RELEASE renewal")?.execute([])?;
    }
    Ok(renewed)
}

/// Puts off what is due. What a version was to give at once is given up.
fn rest(conn: &Connection, stored: &Stored, now: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE subscriptions SET due_ms = ?2, version = max(version, (SELECT at_once FROM plans WHERE no = plan))
         WHERE no = ?1",
    )?
    .execute(params![stored.no, now.as_millisecond().saturating_add(AGAIN_MS)])?;
    Ok(())
}
