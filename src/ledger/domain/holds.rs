//! Holds of requests that outlived their epoch. The ledger keeps them as one more lease of the key, from which the gateway
//! doesn't sell: granted is what was carried over, spent what requests kept, returned what they released. So it is reclaimed,
//! audited and counted as every lease is.
//!
//! What must hold: what is carried over stays set aside from the grants that it was drawn from, until its request ends or its
//! gateway falls silent; whatever message is lost or repeated, each hold is booked once; a release never brings back more than
//! is set aside.

use super::{AccountFunds, AccountNo, BookError, GatewayNo, KeyNo, Kind, Lease, LeaseState, Payer};
use faregate_protocol::Credits;
use faregate_protocol::exchange::Holds;
use jiff::Timestamp;

/// Under which name the ledger keeps the holds of a gateway.
pub fn gateway(name: &str) -> String {
    format!("{name} (holds)")
}

impl Lease {
    /// The holds of a key on a gateway that never had any.
    pub fn no_holds(gateway: GatewayNo, key: KeyNo, account: AccountNo) -> Self {
        Self { epoch: 1, ..Self::never(gateway, key, account) }
    }

    /// Open as long as something is set aside. After that, a report may still come that is late.
    fn settle_state(&mut self) {
        let open = !self.draws.is_empty();
        self.state = if open { LeaseState::Open } else { LeaseState::Reclaimed };
        // None of it can be recalled.
        self.held = self.escrow();
    }
}

impl Payer {
    /// Carries over what an epoch that has just ended still held: its final report says that `spent` of it is spent.
    pub(super) fn carry_over(&mut self, spent: Credits, carried: Credits) {
        let Some(holds) = &mut self.holds else { return };
        let growth = carried.less(holds.granted);
        if !growth.is_positive() {
            return;
        }
        let moved = self.funds.carry(&mut self.lease, holds, growth);
        // Where the lease was forfeited, what it held is paid already.
        let paid = self.lease.spent.less(spent).min(growth.less(moved));
        holds.spent = holds.spent.saturating_add(paid);
        holds.granted = carried;
        holds.settle_state();
    }

    /// Books what became of holds. Returns what of it was not charged.
    pub(super) fn settle_holds(&mut self, reported: Holds, now: Timestamp) -> Result<Credits, BookError> {
        let Some(mut holds) = self.holds.take() else { return Ok(Credits::ZERO) };
        holds.granted = holds.granted.max(reported.carried);
        std::mem::swap(&mut self.lease, &mut holds);
        let booked = self.settle_own(reported, now);
        std::mem::swap(&mut self.lease, &mut holds);
        self.holds = Some(holds);
        booked
    }

    fn settle_own(&mut self, reported: Holds, now: Timestamp) -> Result<Credits, BookError> {
        // What a gateway says was carried over is not known to have been granted.
        let granted = self.lease.spent.saturating_add(self.lease.escrow());
        let beyond = self.book_spent_of(granted, reported.kept)?;
        let released = reported.released.less(self.lease.returned);
        if released.is_positive() {
            self.funds.give_back(&mut self.lease, Kind::Return, released, now)?;
            self.lease.returned = reported.released;
        }
        // Where some were forfeited, others of their size are left when all requests have ended.
        if self.lease.granted.less(reported.kept).less(reported.released).is_zero() {
            self.funds.give_back(&mut self.lease, Kind::Return, Credits::MAX, now)?;
        }
        self.lease.settle_state();
        Ok(beyond)
    }
}

impl AccountFunds {
    /// Moves up to `amount` of a lease into another of the same key; returns how much that was. The grants that it is from stay
    /// as they are.
    fn carry(&mut self, from: &mut Lease, to: &mut Lease, amount: Credits) -> Credits {
        let (old, new) = (from.place(), to.place());
        let mut moved = Credits::ZERO;
        for draw in from.consume(amount) {
            to.push(draw.grant, draw.left);
            self.post(Kind::CarryOut, old, draw.grant, draw.left);
            self.post(Kind::CarryIn, new, draw.grant, draw.left);
            moved = moved.saturating_add(draw.left);
        }
        moved
    }
}
