//! Renews subscriptions whose time has come. Several ledgers may do it at once: what one has locked, another
//! skips or, once it is free, finds done.

use super::keep::{self, Change};
use super::load::{self, Busy};
use super::pool::Task;
use super::trouble::Trouble;
use super::{steps, subscriptions};
use crate::store::StoreError;
use crate::store::maintenance::RENEWALS;
use crate::store::plans::{AGAIN_MS, Renewed};
use crate::store::queries::jobs;
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// Renews what is due. One that is refused leaves the others alone, and rests for a while.
#[derive(Debug)]
pub struct Renew(pub Timestamp);

impl Task for Renew {
    type Done = Renewed;

    async fn attempt(&self, conn: &Client) -> Result<Renewed, Trouble> {
        let mut due = jobs::due_subscriptions(conn, self.0, RENEWALS).await?;
        if due.is_empty() {
            return Ok(Renewed::default());
        }
        let accounts = due.iter().map(|(_, account)| *account).collect();
        let locked = load::lock(conn, &accounts, Busy::Skip).await?;
        due.retain(|(_, account)| locked.money.contains_key(account));
        let mut renewed = Renewed { subscriptions: due.len(), grants: Vec::new() };
        let mut changes = Vec::new();
        for (no, _) in due {
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
