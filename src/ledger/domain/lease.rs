//! A lease: what one gateway may spend for one key without asking.
//!
//! The counters `granted`, `spent` and `returned` only grow within an epoch. What is really set aside
//! for the lease is the sum of its [`Draw`]s; the counters are what gateway and ledger have reported to each
//! other. The two agree as long as the gateway never overspends.

use super::{AccountNo, GatewayNo, GrantNo, KeyNo, Place};
use faregate_protocol::Credits;

/// The state of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaseState {
    /// It may be spent from.
    Open,
    /// The gateway has sent its final report (or there was no epoch yet).
    #[default]
    Ended,
    /// The ledger took it back; the gateway's final report may still come.
    Reclaimed,
}

impl LeaseState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Ended, Self::Reclaimed];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Reclaimed => "reclaimed",
        }
    }
}

/// What a lease still has from one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Which grant.
    pub grant: GrantNo,
    /// How much is left; above zero.
    pub left: Credits,
}

/// The current epoch of one key on one gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub gateway: GatewayNo,
    /// For whom.
    pub key: KeyNo,
    /// Who pays.
    pub account: AccountNo,
    /// The epoch's number; zero before the first.
    pub epoch: u32,
    /// Its state.
    pub state: LeaseState,
    /// Granted so far.
    pub granted: Credits,
    /// Spent so far, as the gateway reported.
    pub spent: Credits,
    /// Handed back so far.
    pub returned: Credits,
    /// Held for requests in flight, as last reported.
    pub held: Credits,
    /// From which grants its money is, in the order in which it is spent.
    pub draws: Vec<Draw>,
    /// All that this gateway ever let through on credit for this key and that is booked.
    pub on_credit: Credits,
    /// The gateway is asked to return unused credits.
    pub recall: bool,
    /// The gateway is asked to heartbeat fast.
    pub fast_heartbeat: bool,
    /// How many requests came per second, as last reported where the plan limits them.
    pub demand: u32,
}

impl Lease {
    /// The state of a key on a gateway that never had a lease for it.
    pub const fn never(gateway: GatewayNo, key: KeyNo, account: AccountNo) -> Self {
        Self {
            gateway,
            key,
            account,
            epoch: 0,
            state: LeaseState::Ended,
            granted: Credits::ZERO,
            spent: Credits::ZERO,
            returned: Credits::ZERO,
            held: Credits::ZERO,
            draws: Vec::new(),
            on_credit: Credits::ZERO,
            recall: false,
            fast_heartbeat: false,
            demand: 0,
        }
    }

    /// Begins an epoch; what was let through on credit is remembered across epochs.
    pub(super) fn restart(&mut self, epoch: u32, state: LeaseState) {
        let on_credit = self.on_credit;
        *self = Self { epoch, state, on_credit, ..Self::never(self.gateway, self.key, self.account) };
    }

    /// What the ledger sets aside for it.
    pub fn escrow(&self) -> Credits {
        self.draws.iter().fold(Credits::ZERO, |sum, draw| sum.saturating_add(draw.left))
    }

    /// Whether it is open and has money in it.
    pub fn has_credits(&self) -> bool {
        self.state == LeaseState::Open && !self.draws.is_empty()
    }

    /// What a recall could bring back.
    pub fn recallable(&self) -> Credits {
        if self.state == LeaseState::Open { self.escrow().less(self.held) } else { Credits::ZERO }
    }

    /// The key of its postings.
    pub const fn place(&self) -> Place {
        Place { gateway: self.gateway, key: self.key, epoch: self.epoch }
    }

    /// Adds money from a grant.
    pub(super) fn push(&mut self, grant: GrantNo, amount: Credits) {
        match self.draws.last_mut() {
            Some(last) if last.grant == grant => last.left = last.left.saturating_add(amount),
            _ => self.draws.push(Draw { grant, left: amount }),
        }
    }

    /// Takes up to `amount` off the front (to spend it); tells from which grants.
    pub(super) fn consume(&mut self, amount: Credits) -> Vec<Draw> {
        let mut taken = Vec::new();
        let mut missing = amount;
        while let Some(first) = self.draws.first_mut() {
            let part = first.left.min(missing);
            if !part.is_positive() {
                break;
            }
            taken.push(Draw { grant: first.grant, left: part });
            missing = missing.less(part);
            first.left = first.left.less(part);
            if first.left.is_zero() {
                self.draws.remove(0);
            }
        }
        taken
    }

    /// Takes up to `amount` off the back (to give it back); tells to which grants.
    pub(super) fn release(&mut self, amount: Credits) -> Vec<Draw> {
        self.draws.reverse();
        let taken = self.consume(amount);
        self.draws.reverse();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spent_oldest_first_and_returned_newest_first() {
        let credits = Credits::from_micros;
        let mut lease = Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1));
        lease.restart(1, LeaseState::Open);
        lease.push(GrantNo(1), credits(5));
        lease.push(GrantNo(2), credits(2));
        lease.push(GrantNo(2), credits(3));
        assert_eq!(lease.escrow(), credits(10));
        let draw = |grant, left| Draw { grant: GrantNo(grant), left: credits(left) };
        assert_eq!(lease.consume(credits(4)), [draw(1, 4)]);
        assert_eq!(lease.release(credits(5)), [draw(2, 5)]);
        assert_eq!(lease.release(credits(5)), [draw(1, 1)]);
        assert!(!lease.has_credits());
    }

    #[test]
    fn a_new_epoch_keeps_only_the_amount_charged_on_credit() {
        let credits = Credits::from_micros;
        let mut lease = Lease::never(GatewayNo(1), KeyNo(2), AccountNo(3));
        lease.restart(1, LeaseState::Open);
        lease.push(GrantNo(1), credits(5));
        (lease.granted, lease.spent, lease.on_credit) = (credits(5), credits(4), credits(7));

        lease.restart(2, LeaseState::Open);

        let never = Lease::never(GatewayNo(1), KeyNo(2), AccountNo(3));
        let expected = Lease { epoch: 2, state: LeaseState::Open, on_credit: credits(7), ..never };
        assert_eq!(lease, expected, "or the gateway's total would be charged again");
    }
}
