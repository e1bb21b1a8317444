//! What is held for a request beside its charge, because its answer costs more than was held at first.
//!
//! What must hold: a part is settled under the epoch in which it was held, so a raise never mixes epochs.

use super::{FundingSource, Lease};
use crate::decide::base::moment::Moment;
use faregate_protocol::Credits;

/// The most parts of one request: one for each epoch of its lease, of which a long answer sees few.
const MAX_PARTS: usize = 64;

/// A request asks the ledger for more no more often than this (ms).
const ASK_AGAIN_MS: u64 = 250;

/// What is held beside a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raised {
    parts: Vec<(FundingSource, Credits)>,
    /// Since when the answer has cost more than is held for it.
    pub short_since: Option<Moment>,
    /// The ledger isn't asked for more before this.
    ask_at: Moment,
}

impl Raised {
    /// The parts.
    pub fn parts(&self) -> &[(FundingSource, Credits)] {
        &self.parts
    }

    /// The sum of all parts.
    pub fn sum(&self) -> Credits {
        self.parts.iter().fold(Credits::ZERO, |sum, (_, held)| sum.saturating_add(*held))
    }

    /// Whether the ledger is asked for more now, for a request that didn't get all that it wanted.
    pub fn asks(&mut self, now: Moment) -> bool {
        let asks = now >= self.ask_at;
        if asks {
            self.ask_at = now.plus_millis(ASK_AGAIN_MS);
        }
        asks
    }

    /// Whether another part may be of another epoch.
    pub fn has_room(&self) -> bool {
        self.parts.len() < MAX_PARTS
    }

    /// Adds what was held.
    pub fn add(&mut self, funding: FundingSource, held: Credits) {
        match self.parts.iter_mut().find(|(other, _)| *other == funding) {
            Some((_, sum)) => *sum = sum.saturating_add(held),
            None if held.is_positive() => self.parts.push((funding, held)),
            None => {}
        }
    }
}

impl Lease {
    /// Sets aside as much of an amount as there is, for a request that is under way: no limit of its plan counts it again.
    /// Returns how much.
    pub fn raise(&mut self, now: Moment, amount: Credits) -> Credits {
        let held = amount.min(self.spendable(now));
        self.held = self.held.saturating_add(held);
        held
    }
}
