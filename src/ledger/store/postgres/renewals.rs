//! Renews subscriptions whose time has come. Several ledgers may do it at once: what one has locked, another
//! skips or, once it is free, finds done.

use super::keep::{self, Change};
use super::load::{self, Busy};
use super::pool::Task;
use super::trouble::Trouble;
use super::{steps, subscriptions};
use crate::domain::AccountNo;
use crate::store::StoreError;
use crate::store::plans::{AGAIN_MS, Renewed};
use crate::store::upkeep::RENEWALS;
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;

const DUE: &str = "SELECT no, account FROM (SELECT no, account FROM subscriptions WHERE due_ms <= $1 ORDER BY due_ms LIMIT $2) d
    UNION SELECT no, account FROM (SELECT s.no, s.account FROM plans p JOIN subscriptions s ON s.plan = p.no
      WHERE p.at_once > 1 AND s.version < p.at_once AND s.due_ms IS NOT NULL AND s.period_ms IS NOT NULL
        AND s.state <> 'paused' AND NOT (s.state = 'past_due' AND s.until_ms IS NULL) LIMIT $2) v";

/// Renews what is due. One that is refused leaves the others alone, and rests for a while.
#[derive(Debug)]
pub struct Renew(pub Timestamp);

impl Task for Renew {
    type Done = Renewed;

    async fn attempt(&self, conn: &Client) -> Result<Renewed, Trouble> {
        let rows = i64::try_from(RENEWALS).unwrap_or(i64::MAX);
        let find = conn.prepare_cached(DUE).await?;
        let found = conn.query(&find, &[&self.0.as_millisecond(), &rows]).await?;
        let mut due = Vec::with_capacity(found.len());
        for row in &found {
            due.push((AccountNo(row.try_get(1)?), row.try_get::<_, i64>(0)?));
        }
        if due.is_empty() {
            return Ok(Renewed::default());
        }
        let accounts = due.iter().map(|(account, _)| *account).collect();
        let locked = load::lock(conn, &accounts, Busy::Skip).await?;
        due.retain(|(account, _)| locked.money.contains_key(account));
        let mut renewed = Renewed { subscriptions: due.len(), grants: Vec::new() };
        let mut changes = Vec::new();
        for (_, no) in due {
            renewed.grants.extend(self.one(conn, no, &mut changes).await?);
        }
        keep::announce(conn, &changes, self.0).await?;
        Ok(renewed)
    }
}

impl Renew {
    async fn one(&self, conn: &Client, no: i64, changes: &mut Vec<Change>) -> Result<Vec<Credits>, Trouble> {
        // Read anew under the lock: another ledger may have renewed it just now.
        let mut stored = subscriptions::by_no(conn, no).await?;
        conn.batch_execute("SAVEPOINT renewal").await?;
        let done = steps::advance(conn, &mut stored, self.0, changes).await;
        match done {
            Ok(given) => {
                conn.batch_execute("RELEASE renewal").await?;
                Ok(given)
            }
            Err(Trouble::Store(StoreError::Refused(why))) => {
                tracing::warn!(account = stored.account_id, %why, "a subscription could not renew");
                conn.batch_execute("ROLLBACK TO renewal; RELEASE renewal").await?;
                self.rest(conn, no).await?;
                Ok(Vec::new())
            }
            Err(other) => Err(other),
        }
    }

    /// Puts off what is due. What a version was to give at once is given up.
    async fn rest(&self, conn: &Client, no: i64) -> Result<(), Trouble> {
        let again = self.0.as_millisecond().saturating_add(AGAIN_MS);
        let rest = "UPDATE subscriptions s SET due_ms = $2, version = greatest(s.version, p.at_once)
            FROM plans p WHERE s.no = $1 AND p.no = s.plan";
        conn.execute(rest, &[&no, &again]).await?;
        Ok(())
    }
}
