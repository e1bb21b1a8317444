//! A key: the credential of an account. Of the key itself only its SHA-256 is kept.

use super::entitlement::Entitlement;
use super::policy::SubscriptionStatus;
use super::{AccountState, KeyId, KeyNo, TeamNo};
use faregate_protocol::{RefusalCode, api_key};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// A key (or a subject in its place), as far as the exchange must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Its row.
    pub no: KeyNo,
    /// Its identifier.
    pub id: KeyId,
    /// Whether it was taken back.
    pub revoked: bool,
    /// When it stops to open the gate.
    pub expires_at: Option<Timestamp>,
    /// The team that it belongs to, for good.
    pub team: Option<TeamNo>,
    /// The products that it is limited to; all when absent.
    pub products: Option<Vec<String>>,
}

/// What of an account decides whether its keys open the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account's state.
    pub state: AccountState,
    /// A payment failed, and the grace is over.
    pub unpaid: bool,
}

impl Owner {
    /// By the account's state and its entitlement.
    pub fn of(state: AccountState, entitlement: Option<&Entitlement>) -> Self {
        let unpaid = entitlement.is_some_and(|entitlement| entitlement.status == SubscriptionStatus::Unpaid);
        Self { state, unpaid }
    }
}

impl Key {
    /// Whether it is neither taken back nor out of time.
    pub fn counts(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at.is_none_or(|at| at > now)
    }

    /// Why this key doesn't open the gate, given its account's state; `None` when it does.
    pub fn refusal(&self, owner: Owner, now: Timestamp) -> Option<RefusalCode> {
        if self.revoked {
            Some(RefusalCode::InvalidKey)
        } else if !self.counts(now) {
            Some(RefusalCode::KeyExpired)
        } else if owner.state != AccountState::Active {
            Some(RefusalCode::AccountSuspended)
        } else if owner.unpaid {
            Some(RefusalCode::PaymentPastDue)
        } else {
            None
        }
    }
}

/// A fresh key, which is shown once and not kept.
#[derive(Clone)]
pub struct FreshKey {
    /// The whole key.
    pub secret: String,
    /// What is kept of it.
    pub hash: [u8; 32],
    /// What may be shown of it.
    pub prefix: String,
}

impl FreshKey {
    /// Makes a key from random bytes; `None` when one of them is 248 or more (see [`api_key::compose`]).
    pub fn compose(random: &[u8; api_key::SECRET_LEN]) -> Option<Self> {
        let secret = api_key::compose(random)?;
        let prefix = secret.get(..api_key::VISIBLE_LEN)?.to_owned();
        Some(Self { hash: hash(&secret), prefix, secret })
    }
}

/// What is kept of a key. The key has 190 bits of randomness, so a plain hash is enough: there is
/// nothing to guess that a slow one would protect.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_shows_only_its_prefix() {
        let key = FreshKey::compose(&[9; 32]).unwrap();
        assert!(api_key::is_well_formed(key.secret.as_bytes()));
        assert!(key.secret.starts_with(&key.prefix));
        assert_eq!(key.prefix.len(), api_key::VISIBLE_LEN);
        assert_eq!(key.hash, hash(&key.secret));
        assert!(FreshKey::compose(&[250; 32]).is_none());
    }

    #[test]
    fn revoked_expired_suspended_and_unpaid_keys_are_refused() {
        let now = Timestamp::from_second(1_000).unwrap();
        let key = Key {
            no: KeyNo(1),
            id: KeyId::stored("key_1".into()),
            revoked: false,
            expires_at: Some(Timestamp::from_second(1_001).unwrap()),
            team: None,
            products: None,
        };
        let owner = |state| Owner { state, unpaid: false };
        assert_eq!(key.refusal(owner(AccountState::Active), now), None);
        assert_eq!(key.refusal(owner(AccountState::Suspended), now), Some(RefusalCode::AccountSuspended));
        assert_eq!(key.refusal(owner(AccountState::Closed), now), Some(RefusalCode::AccountSuspended));
        let unpaid = Owner { state: AccountState::Active, unpaid: true };
        assert_eq!(key.refusal(unpaid, now), Some(RefusalCode::PaymentPastDue));
        let later = Timestamp::from_second(1_001).unwrap();
        assert_eq!(key.refusal(owner(AccountState::Active), later), Some(RefusalCode::KeyExpired));
        let revoked = Key { revoked: true, ..key };
        assert_eq!(revoked.refusal(owner(AccountState::Active), now), Some(RefusalCode::InvalidKey));
    }
}
