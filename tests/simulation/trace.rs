//! What happened, in words: the last few hundred lines, or all of them, printed when a seed fails.

use std::collections::{BTreeMap, VecDeque};

/// How many lines are kept when not all are wanted.
const LAST: usize = 200;

/// The trace of one run, and its counts.
#[derive(Debug, Default)]
pub struct Trace {
    lines: VecDeque<String>,
    whole: bool,
    /// Nothing is written down: a run is made again to see why it failed.
    silent: bool,
    pub counts: BTreeMap<&'static str, u64>,
}

impl Trace {
    /// One that only counts.
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// One that keeps the last lines, or all.
    pub fn talking(whole: bool) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Writes a line about what happens at `time` (ns).
    pub fn say(&mut self, time: u64, words: impl FnOnce() -> String) {
        if self.silent {
            return;
        }
        if !self.whole && self.lines.len() >= LAST {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>12.3} ms  {}", time as f64 / 1e6, words()));
    }

    /// Counts something.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The lines.
    pub fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }
}
