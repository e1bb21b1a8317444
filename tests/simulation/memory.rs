//! The shared data of one Envoy, and its queue of news. A swap fails now and then, as if another worker had
//! been quicker.

use crate::random::Random;
use faregate::decide::lease::shared::SharedMemory;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// One clone per worker.
#[derive(Clone)]
pub struct Memory(Rc<RefCell<Inner>>);

struct Inner {
    entries: BTreeMap<String, (Vec<u8>, u32)>,
    news: VecDeque<String>,
    stamp: u32,
    random: Random,
    /// How often in a thousand a swap finds that somebody was quicker.
    races: u64,
    /// A lost race is not noticed: the swap claims to have written.
    lies: bool,
    lost: u64,
}

impl Memory {
    /// Empty memory.
    pub fn new(random: Random, races: u64, lies: bool) -> Self {
        let (entries, news) = (BTreeMap::new(), VecDeque::new());
        Self(Rc::new(RefCell::new(Inner { entries, news, stamp: 0, random, races, lies, lost: 0 })))
    }

    /// How many swaps were lost to somebody quicker.
    pub fn races_lost(&self) -> u64 {
        self.0.borrow().lost
    }
}

impl SharedMemory for Memory {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().entries.get(name).cloned()
    }

    fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool {
        let mut inner = self.0.borrow_mut();
        if inner.entries.get(name).map(|(_, stamp)| *stamp) != stamp {
            return false;
        }
        let races = inner.races;
        // The leader's entry is never another's while it lasts.
        if stamp.is_some() && !name.ends_with("/leader") && inner.random.chance(races) {
            inner.lost += 1;
            return inner.lies;
        }
        inner.stamp += 1;
        let stamp = inner.stamp;
        match inner.entries.get_mut(name) {
            Some(entry) => *entry = (value.to_vec(), stamp),
            None => {
                inner.entries.insert(name.to_owned(), (value.to_vec(), stamp));
            }
        }
        true
    }

    fn push_dirty(&self, payer: &str) {
        self.0.borrow_mut().news.push_back(payer.to_owned());
    }

    fn pop_dirty(&self) -> Option<String> {
        self.0.borrow_mut().news.pop_front()
    }
}
