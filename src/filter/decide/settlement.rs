//! What one worker has not yet flushed to its leases: the outcomes of its charges, and the sublease that it
//! sells from.
//!
//! Updating the lease at the beginning and at the end of every request would cost two swaps of shared memory. So
//! reserved credits stay reserved until everything is flushed, a few times a second, and nothing can be sold twice;
//! only *freed* credits are flushed at once.
//!
//! Callers with a sublease are found by their credential as the request sends it ([`crate::decide::base::credential_index`]).

use crate::decide::base::credential_index::{CredentialIndex, is_named};
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::{Handle, SortedMap};
use crate::decide::lease::shared::{self, Names, SharedMemory};
use crate::decide::lease::{FundingSource, Lease, LeaseHolder, Sublease};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// What is not yet flushed, by lease. One entry for each payer that was active in the last fraction of a second, so its
/// size follows the traffic.
#[derive(Debug, Default)]
pub struct Settlements {
    pending: SortedMap<PendingSettlement>,
    /// The handles in it of callers with a sublease.
    credential_index: CredentialIndex,
}

/// What is not yet flushed to one lease.
#[derive(Debug, Default)]
pub struct PendingSettlement {
    lines: Vec<Line>,
    left: u32,
    sublease: Option<(Sublease, Rc<LeaseHolder>)>,
    /// Where this holder's usage is counted.
    usage_handle: Handle,
}

/// A sale from a sublease.
#[derive(Debug)]
pub struct Sold {
    /// The buyer.
    pub holder: Rc<LeaseHolder>,
    /// Under which epoch.
    pub epoch: u32,
    /// Its price.
    pub price: Credits,
    /// How much of the sublease is left.
    pub left: Credits,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    funding: FundingSource,
    kept: Credits,
    released: Credits,
}

impl Settlements {
    /// The handle of the sublease of this key, valid or not; nowhere if there is none.
    pub fn of_key(&self, names: &Names, bytes: &[u8]) -> Handle {
        self.known(bytes, names.behind_key())
    }

    /// The handle of the sublease of this subject.
    pub fn of_subject(&self, names: &Names, subject: &str) -> Handle {
        self.known(subject.as_bytes(), names.behind_subject())
    }

    #[inline(never)]
    fn known(&self, credential: &[u8], behind: &str) -> Handle {
        let handle = self.credential_index.find(credential);
        let sublease = self.pending.at(handle).and_then(|pending| pending.sublease.as_ref());
        let known = sublease.is_some_and(|(_, holder)| is_named(holder.lease(), credential, behind));
        if known { handle } else { Handle::default() }
    }

    /// The handle of a lease's sublease; indexes its credential for the next lookup.
    pub fn find(&mut self, names: &Names, lease: &str) -> Handle {
        let handle = self.pending.find(lease);
        if handle != Handle::default() {
            self.credential_index.take(names.credential(lease), handle);
        }
        handle
    }

    /// Sells a request from the sublease at a handle, if there is one that covers its cost.
    pub fn sell(
        &mut self,
        handle: Handle,
        now: Moment,
        cost: impl FnOnce(&LeaseHolder) -> Result<Credits, RefusalCode>,
    ) -> Option<Sold> {
        let (sublease, holder) = self.pending.at_mut(handle)?.sublease.as_mut()?;
        let price = cost(holder).ok()?;
        sublease.sell(now, price).then(|| Sold {
            holder: Rc::clone(holder),
            epoch: sublease.epoch,
            price,
            left: sublease.left,
        })
    }

    /// Adds a sublease to sell from.
    pub fn cut(&mut self, names: &Names, sublease: Sublease, holder: &Rc<LeaseHolder>) {
        let handle = self.pending.handle(holder.lease(), PendingSettlement::default);
        if let Some(pending) = self.pending.at_mut(handle) {
            pending.sublease = Some((sublease, Rc::clone(holder)));
            pending.usage_handle = Handle::default();
        }
        holder.keep_handle(handle);
        self.credential_index.make_room(self.pending.len());
        self.credential_index.take(names.credential(holder.lease()), handle);
    }

    /// Records that a charge was kept. Returns where the holder's usage is counted, for the caller to update; that is
    /// known only as long as the holder has the sublease.
    pub fn keep(
        &mut self,
        holder: &Rc<LeaseHolder>,
        funding: FundingSource,
        price: Credits,
    ) -> Option<&mut Handle> {
        self.add(holder, Line { funding, kept: price, released: Credits::ZERO })
    }

    /// Records that a charge was released.
    pub fn release(&mut self, holder: &Rc<LeaseHolder>, funding: FundingSource, price: Credits) {
        self.settle(holder, funding, Credits::ZERO, price);
    }

    /// Records that a part of a charge was kept and the rest released.
    pub fn settle(
        &mut self,
        holder: &Rc<LeaseHolder>,
        funding: FundingSource,
        kept: Credits,
        released: Credits,
    ) {
        self.add(holder, Line { funding, kept, released });
    }

    /// Records the end of a request that the lease counts.
    pub fn leave(&mut self, lease: &str) {
        if let Some(pending) = self.pending.entry(lease, PendingSettlement::default) {
            pending.left = pending.left.saturating_add(1);
        }
    }

    fn add(&mut self, holder: &Rc<LeaseHolder>, new: Line) -> Option<&mut Handle> {
        let mut handle = holder.handle();
        let sublease = self.pending.at(handle).and_then(|pending| pending.sublease.as_ref());
        let own = sublease.is_some_and(|(_, other)| Rc::ptr_eq(other, holder));
        if !own {
            handle = self.pending.handle(holder.lease(), PendingSettlement::default);
        }
        let PendingSettlement { lines, usage_handle, .. } = self.pending.at_mut(handle)?;
        match lines.iter_mut().find(|line| line.funding == new.funding) {
            Some(line) => {
                line.kept = line.kept.saturating_add(new.kept);
                line.released = line.released.saturating_add(new.released);
            }
            None => lines.push(new),
        }
        own.then_some(usage_handle)
    }

