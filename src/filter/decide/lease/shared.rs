//! Memory that all workers of a gateway share: Envoy's shared data in the filter, a map in tests and in
//! the simulator.
//!
//! Envoy's has no expiry, no deletion and no listing, so only payers that the ledger knows get an entry: unknown
//! callers can't make it grow. What must hold: a lease is changed only by compare-and-swap.

use super::Lease;
use super::credential::Credential;
use faregate_protocol::exchange::Facts;

/// The shared memory of one gateway.
pub trait SharedMemory {
    /// The value and the stamp to swap it with; `None` when there is no such entry.
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)>;
    /// Writes `value` if the entry still has this stamp, or, without a stamp, if there is no entry yet.
    /// Returns whether it was written.
    fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool;
    /// Adds to the queue of payers with unreported changes.
    fn push_dirty(&self, payer: &str);
    /// Takes from that queue.
    fn pop_dirty(&self) -> Option<String>;
}

/// How often a swap is tried before giving up. A worker wins at least one in as many tries as there are
/// workers, so this is never reached short of a bug.
const TRIES: usize = 1_000;

/// The names of one gate's entries. Several filters in one process may share a memory, so every name
/// identifies the ledger.
#[derive(Clone, Debug)]
pub struct Names {
    scope: String,
    behind_key: String,
    behind_subject: String,
}

impl Names {
    /// For the filters that use one ledger.
    pub fn new(cluster: &str, authority: &str) -> Self {
        let scope = format!("faregate/1/{cluster}/{authority}/");
        let behind = |kind| String::from(kind) + &scope;
        Self { behind_key: behind(" k "), behind_subject: behind(" s "), scope }
    }

    /// Where a payer's lease is.
    pub fn lease(&self, credential: &Credential) -> String {
        let (text, behind) = match credential {
            Credential::Key(text) => (text, self.behind_key()),
            Credential::Subject(text) => (text, self.behind_subject()),
        };
        // What differs comes first, so that comparing two names is quick.
        let mut name = String::with_capacity(text.len() + behind.len());
        name.push_str(text);
        name.push_str(behind);
        name
    }

    /// The suffix after a key in the name of its lease; as long as a subject's suffix, but different.
    pub fn behind_key(&self) -> &str {
        &self.behind_key
    }

    /// The suffix after a subject.
    pub fn behind_subject(&self) -> &str {
        &self.behind_subject
    }

    /// The key or the subject in the name of a lease.
    pub fn credential<'a>(&self, lease: &'a str) -> &'a str {
        let len = lease.len().saturating_sub(self.behind_key.len());
        lease.get(..len).unwrap_or_default()
    }

    /// Where the gateway's identity is.
    pub fn gateway(&self) -> String {
        format!("{}gateway", self.scope)
    }

    /// The entry of the leader, which sends the heartbeat.
    pub fn leader(&self) -> String {
        format!("{}leader", self.scope)
    }

    /// The entry of the newest change of the ledger's price list.
    pub fn prices(&self) -> String {
        format!("{}prices", self.scope)
    }

    /// Where the number of known payers is.
    pub fn count(&self) -> String {
        format!("{}count", self.scope)
    }

    /// Where the name of the payer with this number is.
    pub fn registry(&self, number: u32) -> String {
        format!("{}registry/{number}", self.scope)
    }

    /// The entry for usage that workers left behind.
    pub fn handover(&self) -> String {
        format!("{}handover", self.scope)
    }

    /// Whether this is that name.
    pub fn is_handover(&self, name: &str) -> bool {
        name.strip_prefix(self.scope.as_str()) == Some("handover")
    }

    /// The queue of payers with unreported changes.
    pub fn dirty_queue(&self) -> String {
        format!("{}dirty", self.scope)
    }
}

/// Changes the lease at `name`, if there is one, and queues it when its counters changed.
/// `change` may run several times; only the last run counts.
pub fn update<R>(
    memory: &impl SharedMemory,
    name: &str,
    mut change: impl FnMut(&mut Lease) -> R,
) -> Option<R> {
    let mut result = None;
    let done = swap_changed(memory, name, true, &mut |lease, _| result = Some(change(lease)));
    result.filter(|_| done.is_some())
}

/// The same for a change that doesn't write the payer's names and products: they are empty in the lease, and may be
/// read from the record. Returns the record's bytes with its result.
pub fn update_counters<R>(
    memory: &impl SharedMemory,
    name: &str,
    mut change: impl FnMut(&mut Lease, &[u8]) -> R,
) -> Option<(R, Vec<u8>)> {
    let mut result = None;
    let record =
        swap_changed(memory, name, false, &mut |lease, record| result = Some(change(lease, record)))?;
    Some((result?, record))
}

