//! An account's money: loads what a movement needs, and keeps what it changed.

use super::{Work, accounts, budgets, leases, maybe_time, minute};
use crate::domain::unbooked::Unbooked;
use crate::domain::{Account, AccountNo, Budget, Grant, GrantNo, Lease, Payer, Posting, Purse};
use crate::store::StoreError;
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

/// The grants of an account that have something left, and those that a lease draws on.
pub fn grants(
    conn: &Connection,
    account: AccountNo,
    lease: Option<&Lease>,
) -> Result<Vec<Grant>, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT no, priority, expires_ms, remaining, subscription IS NOT NULL FROM grants WHERE account = ?1 AND remaining > 0",
    )?;
    let mut grants = find.query_map([account.0], grant)?.collect::<Result<Vec<_>, _>>()?;
    let drawn = lease.map(|lease| lease.draws.as_slice()).unwrap_or_default();
    for draw in drawn {
        if grants.iter().all(|grant| grant.no != draw.grant) {
            let mut find =
                conn.prepare_cached("SELECT no, priority, expires_ms, remaining, subscription IS NOT NULL FROM grants WHERE no = ?1")?;
            grants.extend(find.query_map([draw.grant.0], grant)?.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(grants)
}

fn grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        no: GrantNo(row.get(0)?),
        priority: row.get(1)?,
        expires_at: maybe_time(row, "expires_ms")?,
        remaining: Credits::from_micros(row.get(3)?),
        of_plan: row.get(4)?,
    })
}

/// Takes out what remains of an account's grants whose time is over.
pub fn expire(conn: &Connection, account: AccountNo, now: Timestamp) -> Result<(), StoreError> {
    let account = accounts::by_no(conn, account)?;
    let grants = grants(conn, account.no, None)?;
    let mut purse = Purse::new(account, grants);
    let before = Before::of(&purse);
    purse.expire(now)?;
    keep_purse(conn, &before, &purse, now)
}

/// As it was before something moved.
#[derive(Debug)]
pub struct Before {
    account: Account,
    lease: Option<Lease>,
    budgets: Vec<Budget>,
}

impl Before {
    /// Of a purse alone.
    pub fn of(purse: &Purse) -> Self {
        Self { account: purse.account.clone(), lease: None, budgets: purse.budgets().to_vec() }
    }

    /// Of a purse and a lease.
    pub fn of_payer(payer: &Payer) -> Self {
        Self { lease: Some(payer.lease.clone()), ..Self::of(&payer.purse) }
    }
}

/// Keeps what has changed of an account's money.
pub fn keep_purse(
    conn: &Connection,
    before: &Before,
    purse: &Purse,
    now: Timestamp,
) -> Result<(), StoreError> {
    if before.account != purse.account {
        accounts::keep_sums(conn, &purse.account)?;
    }
    for grant in purse.changed_grants() {
        conn.prepare_cached("UPDATE grants SET remaining = ?2 WHERE no = ?1")?
            .execute(params![grant.no.0, grant.remaining.micros()])?;
    }
    budgets::keep(conn, purse.account.no, &before.budgets, purse.budgets())?;
    for posting in purse.postings() {
        post(conn, purse.account.no, posting, now)?;
    }
    if before.account.tight != purse.account.tight {
        leases::set_brisk(conn, purse.account.no, purse.account.tight)?;
    }
    Ok(())
}

/// Keeps what has changed of a payer. A lease whose gateway has just named it is stamped, even when
/// nothing else about it is new.
pub fn keep_payer(
    work: &Work<'_>,
    before: &Before,
    payer: &Payer,
    touched: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let is_new = before.lease.as_ref() != Some(&payer.lease);
    let has_row = payer.lease.fence > 0 || payer.lease.on_credit.is_positive();
    if has_row && (is_new || touched) {
        leases::keep(work, &payer.lease, touched, now)?;
    }
    keep_purse(work.conn, before, &payer.purse, now)
}

/// Notes what gateways said they had sold and will never be charged.
pub fn note_unbooked(conn: &Connection, what: &Unbooked, now: Timestamp) -> Result<(), StoreError> {
    let lost = what.lost();
    if lost.is_zero() {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT INTO unbooked (gateway, key, account, fence, reports, credits, last_ms)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
         ON CONFLICT DO UPDATE SET fence = ?4, reports = reports + 1,
           credits = min(credits + ?5, 9223372036854775807), last_ms = ?6",
    )?
    .execute(params![
        what.place.gateway.0,
        what.place.key.0,
        what.account.0.0,
        what.place.fence,
        lost.micros(),
        now.as_millisecond(),
    ])?;
    Ok(())
}

fn post(conn: &Connection, account: AccountNo, posting: &Posting, now: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO entries (account, minute, kind, key, gateway, fence, grant_no, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
    )?
    .execute(params![
        account.0,
        minute(now),
        posting.kind.number(),
        posting.place.key.0,
        posting.place.gateway.0,
        posting.place.fence,
        posting.grant.0,
        posting.amount.micros(),
    ])?;
    Ok(())
}
