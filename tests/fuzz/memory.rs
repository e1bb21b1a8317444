//! Shared memory for one gate, which tells how much is in it.

use faregate::decide::lease::shared::SharedMemory;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// One clone per user.
#[derive(Clone, Default)]
pub struct Memory(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, (Vec<u8>, u32)>,
    news: VecDeque<String>,
    stamp: u32,
}

impl Memory {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.borrow().entries.len()
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
        inner.stamp += 1;
        let stamp = inner.stamp;
        inner.entries.insert(name.to_owned(), (value.to_vec(), stamp));
        true
    }

    fn push_dirty(&self, payer: &str) {
        self.0.borrow_mut().news.push_back(payer.to_owned());
    }

    fn pop_dirty(&self) -> Option<String> {
        self.0.borrow_mut().news.pop_front()
    }
}
