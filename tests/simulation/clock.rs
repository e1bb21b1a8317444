//! Clocks that disagree: each machine's runs at its own rate from its own start, and each ledger's wall
//! clock jumps. What really passes is counted in nanoseconds of the simulation.

use faregate::decide::base::moment::Moment;
use jiff::Timestamp;

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;
/// The wall clock's milliseconds when the simulation begins: some day in 2026.
const WALL_START_MS: i64 = 1_780_000_000_000;

/// A monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// How far it had come when the simulation began (ns).
    pub offset: u64,
    /// How much too fast it runs, in parts per million.
    pub ppm: i64,
}

impl Clock {
    /// What it has counted when `time` ns have really passed.
    pub fn nanos(self, time: u64) -> u64 {
        let drift = i128::from(time) * i128::from(self.ppm) / 1_000_000;
        self.offset + time.saturating_add_signed(drift as i64)
    }

    /// What it shows, for a gateway.
    pub fn moment(self, time: u64) -> Moment {
        Moment::from_nanos(self.nanos(time))
    }

    /// How long `nanos` by this clock really take; rounded up.
    pub fn really(self, nanos: u64) -> u64 {
        (u128::from(nanos) * 1_000_000 / (1_000_000 + i128::from(self.ppm)) as u128) as u64 + 1
    }
}

/// What a ledger's wall clock shows at `time`, when it is `off_ms` wrong and runs so many times as fast as
/// time really passes, so that periods of hours and days end within a world.
pub fn wall(time: u64, off_ms: i64, pace: u64) -> Timestamp {
    let ms = WALL_START_MS + (u128::from(time) * u128::from(pace) / u128::from(MS)) as i64 + off_ms;
    Timestamp::from_millisecond(ms).expect("the simulation stays in this century")
}
