//! A map from names to values, in the order of the names.
//!
//! The names are in short sorted runs, and the handles of their values in a slab: the same code serves all value types,
//! whereas each type in a `BTreeMap` would add ten kilobytes to the filter. Unlike a hash map it iterates in the same order
//! every time, which the simulator needs, and no choice of names makes it slow. A value's [`Handle`] finds it again without
//! comparing names.
//!
//! What must hold: no run is longer than [`MAX_RUN`], or empty beside another; names ascend within and across runs, and are
//! unique; a handle never leads to another name's value.

use std::cmp::Ordering;
use std::slice;

/// How many names one run may hold. Tests have few names, and want many runs.
const MAX_RUN: usize = if cfg!(test) { 4 } else { 64 };
/// For how many there is room at first.
const FIRST: usize = 8;

/// Values by name.
#[derive(Clone, Debug)]
pub struct SortedMap<V> {
    handles: Places,
    slab: Vec<Slot<V>>,
}

/// Where a value lies; the default is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handle {
    at: u32,
    generation: u32,
}

/// Room for one value.
#[derive(Clone, Debug)]
struct Slot<V> {
    /// The number of the value in here among all that ever were; it begins with one.
    generation: u32,
    value: Option<V>,
}

/// Names with the handles of their values, in order.
type Run = Vec<(String, usize)>;

/// Where the value of each name lies.
#[derive(Clone, Debug, Default)]
struct Places {
    /// Most tables are so small that they have no other run.
    first: Run,
    others: Vec<Run>,
    len: usize,
    free: Vec<usize>,
}

/// A handle among the names: which run, where in it, and whether the name is already there.
#[derive(Clone, Copy)]
struct IndexEntry {
    run: usize,
    at: usize,
    here: bool,
}

/// Compares names eight bytes at a time: wasm has no instruction for it, and the compiler's own code takes one byte
/// after the other.
fn compare(this: &str, that: &str) -> Ordering {
    let (this, that) = (this.as_bytes(), that.as_bytes());
    let pairs = || this.as_chunks::<8>().0.iter().zip(that.as_chunks::<8>().0);
    let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
    if let Some((this, that)) = pairs().find(|(this, that)| number(this) != number(that)) {
        return number(this).cmp(&number(that));
    }
    let same = pairs().len() * 8;
    this.get(same..).cmp(&that.get(same..))
}

impl Places {
    /// Where a name is, or belongs: the end of the last run where it is behind all others.
    #[inline(never)]
    fn spot(&self, name: &str) -> IndexEntry {
        let begins_by = |run: &Run| run.first().is_some_and(|(first, _)| compare(first, name).is_le());
        let run = self.others.partition_point(begins_by);
        let names = self.run(run).map(Vec::as_slice).unwrap_or_default();
        let found = names.binary_search_by(|(other, _)| compare(other, name));
        IndexEntry { run, at: found.unwrap_or_else(|at| at), here: found.is_ok() }
    }

    fn run(&self, number: usize) -> Option<&Run> {
        match number.checked_sub(1) {
            Some(number) => self.others.get(number),
            None => Some(&self.first),
        }
    }

    fn run_mut(&mut self, number: usize) -> Option<&mut Run> {
        match number.checked_sub(1) {
            Some(number) => self.others.get_mut(number),
            None => Some(&mut self.first),
        }
    }

    /// A handle for a name that has none: a free one, or the next behind the `last`.
    #[inline(never)]
    fn give(&mut self, name: &str, last: usize) -> usize {
        let handle = self.free.pop().unwrap_or(last);
        let IndexEntry { run: number, at, .. } = self.spot(name);
        if let Some(run) = self.run_mut(number) {
            if run.is_empty() {
                run.reserve(FIRST);
            }
            run.insert(at.min(run.len()), (name.to_owned(), handle));
            if run.len() > MAX_RUN {
                let behind = run.split_off(MAX_RUN / 2);
                self.others.insert(number, behind);
            }
            self.len += 1;
        }
        handle
    }

