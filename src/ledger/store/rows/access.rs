//! Rows of tokens, and of the trail of what was done with them.

use crate::domain::TokenId;
use crate::domain::access::{AccessScope, TokenKind};
use crate::record;
use jiff::Timestamp;

/// A token of an operator or of a fleet of gateways, of which only the hash is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// Its number.
    pub no: i64,
    /// Its identifier.
    pub id: TokenId,
    /// Who shows it.
    pub kind: TokenKind,
    /// The name of that operator or fleet.
    pub name: String,
    /// What an operator may do with it; none for gateways.
    pub scope: Option<AccessScope>,
    /// The token's SHA-256; of a subject, that of its identifier.
    pub hash: Vec<u8>,
    /// How the token begins.
    pub prefix: String,
    /// Who names the subject that identifies an operator.
    pub issuer: Option<String>,
    /// The subject that identifies an operator, instead of a token.
    pub subject: Option<String>,
    /// When it stops to be accepted.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// The minute in which it was last used.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

record! { TokenRow in "tokens" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    id: Fixed id,
    kind: Fixed kind,
    name: Fixed name,
    scope: Fixed scope,
    hash: Fixed hash,
    prefix: Fixed prefix,
    expires_ms: Fixed expires_at,
    revoked_ms: Cold revoked_at,
    used_ms: Hot used_at,
    created_ms: Fixed created_at,
    issuer: Fixed issuer,
    subject: Fixed subject,
}

/// What an operator did: one write of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailRow {
    /// Its number.
    pub no: i64,
    /// When it was done.
    pub created_at: Timestamp,
    /// By whom.
    pub operator: String,
    /// The identifier of the token that was shown; none for the token of the environment.
    pub token: Option<String>,
    /// From which address.
    pub peer: String,
    /// What, by the name of the operation in the API's description.
    pub command: String,
    /// The identifier of the account that it was about, if it was about one.
    pub account: Option<String>,
    /// The request's idempotency key.
    pub idempotency_key: String,
    /// What was there before of what it changed (JSON).
    pub before: Option<String>,
    /// What was answered (JSON).
    pub after: String,
}

record! { TrailRow in "trail" by "no": (i64,) = |row| (row.no,);
    no: Fixed no,
    created_ms: Fixed created_at,
    operator: Fixed operator,
    token: Fixed token,
    peer: Fixed peer,
    command: Fixed command,
    account: Fixed account,
    idempotency_key: Fixed idempotency_key,
    before: Fixed before,
    after: Fixed after,
}
