//! A map from names to values, in the order of the names.
//!
//! All tables share one `BTreeMap` from names to places, because each further kind of map would add ten
//! kilobytes to the filter; the values lie in a slab. Unlike a hash map it iterates the same way in
//! every run, which the simulator needs, and no choice of names makes it slow.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Values by name.
#[derive(Clone, Debug)]
pub struct Table<V> {
    places: Places,
    slab: Vec<Option<V>>,
}

/// A name that is compared eight bytes at a time: wasm has no instruction for it, and the compiler's own code takes
/// one byte after the other.
#[derive(Clone, Debug)]
struct Name(String);

/// A name, owned or not.
trait Named {
    fn text(&self) -> &str;
}

impl Named for Name {
    fn text(&self) -> &str {
        &self.0
    }
}

impl Named for &str {
    fn text(&self) -> &str {
        self
    }
}

impl<'a> Borrow<dyn Named + 'a> for Name {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        let (this, that) = (self.text().as_bytes(), other.text().as_bytes());
        let pairs = || this.as_chunks::<8>().0.iter().zip(that.as_chunks::<8>().0);
        let number = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        if let Some((this, that)) = pairs().find(|(this, that)| number(this) != number(that)) {
            return number(this).cmp(&number(that));
        }
        let same = pairs().len() * 8;
        this.get(same..).cmp(&that.get(same..))
    }
}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Named + '_ {}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        (self as &dyn Named).cmp(other)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name {}

/// Where the value of each name lies; the same code for all kinds of values.
#[derive(Clone, Debug, Default)]
struct Places {
    of: BTreeMap<Name, usize>,
    free: Vec<usize>,
}

impl Places {
    /// A place for a name that has none: a free one, or the next behind the `last`.
    #[inline(never)]
    fn give(&mut self, name: &str, last: usize) -> usize {
        let place = self.free.pop().unwrap_or(last);
        self.of.insert(Name(name.to_owned()), place);
        place
    }

    #[inline(never)]
    fn take(&mut self, name: &str) -> Option<usize> {
        let place = self.of.remove(&name as &dyn Named)?;
        self.free.push(place);
        Some(place)
    }

    #[inline(never)]
    fn find(&self, name: &str) -> Option<usize> {
        self.of.get(&name as &dyn Named).copied()
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { places: Places::default(), slab: Vec::new() }
    }
}

impl<V> Table<V> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.of.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.of.is_empty()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.slab.get(self.places.find(name)?)?.as_ref()
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.slab.get_mut(self.places.find(name)?)?.as_mut()
    }

    /// Sets the value of a name; returns the one that it had.
    pub fn insert(&mut self, name: &str, value: V) -> Option<V> {
        if let Some(old) = self.get_mut(name) {
            return Some(std::mem::replace(old, value));
        }
        self.add(name, value);
        None
    }

    /// Adds the value of a name that has none; tells its place.
    fn add(&mut self, name: &str, value: V) -> usize {
        let place = self.places.give(name, self.slab.len());
        match self.slab.get_mut(place) {
            Some(slot) => *slot = Some(value),
            None => self.slab.push(Some(value)),
        }
        place
    }

    /// The value of a name, which is made first where there is none; `None` is never returned.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> V) -> Option<&mut V> {
        let place = self.places.find(name).unwrap_or_else(|| self.add(name, make()));
        self.slab.get_mut(place)?.as_mut()
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let place = self.places.take(name)?;
        self.slab.get_mut(place)?.take()
    }

    /// Takes the first value out, with its name.
    pub fn pop_first(&mut self) -> Option<(String, V)> {
        let name = self.next_name("")?.to_owned();
        let value = self.remove(&name)?;
        Some((name, value))
    }

    /// The first name that isn't before `name`.
    pub fn next_name(&self, name: &str) -> Option<&str> {
        let from = (Bound::Included(&name as &dyn Named), Bound::Unbounded);
        self.places.of.range::<dyn Named, _>(from).next().map(|(name, _)| name.text())
    }

    /// All names and values in order, beginning with the first that isn't before `name`, and from the start
    /// again behind the last.
    pub fn iter_from(&self, name: &str) -> impl Iterator<Item = (&str, &V)> {
        let from = &name as &dyn Named;
        let behind = self.places.of.range::<dyn Named, _>((Bound::Included(from), Bound::Unbounded));
        let before = self.places.of.range::<dyn Named, _>((Bound::Unbounded, Bound::Excluded(from)));
        behind.chain(before).filter_map(|(name, place)| Some((name.text(), self.slab.get(*place)?.as_ref()?)))
    }

    /// All values, in no particular order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slab.iter_mut().flatten()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_does_what_a_map_does(steps in proptest::collection::vec((0_u8..4, "[a-d]{0,2}|aaaaaaa[a-c]{0,3}|aaaaaaaa[a-c]{7,10}", any::<u8>()), 0..80)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (step, name, value) in steps {
                match step {
                    0 => prop_assert_eq!(table.insert(&name, value), map.insert(name, value)),
                    1 => prop_assert_eq!(table.remove(&name), map.remove(&name)),
                    2 => prop_assert_eq!(table.entry(&name, || value).copied(), Some(*map.entry(name).or_insert(value))),
                    _ => prop_assert_eq!(table.pop_first(), map.pop_first()),
                }
                prop_assert_eq!(table.len(), map.len());
                let whole: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value)).collect();
                prop_assert_eq!(table.iter_from("").collect::<Vec<_>>(), whole);
                let turned = map.range("b".to_owned()..).chain(map.range(.."b".to_owned()));
                let turned: Vec<_> = turned.map(|(name, value)| (name.as_str(), value)).collect();
                prop_assert_eq!(table.iter_from("b").collect::<Vec<_>>(), turned);
            }
        }
    }
}
