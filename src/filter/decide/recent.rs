//! Refusals remembered for about a second, so that a broke or unknown caller costs the ledger at most one
//! question per second and worker. Bounded: a flood of different keys pushes older memories out.
//!
//! A memory also holds when the lease was last looked at in vain: looking is dear, and who is refused a thousand times a
//! second needn't be looked up each time. What this worker itself gives to the lease is noticed at once.

use super::moment::Moment;
use super::refusal::Refusal;
use super::table::Table;
use faregate_protocol::Credits;
use std::collections::VecDeque;

/// How long a refusal is remembered (ms). A top-up is noticed this much later at the latest.
const FOR_MS: u64 = 1_000;
/// How long a look at the lease counts (ms): what other workers give to it is noticed this much later at the latest.
const LOOK_MS: u64 = 50;
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
    look: Option<Look>,
}

/// A look at a lease that didn't cover a request.
#[derive(Clone, Copy, Debug)]
struct Look {
    until: Moment,
    rule: usize,
    price: Credits,
}

impl Recent {
    /// Remembers what the ledger refused to the payer of this lease, with the price in `needed`.
    pub fn remember(&mut self, now: Moment, lease: &str, refusal: Refusal) {
        let until = now.plus_millis(FOR_MS);
        self.forget_before(now);
        if self.refusals.insert(lease, Memory { refusal, until, look: None }).is_none()
            && self.refusals.len() > MOST
        {
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

    /// Notes that the lease doesn't cover a request under this rule, which costs its payer so much.
    pub fn looked(&mut self, now: Moment, lease: &str, rule: usize, price: Credits) {
        if let Some(memory) = self.refusals.get_mut(lease) {
            memory.look = Some(Look { until: now.plus_millis(LOOK_MS), rule, price });
        }
    }

    /// Notes that the lease may have got something: it must be looked at again.
    pub fn look_again(&mut self, lease: &str) {
        if let Some(memory) = self.refusals.get_mut(lease) {
            memory.look = None;
        }
    }

    /// Why a request under this rule is refused, if the lease was looked at a moment ago.
    pub fn repeat(&self, now: Moment, lease: &str, rule: usize) -> Option<Refusal> {
        let look = self.refusals.get(lease)?.look.filter(|look| now < look.until && look.rule == rule)?;
        self.recall(now, lease, look.price)
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
    fn a_lease_that_was_looked_at_in_vain_is_not_looked_at_for_a_moment() {
        let now = Moment::from_nanos(5);
        let mut recent = Recent::default();
        let short = Refusal { needed: Some(TWO), available: Some(ONE), ..Refusal::plain(InsufficientFunds) };
        recent.looked(now, "a", 0, TWO);
        assert_eq!(recent.repeat(now, "a", 0), None, "nothing was refused");
        recent.remember(now, "a", short.clone());
        assert_eq!(recent.repeat(now, "a", 0), None, "nobody has looked");
        recent.looked(now, "a", 0, TWO);
        assert_eq!(recent.repeat(now, "a", 0), Some(short.clone()));
        assert_eq!(recent.repeat(now, "a", 1), None, "another rule has another price");
        assert_eq!(recent.repeat(now, "b", 0), None);
        assert_eq!(recent.repeat(now.plus_millis(LOOK_MS), "a", 0), None);
        recent.looked(now.plus_millis(FOR_MS - 1), "a", 0, TWO);
        assert_eq!(recent.repeat(now.plus_millis(FOR_MS), "a", 0), None, "the memory itself is over");
        recent.looked(now, "a", 0, TWO);
        recent.look_again("a");
        assert_eq!(recent.repeat(now, "a", 0), None);
        recent.looked(now, "a", 0, TWO);
        recent.remember(now, "a", short);
        assert_eq!(recent.repeat(now, "a", 0), None, "what the ledger says is newer than the look");
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
