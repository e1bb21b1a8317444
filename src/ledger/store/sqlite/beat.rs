//! What a gateway's beat brings back: the changes since the last one that concern its leases.
//!
//! What must hold: quiet payers cost a beat nothing. It reads the changes since the last beat, not
//! the gateway's leases; only a gateway that comes anew, or was away for long, has its leases read.

use super::at;
use crate::domain::key::Owner;
use crate::domain::{GatewayNo, Key, KeyId, KeyNo};
use crate::store::StoreError;
use crate::store::sqlite::accounts::state_of;
use faregate_protocol::exchange::Change;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeSet;

/// A gateway that has missed more changes than this has its leases read instead.
const MAX_BACKLOG: i64 = 10_000;
/// The most changes in one answer, so that it fits into a message. Those that are left over come with
/// the next beat: the leases told of are gone by then.
const MAX_CHANGES: usize = 5_000;

/// News for a gateway.
#[derive(Clone, Debug)]
pub struct News {
    /// The number of the newest change that was taken in.
    pub seen: u64,
    /// What concerns this gateway.
    pub changes: Vec<Change>,
}

/// The gateway's leases with money. Of one that was taken back from it, it may not know yet.
const LEASE: &str = "SELECT k.id, k.revoked, k.expires_ms, a.state, l.recall, l.key,
      coalesce(a.contract ->> 'standing' = 'unpaid', 0) AS unpaid FROM leases l
    JOIN keys k ON k.no = l.key JOIN accounts a ON a.no = l.account
    WHERE l.gateway = ?1 AND (l.state = 'open' AND l.escrow > 0 OR l.state = 'reclaimed')";

/// Whether one of a gateway's leases shares the last of an account's money with others.
pub fn is_brisk(conn: &Connection, gateway: GatewayNo) -> Result<bool, StoreError> {
    let mut find =
        conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM leases WHERE gateway = ?1 AND brisk = 1)")?;
    Ok(find.query_row([gateway.0], |row| row.get(0))?)
}

/// What has changed for a gateway since change number `since`.
pub fn news(conn: &Connection, gateway: GatewayNo, since: u64, now: Timestamp) -> Result<News, StoreError> {
    let newest: i64 = conn
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'")?
        .query_row([], |row| row.get(0))?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let mut told = Told { now, keys: BTreeSet::new(), changes: Vec::new() };
    if since == newest {
        return Ok(News { seen: as_number(newest), changes: Vec::new() });
    }
    // A number from the future means that an older copy of the database was restored.
    let complete = if since == 0 || since > newest || newest - since > MAX_BACKLOG {
        let mut all = conn.prepare_cached(LEASE)?;
        told.take(all.query(params![gateway.0])?)?
    } else {
        let mut changes = conn.prepare_cached("SELECT account, key, gateway FROM changes WHERE seq > ?1")?;
        let mut rows = changes.query([since])?;
        let mut complete = true;
        let mut read = BTreeSet::new();
        while let (true, Some(row)) = (complete, rows.next()?) {
            let what: (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if read.insert(what) {
                complete = told.one(conn, gateway, what)?;
            }
        }
        complete
    };
    let seen = if complete { as_number(newest) } else { as_number(since) };
    Ok(News { seen, changes: told.changes })
}

fn as_number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

struct Told {
    now: Timestamp,
    keys: BTreeSet<i64>,
    changes: Vec<Change>,
}

impl Told {
    /// What one change means for this gateway.
    fn one(
        &mut self,
        conn: &Connection,
        gateway: GatewayNo,
        (account, key, only): (i64, i64, i64),
    ) -> Result<bool, StoreError> {
        if account == 0 {
            if only != 0 && only != gateway.0 {
                return Ok(true);
            }
            let mut recalled = conn.prepare_cached(&[LEASE, " AND l.recall = 1"].concat())?;
            return self.take(recalled.query(params![gateway.0])?);
        }
        if key == 0 {
            let mut of_account = conn.prepare_cached(&[LEASE, " AND l.account = ?2"].concat())?;
            return self.take(of_account.query(params![gateway.0, account])?);
        }
        let mut of_key = conn.prepare_cached(&[LEASE, " AND l.key = ?2"].concat())?;
        self.take(of_key.query(params![gateway.0, key])?)
    }

    /// Tells about these leases what is true now; says whether there was room for all.
    fn take(&mut self, mut rows: rusqlite::Rows<'_>) -> Result<bool, StoreError> {
        while let Some(row) = rows.next()? {
            if self.changes.len() >= MAX_CHANGES {
                return Ok(false);
            }
            let (no, change) = self.change(row)?;
            if let Some(change) = change
                && self.keys.insert(no)
            {
                self.changes.push(change);
            }
        }
        Ok(true)
    }

    fn change(&self, row: &Row<'_>) -> rusqlite::Result<(i64, Option<Change>)> {
        let (id, state, recall, no): (String, String, bool, i64) =
            (row.get(0)?, row.get(3)?, row.get(4)?, row.get(5)?);
        let key = Key {
            no: KeyNo(no),
            id: KeyId::stored(id.clone()),
            revoked: row.get(1)?,
            expires_at: row.get::<_, Option<i64>>(2)?.map(at),
            team: None,
            products: None,
        };
        let owner = Owner { state: state_of(&state), unpaid: row.get(6)? };
        let refused = key.refusal(owner, self.now);
        let concerns = refused.is_some() || recall;
        Ok((no, concerns.then_some(Change { payer: id, refused })))
    }
}
