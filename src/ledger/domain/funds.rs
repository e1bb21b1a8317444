//! An account's money in motion: the sums, the grants, the budgets, and what was posted about them.
//!
//! What must hold after every method: the sums agree ([`Books::agree`](super::Books::agree)); what is
//! available is what remains in the grants; nothing is owed while something is available; nothing remains of a grant
//! of which something is still to be taken back; and the budgets have moved with the money.

mod corrections;

pub use corrections::{Taken, Whereabouts};

use super::account::{add, take};
use super::entitlement::Entitlement;
use super::{Account, BookError, Budget, Grant, GrantNo, Kind, Lease, Place, Posting};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// An account, the grants that matter now, and what has moved since it was loaded.
#[derive(Clone, Debug)]
pub struct AccountFunds {
    /// Whose money it is, and its sums.
    pub account: Account,
    grants: Vec<Grant>,
    changed: Vec<GrantNo>,
    postings: Vec<Posting>,
    budgets: Vec<Budget>,
}

impl AccountFunds {
    /// `grants` are all that have something left, and those that the lease at hand has drawn from.
    /// They may be left out when no money will move but from a lease to revenue.
    pub fn new(account: Account, mut grants: Vec<Grant>) -> Self {
        grants.sort_by(Grant::burn_order);
        Self { account, grants, changed: Vec::new(), postings: Vec::new(), budgets: Vec::new() }
    }

    /// With the budgets of one of the account's keys: its own, its team's and the account's. Whatever moves on
    /// behalf of that key moves them as well.
    #[must_use]
    pub fn with_budgets(self, budgets: Vec<Budget>) -> Self {
        Self { budgets, ..self }
    }

    /// The budgets as they now are.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// Begins the periods of `now`.
    pub fn roll(&mut self, now: Timestamp) {
        self.budgets.iter_mut().for_each(|budget| budget.roll(now));
    }

    /// What its grants have that may be drawn: where the plan refuses beyond its quota, what came with the plan.
    pub fn drawable(&self) -> Credits {
        if !self.draws_plan_only() {
            return self.account.books.available;
        }
        let of_plan = self.grants.iter().filter(|grant| grant.of_plan);
        of_plan.fold(Credits::ZERO, |sum, grant| sum.saturating_add(grant.remaining))
    }

    fn draws_plan_only(&self) -> bool {
        self.account.entitlement.as_ref().is_some_and(Entitlement::refuses_overage)
    }

