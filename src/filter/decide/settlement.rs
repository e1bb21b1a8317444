//! What one worker knows of leases and has not yet told them: what became of its charges, and the slice that it
//! sells from.
//!
//! Telling the lease at the beginning and at the end of every request would cost two swaps of shared memory. What is
//! set aside stays so until a few times a second everything is told, so nothing can be sold twice meanwhile; only
//! what is *freed* is told at once.

use super::lease::{Holder, Lease, Purse, Slice};
use super::moment::Moment;
use super::shared::{self, SharedMemory};
use super::table::Table;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// What is not yet told, by lease. One for each payer that was active in the last fraction of a second, so its size
/// follows the traffic.
#[derive(Debug, Default)]
pub struct Settlements {
    untold: Table<Untold>,
}

/// What one lease was not told yet.
#[derive(Debug, Default)]
pub struct Untold {
    lines: Vec<Line>,
    left: u32,
    slice: Option<(Slice, Rc<Holder>)>,
}

/// What was sold from a slice.
#[derive(Debug)]
pub struct Sold {
    /// To whom.
    pub holder: Rc<Holder>,
    /// Under which fence.
    pub fence: u32,
    /// For how much.
    pub price: Credits,
    /// How much is left of the slice.
    pub left: Credits,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    purse: Purse,
    kept: Credits,
    released: Credits,
}

impl Settlements {
    /// Sells a request from the slice of a lease, if there is one that covers what it costs this payer.
    pub fn sell(
        &mut self,
        lease: &str,
        now: Moment,
        cost: impl FnOnce(&Holder) -> Result<Credits, RefusalCode>,
    ) -> Option<Sold> {
        let (slice, holder) = self.untold.get_mut(lease)?.slice.as_mut()?;
        let price = cost(holder).ok()?;
        slice.sell(now, price).then(|| Sold {
            holder: Rc::clone(holder),
            fence: slice.fence,
            price,
            left: slice.left,
        })
    }

    /// Has a slice to sell from.
    pub fn cut(&mut self, slice: Slice, holder: &Rc<Holder>) {
        if let Some(untold) = self.untold.entry(holder.lease(), Untold::default) {
            untold.slice = Some((slice, Rc::clone(holder)));
        }
    }

    /// Notes that a charge was kept.
    pub fn keep(&mut self, lease: &str, purse: Purse, price: Credits) {
        self.add(lease, Line { purse, kept: price, released: Credits::ZERO });
    }

    /// Notes that a charge was released.
    pub fn release(&mut self, lease: &str, purse: Purse, price: Credits) {
        self.add(lease, Line { purse, kept: Credits::ZERO, released: price });
    }

    /// Notes that a request is over which the lease counts.
    pub fn leave(&mut self, lease: &str) {
        if let Some(untold) = self.untold.entry(lease, Untold::default) {
            untold.left = untold.left.saturating_add(1);
        }
    }

    fn add(&mut self, lease: &str, new: Line) {
        let Some(Untold { lines, .. }) = self.untold.entry(lease, Untold::default) else {
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

    /// Takes what a lease was not told. It must be told then, or what is in it is lost.
    pub fn take(&mut self, lease: &str) -> Untold {
        self.untold.remove(lease).unwrap_or_default()
    }

    /// Tells one lease all that is noted for it.
    pub fn tell(&mut self, memory: &impl SharedMemory, lease: &str) {
        if let Some(untold) = self.untold.remove(lease) {
            shared::update_counters(memory, lease, |lease, _| untold.tell(lease));
        }
    }

    /// Tells every lease.
    pub fn tell_all(&mut self, memory: &impl SharedMemory) {
        while let Some(lease) = self.untold.next_name("").map(str::to_owned) {
            self.tell(memory, &lease);
        }
    }
}

impl Untold {
    /// Tells it to the lease.
    pub fn tell(&self, lease: &mut Lease) {
        if let Some((slice, _)) = &self.slice {
            lease.unslice(slice);
        }
        for line in &self.lines {
            lease.settle(line.purse, line.kept, line.released);
        }
        if self.left > 0 {
            lease.leave(self.left);
        }
    }
}
