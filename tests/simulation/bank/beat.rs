//! What a beat brings back, as the store finds it.

use super::{Bank, LeaseRow};
use faregate_ledger::domain::key::Owner;
use faregate_ledger::domain::{GatewayNo, KeyNo};
use faregate_protocol::exchange::Change;
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Bank {
    /// Whether one of a gateway's leases shares the last of an account's money with others.
    pub(super) fn is_brisk(&self, gateway: GatewayNo) -> bool {
        self.of(gateway).any(|row| row.lease.brisk)
    }

    fn of(&self, gateway: GatewayNo) -> impl Iterator<Item = &LeaseRow> {
        let all = (gateway, KeyNo(0))..=(gateway, KeyNo(i64::MAX));
        self.leases.range(all).map(|(_, row)| row)
    }

    /// The number of the newest change, and what has changed for a gateway since change number `since`.
    pub(super) fn news(&self, gateway: GatewayNo, since: u64, now: Timestamp) -> (u64, Vec<Change>) {
        let newest = self.changes.len() as u64;
        let mut told = BTreeSet::new();
        if since == 0 || since > newest {
            told.extend(self.of(gateway).filter_map(|row| self.change(row, now)));
        } else {
            for (account, key, only) in &self.changes[since as usize..] {
                if *account == 0 && *only != 0 && *only != gateway.0 {
                    continue;
                }
                let concerned = |row: &&LeaseRow| match (*account, *key) {
                    (0, _) => row.lease.recall,
                    (account, 0) => row.lease.account.0 == account,
                    (_, key) => row.lease.key.0 == key,
                };
                told.extend(self.of(gateway).filter(concerned).filter_map(|row| self.change(row, now)));
            }
        }
        let changes = told.into_iter().map(|(number, refused)| {
            let payer = self.keys[number].key.id.to_string();
            Change { payer, refused }
        });
        (newest, changes.collect())
    }

    fn change(
        &self,
        row: &LeaseRow,
        now: Timestamp,
    ) -> Option<(usize, Option<faregate_protocol::RefusalCode>)> {
        if !row.lease.has_money() {
            return None;
        }
        let number = row.lease.key.0 as usize - 1;
        let key = &self.keys[number];
        let account = &self.accounts[key.account];
        let owner = Owner::of(account.state, account.contract.as_ref());
        let refused = key.key.refusal(owner, now);
        (refused.is_some() || row.lease.recall).then_some((number, refused))
    }
}
