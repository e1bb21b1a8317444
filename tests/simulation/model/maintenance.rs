//! What the ledger does on its own: the candidates that its jobs would find, and the shipped operations on them.

use super::ModelLedger;
use faregate_ledger::command::expiry::{ExpireGrants, ExpireKey};
use faregate_ledger::command::reclaim::{Reclaim, Reclaimed, TakeBack};
use faregate_ledger::command::renew::{Renew, RenewalOutcome};
use faregate_ledger::domain::LeaseState;
use faregate_ledger::domain::subscription::State;
use faregate_ledger::store::StoreError;
use faregate_ledger::store::rows::SubscriptionRow;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl ModelLedger {
    /// The open leases that were not named since the running count stood at `touch`.
    pub fn overdue(&self, touch: i64) -> Vec<Reclaim> {
        let open = self.db.leases.iter().filter(|(_, row)| row.lease.state == LeaseState::Open);
        let overdue = open.filter(|(_, row)| row.touch <= touch);
        overdue.map(|(place, row)| Reclaim { place: *place, account: row.lease.account, touch }).collect()
    }

    /// Takes one lease back: what is left of it goes to whom the plan says. None when it was named since.
    pub fn reclaim(&mut self, overdue: Reclaim, now: Timestamp) -> Result<Option<Credits>, String> {
        back(self.run(overdue, now))
    }

    /// Takes one lease back, for the customer.
    pub fn take_back(&mut self, overdue: Reclaim, now: Timestamp) -> Result<Option<Credits>, String> {
        back(self.run(TakeBack(overdue), now))
    }

    /// Takes out what remains of grants whose time is over, and lets gateways know of keys whose time is.
    pub fn expire(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let live = self.db.grants.values().filter(|row| row.grant.remaining.is_positive());
        let accounts: BTreeSet<_> =
            live.filter(|row| over(row.grant.expires_at)).map(|row| row.account).collect();
        let keys = self.db.keys.values().filter(|row| !row.expiry_announced && over(row.key.expires_at));
        let keys: Vec<_> = keys.map(|row| ExpireKey { key: row.key.no, account: row.account }).collect();
        let lapsed = accounts.len() + keys.len();
        for account in accounts {
            self.run(ExpireGrants { account }, now)?;
        }
        for key in keys {
            self.run(key, now)?;
        }
        Ok(lapsed as u64)
    }

    /// Renews what is due. Tells how many were looked at.
    pub fn renew(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let due = |row: &&SubscriptionRow| {
            let subscription = &row.subscription;
            let newer = self.db.plans[&(subscription.plan,)].at_once > subscription.version;
            let runs = subscription.period_start.is_some()
                && !subscription.is_unpaid()
                && subscription.state != State::Paused;
            row.due.is_some_and(|due| due <= now || newer && runs)
        };
        let due = self.db.subscriptions.values().filter(due);
        let due: Vec<Renew> = due.map(|row| Renew { subscription: row.no, account: row.account }).collect();
        let looked_at = due.len() as u64;
        for renew in due {
            let outcome = self.run(renew, now)?;
            self.check_renewal(&outcome);
        }
        Ok(looked_at)
    }

    /// No renewal is refused: no account comes near a limit.
    pub(super) fn check_renewal(&mut self, outcome: &RenewalOutcome) {
        if let RenewalOutcome::Rests { .. } = outcome {
            self.record_violation(format!("a renewal was refused: {outcome:?}"));
        }
    }
}

fn back(reclaimed: Result<Reclaimed, StoreError>) -> Result<Option<Credits>, String> {
    reclaimed.map_err(|error| error.to_string())?.map_err(|left| left.why.to_string())
}
