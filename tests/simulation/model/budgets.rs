//! Beside each budget a meter of its own, that counts what was charged.

use super::ModelLedger;
use faregate_ledger::domain::period::Unit;
use faregate_ledger::domain::{AccountNo, KeyNo, Scope};
use faregate_ledger::store::rows::BudgetRow;
use jiff::Timestamp;

/// A budget's period, and what was charged in its scope since that began.
pub type Meter = ((Timestamp, Unit, u16), i64);

impl ModelLedger {
    /// Counts what was charged on behalf of keys.
    pub(super) fn meter(&mut self, charged: &[(KeyNo, i64)]) {
        let before = std::mem::take(&mut self.seen.meters);
        for (place, row) in &self.db.budgets {
            let period = (row.start, row.unit, row.every);
            let known = before.get(place).filter(|(of, _)| *of == period).map_or(0, |(_, micros)| *micros);
            let covered = charged.iter().filter(|(key, _)| {
                let key = &self.db.keys[&(*key,)];
                key.account == row.account && row.whose().covers(&key.key)
            });
            let more: i64 = covered.map(|(_, micros)| micros).sum();
            self.seen.meters.insert(*place, (period, known + more));
        }
    }

    /// What was charged in a budget's period, counted apart from it.
    pub(super) fn metered(&self, row: &BudgetRow) -> i64 {
        self.seen.meters[&(row.account, row.scope, row.target)].1
    }

    /// What may still be drawn of a budget, by its meter.
    pub(super) fn left_in(&self, row: &BudgetRow) -> i64 {
        (row.credits.micros() - self.metered(row) - self.held_in(row.account, row.whose())).max(0)
    }

    /// The budgets that a key's requests count in.
    pub(super) fn budgets_of(&self, key: usize) -> impl Iterator<Item = &BudgetRow> {
        let (account, key) = (self.accounts[self.keys[key].account], self.key(key));
        self.db.budgets.values().filter(move |row| row.account == account && row.whose().covers(key))
    }

    /// What the leases in a scope hold.
    pub(super) fn held_in(&self, account: AccountNo, scope: Scope) -> i64 {
        let leases = self.db.leases.values().map(|row| &row.lease);
        let covered =
            leases.filter(|lease| lease.account == account && scope.covers(&self.db.keys[&(lease.key,)].key));
        covered.map(|lease| lease.escrow().micros()).sum()
    }
}
