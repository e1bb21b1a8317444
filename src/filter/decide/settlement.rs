//! What one worker has not yet flushed to its leases: the outcomes of its charges, and the sublease that it
//! sells from.
//!
//! Updating the lease at the beginning and at the end of every request would cost two swaps of shared memory. So
//! reserved credits stay reserved until everything is flushed, a few times a second, and nothing can be sold twice;
//! only *freed* credits are flushed at once.
//!
//! Callers with a sublease are found by their credential as the request sends it ([`crate::decide::base::spots`]).

use crate::decide::base::moment::Moment;
use crate::decide::base::spots::{Spots, is_named};
use crate::decide::base::table::{Place, Table};
use crate::decide::lease::shared::{self, Names, SharedMemory};
use crate::decide::lease::{Holder, Lease, Purse, Slice};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// What is not yet flushed, by lease. One entry for each payer that was active in the last fraction of a second, so its
/// size follows the traffic.
#[derive(Debug, Default)]
pub struct Settlements {
    untold: Table<Untold>,
    /// The places in it of callers with a sublease.
    spots: Spots,
}

/// What is not yet flushed to one lease.
#[derive(Debug, Default)]
pub struct Untold {
    lines: Vec<Line>,
    left: u32,
    slice: Option<(Slice, Rc<Holder>)>,
    /// Where this holder's usage is counted.
    tallied: Place,
}

/// A sale from a sublease.
#[derive(Debug)]
pub struct Sold {
    /// The buyer.
    pub holder: Rc<Holder>,
    /// Under which fence.
    pub fence: u32,
    /// Its price.
    pub price: Credits,
    /// How much of the sublease is left.
    pub left: Credits,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    purse: Purse,
    kept: Credits,
    released: Credits,
}

impl Settlements {
    /// The place of the sublease of this key, valid or not; nowhere if there is none.
    pub fn of_key(&self, names: &Names, bytes: &[u8]) -> Place {
        self.known(bytes, names.behind_key())
    }

    /// The place of the sublease of this subject.
    pub fn of_subject(&self, names: &Names, subject: &str) -> Place {
        self.known(subject.as_bytes(), names.behind_subject())
    }

    #[inline(never)]
    fn known(&self, credential: &[u8], behind: &str) -> Place {
        let place = self.spots.find(credential);
        let slice = self.untold.at(place).and_then(|untold| untold.slice.as_ref());
        let known = slice.is_some_and(|(_, holder)| is_named(holder.lease(), credential, behind));
        if known { place } else { Place::default() }
    }

    /// The place of a lease's sublease; indexes its credential for the next lookup.
    pub fn find(&mut self, names: &Names, lease: &str) -> Place {
        let place = self.untold.find(lease);
        if place != Place::default() {
            self.spots.take(names.credential(lease), place);
        }
        place
    }

    /// Sells a request from the sublease at a place, if there is one that covers its cost.
    pub fn sell(
        &mut self,
        place: Place,
        now: Moment,
        cost: impl FnOnce(&Holder) -> Result<Credits, RefusalCode>,
    ) -> Option<Sold> {
        let (slice, holder) = self.untold.at_mut(place)?.slice.as_mut()?;
        let price = cost(holder).ok()?;
        slice.sell(now, price).then(|| Sold {
            holder: Rc::clone(holder),
            fence: slice.fence,
            price,
            left: slice.left,
        })
    }

    /// Adds a sublease to sell from.
    pub fn cut(&mut self, names: &Names, slice: Slice, holder: &Rc<Holder>) {
        let place = self.untold.place(holder.lease(), Untold::default);
        if let Some(untold) = self.untold.at_mut(place) {
            untold.slice = Some((slice, Rc::clone(holder)));
            untold.tallied = Place::default();
        }
        holder.lies_at(place);
        self.spots.make_room(self.untold.len());
        self.spots.take(names.credential(holder.lease()), place);
    }

    /// Records that a charge was kept. Returns where the holder's usage is counted, for the caller to update; that is
    /// known only as long as the holder has the sublease.
    pub fn keep(&mut self, holder: &Rc<Holder>, purse: Purse, price: Credits) -> Option<&mut Place> {
        self.add(holder, Line { purse, kept: price, released: Credits::ZERO })
    }

    /// Records that a charge was released.
    pub fn release(&mut self, holder: &Rc<Holder>, purse: Purse, price: Credits) {
        self.add(holder, Line { purse, kept: Credits::ZERO, released: price });
    }

    /// Records the end of a request that the lease counts.
    pub fn leave(&mut self, lease: &str) {
        if let Some(untold) = self.untold.entry(lease, Untold::default) {
            untold.left = untold.left.saturating_add(1);
        }
    }

    fn add(&mut self, holder: &Rc<Holder>, new: Line) -> Option<&mut Place> {
        let mut place = holder.place();
        let slice = self.untold.at(place).and_then(|untold| untold.slice.as_ref());
        let own = slice.is_some_and(|(_, other)| Rc::ptr_eq(other, holder));
        if !own {
            place = self.untold.place(holder.lease(), Untold::default);
        }
        let Untold { lines, tallied, .. } = self.untold.at_mut(place)?;
        match lines.iter_mut().find(|line| line.purse == new.purse) {
            Some(line) => {
                line.kept = line.kept.saturating_add(new.kept);
                line.released = line.released.saturating_add(new.released);
            }
            None => lines.push(new),
        }
        own.then_some(tallied)
    }

