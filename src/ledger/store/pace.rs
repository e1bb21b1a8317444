//! How much the ledger takes at once, and how often gateways should report when more comes: plain arithmetic.
//!
//! A batch is as heavy as the database commits in about [`BATCH_MS`]; a queue holds what is committed within
//! [`WAIT_MS`]. What would wait longer is refused at once: its gateway would hang up before it is committed, and the work
//! would be for nothing. The time between heartbeats follows from the load: what is offered divided by what the
//! database commits says by how much to stretch it.
//!
//! What must hold: however much is offered, what is taken in is committed before its gateway gives up; gateways that
//! heed the heartbeat offer about as much as the database commits, neither much more nor much less.

use std::time::Duration;

/// How long a transaction should take (ms).
const BATCH_MS: u64 = 100;
const TARGET: Duration = Duration::from_millis(BATCH_MS);
/// How long something may wait in the queue (ms). With two batches on top that is less than the 500 ms after which
/// gateways hang up.
pub const WAIT_MS: u64 = 250;
/// The lightest and the heaviest batch, in rows; and the first.
const LIGHTEST: usize = 128;
const HEAVIEST: usize = 16_384;
const FIRST: usize = 2_048;
/// The usual time between heartbeats, and the longest that is asked for (ms).
const USUAL_HEARTBEAT_MS: f64 = 1_000.0;
const LONGEST_HEARTBEAT_MS: f64 = 60_000.0;
/// The share of what the database commits that gateways should offer.
const GOAL: f64 = 0.95;
/// By how much the heartbeat grows at least under pressure, shrinks at least without, and changes at most either way,
/// per step.
const GROWS: f64 = 1.2;
const SHRINKS: f64 = 0.95;
const CHANGES: f64 = 4.0;

/// The estimated speed of the database.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The weight of a batch.
    batch: usize,
    heartbeat_ms: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: FIRST, heartbeat_ms: USUAL_HEARTBEAT_MS }
    }
}

impl Pace {
    /// The most that one transaction takes, in rows.
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// The most that may wait, in rows, where so many transactions are under way at once.
    pub fn room(&self, lanes: usize) -> usize {
        let batches = usize::try_from(WAIT_MS / BATCH_MS).unwrap_or(1).max(1);
        self.batch.saturating_mul(batches).saturating_mul(lanes.max(1))
    }

    /// Learns from a transaction how heavy one may be. Whatever a light one costs beside its rows, the database is at
    /// least as fast as that; only a heavy one shows that it is slower than thought.
    pub fn learn(&mut self, weight: usize, took: Duration) {
        let micros = |time: Duration| usize::try_from(time.as_micros()).unwrap_or(usize::MAX).max(1);
        let fits = weight.saturating_mul(micros(TARGET)) / micros(took);
        if took > TARGET.saturating_mul(3) / 2 && weight >= LIGHTEST {
            self.batch = weight.min(self.batch) / 10 * 7;
        } else if fits > self.batch {
            self.batch = (self.batch / 10 * 13).min(fits);
        }
        self.batch = self.batch.clamp(LIGHTEST, HEAVIEST);
    }

    /// Learns how long gateways should wait between heartbeats: so much weight was `offered` in the time that has
    /// `passed`, for so many transactions at once; `pressure` says whether some of it was turned away or waits for long.
    pub fn adjust(&mut self, offered: usize, passed: Duration, lanes: usize, pressure: bool) {
        let seconds = passed.as_secs_f64().max(0.001);
        let commits = as_f64(self.batch) * as_f64(lanes.max(1)) / TARGET.as_secs_f64();
        let load = as_f64(offered) / seconds / commits / GOAL;
        let factor = if pressure { load.clamp(GROWS, CHANGES) } else { load.clamp(1.0 / CHANGES, SHRINKS) };
        // Gateways hear of a change with the answer to their next report, so a step takes half the heartbeat.
        let step_s = (self.heartbeat_ms / 2_000.0).max(1.0);
        let heartbeat_ms = self.heartbeat_ms * (factor.ln() * seconds / step_s).exp();
        self.heartbeat_ms = heartbeat_ms.clamp(USUAL_HEARTBEAT_MS, LONGEST_HEARTBEAT_MS);
    }