/// The body of both, compiled once for all changes. Returns the record as it is afterwards.
fn swap_changed(
    memory: &impl SharedMemory,
    name: &str,
    whole: bool,
    change: &mut dyn FnMut(&mut Lease, &[u8]),
) -> Option<Vec<u8>> {
    for _ in 0..TRIES {
        let (mut record, stamp) = memory.get(name)?;
        let mut lease = if whole { Lease::decode(&record) } else { Lease::decode_head(&record) }?;
        let before = lease.counters();
        change(&mut lease, &record);
        let dirty_queue = lease.counters() != before && !lease.queued;
        lease.queued |= dirty_queue;
        let changed = if whole {
            let after = lease.encode();
            let changed = after != record;
            record = after;
            changed
        } else {
            lease.encode_head(&mut record)
        };
        if !changed {
            return Some(record);
        }
        if memory.swap(name, &record, Some(stamp)) {
            if dirty_queue {
                memory.push_dirty(name);
            }
            return Some(record);
        }
    }
    None
}

/// The lease at `name` as it is now.
pub fn read(memory: &impl SharedMemory, name: &str) -> Option<Lease> {
    memory.get(name).and_then(|(bytes, _)| Lease::decode(&bytes))
}

/// Creates the entry of a payer that the ledger has just named, unless it exists, and adds the payer to the
/// registry, from which a new leader learns which leases are open.
pub fn create(memory: &impl SharedMemory, names: &Names, name: &str, facts: Facts) {
    if memory.get(name).is_some() {
        return;
    }
    if memory.swap(name, &Lease::new(facts).encode(), None) {
        register(memory, names, name);
    }
}

fn register(memory: &impl SharedMemory, names: &Names, name: &str) {
    for _ in 0..TRIES {
        let (count, stamp) = count(memory, names);
        if memory.swap(&names.count(), &(count + 1).to_le_bytes(), stamp) {
            memory.swap(&names.registry(count), name.as_bytes(), None);
            return;
        }
    }
}

/// The name of the payer with this number, if there is one.
pub fn in_registry(memory: &impl SharedMemory, names: &Names, number: u32) -> Option<String> {
    let (bytes, _) = memory.get(&names.registry(number))?;
    String::from_utf8(bytes).ok()
}

/// How many payers are in the registry, and the stamp of that number.
pub fn count(memory: &impl SharedMemory, names: &Names) -> (u32, Option<u32>) {
    match memory.get(&names.count()) {
        Some((bytes, stamp)) => (bytes.try_into().map_or(0, u32::from_le_bytes), Some(stamp)),
        None => (0, None),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::SharedMemory;
    use std::cell::RefCell;
    use std::collections::{BTreeMap, VecDeque};
    use std::rc::Rc;

    /// Shared memory for tests: one clone per worker.
    #[derive(Clone, Default)]
    pub(crate) struct Memory(Rc<RefCell<Inner>>);

    #[derive(Default)]
    struct Inner {
        entries: BTreeMap<String, (Vec<u8>, u32)>,
        dirty_queue: VecDeque<String>,
        stamp: u32,
        gets: usize,
    }

    impl Memory {
        /// How often anything was read.
        pub(crate) fn gets(&self) -> usize {
            self.0.borrow().gets
        }
    }

    impl SharedMemory for Memory {
        fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
            let mut inner = self.0.borrow_mut();
            inner.gets += 1;
            inner.entries.get(name).cloned()
        }

        fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool {
            let mut inner = self.0.borrow_mut();
            if inner.entries.get(name).map(|(_, stamp)| *stamp) != stamp {
                return false;
            }
            inner.stamp += 1;
            let stamp = inner.stamp;
            inner.entries.insert(name.to_owned(), (value.to_vec(), stamp));
            true
        }

        fn push_dirty(&self, payer: &str) {
            self.0.borrow_mut().dirty_queue.push_back(payer.to_owned());
        }

        fn pop_dirty(&self) -> Option<String> {
            self.0.borrow_mut().dirty_queue.pop_front()
        }
    }
}

#[cfg(test)]
mod names_and_news {
    use super::tests::Memory;
    use super::*;
    use faregate_protocol::Credits;

    #[test]
    fn shared_memory_names_are_unique_across_ledgers() {
        let (key, subject) = (Credential::Key("a".into()), Credential::Subject("a".into()));
        let mut all: Vec<String> = Vec::new();
        for names in [Names::new("one", "x"), Names::new("two", "x"), Names::new("one", "y")] {
            all.extend([names.lease(&key), names.lease(&subject), names.gateway(), names.leader()]);
            all.extend([
                names.count(),
                names.registry(0),
                names.registry(1),
                names.handover(),
                names.prices(),
                names.dirty_queue(),
            ]);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "{all:#?}");
    }

    #[test]
    fn a_lease_is_queued_once_and_only_if_its_counters_changed() {
        let (memory, names) = (Memory::default(), Names::new("ledger", ""));
        let name = names.lease(&Credential::Key("a".into()));
        create(&memory, &names, &name, Facts { key: "key_1".into(), ..Facts::default() });
        let dirty_queue = || std::iter::from_fn(|| memory.pop_dirty()).count();
        dirty_queue();
        let set = |spent: i64| {
            update(&memory, &name, |lease| {
                lease.queued = false;
                lease.spent = Credits::from_micros(spent);
            })
        };
        set(1);
        update(&memory, &name, |lease| lease.spent = Credits::from_micros(2));
        assert_eq!(dirty_queue(), 1, "it is queued already");
        set(2);
        assert_eq!(dirty_queue(), 0, "nothing is new");
        set(3);
        assert_eq!(dirty_queue(), 1);
    }
}
