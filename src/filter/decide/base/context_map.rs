//! A map keyed by numbers that Envoy assigns in ascending order, such as request contexts. Lookups need no hash, because
//! neighbouring numbers fall into different context_map.
//!
//! What must hold: all context_map from a number's own to the one that holds its value are taken (so a search may end at the
//! first empty one), and at least a quarter of the context_map is empty.

/// The least number of context_map; there are always a power of two.
const LEAST: usize = 64;

/// Values by number.
#[derive(Debug)]
pub struct ContextMap<V> {
    context_map: Vec<Option<(u32, V)>>,
    len: usize,
}

impl<V> Default for ContextMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> ContextMap<V> {
    /// None.
    pub const fn new() -> Self {
        Self { context_map: Vec::new(), len: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a number, to be read.
    pub fn get(&self, number: u32) -> Option<&V> {
        Some(&self.context_map.get(self.find(number)?)?.as_ref()?.1)
    }

    /// The value of a number.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut V> {
        let at = self.find(number)?;
        Some(&mut self.context_map.get_mut(at)?.as_mut()?.1)
    }

    /// Sets the value of a number; one that it had is gone.
    pub fn insert(&mut self, number: u32, value: V) {
        if let Some(old) = self.get_mut(number) {
            *old = value;
            return;
        }
        if self.len * 4 >= self.context_map.len() * 3 {
            self.grow();
        }
        self.len += 1;
        self.put(number, value);
    }

    /// Takes the value of a number out.
    pub fn remove(&mut self, number: u32) -> Option<V> {
        let mut gap = self.find(number)?;
        let (_, value) = self.context_map.get_mut(gap)?.take()?;
        self.len -= 1;
        // An entry that is needlessly behind the gap moves into it.
        let mut at = self.next(gap);
        while let Some(Some((other, _))) = self.context_map.get(at) {
            if self.distance(self.home(*other), at) >= self.distance(gap, at) {
                self.context_map.swap(gap, at);
                gap = at;
            }
            at = self.next(at);
        }
        Some(value)
    }

    fn find(&self, number: u32) -> Option<usize> {
        let mut at = self.home(number);
        while let Some((other, _)) = self.context_map.get(at)? {
            if *other == number {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    /// Puts a value in whose number has none, where there is room.
    fn put(&mut self, number: u32, value: V) {
        let mut at = self.home(number);
        while self.context_map.get(at).is_some_and(Option::is_some) {
            at = self.next(at);
        }
        if let Some(slot) = self.context_map.get_mut(at) {
            *slot = Some((number, value));
        }
    }

    fn grow(&mut self) {
        let size = (self.context_map.len() * 2).max(LEAST);
        let old =
            std::mem::replace(&mut self.context_map, std::iter::repeat_with(|| None).take(size).collect());
        for (number, value) in old.into_iter().flatten() {
            self.put(number, value);
        }
    }

    /// The slot in which a number lies if it is free.
    fn home(&self, number: u32) -> usize {
        usize::try_from(number).unwrap_or(0) & self.context_map.len().wrapping_sub(1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & self.context_map.len().wrapping_sub(1)
    }

    /// How many steps it is from one slot to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.context_map.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_context_map_behaves_like_a_btreemap(steps in proptest::collection::vec((0_u8..5, 0_u32..400, any::<u8>()), 0..600)) {
            let (mut context_map, mut map) = (ContextMap::new(), BTreeMap::new());
            for (step, number, value) in steps {
                // Many share a slot: 64 times the number lies in the same one while there are few.
                let number = if number % 3 == 0 { number * 64 } else { number };
                match step {
                    0..3 => {
                        context_map.insert(number, value);
                        map.insert(number, value);
                    }
                    3 => prop_assert_eq!(context_map.remove(number), map.remove(&number)),
                    _ => prop_assert_eq!(context_map.get_mut(number), map.get_mut(&number)),
                }
                prop_assert_eq!((context_map.len(), context_map.is_empty()), (map.len(), map.is_empty()));
                prop_assert!(context_map.len * 4 <= context_map.context_map.len() * 3);
            }
            for (number, value) in map {
                prop_assert_eq!(context_map.remove(number), Some(value));
            }
            prop_assert!(context_map.context_map.iter().all(Option::is_none));
        }
    }
}