    /// Takes what is not yet flushed to a lease. The caller must flush it, or it is lost.
    pub fn take(&mut self, lease: &str) -> Untold {
        self.untold.remove(lease).unwrap_or_default()
    }

    /// Flushes one lease.
    pub fn tell(&mut self, memory: &impl SharedMemory, lease: &str) {
        if let Some(untold) = self.untold.remove(lease) {
            shared::update_counters(memory, lease, |lease, _| untold.tell(lease));
        }
    }

    /// Flushes every lease.
    pub fn tell_all(&mut self, memory: &impl SharedMemory) {
        while let Some(lease) = self.untold.next_name("").map(str::to_owned) {
            self.tell(memory, &lease);
        }
    }
}

impl Untold {
    /// Flushes it to the lease.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lease::credential::Credential;
    use crate::decide::lease::shared::tests::Memory;
    use faregate_protocol::exchange::Facts;
    use proptest::prelude::*;

    const ONE: Credits = Credits::from_micros(1);

    fn names() -> Names {
        Names::new("ledger", "ledger")
    }

    /// A caller who has a slice.
    fn cut(settlements: &mut Settlements, credential: &Credential) -> Rc<Holder> {
        let names = names();
        let facts = Facts { key: "key_1".into(), account: "acme".into(), ..Facts::default() };
        let holder = Rc::new(Holder::of(&names.lease(credential), Lease::new(facts).encode()));
        let slice = Slice { fence: 1, until: Moment::from_nanos(9), size: ONE, left: ONE };
        settlements.cut(&names, slice, &holder);
        holder
    }

    /// Whose slice is at a place.
    fn lease(settlements: &Settlements, place: Place) -> Option<&str> {
        settlements.untold.at(place).map(|untold| untold.slice.as_ref().unwrap().1.lease())
    }

    #[test]
    fn among_many_callers_each_is_found_as_itself_or_by_name() {
        let (mut settlements, names) = (Settlements::default(), names());
        let keys: Vec<_> = (0..3_000).map(|number| format!("fg_live_{number}")).collect();
        for key in &keys {
            cut(&mut settlements, &Credential::Key(key.clone()));
        }
        for key in &keys {
            let name = names.lease(&Credential::Key(key.clone()));
            let known = lease(&settlements, settlements.of_key(&names, key.as_bytes()));
            assert!(known.is_none_or(|known| known == name), "{key} is {known:?}");
            let place = settlements.find(&names, &name);
            assert_eq!(lease(&settlements, place), Some(name.as_str()));
            assert_eq!(settlements.of_key(&names, key.as_bytes()), place, "at once the next time");
        }
        assert!(settlements.spots.room() >= 4 * keys.len());
        settlements.tell_all(&Memory::default());
        assert!(keys.iter().all(|key| settlements.of_key(&names, key.as_bytes()) == Place::default()));
    }

    #[test]
    fn a_charge_that_outlasts_its_slice_is_noted_for_its_own_lease() {
        let (mut settlements, names) = (Settlements::default(), names());
        let [first, second] = ["a", "b"].map(|key| Credential::Key(key.into()));
        let gone = cut(&mut settlements, &first);
        assert!(settlements.keep(&gone, Purse::Lease(1), ONE).is_some());
        settlements.tell(&Memory::default(), gone.lease());
        // Another caller's takes its place.
        let other = cut(&mut settlements, &second);
        assert_eq!((settlements.untold.len(), gone.place() == other.place()), (1, false));
        assert_eq!(settlements.keep(&gone, Purse::Lease(1), ONE), None);
        assert!(settlements.take(&names.lease(&second)).lines.is_empty());
        // Nor is it mistaken for one who has that place elsewhere.
        let mut elsewhere = Settlements::default();
        cut(&mut elsewhere, &second);
        assert_eq!(elsewhere.keep(&gone, Purse::Lease(1), ONE), None);
        assert_eq!(elsewhere.take(gone.lease()).lines.len(), 1);
        // A new sublease from another record is a different one, too.
        let recut = cut(&mut settlements, &first);
        assert_eq!(settlements.keep(&gone, Purse::Lease(1), ONE), None);
        assert_eq!(settlements.keep(&recut, Purse::Lease(1), ONE), Some(&mut Place::default()));
        let [line] = settlements.take(&names.lease(&first)).lines[..] else { panic!("one purse, one line") };
        assert_eq!(line.kept, ONE.times(3));
    }

    proptest! {
        #[test]
        fn only_the_very_credential_is_known(known in "[ks a]{0,24}", asked in "[ks a]{0,24}", subject: bool, behind: bool) {
            let (mut settlements, names) = (Settlements::default(), names());
            let credential = if subject { Credential::Subject(known.clone()) } else { Credential::Key(known.clone()) };
            let holder = cut(&mut settlements, &credential);
            // As it is, or with the suffix of its lease's name.
            let asked = if behind { asked + names.behind_key() } else { asked };
            for text in [&asked, &known, &holder.lease().to_owned()] {
                let place = |same: bool| if same { holder.place() } else { Place::default() };
                prop_assert_eq!(settlements.of_key(&names, text.as_bytes()), place(!subject && *text == known));
                prop_assert_eq!(settlements.of_subject(&names, text), place(subject && *text == known));
            }
        }
    }
}