    #[inline(never)]
    fn take(&mut self, name: &str) -> Option<usize> {
        let IndexEntry { run: number, at, here: true } = self.spot(name) else {
            return None;
        };
        let run = self.run_mut(number)?;
        let (_, handle) = run.remove(at);
        let left = run.len();
        self.free.push(handle);
        self.len -= 1;
        // A run that is nearly empty takes in the next one, if both are short together.
        let joins = self.others.get(number).is_some_and(|next| left == 0 || left + next.len() <= MAX_RUN / 2);
        if joins {
            let mut next = self.others.remove(number);
            if let Some(run) = self.run_mut(number) {
                run.append(&mut next);
            }
        } else if left == 0 && number > 0 {
            self.others.pop();
        }
        Some(handle)
    }

    #[inline(never)]
    fn find(&self, name: &str) -> Option<usize> {
        let IndexEntry { run, at, here: true } = self.spot(name) else {
            return None;
        };
        self.run(run)?.get(at).map(|(_, handle)| *handle)
    }

    /// All names from a spot to the end.
    fn from(&self, spot: IndexEntry) -> Names<'_> {
        let here = self.run(spot.run).and_then(|run| run.get(spot.at..)).unwrap_or_default();
        Names { here: here.iter(), others: self.others.get(spot.run..).unwrap_or_default().iter() }
    }
}

/// Names in order. As a chain of the standard library's iterators it would be compiled once for each place that walks through a
/// map, which came to 12 kB.
struct Names<'a> {
    here: slice::Iter<'a, (String, usize)>,
    others: slice::Iter<'a, Run>,
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a (String, usize);

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(name) = self.here.next() {
                return Some(name);
            }
            self.here = self.others.next()?.iter();
        }
    }
}

impl<V> Default for SortedMap<V> {
    fn default() -> Self {
        Self { handles: Places::default(), slab: Vec::new() }
    }
}

