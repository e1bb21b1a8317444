//! What a heartbeat brings back, of the rows that the store's query would find.

use super::ModelLedger;
use faregate_ledger::command::news::{Candidate, News, Scope, decide, is_about, is_held, scope};
use faregate_ledger::domain::GatewayNo;
use faregate_ledger::domain::key::Owner;
use faregate_ledger::store::rows::LeaseRow;
use jiff::Timestamp;

impl ModelLedger {
    /// What has changed for a gateway since change number `since`, and whether one of its leases shares the last of an
    /// account's money with others.
    pub(super) fn news(&self, gateway: GatewayNo, since: u64, now: Timestamp) -> (News, bool) {
        let newest = self.db.changes.last_key_value().map_or(0, |(key, _)| key.0);
        let leases = || self.db.leases.values().filter(|row| row.lease.gateway == gateway);
        let held = leases().filter(|row| is_held(row.lease.state, row.lease.has_credits()));
        let mut candidates: Vec<Candidate> = held.map(|row| self.candidate(row)).collect();
        match scope(newest, since) {
            Scope::Nothing => candidates.clear(),
            Scope::Everything => {}
            Scope::Since(since) => {
                let changes = || self.db.changes.range((since + 1,)..).map(|(_, row)| row);
                candidates.retain(|lease| {
                    changes().any(|row| is_about((row.account, row.key, row.gateway), gateway, lease))
                });
            }
        }
        (decide(newest, since, &candidates, now), leases().any(|row| row.lease.fast_heartbeat))
    }

    fn candidate(&self, row: &LeaseRow) -> Candidate {
        let account = &self.db.accounts[&(row.lease.account,)].account;
        let owner = Owner::of(account.state, account.entitlement.as_ref());
        let key = self.db.keys[&(row.lease.key,)].key.clone();
        Candidate { key, account: account.no, owner, recall: row.lease.recall }
    }
}
