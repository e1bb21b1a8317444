//! What the ledger does on its own, and what its operator does.

use super::{Bank, GrantRow};
use crate::mutant::Mutant;
use faregate_ledger::domain::account::Turn;
use faregate_ledger::domain::{BookError, GatewayNo, Grant, GrantNo, KeyNo, LeaseState, Payer};
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl Bank {
    /// The open leases that were not named since the running count stood at `touch`.
    pub fn overdue(&self, touch: i64) -> Vec<(GatewayNo, KeyNo)> {
        let is_overdue = |row: &super::LeaseRow| row.lease.state == LeaseState::Open && row.touch <= touch;
        self.leases.iter().filter(|(_, row)| is_overdue(row)).map(|(place, _)| *place).collect()
    }

    /// Takes one lease back: what is left of it goes to whom the plan says.
    pub fn reclaim(&mut self, place: (GatewayNo, KeyNo), now: Timestamp) -> Result<Credits, BookError> {
        self.take_back_by(place, now, Payer::reclaim)
    }

    /// Takes one lease back, for the customer.
    pub fn take_back(&mut self, place: (GatewayNo, KeyNo), now: Timestamp) -> Result<Credits, BookError> {
        self.take_back_by(place, now, Payer::take_back)
    }

    fn take_back_by(
        &mut self,
        place: (GatewayNo, KeyNo),
        now: Timestamp,
        take: impl Fn(&mut Payer, Timestamp) -> Result<Credits, BookError>,
    ) -> Result<Credits, BookError> {
        let Some(row) = self.leases.get(&place) else {
            return Ok(Credits::ZERO);
        };
        let (lease, key) = (row.lease.clone(), &self.keys[place.1.0 as usize - 1]);
        let (account, key) = (key.account, key.key.clone());
        let purse = self.purse(account, Some(&lease)).with_budgets(self.budgets_of(account, &key));
        let mut payer = Payer { purse, key, lease, demand: 0 };
        let told = payer.lease.spent;
        let back = take(&mut payer, now)?;
        match self.mutant {
            Some(Mutant::ReclaimLeavesFenceOpen) => payer.lease.state = LeaseState::Open,
            Some(Mutant::ForfeitedChargedTwice) => payer.lease.spent = told,
            _ => {}
        }
        self.keep_payer(account, payer, false, now);
        Ok(back)
    }

    /// Takes out what remains of grants whose time is over, and lets gateways know of keys whose time is.
    pub fn expire(&mut self, now: Timestamp) -> Result<u64, BookError> {
        let mut lapsed = 0;
        for account in 0..self.accounts.len() {
            let over = |row: &GrantRow| {
                row.account == account && row.grant.remaining.is_positive() && row.grant.is_expired(now)
            };
            if self.grants.iter().any(over) {
                self.lapse(account, now)?;
                lapsed += 1;
            }
        }
        for number in 0..self.keys.len() {
            let row = &mut self.keys[number];
            if !row.expiry_told && row.key.expires_at.is_some_and(|at| at <= now) {
                row.expiry_told = true;
                let account = row.account as i64 + 1;
                self.announce(account, number as i64 + 1, 0);
                lapsed += 1;
            }
        }
        Ok(lapsed)
    }

    /// Takes out what remains of an account's grants whose time is over.
    pub(super) fn lapse(&mut self, account: usize, now: Timestamp) -> Result<(), BookError> {
        let mut purse = self.purse(account, None);
        purse.expire(now)?;
        self.keep_purse(account, &purse, now);
        Ok(())
    }

    /// Gives an account credits.
    pub fn grant(
        &mut self,
        account: usize,
        micros: i64,
        priority: u16,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), BookError> {
        let remaining = Credits::from_micros(micros);
        let grant = Grant { no: GrantNo(0), priority, expires_at, remaining, of_plan: false };
        self.give(account, grant, None, now)
    }

    /// The same, on behalf of a subscription if there is one.
    pub(super) fn give(
        &mut self,
        account: usize,
        grant: Grant,
        subscription: Option<i64>,
        now: Timestamp,
    ) -> Result<(), BookError> {
        let mut purse = self.purse(account, None);
        purse.expire(now)?;
        let grant = Grant { no: GrantNo(self.grants.len() as i64 + 1), ..grant };
        let (amount, lapsed) = (grant.remaining.micros(), BTreeMap::new());
        self.grants.push(GrantRow { account, grant: grant.clone(), amount, subscription, lapsed });
        purse.issue(grant)?;
        purse.account.tight = false;
        self.keep_purse(account, &purse, now);
        Ok(())
    }

    /// Suspends or resumes an account. Returns whether that changed anything.
    pub fn turn(&mut self, account: usize, turn: Turn) -> bool {
        let row = &mut self.accounts[account];
        let Ok(state) = turn.of(row.state) else {
            return false;
        };
        let changed = state != row.state;
        row.state = state;
        if changed && self.mutant != Some(Mutant::ChangesUntold) {
            self.announce(account as i64 + 1, 0, 0);
        }
        changed
    }

    /// Revokes a key.
    pub fn revoke(&mut self, number: usize) {
        let row = &mut self.keys[number];
        if !row.key.revoked {
            row.key.revoked = true;
            let account = row.account as i64 + 1;
            if self.mutant != Some(Mutant::ChangesUntold) {
                self.announce(account, number as i64 + 1, 0);
            }
        }
    }

    /// Asks all gateways to hand back what they don't need.
    pub fn recall_all(&mut self) {
        let mut recalled = false;
        for row in self.leases.values_mut().filter(|row| row.lease.recallable().is_positive()) {
            row.lease.recall = true;
            recalled = true;
        }
        if recalled {
            self.announce(0, 0, 0);
        }
    }
}
