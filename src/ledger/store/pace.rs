//! How much the ledger takes at once, and what it asks of gateways when more comes: plain arithmetic.
//!
//! A batch is as heavy as the database commits in about [`BATCH_MS`]; a queue holds what is committed within
//! [`WAIT_MS`]. What would wait longer is refused at once: its gateway would hang up before it is committed, and the work
//! would be for nothing. While there is too much, heartbeats are asked for less often.
//!
//! What must hold: however much is offered, what is taken in is committed before its gateway gives up.

use std::time::Duration;

/// How long a transaction should take (ms).
const BATCH_MS: u64 = 100;
/// How long something may wait in the queue (ms). With two batches on top that is less than the 500 ms after which
/// gateways hang up.
pub const WAIT_MS: u64 = 250;
/// The lightest and the heaviest batch, in rows; and the first.
const LIGHTEST: usize = 128;
const HEAVIEST: usize = 16_384;
const FIRST: usize = 2_048;
/// The usual time between heartbeats, and the longest that is asked for (ms).
const USUAL_BEAT_MS: f64 = 1_000.0;
const LONGEST_BEAT_MS: f64 = 60_000.0;
/// Within which time the heartbeat doubles under pressure, and how much longer it takes to halve (s).
const DOUBLES_S: f64 = 0.7;
const HALVES_S: f64 = 4.0;

/// How fast the database is, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The weight of a batch.
    batch: usize,
    beat_ms: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: FIRST, beat_ms: USUAL_BEAT_MS }
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

    /// Learns from a transaction how heavy one may be. A light one says nothing: what it costs hardly depends on its
    /// weight.
    pub fn learn(&mut self, weight: usize, took: Duration) {
        let target = Duration::from_millis(BATCH_MS);
        let full = weight.saturating_mul(10) >= self.batch.saturating_mul(7);
        if took > target.saturating_mul(3) / 2 && weight >= LIGHTEST {
            self.batch = weight.min(self.batch) / 10 * 7;
        } else if full && took < target {
            self.batch = self.batch / 10 * 13;
        }
        self.batch = self.batch.clamp(LIGHTEST, HEAVIEST);
    }

    /// Learns how long gateways should wait between heartbeats, from whether there was too much in the last `passed`.
    pub fn adjust(&mut self, too_much: bool, passed: Duration) {
        let seconds = passed.as_secs_f64().min(1.0);
        let doublings = if too_much { seconds / DOUBLES_S } else { -seconds / HALVES_S };
        self.beat_ms = (self.beat_ms * doublings.exp2()).clamp(USUAL_BEAT_MS, LONGEST_BEAT_MS);
    }

    /// The time between heartbeats that is asked for (ms); none when the usual one will do.
    pub fn beat_ms(&self) -> Option<u32> {
        // A clamped number fits.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 1,000 and 60,000"
        )]
        let beat_ms = self.beat_ms as u32;
        (self.beat_ms > USUAL_BEAT_MS * 1.05).then_some(beat_ms)
    }
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
    fn light_batches_say_nothing_of_what_the_database_can_do() {
        let mut pace = Pace::default();
        for _ in 0..1_000 {
            pace.learn(1, Duration::from_millis(8));
        }
        assert_eq!(pace.batch(), FIRST);
    }

    #[test]
    fn heartbeats_slow_down_under_pressure_and_recover() {
        let mut pace = Pace::default();
        assert_eq!(pace.beat_ms(), None);
        for _ in 0..50 {
            pace.adjust(true, Duration::from_millis(100));
        }
        assert_eq!(pace.beat_ms(), Some(60_000));
        for _ in 0..300 {
            pace.adjust(false, Duration::from_millis(100));
        }
        assert_eq!(pace.beat_ms(), None, "after half a minute");
    }
}
