//! Limits how often an address may fail to sign in, or something else may be done that is counted.
//!
//! What must hold: the memory of it is bounded, however many try; and who is elsewhere isn't kept out by others' failures as long
//! as there is room.

use crate::http::connection::Peer;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many failures of one address are allowed within [`PERIOD`].
pub const MAX_FAILURES: u32 = 10;
/// In which time failures are counted.
pub const PERIOD: Duration = Duration::from_mins(1);
/// How many addresses are remembered.
const MAX_ADDRESSES: usize = 1_024;

/// The failures of a while, by address; or what else is counted, by whose it is: at most `MOST` of each in [`PERIOD`].
#[derive(Debug)]
pub struct Attempts<K = Option<Peer>, const MOST: u32 = MAX_FAILURES>(Mutex<BTreeMap<K, (Instant, u32)>>);

impl<K, const MOST: u32> Default for Attempts<K, MOST> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, const MOST: u32> Attempts<K, MOST> {
    /// Whether it may try.
    pub fn may_try(&self, whose: &K, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_ADDRESSES {
            known.retain(|_, (since, _)| now.saturating_duration_since(*since) < PERIOD);
        }
        match known.get(whose) {
            Some((since, failures)) => now.saturating_duration_since(*since) >= PERIOD || *failures < MOST,
            None => known.len() < MAX_ADDRESSES,
        }
    }

    /// It has failed.
    pub fn failed(&self, whose: K, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_ADDRESSES && !known.contains_key(&whose) {
            return;
        }
        let (since, failures) = known.entry(whose).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= PERIOD {
            (*since, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn an_address_that_fails_often_waits_and_others_do_not() {
        let (attempts, start) = (Attempts::<Option<Peer>>::default(), Instant::now());
        let address = |last| Some(Peer::of(IpAddr::from([192, 0, 2, last])));
        for _ in 0..MAX_FAILURES {
            assert!(attempts.may_try(&address(1), start));
            attempts.failed(address(1), start);
        }
        assert!(!attempts.may_try(&address(1), start));
        assert!(attempts.may_try(&address(2), start));
        assert!(attempts.may_try(&address(1), start + PERIOD));
        attempts.failed(address(1), start + PERIOD);
        assert!(attempts.may_try(&address(1), start + PERIOD), "it is counted from the beginning");
    }

    #[test]
    fn no_crowd_of_addresses_grows_the_memory() {
        let (attempts, start) = (Attempts::<Option<Peer>>::default(), Instant::now());
        for number in 0..5_000_u32 {
            attempts.failed(Some(Peer::of(IpAddr::from(number.to_be_bytes()))), start);
        }
        assert_eq!(attempts.0.lock().unwrap().len(), MAX_ADDRESSES);
        let stranger = Some(Peer::of(IpAddr::from([9, 9, 9, 9])));
        assert!(!attempts.may_try(&stranger, start));
        assert!(attempts.may_try(&stranger, start + PERIOD));
    }
}
