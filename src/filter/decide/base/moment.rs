//! A point on the machine's monotonic clock. Deadlines use it, so a jump of the wall clock moves none.

/// Nanoseconds since a start that is the same for all workers of a machine. `ZERO` is before everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Before every moment that a clock gives.
    pub const ZERO: Self = Self(0);

    /// From the clock's nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The clock's nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// This moment and `millis` milliseconds.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1_000_000)))
    }

    /// `millis` milliseconds before this moment.
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis.saturating_mul(1_000_000)))
    }

    /// Whole milliseconds from `earlier` until this moment; zero when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}