    /// The time between heartbeats that is asked for (ms); none when the usual one will do.
    pub fn heartbeat_ms(&self) -> Option<u32> {
        // A clamped number fits.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 1,000 and 60,000"
        )]
        let heartbeat_ms = self.heartbeat_ms as u32;
        (self.heartbeat_ms > USUAL_HEARTBEAT_MS * 1.05).then_some(heartbeat_ms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "weights are far below 2^53")]
const fn as_f64(weight: usize) -> f64 {
    weight as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(rows_per_ms: usize, fixed_ms: u64) -> Pace {
        let mut pace = Pace::default();
        for _ in 0..100 {
            let took = fixed_ms + u64::try_from(pace.batch() / rows_per_ms).unwrap();
            pace.learn(pace.batch(), Duration::from_millis(took));
        }
        pace
    }

    #[test]
    fn a_batch_takes_about_a_tenth_of_a_second_on_any_database() {
        for (rows_per_ms, fixed_ms) in [(2, 1), (16, 5), (70, 2), (110, 1)] {
            let pace = settle(rows_per_ms, fixed_ms);
            let took = fixed_ms + u64::try_from(pace.batch() / rows_per_ms).unwrap();
            assert!((50..=150).contains(&took), "{rows_per_ms} rows per ms: {took} ms");
        }
    }

    #[test]
    fn slow_light_batches_do_not_change_the_estimate() {
        let mut pace = Pace::default();
        for _ in 0..1_000 {
            pace.learn(1, Duration::from_millis(8));
        }
        assert_eq!(pace.batch(), FIRST);
    }

    #[test]
    fn a_fast_light_batch_raises_the_estimate() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.learn(800, Duration::from_millis(12));
        }
        assert_eq!(pace.batch(), 6_666);
    }

    /// So many seconds of a load that would be so many times what is committed if gateways came every second. Those
    /// that heed the heartbeat have it from their last report.
    fn live(pace: &mut Pace, seconds: u32, load: f64, heeds: bool) -> f64 {
        let commits = as_f64(pace.batch()) * 10.0;
        let (mut heard, mut reported, mut offered_in_all) = (1_000.0, 0.0, 0.0);
        for _ in 0..seconds * 4 {
            let offered = load * commits / 4.0 * if heeds { 1_000.0 / heard } else { 1.0 };
            offered_in_all += offered;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            pace.adjust(offered as usize, Duration::from_millis(250), 1, offered > commits / 4.0);
            reported += 250.0;
            if reported >= heard {
                (heard, reported) = (pace.heartbeat_ms, 0.0);
            }
        }
        offered_in_all / commits / f64::from(seconds)
    }

    #[test]
    fn gateways_that_obey_the_heartbeat_offer_as_much_as_is_committed() {
        for load in [1.0, 2.0, 3.0, 10.0, 40.0] {
            let mut pace = Pace::default();
            live(&mut pace, 300, load, true);
            let settled = live(&mut pace, 300, load, true);
            assert!((0.85..=1.15).contains(&settled), "{load} times: {settled}");
        }
    }

    #[test]
    fn half_load_leaves_the_heartbeat_unchanged() {
        let mut pace = Pace::default();
        live(&mut pace, 60, 0.5, false);
        assert_eq!(pace.heartbeat_ms(), None);
    }

    #[test]
    fn heartbeats_slow_down_under_pressure_and_recover() {
        let mut pace = Pace::default();
        live(&mut pace, 60, 4.0, false);
        assert_eq!(pace.heartbeat_ms(), Some(60_000));
        live(&mut pace, 60, 0.1, false);
        assert_eq!(pace.heartbeat_ms(), None, "after a minute");
    }

    #[test]
    fn a_long_idle_time_counts_in_full() {
        let mut pace = Pace::default();
        live(&mut pace, 60, 4.0, false);
        pace.adjust(1, Duration::from_mins(2), 1, false);
        assert_eq!(pace.heartbeat_ms(), None);
    }
}
