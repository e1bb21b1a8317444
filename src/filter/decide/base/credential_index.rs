//! An index of known callers by the raw bytes of their credential: one lookup, without comparing other names and without
//! validating the credential again.
//!
//! What must hold: a credential is known only if, byte for byte and of the same kind, it is the one in the name of a lease.
//! Two credentials may collide on a spot; then one of them is found by its name instead.

use super::bytes::{after, mixed, same};
use super::sorted_map::Handle;

/// The initial and the maximal number of credential_index; always a power of two.
const FIRST: usize = 16;
const MOST: usize = 16_384;

/// Places of known credentials.
#[derive(Debug, Default)]
pub struct CredentialIndex {
    /// The handle of the caller whose credential hashes to this number, unless the spot was taken by another.
    handles: Vec<Handle>,
}

impl CredentialIndex {
    /// The handle that this credential may have; [`is_named`] checks whether it does.
    pub fn find(&self, credential: &[u8]) -> Handle {
        self.handles.get(self.spot(credential)).copied().unwrap_or_default()
    }

    /// Makes room for `many` credentials. Present ones may be forgotten.
    pub fn make_room(&mut self, many: usize) {
        // Sparse enough that collisions are rare.
        if many * 4 > self.handles.len() && self.handles.len() < MOST {
            self.handles = vec![Handle::default(); (self.handles.len() * 2).max(FIRST)];
        }
    }

    /// Stores the handle of this credential.
    pub fn take(&mut self, credential: &str, handle: Handle) {
        let spot = self.spot(credential.as_bytes());
        if let Some(spot) = self.handles.get_mut(spot) {
            *spot = handle;
        }
    }

    /// The spot of a credential; past the end while there are no credential_index.
    fn spot(&self, credential: &[u8]) -> usize {
        let mixed = usize::try_from(mixed(credential) >> 33).unwrap_or_default();
        mixed & self.handles.len().wrapping_sub(1)
    }

    /// How many credential_index there are.
    #[cfg(test)]
    pub(in crate::decide) fn room(&self) -> usize {
        self.handles.len()
    }
}

/// Whether the lease of this name is that of the credential, of the kind that has this behind it in names.
#[inline(never)]
pub fn is_named(lease: &str, credential: &[u8], behind: &str) -> bool {
    after(lease.as_bytes(), credential).is_some_and(|rest| same(rest, behind.as_bytes()))
}
