//! A map from names to values, in the order of the names.
//!
//! The names are in short sorted runs, and the places of their values in a slab: the same code serves all value types,
//! whereas each type in a `BTreeMap` would add ten kilobytes to the filter. Unlike a hash map it iterates in the same order
//! every time, which the simulator needs, and no choice of names makes it slow. A value's [`Place`] finds it again without
//! comparing names.
//!
//! What must hold: no run is longer than [`MOST`], or empty beside another; names ascend within and across runs, and are
//! unique; a place never leads to another name's value.

use std::cmp::Ordering;

/// How many names one run may hold. Tests have few names, and want many runs.
const MOST: usize = if cfg!(test) { 4 } else { 64 };
/// For how many there is room at first.
const FIRST: usize = 8;

/// Values by name.
#[derive(Clone, Debug)]
pub struct Table<V> {
    places: Places,
    slab: Vec<Slot<V>>,
}

/// Where a value lies; the default is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    at: u32,
    tenant: u32,
}

/// Room for one value.
#[derive(Clone, Debug)]
struct Slot<V> {
    /// The number of the value in here among all that ever were; it begins with one.
    tenant: u32,
    value: Option<V>,
}

/// Names with the places of their values, in order.
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

/// A place among the names: which run, where in it, and whether the name is already there.
#[derive(Clone, Copy)]
struct Spot {
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
    fn spot(&self, name: &str) -> Spot {
        let begins_by = |run: &Run| run.first().is_some_and(|(first, _)| compare(first, name).is_le());
        let run = self.others.partition_point(begins_by);
        let names = self.run(run).map(Vec::as_slice).unwrap_or_default();
        let found = names.binary_search_by(|(other, _)| compare(other, name));
        Spot { run, at: found.unwrap_or_else(|at| at), here: found.is_ok() }
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

    /// A place for a name that has none: a free one, or the next behind the `last`.
    #[inline(never)]
    fn give(&mut self, name: &str, last: usize) -> usize {
        let place = self.free.pop().unwrap_or(last);
        let Spot { run: number, at, .. } = self.spot(name);
        if let Some(run) = self.run_mut(number) {
            if run.is_empty() {
                run.reserve(FIRST);
            }
            run.insert(at.min(run.len()), (name.to_owned(), place));
            if run.len() > MOST {
                let behind = run.split_off(MOST / 2);
                self.others.insert(number, behind);
            }
            self.len += 1;
        }
        place
    }

    #[inline(never)]
    fn take(&mut self, name: &str) -> Option<usize> {
        let Spot { run: number, at, here: true } = self.spot(name) else {
            return None;
        };
        let run = self.run_mut(number)?;
        let (_, place) = run.remove(at);
        let left = run.len();
        self.free.push(place);
        self.len -= 1;
        // A run that is nearly empty takes in the next one, if both are short together.
        let joins = self.others.get(number).is_some_and(|next| left == 0 || left + next.len() <= MOST / 2);
        if joins {
            let mut next = self.others.remove(number);
            if let Some(run) = self.run_mut(number) {
                run.append(&mut next);
            }
        } else if left == 0 && number > 0 {
            self.others.pop();
        }
        Some(place)
    }

    #[inline(never)]
    fn find(&self, name: &str) -> Option<usize> {
        let Spot { run, at, here: true } = self.spot(name) else {
            return None;
        };
        self.run(run)?.get(at).map(|(_, place)| *place)
    }

    /// All names from a spot to the end.
    fn from(&self, spot: Spot) -> impl Iterator<Item = &(String, usize)> + use<'_> {
        let others = self.others.get(spot.run..).unwrap_or_default();
        let here = self.run(spot.run).and_then(|run| run.get(spot.at..)).unwrap_or_default();
        here.iter().chain(others.iter().flatten())
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
        self.places.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.len == 0
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.slab.get(self.places.find(name)?)?.value.as_ref()
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.slab.get_mut(self.places.find(name)?)?.value.as_mut()
    }

    /// The value at a place, as long as it is in the table.
    pub fn at(&self, place: Place) -> Option<&V> {
        let slot = self.slab.get(place.at as usize)?;
        slot.value.as_ref().filter(|_| slot.tenant == place.tenant)
    }

