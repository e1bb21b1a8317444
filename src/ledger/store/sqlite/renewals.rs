//! Renews subscriptions whose time has come.

use super::{Work, done, steps, subscriptions};
use crate::store::StoreError;
use crate::store::maintenance::RENEWALS;
use crate::store::plans::{AGAIN_MS, Renewed, Stored};
use crate::store::queries::jobs;
use jiff::Timestamp;
use rusqlite::{Connection, params};

/// Renews what is due. One that is refused leaves the others alone, and rests for a while.
pub fn renew(work: &Work<'_>, now: Timestamp) -> Result<Renewed, StoreError> {
    let conn = work.conn;
    let due = done(jobs::due_subscriptions(conn, now, RENEWALS))?;
    let mut renewed = Renewed { subscriptions: due.len(), grants: Vec::new() };
    for (no, _) in due {
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
