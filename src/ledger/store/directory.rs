//! Which numbers keys and gateways have, as far as they were seen: it saves a look at the database for each entry of a
//! message. And when keys were last used, so that it is written once a minute.
//!
//! What must hold: a number is only a guess. The caller reads the row of that number and checks that it is the one
//! that was named; if not, it looks the name up.

use crate::domain::{AccountNo, GatewayNo, KeyNo};
use faregate_protocol::Credits;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, PoisonError};

/// The most keys that are remembered, 24 bytes each; and the most gateways. When there are more, all are forgotten.
const MOST_KEYS: usize = 1 << 18;
const MOST_GATEWAYS: usize = 1 << 12;

/// Numbers by the hash of a name.
#[derive(Debug)]
struct NumberCache<T> {
    numbers: Mutex<HashMap<u64, T, RandomState>>,
    hasher: RandomState,
    most: usize,
}

impl<T: Copy> NumberCache<T> {
    fn new(most: usize) -> Self {
        Self { numbers: Mutex::default(), hasher: RandomState::default(), most }
    }

    fn get(&self, name: impl Hash) -> Option<T> {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.get(&self.hasher.hash_one(name)).copied()
    }

    fn note(&self, name: impl Hash, number: T) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() >= self.most {
            numbers.clear();
        }
        numbers.insert(self.hasher.hash_one(name), number);
    }
}

/// What was seen of keys and gateways.
#[derive(Debug)]
pub struct Directory {
    keys: NumberCache<(KeyNo, AccountNo)>,
    gateways: NumberCache<GatewayNo>,
    uses: NumberCache<i64>,
    alert_below: Mutex<Option<Credits>>,
    refusals: NumberCache<i64>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            keys: NumberCache::new(MOST_KEYS),
            gateways: NumberCache::new(MOST_GATEWAYS),
            uses: NumberCache::new(MOST_KEYS),
            alert_below: Mutex::default(),
            refusals: NumberCache::new(MOST_KEYS),
        }
    }
}

impl Directory {
    /// The key that was found under this name, an identifier or a hash, and its account.
    pub fn key(&self, name: &[u8]) -> Option<(KeyNo, AccountNo)> {
        self.keys.get(name)
    }

    /// Notes what was found under a name.
    pub fn note_key(&self, name: &[u8], found: (KeyNo, AccountNo)) {
        self.keys.note(name, found);
    }

    /// The last minute in which a key was used, as this ledger has written it. It is no guess: an earlier one at worst.
    pub fn last_use(&self, key: KeyNo) -> Option<i64> {
        self.uses.get(key)
    }

    /// Notes the last minute in which a key was used, once that is written.
    pub fn note_use(&self, key: KeyNo, minute: i64) {
        self.uses.note(key, minute);
    }

    /// Below which balance an account is announced that says nothing else, as it was last read. What is announced by it is decided
    /// by the row.
    pub fn alert_below(&self) -> Option<Credits> {
        *self.alert_below.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it.
    pub fn note_alert_below(&self, below: Option<Credits>) {
        *self.alert_below.lock().unwrap_or_else(PoisonError::into_inner) = below;
    }

    /// Until when (ms) nothing is to be done about reports that requests of an account are refused. It is a guess: a report that is
    /// skipped by it comes again.
    pub fn refusals_seen(&self, account: AccountNo) -> Option<i64> {
        self.refusals.get(account)
    }

    /// Notes until when.
    pub fn note_refusals_seen(&self, account: AccountNo, until_ms: i64) {
        self.refusals.note(account, until_ms);
    }

    /// The gateway that was found under this name.
    pub fn gateway(&self, name: &str) -> Option<GatewayNo> {
        self.gateways.get(name)
    }

    /// Notes what was found under a name.
    pub fn note_gateway(&self, name: &str, found: GatewayNo) {
        self.gateways.note(name, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::draft::{Draft, Stop};
    use crate::store::engine::tests::{account, key};
    use crate::store::engine::{Busy, Engine as _, Transaction as _};
    use crate::store::memory::Memory;
    use crate::store::operation::{Operation, alone};
    use crate::store::rows::{AccountRow, KeyRow};
    use jiff::Timestamp;

    /// Which key has this identifier, and what gateway this name.
    struct Find;

    impl Operation for Find {
        type Output = (Option<(KeyNo, AccountNo)>, GatewayNo);

        fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<Self::Output, Stop> {
            let gateway = draft.gateway("gw")?;
            let found = draft.key_by_id("key_1")?;
            if let Some((no, account)) = found {
                draft.get::<AccountRow>(&(account,))?;
                draft.get::<KeyRow>(&(no,))?;
            }
            Ok((found, gateway))
        }
    }

    #[tokio::test]
    async fn a_stale_cache_entry_is_corrected() {
        let memory = Memory::default();
        let mut tx = memory.begin(Busy::Wait).await.unwrap();
        tx.insert(&[&account(1, "acme"), &account(2, "bolt")]).await.unwrap();
        tx.insert(&[&key(1, 1), &key(2, 2)]).await.unwrap();
        tx.commit().await.unwrap();
        let find = || alone(&memory, Find, Timestamp::UNIX_EPOCH);
        let (found, gateway) = find().await.unwrap();
        assert_eq!(found, Some((KeyNo(1), AccountNo(1))));
        assert_eq!(find().await.unwrap(), (found, gateway), "by what was noted");
        // The database was restored from a backup in which these numbers belong to others.
        for (guess, at) in
            [((KeyNo(2), AccountNo(2)), 7), ((KeyNo(1), AccountNo(2)), 8), ((KeyNo(9), AccountNo(1)), 9)]
        {
            memory.directory().note_key(b"key_1", guess);
            memory.directory().note_gateway("gw", GatewayNo(at));
            assert_eq!(find().await.unwrap(), (found, gateway), "{guess:?}");
            assert_eq!(memory.directory().key(b"key_1"), found, "it is put right");
            assert_eq!(memory.directory().gateway("gw"), Some(gateway));
        }
    }

    #[test]
    fn the_cache_never_exceeds_its_limit() {
        let guesses = NumberCache::new(10);
        for n in 0..1_000 {
            guesses.note(n, n);
            assert_eq!(guesses.get(n), Some(n));
        }
        assert!(guesses.numbers.lock().unwrap().len() <= 10);
    }
}
