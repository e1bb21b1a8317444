//! Budgets, kept as the store keeps them; and beside each a meter of its own, that counts what was charged.

use super::{Bank, KeyRow};
use crate::mutant::Mutant;
use faregate_ledger::domain::entry::Book;
use faregate_ledger::domain::period::Rhythm;
use faregate_ledger::domain::{Budget, Key, Posting, Scope};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// A budget, and what was charged in its scope since its period began.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    pub budget: Budget,
    meter: (Timestamp, i64),
}

impl Level {
    /// What was charged in its period, counted apart from the budget.
    pub fn metered(&self) -> i64 {
        if self.meter.0 == self.budget.start { self.meter.1 } else { 0 }
    }

    /// What may still be drawn, by the meter.
    pub fn left(&self, held: i64) -> i64 {
        (self.budget.credits.micros() - self.metered() - held).max(0)
    }
}

impl Bank {
    /// The budgets of a key, its team and its account.
    pub(super) fn budgets_of(&self, account: usize, key: &Key) -> Vec<Budget> {
        let of_account = self.budgets.iter().filter(|((owner, _), _)| *owner == account);
        let of_key = of_account.filter(|((_, scope), _)| scope.covers(key));
        let mut budgets: Vec<Budget> = of_key.map(|(_, level)| level.budget.clone()).collect();
        if self.mutant == Some(Mutant::BudgetPeriodNotRolled) {
            budgets.iter_mut().for_each(|budget| budget.until = Timestamp::MAX);
        }
        if self.mutant == Some(Mutant::BudgetsIgnored) {
            budgets.iter_mut().for_each(|budget| budget.credits = Credits::MAX);
        }
        budgets
    }

    /// Keeps those that moved.
    pub(super) fn keep_budgets(&mut self, account: usize, key: &Key, budgets: &[Budget]) {
        for budget in budgets {
            debug_assert!(budget.scope.covers(key));
            let Some(level) = self.budgets.get_mut(&(account, budget.scope)) else { continue };
            let before = level.budget.clone();
            level.budget = Budget { credits: before.credits, ..budget.clone() };
            if self.mutant == Some(Mutant::BudgetNotGivenBack) && budget.spent == before.spent {
                level.budget.held = budget.held.max(before.held);
            }
            if self.mutant == Some(Mutant::BudgetPeriodNotRolled) {
                level.budget.until = before.until;
            }
        }
    }

    /// Counts what was charged on behalf of a key.
    pub(super) fn meter(&mut self, account: usize, key: &Key, postings: &[Posting]) {
        let revenue = postings.iter().filter(|posting| posting.kind.to() == Book::Revenue);
        let charged: i64 = revenue.map(|posting| posting.amount.micros()).sum();
        for ((owner, scope), level) in &mut self.budgets {
            if *owner == account && scope.covers(key) {
                level.meter = (level.budget.start, level.metered() + charged);
            }
        }
    }

    /// What the leases in a scope hold.
    pub fn held_in(&self, account: usize, scope: Scope) -> i64 {
        let covered = |key: &KeyRow| key.account == account && scope.covers(&key.key);
        let leases = self.leases.values().map(|row| &row.lease);
        let in_scope = leases.filter(|lease| covered(&self.keys[lease.key.0 as usize - 1]));
        in_scope.map(|lease| lease.escrow().micros()).sum()
    }

    /// Sets a budget, or changes it. Where less may go through than before, leases are recalled.
    pub fn set_budget(
        &mut self,
        account: usize,
        scope: Scope,
        credits: Credits,
        rhythm: Rhythm,
        now: Timestamp,
    ) {
        let held = Credits::from_micros(self.held_in(account, scope));
        let (tighter, level) = match self.budgets.remove(&(account, scope)) {
            Some(mut level) => {
                let (credits_before, rhythm_before) = (level.budget.credits, level.budget.rhythm.clone());
                let start = level.budget.start;
                level.budget.change(credits, rhythm.clone(), now);
                if rhythm != rhythm_before || level.budget.start != start {
                    level.meter = (level.budget.start, 0);
                }
                (credits < credits_before || rhythm != rhythm_before, level)
            }
            None => {
                self.accounts[account].budgets += 1;
                let budget = Budget::fresh(scope, credits, rhythm, held, now);
                let meter = (budget.start, 0);
                (true, Level { budget, meter })
            }
        };
        self.budgets.insert((account, scope), level);
        if tighter {
            self.recall_in(account, scope);
        }
    }

    /// Takes a budget away.
    pub fn clear_budget(&mut self, account: usize, scope: Scope) {
        if self.budgets.remove(&(account, scope)).is_some() {
            self.accounts[account].budgets -= 1;
        }
    }

    fn recall_in(&mut self, account: usize, scope: Scope) {
        let (mut any, keys) = (false, &self.keys);
        for row in self.leases.values_mut() {
            let key = &keys[row.lease.key.0 as usize - 1];
            let covered = key.account == account && scope.covers(&key.key);
            if covered && row.lease.recallable().is_positive() {
                row.lease.recall = true;
                any = true;
            }
        }
        if any {
            self.announce(account as i64 + 1, 0, 0);
        }
    }
}