    /// Takes what is not yet flushed to a lease. The caller must flush it, or it is lost.
    pub fn take(&mut self, lease: &str) -> PendingSettlement {
        self.pending.remove(lease).unwrap_or_default()
    }

    /// Flushes one lease.
    pub fn flush(&mut self, memory: &impl SharedMemory, lease: &str) {
        if let Some(pending) = self.pending.remove(lease) {
            shared::update_counters(memory, lease, |lease, _| pending.flush(lease));
        }
    }

    /// Flushes every lease.
    pub fn flush_all(&mut self, memory: &impl SharedMemory) {
        while let Some(lease) = self.pending.next_name("").map(str::to_owned) {
            self.flush(memory, &lease);
        }
    }
}

impl PendingSettlement {
    /// Flushes it to the lease.
    pub fn flush(&self, lease: &mut Lease) {
        if let Some((sublease, _)) = &self.sublease {
            lease.return_sublease(sublease);
        }
        for line in &self.lines {
            lease.settle(line.funding, line.kept, line.released);
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

    /// A caller who has a sublease.
    fn cut(settlements: &mut Settlements, credential: &Credential) -> Rc<LeaseHolder> {
        let names = names();
        let facts = Facts { key: "key_1".into(), account: "acme".into(), ..Facts::default() };
        let holder = Rc::new(LeaseHolder::of(&names.lease(credential), Lease::new(facts).encode()));
        let sublease = Sublease { epoch: 1, until: Moment::from_nanos(9), size: ONE, left: ONE };
        settlements.cut(&names, sublease, &holder);
        holder
    }

    /// Whose sublease is at a handle.
    fn lease(settlements: &Settlements, handle: Handle) -> Option<&str> {
        settlements.pending.at(handle).map(|pending| pending.sublease.as_ref().unwrap().1.lease())
    }

    #[test]
    fn each_of_many_callers_is_found_by_key_or_by_lease_name() {
        let (mut settlements, names) = (Settlements::default(), names());
        let keys: Vec<_> = (0..3_000).map(|number| format!("fg_live_{number}")).collect();
        for key in &keys {
            cut(&mut settlements, &Credential::Key(key.clone()));
        }
        for key in &keys {
            let name = names.lease(&Credential::Key(key.clone()));
            let known = lease(&settlements, settlements.of_key(&names, key.as_bytes()));
            assert!(known.is_none_or(|known| known == name), "{key} is {known:?}");
            let handle = settlements.find(&names, &name);
            assert_eq!(lease(&settlements, handle), Some(name.as_str()));
            assert_eq!(settlements.of_key(&names, key.as_bytes()), handle, "at once the next time");
        }
        assert!(settlements.credential_index.room() >= 4 * keys.len());
        settlements.flush_all(&Memory::default());
        assert!(keys.iter().all(|key| settlements.of_key(&names, key.as_bytes()) == Handle::default()));
    }

    #[test]
    fn a_charge_that_outlives_its_sublease_settles_on_its_own_lease() {
        let (mut settlements, names) = (Settlements::default(), names());
        let [first, second] = ["a", "b"].map(|key| Credential::Key(key.into()));
        let gone = cut(&mut settlements, &first);
        assert!(settlements.keep(&gone, FundingSource::Lease(1), ONE).is_some());
        settlements.flush(&Memory::default(), gone.lease());
        // Another caller's takes its handle.
        let other = cut(&mut settlements, &second);
        assert_eq!((settlements.pending.len(), gone.handle() == other.handle()), (1, false));
        assert_eq!(settlements.keep(&gone, FundingSource::Lease(1), ONE), None);
        assert!(settlements.take(&names.lease(&second)).lines.is_empty());
        // It is not confused with a caller that has the same handle elsewhere.
        let mut elsewhere = Settlements::default();
        cut(&mut elsewhere, &second);
        assert_eq!(elsewhere.keep(&gone, FundingSource::Lease(1), ONE), None);
        assert_eq!(elsewhere.take(gone.lease()).lines.len(), 1);
        // A new sublease from another record is a different one, too.
        let recut = cut(&mut settlements, &first);
        assert_eq!(settlements.keep(&gone, FundingSource::Lease(1), ONE), None);
        assert_eq!(settlements.keep(&recut, FundingSource::Lease(1), ONE), Some(&mut Handle::default()));
        let [line] = settlements.take(&names.lease(&first)).lines[..] else {
            panic!("one funding, one line")
        };
        assert_eq!(line.kept, ONE.times(3));
    }

    proptest! {
        #[test]
        fn only_the_exact_credential_is_found(known in "[ks a]{0,24}", asked in "[ks a]{0,24}", subject: bool, behind: bool) {
            let (mut settlements, names) = (Settlements::default(), names());
            let credential = if subject { Credential::Subject(known.clone()) } else { Credential::Key(known.clone()) };
            let holder = cut(&mut settlements, &credential);
            // As it is, or with the suffix of its lease's name.
            let asked = if behind { asked + names.behind_key() } else { asked };
            for text in [&asked, &known, &holder.lease().to_owned()] {
                let handle = |same: bool| if same { holder.handle() } else { Handle::default() };
                prop_assert_eq!(settlements.of_key(&names, text.as_bytes()), handle(!subject && *text == known));
                prop_assert_eq!(settlements.of_subject(&names, text), handle(subject && *text == known));
            }
        }
    }
}