    /// The value at a place, to be changed.
    pub fn at_mut(&mut self, place: Place) -> Option<&mut V> {
        let slot = self.slab.get_mut(place.at as usize)?;
        slot.value.as_mut().filter(|_| slot.tenant == place.tenant)
    }

    /// The place of the value of a name; nowhere where there is none.
    pub fn find(&self, name: &str) -> Place {
        self.places.find(name).map_or(Place::default(), |at| self.place_at(at))
    }

    /// The place of the value of a name, which is made first where there is none.
    pub fn place(&mut self, name: &str, make: impl FnOnce() -> V) -> Place {
        let at = self.places.find(name).unwrap_or_else(|| self.add(name, make()));
        self.place_at(at)
    }

    fn place_at(&self, at: usize) -> Place {
        let tenant = self.slab.get(at).map_or(0, |slot| slot.tenant);
        u32::try_from(at).map_or(Place::default(), |at| Place { at, tenant })
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
            Some(slot) => slot.value = Some(value),
            None => self.slab.push(Slot { tenant: 1, value: Some(value) }),
        }
        place
    }

    /// The value of a name, which is made first where there is none; `None` is never returned.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> V) -> Option<&mut V> {
        let place = self.places.find(name).unwrap_or_else(|| self.add(name, make()));
        self.slab.get_mut(place)?.value.as_mut()
    }

    /// Takes a value out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let place = self.places.take(name)?;
        let slot = self.slab.get_mut(place)?;
        slot.tenant = slot.tenant.wrapping_add(1).max(1);
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
        self.places.from(self.places.spot(name)).next().map(|(name, _)| name.as_str())
    }

    /// All names and values in order, beginning with the first that isn't before `name`, and from the start
    /// again behind the last.
    pub fn iter_from(&self, name: &str) -> impl Iterator<Item = (&str, &V)> {
        const START: Spot = Spot { run: 0, at: 0, here: false };
        let behind = self.places.from(self.places.spot(name));
        let before = self.places.from(START).take_while(move |(other, _)| compare(other, name).is_lt());
        behind
            .chain(before)
            .filter_map(|(name, place)| Some((name.as_str(), self.slab.get(*place)?.value.as_ref()?)))
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
        /// Every value that there ever was has its number, and its place is asked for to the end.
        #[test]
        fn a_place_leads_to_its_value_and_never_to_another(steps in proptest::collection::vec((0_u8..8, "[a-d]{0,2}"), 0..120)) {
            let (mut table, mut there, mut ever) = (Table::default(), BTreeMap::new(), Vec::new());
            for (number, (step, name)) in steps.into_iter().enumerate() {
                match step {
                    0..4 => {
                        let place = table.place(&name, || number);
                        ever.push((place, *there.entry(name).or_insert(number)));
                    }
                    4..6 => prop_assert_eq!(table.remove(&name), there.remove(&name)),
                    6 => prop_assert_eq!(table.pop_first(), there.pop_first()),
                    _ => {
                        table.clear();
                        there.clear();
                    }
                }
                for (place, number) in &ever {
                    let value = there.values().find(|other| *other == number);
                    prop_assert_eq!(table.at(*place), value);
                    prop_assert_eq!(table.at_mut(*place).map(|value| *value), value.copied());
                }
                for name in ["", "a", "bb"] {
                    prop_assert_eq!(table.at(table.find(name)), there.get(name));
                }
                prop_assert_eq!(table.at(Place::default()), None);
            }
        }

        #[test]
        fn it_does_what_a_map_does(steps in proptest::collection::vec((0_u8..4, "[a-d]{0,2}|aaaaaaa[a-c]{0,3}|aaaaaaaa[a-c]{7,10}", any::<u8>()), 0..120)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (step, name, value) in steps {
                match step {
                    0 => prop_assert_eq!(table.insert(&name, value), map.insert(name, value)),
                    1 => prop_assert_eq!(table.remove(&name), map.remove(&name)),
                    2 => prop_assert_eq!(table.entry(&name, || value).copied(), Some(*map.entry(name).or_insert(value))),
                    _ => prop_assert_eq!(table.pop_first(), map.pop_first()),
                }
                prop_assert_eq!(table.len(), map.len());
                prop_assert!(table.places.first.len() <= MOST);
                prop_assert!(table.places.others.iter().all(|run| (1..=MOST).contains(&run.len())));
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
