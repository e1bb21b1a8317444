//! Who somebody is, by the bytes of a credential as they stand in a request: found at once, without a look at any other
//! name, and without a check of what was checked when the name was made.
//!
//! What must hold: a credential is known only if, byte for byte and of the same kind, it is the one in the name of a lease.
//! Two credentials may want the same spot; then one of them isn't found here, but by its name.

use super::bytes::{after, mixed, same};
use super::table::Place;

/// For how many there is room at first, and at most; always a power of two.
const FIRST: usize = 16;
const MOST: usize = 16_384;

/// Places of what is known of credentials.
#[derive(Debug, Default)]
pub struct Spots {
    /// The place of the caller whose credential hashes to this number, unless the spot was taken by another.
    places: Vec<Place>,
}

impl Spots {
    /// The place of the one that may have this credential; [`is_named`] says whether it has.
    pub fn find(&self, credential: &[u8]) -> Place {
        self.places.get(self.spot(credential)).copied().unwrap_or_default()
    }

    /// Makes room for so many. Those who are there may be forgotten.
    pub fn make_room(&mut self, many: usize) {
        // So much that seldom two want the same.
        if many * 4 > self.places.len() && self.places.len() < MOST {
            self.places = vec![Place::default(); (self.places.len() * 2).max(FIRST)];
        }
    }

    /// Keeps the place of this credential's.
    pub fn take(&mut self, credential: &str, place: Place) {
        let spot = self.spot(credential.as_bytes());
        if let Some(spot) = self.places.get_mut(spot) {
            *spot = place;
        }
    }

    /// The spot of a credential; none of them where there are none.
    fn spot(&self, credential: &[u8]) -> usize {
        let mixed = usize::try_from(mixed(credential) >> 33).unwrap_or_default();
        mixed & self.places.len().wrapping_sub(1)
    }

    /// How many spots there are.
    #[cfg(test)]
    pub(in crate::decide) fn room(&self) -> usize {
        self.places.len()
    }
}

/// Whether the lease of this name is that of the credential, of the kind that has this behind it in names.
#[inline(never)]
pub fn is_named(lease: &str, credential: &[u8], behind: &str) -> bool {
    after(lease.as_bytes(), credential).is_some_and(|rest| same(rest, behind.as_bytes()))
}
