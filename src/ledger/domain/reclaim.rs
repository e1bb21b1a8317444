//! When the lease of a silent gateway is reclaimed, without ever comparing clocks.
//!
//! Every exchange that names a lease stamps its row with the next number of one running count (its
//! *touch*). This watch notes now and then how far the count has come. A lease whose touch is not
//! above what the count was `patience` ago has been silent that long. A ledger that restarts has
//! noted nothing, so it counts every lease's time from zero. Only the monotonic clock is used, and memory
//! is one note per tick, however many leases there are.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The most notes that are kept; ticks are thinned out to stay below.
const MAX_NOTES: u32 = 256;

/// The running count, as it was at some time.
#[derive(Clone, Copy, Debug)]
struct Note {
    at: Instant,
    touch: i64,
}

/// Watches how long leases have been silent.
#[derive(Debug)]
pub struct Watch {
    patience: Duration,
    notes: VecDeque<Note>,
}

impl Watch {
    /// `patience` is the time to live of a lease plus the grace on top.
    pub const fn new(patience: Duration) -> Self {
        Self { patience, notes: VecDeque::new() }
    }

    /// Notes that the count is at `touch`.
    pub fn note(&mut self, now: Instant, touch: i64) {
        let apart = self.patience / (MAX_NOTES / 2);
        if self.notes.back().is_some_and(|last| now.saturating_duration_since(last.at) < apart) {
            return;
        }
        self.notes.push_back(Note { at: now, touch });
        // One note older than the patience is all that is needed.
        while self.notes.get(1).is_some_and(|next| self.is_old(*next, now)) {
            self.notes.pop_front();
        }
    }

    /// Forgets what was noted, so that every lease's time starts at zero: gateways could not be heard.
    pub fn forget(&mut self) {
        self.notes.clear();
    }

    /// Leases with a touch up to this are overdue; `None` while nothing can be.
    pub fn overdue(&self, now: Instant) -> Option<i64> {
        self.notes.iter().rev().find(|note| self.is_old(**note, now)).map(|note| note.touch)
    }

    /// How long ago, as far as this watch knows, a lease with this touch was last named.
    pub fn silence(&self, now: Instant, touch: i64) -> Duration {
        let heard_by = self.notes.iter().find(|note| note.touch >= touch);
        heard_by.map_or(Duration::ZERO, |note| now.saturating_duration_since(note.at))
    }

    fn is_old(&self, note: Note, now: Instant) -> bool {
        now.saturating_duration_since(note.at) >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_is_overdue_only_after_the_full_timeout() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut watch = Watch::new(PATIENCE);
        for second in 0..=29 {
            watch.note(at(second), i64::try_from(second).unwrap() * 10);
            assert_eq!(watch.overdue(at(second)), None, "a restart counts from zero");
        }
        watch.note(at(30), 300);
        assert_eq!(watch.overdue(at(30)), Some(0));
        assert_eq!(watch.overdue(at(45)), Some(150));
        assert_eq!(watch.silence(at(45), 205), Duration::from_secs(24));
        assert_eq!(watch.silence(at(45), 999), Duration::ZERO);
    }

    #[test]
    fn the_watch_uses_bounded_memory() {
        let start = Instant::now();
        let mut watch = Watch::new(PATIENCE);
        for tick in 0..1_000_000_u32 {
            watch.note(start + Duration::from_millis(1) * tick, i64::from(tick));
        }
        assert!(watch.notes.len() <= 256, "{}", watch.notes.len());
    }

    #[test]
    fn a_zero_timeout_means_overdue_at_once() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::ZERO);
        watch.note(now, 7);
        assert_eq!(watch.overdue(now), Some(7));
    }
}
