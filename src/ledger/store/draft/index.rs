//! A way to find rows of a table other than by its key.

use super::{Rows, Stop};
use crate::store::engine::Lookup;
use crate::store::record::{Parts, Record};
use foldhash::{HashMap, HashSet};
use std::collections::BTreeSet;

/// Which rows are found under which key, as far as that was looked up.
#[derive(Debug)]
pub struct Index<R: Record, K: Parts> {
    /// How the database finds them.
    pub lookup: &'static Lookup,
    /// Under which key a row is found; none when under none.
    pub key: fn(&R) -> Option<K>,
    looked: HashSet<K>,
    found: HashMap<K, BTreeSet<R::Key>>,
    pub(super) wanted: BTreeSet<K>,
}

impl<R: Record, K: Parts> Index<R, K> {
    /// One in which nothing was looked up yet.
    pub(super) fn new(lookup: &'static Lookup, key: fn(&R) -> Option<K>) -> Self {
        Self { lookup, key, looked: HashSet::default(), found: HashMap::default(), wanted: BTreeSet::new() }
    }

    /// The rows under a key, in the order of their own keys.
    pub(super) fn find<'a>(
        &'a mut self,
        rows: &'a Rows<R>,
        key: &K,
    ) -> Result<impl Iterator<Item = &'a R>, Stop> {
        if !self.looked.contains(key) {
            self.wanted.insert(key.clone());
            return Err(Stop::Missing);
        }
        let (of, key) = (self.key, key.clone());
        let found = self.found.get(&key).into_iter().flatten();
        // A row may have changed, or gone, since it was noted here.
        Ok(found.filter_map(|no| rows.known(no)).filter(move |row| of(row).as_ref() == Some(&key)))
    }

    /// Notes where a row is found.
    pub(super) fn note(&mut self, row: &R) {
        if let Some(key) = (self.key)(row) {
            self.found.entry(key).or_default().insert(row.key());
        }
    }

    /// Takes in what the database has found under these keys.
    pub(super) fn take_in(&mut self, wanted: BTreeSet<K>, found: Vec<R>, rows: &mut Rows<R>) {
        for row in found {
            self.note(&row);
            rows.take_in(row);
        }
        self.looked.extend(wanted);
    }
}