    /// The grants that changed.
    pub fn changed_grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(|grant| self.changed.contains(&grant.no))
    }

    /// All the grants that were loaded, in burn order.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What moved, in order.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Adds a new grant, and pays debts from it. The kind says why it is given.
    pub fn issue(&mut self, kind: Kind, grant: Grant) -> Result<(), BookError> {
        let (no, amount) = (grant.no, grant.remaining);
        add(&mut self.account.books.granted, amount, "the sum of the account's grants")?;
        add(&mut self.account.books.available, amount, "the account's available credits")?;
        self.grants.push(grant);
        self.grants.sort_by(Grant::burn_order);
        self.post(kind, Place::default(), no, amount);
        self.changed.push(no);
        self.settle_debts()?;
        if self.account.books.are_in_range() {
            return Ok(());
        }
        Err(BookError::OutOfRange { book: "the sum of the account's grants and debts" })
    }

    /// Removes the remainder of expired grants.
    pub fn expire(&mut self, now: Timestamp) -> Result<(), BookError> {
        for grant in &mut self.grants {
            if !grant.is_expired(now) || !grant.remaining.is_positive() {
                continue;
            }
            let (no, amount) = (grant.no, grant.remaining);
            grant.remaining = Credits::ZERO;
            take(&mut self.account.books.available, amount, "the account's available credits")?;
            add(&mut self.account.books.expired, amount, "the account's expired credits")?;
            self.postings.push(Posting { kind: Kind::Expire, place: Place::default(), grant: no, amount });
            self.changed.push(no);
        }
        Ok(())
    }

    /// Takes back up to `amount` of what remains of these grants, in their order; tells how much that was.
    pub fn cut(&mut self, from: &[GrantNo], amount: Credits) -> Result<Credits, BookError> {
        let mut cut = Credits::ZERO;
        for no in from {
            let Some(grant) = self.grants.iter_mut().find(|grant| grant.no == *no) else { continue };
            let part = grant.remaining.min(amount.less(cut));
            grant.remaining = grant.remaining.less(part);
            cut = cut.saturating_add(part);
            self.post(Kind::Expire, Place::default(), *no, part);
            self.changed.push(*no);
        }
        take(&mut self.account.books.available, cut, "the account's available credits")?;
        add(&mut self.account.books.expired, cut, "the account's expired credits")?;
        Ok(cut)
    }

    /// Moves up to `amount` from the grants into a lease; tells how much that was.
    pub fn draw(&mut self, lease: &mut Lease, amount: Credits) -> Result<Credits, BookError> {
        let place = lease.place();
        let mut drawn = Credits::ZERO;
        let of_plan_only = self.draws_plan_only();
        for (no, part) in self.take_from_grants(amount, |grant| grant.of_plan || !of_plan_only) {
            lease.push(no, part);
            self.post(Kind::Draw, place, no, part);
            drawn = drawn.saturating_add(part);
        }
        take(&mut self.account.books.available, drawn, "the account's available credits")?;
        add(&mut self.account.books.held, drawn, "the account's held credits")?;
        self.budgets.iter_mut().for_each(|budget| budget.draw(drawn));
        Ok(drawn)
    }

    /// Books up to `amount` of a lease as spent; tells how much that was.
    pub fn spend(&mut self, lease: &mut Lease, amount: Credits) -> Result<Credits, BookError> {
        self.sell(lease, Kind::Spend, amount)
    }

    /// Counts all that a lease has as spent, because no report will say what really was; returns how much
    /// that was.
    pub fn forfeit(&mut self, lease: &mut Lease) -> Result<Credits, BookError> {
        self.sell(lease, Kind::Forfeited, Credits::MAX)
    }

    fn sell(&mut self, lease: &mut Lease, kind: Kind, amount: Credits) -> Result<Credits, BookError> {
        let place = lease.place();
        let mut spent = Credits::ZERO;
        for draw in lease.consume(amount) {
            self.post(kind, place, draw.grant, draw.left);
            spent = spent.saturating_add(draw.left);
            self.owe_voided(draw)?;
        }
        take(&mut self.account.books.held, spent, "the account's held credits")?;
        add(&mut self.account.books.spent, spent, "the account's spent credits")?;
        self.budgets.iter_mut().for_each(|budget| budget.spend(spent));
        self.settle_debts()?;
        Ok(spent)
    }

    /// Gives up to `amount` of a lease back to the grants it came from; returns how much that was. What
    /// is to be taken back of a grant is, and what belongs to a grant that has expired since is lost.
    pub fn give_back(
        &mut self,
        lease: &mut Lease,
        kind: Kind,
        amount: Credits,
        now: Timestamp,
    ) -> Result<Credits, BookError> {
        let place = lease.place();
        let mut given = Credits::ZERO;
        for draw in lease.release(amount) {
            given = given.saturating_add(draw.left);
            take(&mut self.account.books.held, draw.left, "the account's held credits")?;
            let left = draw.left.less(self.void_returned(place, draw)?);
            let Some(grant) = self.grants.iter_mut().find(|grant| grant.no == draw.grant) else {
                return Err(BookError::MissingGrant { account: self.account.id.to_string() });
            };
            if grant.is_expired(now) {
                add(&mut self.account.books.expired, left, "the account's expired credits")?;
                self.post(Kind::Breakage, place, draw.grant, left);
            } else {
                add(&mut grant.remaining, left, "the grant's remaining credits")?;
                self.changed.push(draw.grant);
                add(&mut self.account.books.available, left, "the account's available credits")?;
                self.post(kind, place, draw.grant, left);
            }
        }
        self.budgets.iter_mut().for_each(|budget| budget.give_back(given));
        self.settle_debts()?;
        Ok(given)
    }

    /// Charges what was sold without being covered by a lease: from the grants first, and what they
    /// can't cover is owed, as far as the account can owe more. The two kinds name these two parts. Returns how much was
    /// charged.
    pub fn charge(
        &mut self,
        place: Place,
        (covered, uncovered): (Kind, Kind),
        amount: Credits,
    ) -> Result<Credits, BookError> {
        let mut paid = Credits::ZERO;
        for (no, part) in self.take_from_grants(amount, |_| true) {
            self.post(covered, place, no, part);
            paid = paid.saturating_add(part);
        }
        let debt = amount.less(paid).min(self.account.books.room_for_debt());
        let charged = paid.saturating_add(debt);
        self.post(uncovered, place, GrantNo(0), debt);
        take(&mut self.account.books.available, paid, "the account's available credits")?;
        add(&mut self.account.books.owed, debt, "the account's owed credits")?;
        self.budgets.iter_mut().for_each(|budget| budget.charge(charged));
        add(&mut self.account.books.spent, charged, "the account's spent credits")?;
        Ok(charged)
    }

    /// Pays debt from available credits.
    fn settle_debts(&mut self) -> Result<(), BookError> {
        if self.account.books.owed.is_zero() {
            return Ok(());
        }
        let mut paid = Credits::ZERO;
        for (no, part) in self.take_from_grants(self.account.books.owed, |_| true) {
            self.post(Kind::PayOwed, Place::default(), no, part);
            paid = paid.saturating_add(part);
        }
        take(&mut self.account.books.available, paid, "the account's available credits")?;
        take(&mut self.account.books.owed, paid, "the account's owed credits")
    }

    /// Takes up to `amount` out of these grants in burn order; the caller moves the sums.
    fn take_from_grants(
        &mut self,
        amount: Credits,
        which: impl Fn(&Grant) -> bool,
    ) -> Vec<(GrantNo, Credits)> {
        let mut parts = Vec::new();
        let mut missing = amount;
        for grant in self.grants.iter_mut().filter(|grant| which(grant)) {
            let part = grant.remaining.min(missing);
            if part.is_positive() {
                grant.remaining = grant.remaining.less(part);
                missing = missing.less(part);
                parts.push((grant.no, part));
                self.changed.push(grant.no);
            }
        }
        parts
    }

    pub(super) fn post(&mut self, kind: Kind, place: Place, grant: GrantNo, amount: Credits) {
        if amount.is_positive() {
            self.postings.push(Posting { kind, place, grant, amount });
        }
    }
}
