//! Corrections: what was given by mistake is taken back, and balances are put right.
//!
//! Credits in leases can't be taken at once: a gateway may be spending them. They are noted on their grant, and taken as
//! they come back. Where the operator wants what is spent to be owed, what a lease spends of them is owed when it is booked.
//!
//! What must hold: all that was asked for is taken once, from the balance, from what comes back, or as a debt.

use super::super::account::{add, take};
use super::super::{BookError, Draw, Grant, GrantNo, Kind, Place};
use super::AccountFunds;
use faregate_protocol::Credits;

/// Where the credits of a grant are that don't remain in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// How much was given.
    pub amount: Credits,
    /// In leases.
    pub leased: Credits,
    /// Lost by expiry.
    pub lapsed: Credits,
}

/// What a correction takes, by where it is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// From the balance, at once.
    pub available: Credits,
    /// From leases, as they hand it back.
    pub leased: Credits,
    /// It is spent, and becomes owed.
    pub owed: Credits,
}

impl Taken {
    /// All of it.
    pub fn total(self) -> Credits {
        self.available.saturating_add(self.leased).saturating_add(self.owed)
    }

    /// Up to an amount of it: first what is available, last what becomes owed.
    #[must_use]
    pub fn up_to(self, amount: Credits) -> Self {
        let available = self.available.min(amount);
        let leased = self.leased.min(amount.less(available));
        let owed = self.owed.min(amount.less(available).less(leased));
        Self { available, leased, owed }
    }
}

impl AccountFunds {
    /// The most that can be taken back of a grant; what is spent of it only where that is to be `owed`.
    pub fn voidable(&self, grant: &Grant, of: Whereabouts, owed: bool) -> Taken {
        let waiting = grant.voiding.saturating_add(grant.voiding_owed);
        let spent = of.amount.less(grant.remaining).less(of.leased).less(of.lapsed).less(grant.voided);
        Taken {
            available: grant.remaining,
            leased: of.leased.less(waiting),
            owed: if owed { spent.min(self.account.books.room_for_debt()) } else { Credits::ZERO },
        }
    }

    /// Takes back what [`AccountFunds::voidable`] has found, or less of it. `owed` says what becomes of what leases
    /// spend of it.
    pub fn void(&mut self, no: GrantNo, taken: Taken, owed: bool) -> Result<(), BookError> {
        let at_once = taken.available.saturating_add(taken.owed);
        let grant = self.grant_mut(no)?;
        take(&mut grant.remaining, taken.available, "the grant's remaining credits")?;
        add(&mut grant.voided, at_once, "the grant's voided credits")?;
        let waiting = if owed { &mut grant.voiding_owed } else { &mut grant.voiding };
        add(waiting, taken.leased, "the grant's credits that are to be voided")?;
        if owed {
            add(&mut self.account.voiding, taken.leased, "the account's credits that are to be voided")?;
        }
        self.post(Kind::Void, Place::default(), no, taken.available);
        self.post(Kind::VoidOwed, Place::default(), no, taken.owed);
        self.book_voided(taken)
    }

    /// Takes up to `amount` from the grants in burn order. The rest becomes owed, as far as the account can owe more.
    pub fn adjust_down(&mut self, amount: Credits) -> Result<Taken, BookError> {
        let mut available = Credits::ZERO;
        for (no, part) in self.take_from_grants(amount, |_| true) {
            add(&mut self.grant_mut(no)?.voided, part, "the grant's voided credits")?;
            self.post(Kind::AdjustDown, Place::default(), no, part);
            available = available.saturating_add(part);
        }
        let owed = amount.less(available).min(self.account.books.room_for_debt());
        self.post(Kind::AdjustOwed, Place::default(), GrantNo(0), owed);
        let taken = Taken { available, leased: Credits::ZERO, owed };
        self.book_voided(taken)?;
        Ok(taken)
    }

    fn book_voided(&mut self, taken: Taken) -> Result<(), BookError> {
        let books = &mut self.account.books;
        take(&mut books.available, taken.available, "the account's available credits")?;
        add(&mut books.owed, taken.owed, "the account's owed credits")?;
        add(&mut books.voided, taken.available.saturating_add(taken.owed), "the account's voided credits")?;
        self.settle_debts()
    }

    /// Takes what a lease has handed back of a grant, as far as it waits for that. Returns how much that was.
    pub(super) fn void_returned(&mut self, place: Place, draw: Draw) -> Result<Credits, BookError> {
        let grant = self.grant_mut(draw.grant)?;
        let owed = draw.left.min(grant.voiding_owed);
        let voided = owed.saturating_add(draw.left.less(owed).min(grant.voiding));
        if voided.is_zero() {
            return Ok(voided);
        }
        grant.voiding_owed = grant.voiding_owed.less(owed);
        grant.voiding = grant.voiding.less(voided.less(owed));
        add(&mut grant.voided, voided, "the grant's voided credits")?;
        self.account.voiding = self.account.voiding.less(owed);
        add(&mut self.account.books.voided, voided, "the account's voided credits")?;
        self.post(Kind::VoidReturned, place, draw.grant, voided);
        Ok(voided)
    }

    /// What a lease has spent of a grant is owed, as far as the grant waits for it.
    pub(super) fn owe_voided(&mut self, draw: Draw) -> Result<(), BookError> {
        if self.account.voiding.is_zero() {
            return Ok(());
        }
        let room = self.account.books.room_for_debt();
        let grant = self.grant_mut(draw.grant)?;
        let owed = draw.left.min(grant.voiding_owed).min(room);
        grant.voiding_owed = grant.voiding_owed.less(owed);
        add(&mut grant.voided, owed, "the grant's voided credits")?;
        self.account.voiding = self.account.voiding.less(owed);
        add(&mut self.account.books.owed, owed, "the account's owed credits")?;
        add(&mut self.account.books.voided, owed, "the account's voided credits")?;
        self.post(Kind::VoidOwed, Place::default(), draw.grant, owed);
        Ok(())
    }

    /// A grant that changes.
    fn grant_mut(&mut self, no: GrantNo) -> Result<&mut Grant, BookError> {
        let missing = || BookError::MissingGrant { account: self.account.id.to_string() };
        let grant = self.grants.iter_mut().find(|grant| grant.no == no).ok_or_else(missing)?;
        self.changed.push(no);
        Ok(grant)
    }
}
