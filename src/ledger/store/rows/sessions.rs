//! Rows of sessions in the console.

use crate::record;
use jiff::Timestamp;

/// A session of an operator in the console, of whose value only the hash is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRow {
    /// The value's SHA-256.
    pub hash: Vec<u8>,
    /// The operator's name.
    pub operator: String,
    /// The identifier of the token that it began with; none for the token of the environment, and where a rule about claims let in.
    pub token: Option<String>,
    /// What binds it to the token of the environment, or to a rule about claims: a hash over the session's value and that.
    pub proof: Option<Vec<u8>>,
    /// The subject that signed in by OpenID Connect.
    pub subject: Option<String>,
    /// The ID token that it signed in with.
    pub id_token: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    pub used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

record! { SessionRow in "sessions" by "hash": (Vec<u8>,) = |row| (row.hash.clone(),);
    hash: Fixed hash,
    operator: Fixed operator,
    token: Fixed token,
    proof: Fixed proof,
    created_ms: Fixed created_at,
    used_ms: Hot used_at,
    expires_ms: Fixed expires_at,
    subject: Fixed subject,
    id_token: Fixed id_token,
}
