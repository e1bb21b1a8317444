//! What the ledger does without being asked. Several ledgers may do it at once: what one has locked,
//! another skips or, once it is free, finds done.

use super::keep::{self, Change};
use super::load::{self, Busy};
use super::pool::Task;
use super::sheet::LeaseRow;
use super::trouble::Trouble;
use crate::domain::{AccountNo, GatewayNo, KeyNo, LeaseState};
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::maintenance::{KEPT, ROWS};
use crate::store::queries::jobs;
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Takes back open leases whose last stamp is not above `touch`.
#[derive(Debug)]
pub struct Reclaim {
    pub touch: i64,
    pub now: Timestamp,
}

impl Task for Reclaim {
    /// How many, and how much money was in them.
    type Done = (usize, Credits);

    async fn attempt(&self, conn: &Client) -> Result<Self::Done, Trouble> {
        let sql = "SELECT gateway, key, account FROM leases WHERE state = 'open' AND touch <= $1
            ORDER BY touch LIMIT $2";
        let silent = conn.query(&conn.prepare_cached(sql).await?, &[&self.touch, &rows()]).await?;
        let mut accounts = BTreeSet::new();
        let mut silent_rows: BTreeSet<LeaseRow> = BTreeSet::new();
        for row in &silent {
            silent_rows.insert((GatewayNo(row.try_get(0)?), KeyNo(row.try_get(1)?)));
            accounts.insert(AccountNo(row.try_get(2)?));
        }
        if silent_rows.is_empty() {
            return Ok((0, Credits::ZERO));
        }
        let mut sheet = load::lock(conn, &accounts, Busy::Wait).await?;
        load::keys_and_leases(conn, &mut sheet, &silent_rows).await?;
        // Another ledger may have taken one back meanwhile, or its gateway may have been heard.
        silent_rows.retain(|row| {
            let lease = sheet.leases.get(row);
            lease
                .is_some_and(|stamped| stamped.lease.state == LeaseState::Open && stamped.touch <= self.touch)
        });
        load::grants(conn, &mut sheet, &accounts).await?;
        let (mut taken, mut back) = (0, Credits::ZERO);
        let mut draft = sheet.draft(self.now);
        for (gateway, key) in &silent_rows {
            let Some(mut payer) = draft.payer(*gateway, *key) else { continue };
            let before = payer.clone();
            match payer.reclaim(self.now) {
                Ok(credits) => (taken, back) = (taken + 1, back.saturating_add(credits)),
                Err(why) => {
                    let account = &payer.purse.account.id;
                    tracing::error!(%account, %why, "a lease can't be taken back; the others are");
                    continue;
                }
            }
            draft.keep_payer(&before, &payer, false);
        }
        let own = draft.finish();
        sheet.accept(own);
        keep::sheet(conn, &sheet).await?;
        Ok((taken, back))
    }
}

/// Takes out what remains of grants whose time is over.
#[derive(Debug)]
pub struct ExpireGrants(pub Timestamp);

impl Task for ExpireGrants {
    type Done = usize;

    async fn attempt(&self, conn: &Client) -> Result<usize, Trouble> {
        let due = jobs::due_grants(conn, self.0, ROWS).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut sheet = load::lock(conn, &due, Busy::Skip).await?;
        let locked: BTreeSet<AccountNo> = sheet.money.keys().copied().collect();
        load::grants(conn, &mut sheet, &locked).await?;
        let mut draft = sheet.draft(self.0);
        for account in &locked {
            if let Err(why) = draft.expire(*account) {
                tracing::error!(account = account.0, %why, "an account's grants can't expire; those of others do");
            }
        }
        let own = draft.finish();
        sheet.accept(own);
        let expired = sheet.changed.accounts.len();
        keep::sheet(conn, &sheet).await?;
        Ok(expired)
    }
}

/// Lets gateways know of keys whose time is over.
#[derive(Debug)]
pub struct ExpireKeys(pub Timestamp);

impl Task for ExpireKeys {
    type Done = usize;

    async fn attempt(&self, conn: &Client) -> Result<usize, Trouble> {
        // Nothing but this task looks at `expiry_told`, so the account needs no lock.
        let sql = "UPDATE keys SET expiry_told = true WHERE no IN (SELECT no FROM keys
            WHERE expires_ms IS NOT NULL AND NOT expiry_told AND expires_ms <= $1 LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
            RETURNING account, no";
        let over = conn.query(&conn.prepare_cached(sql).await?, &[&self.0.as_millisecond(), &rows()]).await?;
        let told =
            over.iter().map(|row| Ok((AccountNo(row.try_get(0)?), KeyNo(row.try_get(1)?), GatewayNo(0))));
        let told: Vec<Change> = told.collect::<Result<_, Trouble>>()?;
        keep::announce(conn, &told, self.0).await?;
        Ok(told.len())
    }
}

/// Deletes what has served its time.
#[derive(Debug)]
pub struct Prune(pub Timestamp);

impl Task for Prune {
    /// The largest number of rows of one kind.
    type Done = usize;

    async fn attempt(&self, conn: &Client) -> Result<usize, Trouble> {
        let mut gone = 0;
        for kept in &KEPT {
            let before_ms = self.0.as_millisecond().saturating_sub(kept.keep_ms);
            let delete = conn.prepare_cached(&kept.delete(Dialect::Postgres)).await?;
            let deleted = conn.execute(&delete, &[&before_ms, &rows()]).await?;
            gone = gone.max(usize::try_from(deleted).unwrap_or(usize::MAX));
        }
        Ok(gone)
    }
}

/// Writes something, to find out whether writing works.
#[derive(Debug)]
pub struct Pulse(pub Timestamp);

impl Task for Pulse {
    type Done = ();

    async fn attempt(&self, conn: &Client) -> Result<(), Trouble> {
        let beat = conn.prepare_cached("UPDATE pulse SET at_ms = $1").await?;
        conn.execute(&beat, &[&self.0.as_millisecond()]).await?;
        Ok(())
    }
}

/// Begins a new epoch: whatever is read from now on is above the number that this gives.
#[derive(Debug)]
pub struct Turn;

impl Task for Turn {
    type Done = i64;

    async fn attempt(&self, conn: &Client) -> Result<i64, Trouble> {
        let turn = conn.prepare_cached("UPDATE epoch SET number = number + 1 RETURNING number").await?;
        let number: i64 = conn.query_one(&turn, &[]).await?.try_get(0)?;
        number.checked_sub(1).ok_or_else(|| StoreError::Backend("the epoch is out of range".into()).into())
    }
}

fn rows() -> i64 {
    i64::try_from(ROWS).unwrap_or(i64::MAX)
}