impl<V> SortedMap<V> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.handles.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.handles.len == 0
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.slab.get(self.handles.find(name)?)?.value.as_ref()
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.slab.get_mut(self.handles.find(name)?)?.value.as_mut()
    }

    /// The value at a handle, as long as it is in the table.
    pub fn at(&self, handle: Handle) -> Option<&V> {
        let slot = self.slab.get(handle.at as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == handle.generation)
    }

    /// The value at a handle, to be changed.
    pub fn at_mut(&mut self, handle: Handle) -> Option<&mut V> {
        let slot = self.slab.get_mut(handle.at as usize)?;
        slot.value.as_mut().filter(|_| slot.generation == handle.generation)
    }

    /// The handle of the value of a name; nowhere where there is none.
    pub fn find(&self, name: &str) -> Handle {
        self.handles.find(name).map_or(Handle::default(), |at| self.handle_at(at))
    }

    /// The handle of the value of a name, which is made first where there is none.
    pub fn handle(&mut self, name: &str, make: impl FnOnce() -> V) -> Handle {
        let at = self.handles.find(name).unwrap_or_else(|| self.add(name, make()));
        self.handle_at(at)
    }

    fn handle_at(&self, at: usize) -> Handle {
        let generation = self.slab.get(at).map_or(0, |slot| slot.generation);
        u32::try_from(at).map_or(Handle::default(), |at| Handle { at, generation })
    }

    /// Sets the value of a name; returns the one that it had.
    pub fn insert(&mut self, name: &str, value: V) -> Option<V> {
        if let Some(old) = self.get_mut(name) {
            return Some(std::mem::replace(old, value));
        }
        self.add(name, value);
        None
    }

    /// Adds the value of a name that has none; returns its handle.
    fn add(&mut self, name: &str, value: V) -> usize {
        let handle = self.handles.give(name, self.slab.len());
        match self.slab.get_mut(handle) {
            Some(slot) => slot.value = Some(value),
            None => self.slab.push(Slot { generation: 1, value: Some(value) }),
        }
        handle
    }

    /// The value of a name, which is made first where there is none; `None` is never returned.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> V) -> Option<&mut V> {
        let handle = self.handles.find(name).unwrap_or_else(|| self.add(name, make()));
        self.slab.get_mut(handle)?.value.as_mut()
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let handle = self.handles.take(name)?;
        let slot = self.slab.get_mut(handle)?;
        slot.generation = slot.generation.wrapping_add(1).max(1);
        slot.value.take()
    }

    /// Takes the first value out, with its name.
    pub fn pop_first(&mut self) -> Option<(String, V)> {
        let name = self.next_name("")?.to_owned();
        let value = self.remove(&name)?;
        Some((name, value))
    }

    /// The first name that isn't before `name`.
    pub fn next_name(&self, name: &str) -> Option<&str> {
        self.handles.from(self.handles.spot(name)).next().map(|(name, _)| name.as_str())
    }

    /// All names and values in order, beginning with the first that isn't before `name`, and from the start
    /// again behind the last.
    pub fn iter_from(&self, name: &str) -> impl Iterator<Item = (&str, &V)> {
        const START: IndexEntry = IndexEntry { run: 0, at: 0, here: false };
        let behind = self.handles.from(self.handles.spot(name));
        let before = self.handles.from(START).take_while(move |(other, _)| compare(other, name).is_lt());
        behind
            .chain(before)
            .filter_map(|(name, handle)| Some((name.as_str(), self.slab.get(*handle)?.value.as_ref()?)))
    }

    /// All values, in no particular order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slab.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        while self.pop_first().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Every value that there ever was has its number, and its handle is asked for to the end.
        #[test]
        fn a_handle_resolves_to_its_own_value_or_to_nothing(steps in proptest::collection::vec((0_u8..8, "[a-d]{0,2}"), 0..120)) {
            let (mut table, mut there, mut ever) = (SortedMap::default(), BTreeMap::new(), Vec::new());
            for (number, (step, name)) in steps.into_iter().enumerate() {
                match step {
                    0..4 => {
                        let handle = table.handle(&name, || number);
                        ever.push((handle, *there.entry(name).or_insert(number)));
                    }
                    4..6 => prop_assert_eq!(table.remove(&name), there.remove(&name)),
                    6 => prop_assert_eq!(table.pop_first(), there.pop_first()),
                    _ => {
                        table.clear();
                        there.clear();
                    }
                }
                for (handle, number) in &ever {
                    let value = there.values().find(|other| *other == number);
                    prop_assert_eq!(table.at(*handle), value);
                    prop_assert_eq!(table.at_mut(*handle).map(|value| *value), value.copied());
                }
                for name in ["", "a", "bb"] {
                    prop_assert_eq!(table.at(table.find(name)), there.get(name));
                }
                prop_assert_eq!(table.at(Handle::default()), None);
            }
        }

        #[test]
        fn the_sorted_map_behaves_like_a_btreemap(steps in proptest::collection::vec((0_u8..4, "[a-d]{0,2}|aaaaaaa[a-c]{0,3}|aaaaaaaa[a-c]{7,10}", any::<u8>()), 0..120)) {
            let (mut table, mut map) = (SortedMap::default(), BTreeMap::new());
            for (step, name, value) in steps {
                match step {
                    0 => prop_assert_eq!(table.insert(&name, value), map.insert(name, value)),
                    1 => prop_assert_eq!(table.remove(&name), map.remove(&name)),
                    2 => prop_assert_eq!(table.entry(&name, || value).copied(), Some(*map.entry(name).or_insert(value))),
                    _ => prop_assert_eq!(table.pop_first(), map.pop_first()),
                }
                prop_assert_eq!(table.len(), map.len());
                prop_assert!(table.handles.first.len() <= MAX_RUN);
                prop_assert!(table.handles.others.iter().all(|run| (1..=MAX_RUN).contains(&run.len())));
                prop_assert_eq!(table.next_name("b"), map.range("b".to_owned()..).next().map(|(name, _)| name.as_str()));
                let whole: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value)).collect();
                prop_assert_eq!(table.iter_from("").collect::<Vec<_>>(), whole);
                let turned = map.range("b".to_owned()..).chain(map.range(.."b".to_owned()));
                let turned: Vec<_> = turned.map(|(name, value)| (name.as_str(), value)).collect();
                prop_assert_eq!(table.iter_from("b").collect::<Vec<_>>(), turned);
            }
        }
    }
}
