//! What became of messages.

use crate::figures::percentile_ms;
use std::time::Duration;

/// Messages, and the entries in them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub messages: u64,
    pub overloaded: u64,
    pub silent: u64,
    pub offered_entries: u64,
    pub committed_entries: u64,
    /// The longest time to the next heartbeat that an answer has set.
    pub heartbeat_ms: u64,
    times: Vec<Duration>,
}

impl Tally {
    fn sent(&mut self, entries: usize) {
        self.messages += 1;
        self.offered_entries += entries as u64;
    }

    /// A message was committed and answered.
    pub fn committed(&mut self, entries: usize, took: Duration, heartbeat_ms: u64) {
        self.sent(entries);
        self.committed_entries += entries as u64;
        self.heartbeat_ms = self.heartbeat_ms.max(heartbeat_ms);
        self.times.push(took);
    }

    /// It was turned away with 503.
    pub fn overloaded(&mut self, entries: usize) {
        self.sent(entries);
        self.overloaded += 1;
    }

    /// No answer came in time.
    pub fn silent(&mut self, entries: usize) {
        self.sent(entries);
        self.silent += 1;
    }

    /// Adds another one's.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.overloaded += other.overloaded;
        self.silent += other.silent;
        self.offered_entries += other.offered_entries;
        self.committed_entries += other.committed_entries;
        self.heartbeat_ms = self.heartbeat_ms.max(other.heartbeat_ms);
        self.times.extend(other.times);
    }

    /// The time below which this share of the answers to what was committed came, in percent.
    pub fn answer_ms(&mut self, percent: usize) -> f64 {
        percentile_ms(&mut self.times, percent)
    }
}
