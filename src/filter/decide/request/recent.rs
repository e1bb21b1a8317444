//! A cache of refusals, for about a second, so that a caller without funds or with an unknown key causes at most one ledger
//! request per second and worker. Bounded: a flood of different keys evicts older entries.
//!
//! An entry also records when the lease was last read without success: reading is expensive, and a caller that is refused a
//! thousand times a second needn't be looked up each time. Credits that this worker itself returns to the lease are noticed
//! at once.
//!
//! Remembered callers are found by the key as the request sends it ([`crate::decide::base::credential_index`]).

use crate::decide::base::credential_index::{CredentialIndex, is_named};
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::{Handle, SortedMap};
use crate::decide::lease::shared::Names;
use crate::decide::refusal::Refusal;
use faregate_protocol::Credits;
use std::collections::VecDeque;
use std::rc::Rc;

/// How long a refusal is cached (ms). A top-up is noticed at most this much later.
const FOR_MS: u64 = 1_000;
/// How long a read of the lease is trusted (ms): credits that other workers return are noticed at most this much later.
const LOOK_MS: u64 = 50;
/// How many are cached.
const MOST: usize = 4_096;

/// The ledger's recent refusals.
#[derive(Debug, Default)]
pub struct RefusalCache {
    refusals: SortedMap<Memory>,
    order: VecDeque<(Moment, Rc<str>)>,
    /// Where among the refusals those of keys are.
    credential_index: CredentialIndex,
}

#[derive(Clone, Debug)]
struct Memory {
    lease: Rc<str>,
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

impl RefusalCache {
    /// Caches the ledger's refusal for the payer of this lease, with the price in `needed`.
    pub fn remember(&mut self, now: Moment, lease: &str, refusal: Refusal) {
        let until = now.plus_millis(FOR_MS);
        self.forget_before(now);
        let name: Rc<str> = lease.into();
        let memory = Memory { lease: Rc::clone(&name), refusal, until, look: None };
        if self.refusals.insert(lease, memory).is_none() && self.refusals.len() > MOST {
            self.drop_oldest();
        }
        self.order.push_back((until, name));
        self.credential_index.make_room(self.refusals.len());
        while self.order.len() > 2 * MOST {
            self.drop_oldest();
        }
    }

    /// Why a request of this price is refused to the caller of the entry at this handle, if that is still fresh.
    pub fn recall(&self, now: Moment, handle: Handle, price: Credits) -> Option<Refusal> {
        self.refusals.at(handle)?.recall(now, price)
    }

    /// Records that this caller's lease doesn't cover a request under this rule at this cost.
    pub fn looked(&mut self, now: Moment, handle: Handle, rule: usize, price: Credits) {
        if let Some(memory) = self.refusals.at_mut(handle) {
            memory.look = Some(Look { until: now.plus_millis(LOOK_MS), rule, price });
        }
    }

    /// Records that the lease may have got credits: it must be read again.
    pub fn look_again(&mut self, lease: &str) {
        if let Some(memory) = self.refusals.get_mut(lease) {
            memory.look = None;
        }
    }

    /// Why this caller's request under this rule is refused, if the lease was read recently.
    pub fn repeat(&self, now: Moment, handle: Handle, rule: usize) -> Option<Refusal> {
        let memory = self.refusals.at(handle)?;
        let look = memory.look.filter(|look| now < look.until && look.rule == rule)?;
        memory.recall(now, look.price)
    }

    /// The handle of the refusal of this key, valid or not; nowhere if there is none.
    pub fn of_key(&self, names: &Names, bytes: &[u8]) -> Handle {
        let handle = self.credential_index.find(bytes);
        let memory = self.refusals.at(handle);
        let known = memory.is_some_and(|memory| is_named(&memory.lease, bytes, names.behind_key()));
        if known { handle } else { Handle::default() }
    }

