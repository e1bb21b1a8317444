//! A payer's rate limits: this gateway's share of its plan's limits, and how much of it is used.
//!
//! Requests per second are limited by the generic cell rate algorithm: one moment says until when the rate is used up,
//! and a request is admitted if that is no further ahead than the burst. What must hold: a refused request uses up
//! nothing.

use crate::decide::base::moment::Moment;
use faregate_protocol::exchange::Limits;

/// The retry delay after too many concurrent requests (ms).
const CROWDED_MS: u64 = 1_000;
/// A nanosecond in thousandths of requests per second.
const NANOS: u64 = 1_000_000_000_000;

/// A payer's limits, and how much of them is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// This gateway's share, as last set by the ledger.
    pub limits: Limits,
    /// Until when the rate is used up.
    pub busy_until: Moment,
    /// How many requests are in flight.
    pub under_way: u32,
    /// How many arrived since the demand was last measured, refused or not.
    pub came: u32,
    /// About how many arrive per second.
    pub demand: u32,
}

/// Why a request is refused, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Over the rate; the next request is admitted after this many milliseconds.
    Rate(u64),
    /// Too many are in flight.
    Crowd,
}

impl Wait {
    /// The retry delay, in milliseconds.
    pub fn ms(self) -> u64 {
        match self {
            Self::Rate(ms) => ms,
            Self::Crowd => CROWDED_MS,
        }
    }
}

impl Throttle {
    /// Admits a request, or returns how long to wait.
    pub fn pass(&mut self, now: Moment) -> Result<(), Wait> {
        if self.limits.concurrent.is_some_and(|most| self.under_way >= most) {
            return Err(Wait::Crowd);
        }
        if let Some(rate) = self.limits.rate {
            let each = NANOS / u64::from(rate.milli_per_s.max(1));
            let ahead = each.saturating_mul(u64::from(rate.burst.max(1) - 1));
            let from = self.busy_until.nanos().saturating_sub(ahead);
            if now.nanos() < from {
                return Err(Wait::Rate((from - now.nanos()).div_ceil(1_000_000)));
            }
            self.busy_until =
                Moment::from_nanos(self.busy_until.nanos().max(now.nanos()).saturating_add(each));
        }
        if self.counts() {
            self.under_way = self.under_way.saturating_add(1);
        }
        Ok(())
    }

    /// Whether the end of each request must be counted.
    pub fn counts(&self) -> bool {
        self.limits.concurrent.is_some()
    }

    /// This many requests have ended.
    pub fn leave(&mut self, requests: u32) {
        self.under_way = self.under_way.saturating_sub(requests);
    }

    /// Counts an arrived request.
    pub fn note(&mut self) {
        self.came = self.came.saturating_add(1);
    }

    /// Measures the demand over the milliseconds since the last measurement.
    pub fn measure(&mut self, passed_ms: u64) {
        let per_second = u64::from(self.came).saturating_mul(1_000) / passed_ms.max(1);
        self.demand = u32::try_from(per_second).unwrap_or(u32::MAX);
        self.came = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::exchange::Rate;
    use proptest::prelude::*;

    fn limited(milli_per_s: u32, burst: u32, concurrent: Option<u32>) -> Throttle {
        let rate = Some(Rate { milli_per_s, burst });
        Throttle { limits: Limits { rate, concurrent }, ..Throttle::default() }
    }

    fn at(ms: u64) -> Moment {
        Moment::from_nanos(1).plus_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_requests_follow_the_rate() {
        let mut throttle = limited(10_000, 3, None);
        let passed = |throttle: &mut Throttle, ms| throttle.pass(at(ms));
        assert_eq!([0, 0, 0].map(|ms| passed(&mut throttle, ms)), [Ok(()); 3]);
        assert_eq!(passed(&mut throttle, 0), Err(Wait::Rate(100)));
        assert_eq!(
            passed(&mut throttle, 60),
            Err(Wait::Rate(40)),
            "who is turned away does not wait longer for it"
        );
        assert_eq!(passed(&mut throttle, 100), Ok(()));
        assert_eq!(passed(&mut throttle, 100), Err(Wait::Rate(100)));
        assert_eq!([900, 900, 900].map(|ms| passed(&mut throttle, ms)), [Ok(()); 3], "after a pause");
        assert_eq!(passed(&mut throttle, 900), Err(Wait::Rate(100)));
    }

    #[test]
    fn the_concurrency_limit_holds() {
        let mut throttle =
            Throttle { limits: Limits { rate: None, concurrent: Some(2) }, ..Throttle::default() };
        assert_eq!([throttle.pass(at(0)), throttle.pass(at(0))], [Ok(()); 2]);
        assert_eq!(throttle.pass(at(0)), Err(Wait::Crowd));
        throttle.leave(1);
        assert_eq!(throttle.pass(at(0)), Ok(()));
    }

    proptest! {
        /// In no stretch of time do more pass than the rate gives for it, and the burst on top.
        #[test]
        fn no_interval_admits_more_than_the_rate_plus_the_burst(
            milli_per_s in 1_u32..100_000, burst in 1_u32..20, pauses in proptest::collection::vec(0_u64..400, 1..200),
        ) {
            let mut throttle = limited(milli_per_s, burst, None);
            let (mut now, mut passed) = (0, Vec::new());
            for pause in pauses {
                now += pause;
                if throttle.pass(at(now)).is_ok() {
                    passed.push(now);
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (to - from) * u64::from(milli_per_s) / 1_000_000 + 1;
                    prop_assert!(((last - first) as u64) < most, "{} from {from} to {to}", last - first + 1);
                }
            }
        }
    }
}
