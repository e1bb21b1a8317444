//! The rows of one table: those that were loaded, as they are now, and which of them changed.

use crate::store::engine::{Transaction, TxError};
use crate::store::json::{self, JsonRow};
use crate::store::record::{Record, Role};
use foldhash::{HashMap, HashSet};
use std::collections::BTreeMap;

/// How a row differs from what the database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    New,
    Hot,
    Cold,
    Gone,
    /// Deleted and inserted again.
    Remade,
    Added,
}

/// What a row was before an operation changed it.
#[derive(Debug)]
struct Before<R: Record> {
    key: R::Key,
    row: Option<R>,
    change: Option<Change>,
}

/// Rows of one table.
#[derive(Debug)]
pub struct Rows<R: Record> {
    known: HashMap<R::Key, R>,
    looked: HashSet<R::Key>,
    changed: BTreeMap<R::Key, Change>,
    undo: Vec<Before<R>>,
}

impl<R: Record> Default for Rows<R> {
    fn default() -> Self {
        Self {
            known: HashMap::default(),
            looked: HashSet::default(),
            changed: BTreeMap::new(),
            undo: Vec::new(),
        }
    }
}

impl<R: Record> Rows<R> {
    /// A row, if it is known.
    pub fn known(&self, key: &R::Key) -> Option<&R> {
        self.known.get(key)
    }

    /// Whether it is known if there is such a row.
    pub fn was_looked_up(&self, key: &R::Key) -> bool {
        self.looked.contains(key)
    }

    /// All rows that changed, or were made.
    pub fn changed(&self) -> impl Iterator<Item = &R> {
        self.changed.keys().filter_map(|key| self.known.get(key))
    }

    /// What changed since the last time: as it was, and as it is.
    pub(super) fn touched(&self) -> impl Iterator<Item = (Option<&R>, &R)> {
        self.undo.iter().filter_map(|before| Some((before.row.as_ref(), self.known.get(&before.key)?)))
    }

    /// How many rows were made.
    pub fn made(&self) -> usize {
        self.changed.values().filter(|change| **change == Change::New).count()
    }

    /// Notes that a row was looked for by its key.
    pub(super) fn looked_up(&mut self, key: R::Key) {
        self.looked.insert(key);
    }

    /// Takes in a row from the database, unless it was changed here.
    pub(super) fn take_in(&mut self, row: R) {
        let key = row.key();
        if !self.changed.contains_key(&key) {
            self.known.insert(key, row);
        }
    }

    /// Keeps a row that is there.
    pub(super) fn put(&mut self, row: R) {
        let key = row.key();
        let before = self.known.get(&key);
        let lost = before.and_then(|before| row.lost_change(before));
        debug_assert_eq!(
            lost,
            None,
            "a column of {} that is `Fixed` can't change; make it `Cold`",
            R::TABLE.name
        );
        let change = match before.map(|before| row.difference(before)) {
            None => Change::New,
            Some(None) => return,
            Some(Some(Role::Hot)) => Change::Hot,
            Some(Some(_)) => Change::Cold,
        };
        let earlier = self.changed.get(&key).copied();
        let change = match (earlier, change) {
            (Some(Change::New), _) => Change::New,
            (Some(Change::Gone | Change::Remade), _) => Change::Remade,
            (Some(Change::Cold), _) | (_, Change::Cold) => Change::Cold,
            (_, change) => change,
        };
        let row = self.known.insert(key.clone(), row);
        self.changed.insert(key.clone(), change);
        self.looked.insert(key.clone());
        self.undo.push(Before { key, row, change: earlier });
    }

    /// Adds to a row without reading it from the database.
    pub(super) fn add(&mut self, more: R) {
        let key = more.key();
        let earlier = self.changed.insert(key.clone(), Change::Added);
        let before = self.known.get(&key).cloned();
        match self.known.get_mut(&key) {
            Some(row) => row.add(&more),
            None => drop(self.known.insert(key.clone(), more)),
        }
        self.undo.push(Before { key, row: before, change: earlier });
    }

    /// Takes a row away.
    pub(super) fn remove(&mut self, key: &R::Key) {
        let Some(row) = self.known.remove(key) else { return };
        let earlier = self.changed.get(key).copied();
        if earlier == Some(Change::New) {
            self.changed.remove(key);
        } else {
            self.changed.insert(key.clone(), Change::Gone);
        }
        self.undo.push(Before { key: key.clone(), row: Some(row), change: earlier });
    }

    /// What changed since the last time, as it was before, as JSON.
    pub(super) fn before(&self) -> Vec<JsonRow> {
        let mut seen = HashSet::default();
        let first = self.undo.iter().filter(|before| seen.insert(&before.key));
        let changed = first.filter_map(|before| Some((before.row.as_ref()?, self.known.get(&before.key))));
        changed.filter_map(|(before, now)| json::before(before, now)).collect()
    }

    /// Keeps what changed since the last time.
    pub(super) fn accept(&mut self) {
        self.undo.clear();
    }

    /// How much could be undone.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes what changed since a mark; since the last time when it is zero.
    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark
            && let Some(Before { key, row, change }) = self.undo.pop()
        {
            match row {
                Some(row) => drop(self.known.insert(key.clone(), row)),
                None => drop(self.known.remove(&key)),
            }
            match change {
                Some(change) => drop(self.changed.insert(key, change)),
                None => drop(self.changed.remove(&key)),
            }
        }
    }

    fn those(&self, wanted: Change) -> Vec<&R> {
        let those = self.changed.iter().filter(|(_, change)| **change == wanted);
        those.filter_map(|(key, _)| self.known.get(key)).collect()
    }

    /// Writes what changed.
    pub(super) async fn write(&self, tx: &mut impl Transaction) -> Result<(), TxError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let gone = |change: &Change| matches!(change, Change::Gone | Change::Remade);
        let gone: Vec<&R::Key> =
            self.changed.iter().filter(|(_, change)| gone(change)).map(|(key, _)| key).collect();
        if !gone.is_empty() {
            tx.delete::<R>(&gone).await?;
        }
        let hot = self.those(Change::Hot);
        if !hot.is_empty() {
            tx.update(&hot, &[Role::Hot]).await?;
        }
        let cold = self.those(Change::Cold);
        if !cold.is_empty() {
            tx.update(&cold, &[Role::Hot, Role::Cold]).await?;
        }
        // What is unique of a row may have been another's until that was changed.
        let mut new = self.those(Change::New);
        new.extend(self.those(Change::Remade));
        if !new.is_empty() {
            tx.insert(&new).await?;
        }
        let added = self.those(Change::Added);
        if !added.is_empty() {
            tx.add(&added).await?;
        }
        Ok(())
    }
}
