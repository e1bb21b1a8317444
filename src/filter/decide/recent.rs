//! Refusals remembered for about a second, so that a broke or unknown caller costs the ledger at most one
//! question per second and worker. Bounded: a flood of different keys pushes older memories out.

use super::moment::Moment;
use super::refusal::Refusal;
use super::table::Table;
use faregate_protocol::Credits;
use std::collections::VecDeque;

/// How long a refusal is remembered (ms). A top-up is noticed this much later at the latest.
const FOR_MS: u64 = 1_000;
/// How many are remembered.
const MOST: usize = 4_096;

/// What the ledger said lately.
#[derive(Debug, Default)]
pub struct Recent {
    refusals: Table<Memory>,
    order: VecDeque<(Moment, String)>,
}

#[derive(Clone, Debug)]
struct Memory {
    refusal: Refusal,
    until: Moment,
}

impl Recent {
    /// Remembers what the ledger refused to the payer of this lease, with the price in `needed`.
    pub fn remember(&mut self, now: Moment, lease: &str, refusal: Refusal) {
        let until = now.plus_millis(FOR_MS);
        self.forget_before(now);
        if self.refusals.insert(lease, Memory { refusal, until }).is_none() && self.refusals.len() > MOST {
            self.drop_oldest();
        }
        self.order.push_back((until, lease.to_owned()));
        while self.order.len() > 2 * MOST {
            self.drop_oldest();
        }
    }

    /// Why a request of this price would be refused, if that is still fresh.
    pub fn recall(&self, now: Moment, lease: &str, price: Credits) -> Option<Refusal> {
        let Memory { refusal, .. } = self.refusals.get(lease).filter(|memory| now < memory.until)?;
        let refused = refusal.needed.unwrap_or(Credits::MAX);
        let cheaper = refusal.code.is_short() && price < refused;
        (!cheaper).then(|| Refusal { needed: Some(price), ..refusal.clone() })
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.refusals.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.refusals.is_empty()
    }

    fn forget_before(&mut self, now: Moment) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((until, lease)) = self.order.pop_front()
            && self.refusals.get(&lease).is_some_and(|memory| memory.until <= until)
        {
            self.refusals.remove(&lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::RefusalCode::{InsufficientFunds, InvalidKey};

    const ONE: Credits = Credits::from_micros(1_000_000);
    const TWO: Credits = Credits::from_micros(2_000_000);

    #[test]
    fn a_refusal_is_remembered_for_a_second_and_for_no_cheaper_request() {
        let now = Moment::from_nanos(5);
        let mut recent = Recent::default();
        let short = Refusal { needed: Some(TWO), available: Some(ONE), ..Refusal::plain(InsufficientFunds) };
        recent.remember(now, "a", short.clone());
        assert_eq!(recent.recall(now, "a", TWO), Some(short));
        assert_eq!(recent.recall(now, "a", ONE), None, "one credit may still be there");
        assert_eq!(recent.recall(now, "b", TWO), None);
        assert_eq!(recent.recall(now.plus_millis(FOR_MS), "a", TWO), None);
    }

    #[test]
    fn a_flood_of_unknown_keys_is_bounded() {
        let mut recent = Recent::default();
        for number in 0..100_000_u64 {
            recent.remember(Moment::from_nanos(number), &number.to_string(), Refusal::plain(InvalidKey));
            assert!(recent.len() <= MOST && recent.order.len() <= 2 * MOST + 1);
        }
        for number in 0..100_000_u64 {
            recent.remember(Moment::from_nanos(number), "the same", Refusal::plain(InvalidKey));
            assert!(recent.order.len() <= 2 * MOST + 1);
        }
        assert!(recent.recall(Moment::from_nanos(100_000), "the same", ONE).is_some());
    }
}
