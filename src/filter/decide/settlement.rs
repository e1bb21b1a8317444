//! What became of each charge, gathered per worker and told to the shared lease a few times a second.
//!
//! Telling the lease at the end of every request would cost a second swap of shared memory. What is set
//! aside stays so until then, so nothing can be sold twice meanwhile; only what is *freed* is told at once.

use super::lease::Purse;
use super::shared::{self, SharedMemory};
use super::table::Table;
use faregate_protocol::Credits;

/// Charges that are over but not yet told to their leases. One line per payer that was active in the last
/// fraction of a second, so its size follows the traffic.
#[derive(Debug, Default)]
pub struct Settlements {
    lines: Table<Vec<Line>>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    purse: Purse,
    kept: Credits,
    released: Credits,
}

impl Settlements {
    /// Notes that a charge was kept.
    pub fn keep(&mut self, lease: &str, purse: Purse, price: Credits) {
        self.add(lease, Line { purse, kept: price, released: Credits::ZERO });
    }

    /// Notes that a charge was released.
    pub fn release(&mut self, lease: &str, purse: Purse, price: Credits) {
        self.add(lease, Line { purse, kept: Credits::ZERO, released: price });
    }

    fn add(&mut self, lease: &str, new: Line) {
        let Some(lines) = self.lines.entry(lease, Vec::new) else {
            return;
        };
        match lines.iter_mut().find(|line| line.purse == new.purse) {
            Some(line) => {
                line.kept = line.kept.saturating_add(new.kept);
                line.released = line.released.saturating_add(new.released);
            }
            None => lines.push(new),
        }
    }

    /// Tells one lease all that is noted for it.
    pub fn tell(&mut self, memory: &impl SharedMemory, lease: &str) {
        let Some(lines) = self.lines.remove(lease) else {
            return;
        };
        shared::update_counters(memory, lease, |lease| {
            for line in &lines {
                lease.settle(line.purse, line.kept, line.released);
            }
        });
    }

    /// Tells every lease.
    pub fn tell_all(&mut self, memory: &impl SharedMemory) {
        while let Some(lease) = self.lines.next_name("").map(str::to_owned) {
            self.tell(memory, &lease);
        }
    }
}
