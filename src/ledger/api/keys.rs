//! Keys: what is made, shown and rotated.

use super::Edit;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest that both keys of a rotation may work, in seconds: a year.
pub const MAX_OVERLAP_S: u32 = 366 * 24 * 60 * 60;

/// Whether a key is accepted: `active`, `revoked` for good, or `expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It does.
    Active,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

impl KeyState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// The key to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// A note for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub note: Option<String>,
    /// When it expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A trusted identity that gateways verify, such as a JWT claim or a certificate's SAN; at most 1024 bytes. No secret is made
    /// then: the subject is the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub subject: Option<String>,
    /// The team of the account that it belongs to, by its identifier. It can't be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The products that it is limited to. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 32)]
    pub products: Option<Vec<String>>,
}

/// A key, or a subject in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// Its identifier, which is not secret.
    pub id: String,
    /// The account that pays.
    pub account: String,
    /// The secret key itself: only in the first answer to the request that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The first characters of the key; null for a subject.
    pub prefix: Option<String>,
    /// The subject, when the credential is one.
    pub subject: Option<String>,
    /// The identifier of the team that it belongs to.
    #[serde(default)]
    pub team: Option<String>,
    /// The products that it is limited to; null for all.
    #[serde(default)]
    pub products: Option<Vec<String>>,
    /// Whether it is accepted.
    pub state: KeyState,
    /// When it expires; null for never.
    pub expires_at: Option<Timestamp>,
    /// A note for people.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The start of the last minute for which a gateway has reported usage of it; null for never.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The identifier of the key that it was rotated to.
    #[serde(default)]
    pub replaced_by: Option<String>,
}

/// How to rotate a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// For how many seconds the old key works besides the new one; 0 ends it at once. It ends at its own expiry where that is sooner.
    #[schema(maximum = 31_622_400)]
    pub overlap_seconds: u32,
    /// When the new key expires; in the future. Null for never. When the old one was to expire, when absent.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Edit<Timestamp>,
}

/// A key that was rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RotatedKey {
    /// The new key, with the old one's account, team, products, note and budget. Its secret is only in the first answer.
    pub new: Key,
    /// The old key; it works until its `expires_at`.
    pub old: Key,
}

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// Oldest first.
    pub keys: Vec<Key>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}