    /// The handle of a lease's refusal; indexes its credential for the next lookup.
    pub fn find(&mut self, names: &Names, lease: &str) -> Handle {
        let handle = self.refusals.find(lease);
        if handle != Handle::default() {
            self.credential_index.take(names.credential(lease), handle);
        }
        handle
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

impl Memory {
    fn recall(&self, now: Moment, price: Credits) -> Option<Refusal> {
        let Self { refusal, .. } = Some(self).filter(|memory| now < memory.until)?;
        let refused = refusal.needed.unwrap_or(Credits::MAX);
        let cheaper = refusal.code.is_short() && price < refused;
        (!cheaper).then(|| Refusal { needed: Some(price), ..refusal.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lease::credential::Credential;
    use faregate_protocol::RefusalCode::{InsufficientFunds, InvalidKey};

    fn names() -> Names {
        Names::new("ledger", "ledger")
    }

    const ONE: Credits = Credits::from_micros(1_000_000);
    const TWO: Credits = Credits::from_micros(2_000_000);

    #[test]
    fn a_refusal_is_cached_for_a_second_and_for_no_cheaper_request() {
        let now = Moment::from_nanos(5);
        let mut recent = RefusalCache::default();
        let short = Refusal { needed: Some(TWO), available: Some(ONE), ..Refusal::plain(InsufficientFunds) };
        recent.remember(now, "a", short.clone());
        let a = recent.find(&names(), "a");
        assert_eq!(recent.recall(now, a, TWO), Some(short));
        assert_eq!(recent.recall(now, a, ONE), None, "one credit may still be there");
        assert_eq!(recent.find(&names(), "b"), Handle::default());
        assert_eq!(recent.recall(now, Handle::default(), TWO), None);
        assert_eq!(recent.recall(now.plus_millis(FOR_MS), a, TWO), None);
    }

    #[test]
    fn an_exhausted_lease_is_not_read_again_for_a_moment() {
        let now = Moment::from_nanos(5);
        let mut recent = RefusalCache::default();
        let short = Refusal { needed: Some(TWO), available: Some(ONE), ..Refusal::plain(InsufficientFunds) };
        recent.looked(now, Handle::default(), 0, TWO);
        assert_eq!(recent.repeat(now, Handle::default(), 0), None, "nothing was refused");
        recent.remember(now, "a", short.clone());
        let a = recent.find(&names(), "a");
        assert_eq!(recent.repeat(now, a, 0), None, "not looked up yet");
        recent.looked(now, a, 0, TWO);
        assert_eq!(recent.repeat(now, a, 0), Some(short.clone()));
        assert_eq!(recent.repeat(now, a, 1), None, "another rule has another price");
        assert_eq!(recent.repeat(now, Handle::default(), 0), None, "somebody else");
        assert_eq!(recent.repeat(now.plus_millis(LOOK_MS), a, 0), None);
        recent.looked(now.plus_millis(FOR_MS - 1), a, 0, TWO);
        assert_eq!(recent.repeat(now.plus_millis(FOR_MS), a, 0), None, "the memory itself is over");
        recent.looked(now, a, 0, TWO);
        recent.look_again("a");
        assert_eq!(recent.repeat(now, a, 0), None);
        recent.looked(now, a, 0, TWO);
        recent.remember(now, "a", short);
        assert_eq!(recent.repeat(now, a, 0), None, "what the ledger says is newer than the look");
    }

    #[test]
    fn a_flood_of_unknown_keys_uses_bounded_memory() {
        let mut recent = RefusalCache::default();
        for number in 0..100_000_u64 {
            recent.remember(Moment::from_nanos(number), &number.to_string(), Refusal::plain(InvalidKey));
            assert!(recent.len() <= MOST && recent.order.len() <= 2 * MOST + 1);
        }
        for number in 0..100_000_u64 {
            recent.remember(Moment::from_nanos(number), "the same", Refusal::plain(InvalidKey));
            assert!(recent.order.len() <= 2 * MOST + 1);
        }
        let same = recent.find(&names(), "the same");
        assert!(recent.recall(Moment::from_nanos(100_000), same, ONE).is_some());
    }

    #[test]
    fn a_refused_key_is_found_only_by_its_exact_bytes() {
        let (mut recent, names) = (RefusalCache::default(), names());
        let keys: Vec<String> = (0..300).map(|number| format!("fg_live_{number}")).collect();
        let name = |key: &String| names.lease(&Credential::Key(key.clone()));
        for key in &keys {
            recent.remember(Moment::ZERO, &name(key), Refusal::plain(InvalidKey));
            assert_eq!(recent.of_key(&names, key.as_bytes()), Handle::default(), "no key was seen twice");
            let handle = recent.find(&names, &name(key));
            assert_eq!(recent.of_key(&names, key.as_bytes()), handle);
        }
        for key in &keys {
            let handle = recent.of_key(&names, key.as_bytes());
            let named = recent.refusals.at(handle).map(|memory| &*memory.lease);
            assert!(named.is_none_or(|lease| lease == name(key)), "{key} is {named:?}");
            assert_eq!(recent.of_key(&names, name(key).as_bytes()), Handle::default(), "a name is no key");
        }
        let subject = names.lease(&Credential::Subject("a".into()));
        recent.remember(Moment::ZERO, &subject, Refusal::plain(InvalidKey));
        recent.find(&names, &subject);
        assert_eq!(recent.of_key(&names, b"a"), Handle::default(), "a subject is no key");
        // What takes the place of one that is forgotten isn't taken for it.
        let first = recent.find(&names, &name(&keys[0]));
        let later = Moment::ZERO.plus_millis(FOR_MS);
        recent.remember(later, &name(&"fg_live_new".to_owned()), Refusal::plain(InvalidKey));
        assert_eq!(recent.repeat(later, first, 0), None);
        assert_eq!(recent.of_key(&names, keys[0].as_bytes()), Handle::default());
    }
}
