//! What the ledger does without being asked. Each call does a bounded amount of work and tells how
//! much that was, so that the caller can come again.

use super::{Work, accounts, budgets, done, leases, money};
use crate::domain::{BookError, GatewayNo, KeyNo, Payer, Purse};
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::maintenance::{KEPT, ROWS};
use crate::store::queries::jobs;
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::params;

/// Takes back open leases that were not named since the running count stood at `touch`. Tells how
/// many, and how much money was in them.
pub fn reclaim(work: &Work<'_>, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
    let mut failed = None;
    let done = take_back(work, touch, now, |payer, now| match payer.reclaim(now) {
        Ok(back) => Ok(Some(back)),
        Err(why) => {
            failed = Some((payer.purse.account.id.clone(), why));
            Ok(None)
        }
    })?;
    if let Some((account, why)) = failed {
        tracing::error!(%account, %why, "a lease can't be taken back; the others are");
    }
    Ok(done)
}

/// The same, in the given way, which may leave a lease as it is.
pub fn take_back(
    work: &Work<'_>,
    touch: i64,
    now: Timestamp,
    mut take: impl FnMut(&mut Payer, Timestamp) -> Result<Option<Credits>, BookError>,
) -> Result<(usize, Credits), StoreError> {
    let mut find = work
        .conn
        .prepare_cached("SELECT gateway, key FROM leases WHERE state = 'open' AND touch <= ?1 LIMIT ?2")?;
    let overdue: Vec<(i64, i64)> = find
        .query_map(params![touch, rows()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (mut taken, mut back) = (0, Credits::ZERO);
    for (gateway, key) in &overdue {
        let (key, account) = accounts::key_by_no(work.conn, KeyNo(*key))?;
        let lease = leases::load(work.conn, GatewayNo(*gateway), key.no, account.no)?;
        let grants = money::grants(work.conn, account.no, Some(&lease))?;
        let budgets = budgets::of_key(work.conn, &account, &key)?;
        let purse = Purse::new(account, grants).with_budgets(budgets);
        let mut payer = Payer { purse, key, lease, demand: 0 };
        let before = money::Before::of_payer(&payer);
        let Some(credits) = take(&mut payer, now)? else { continue };
        (taken, back) = (taken + 1, back.saturating_add(credits));
        money::keep_payer(work, &before, &payer, false, now)?;
    }
    Ok((taken, back))
}

/// Takes out what remains of grants whose time is over.
pub fn expire_grants(work: &Work<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let lapsed = done(jobs::due_grants(work.conn, now, ROWS))?;
    let mut expired = 0;
    for account in &lapsed {
        match money::expire(work.conn, *account, now) {
            Ok(()) => expired += 1,
            // Decided before anything was written.
            Err(StoreError::Refused(why)) => {
                tracing::error!(account = account.0, %why, "an account's grants can't expire; those of others do");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(expired)
}

/// Lets gateways know of keys whose time is over.
pub fn expire_keys(work: &Work<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let lapsed = done(jobs::due_keys(work.conn, now, ROWS))?;
    for (key, account) in &lapsed {
        work.conn.prepare_cached("UPDATE keys SET expiry_told = 1 WHERE no = ?1")?.execute([key.0])?;
        leases::announce(work.conn, *account, *key, GatewayNo(0), now)?;
    }
    Ok(lapsed.len())
}

/// Deletes what has served its time.
pub fn prune(work: &Work<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let mut gone = 0;
    for kept in &KEPT {
        let before_ms = now.as_millisecond().saturating_sub(kept.keep_ms);
        let mut delete = work.conn.prepare_cached(&kept.delete(Dialect::Sqlite))?;
        gone = gone.max(delete.execute(params![before_ms, rows()])?);
    }
    Ok(gone)
}

/// Writes something, to find out whether writing works.
pub fn pulse(work: &Work<'_>, now: Timestamp) -> Result<(), StoreError> {
    work.conn.prepare_cached("UPDATE pulse SET at_ms = ?1")?.execute([now.as_millisecond()])?;
    Ok(())
}

fn rows() -> i64 {
    i64::try_from(ROWS).unwrap_or(i64::MAX)
}
