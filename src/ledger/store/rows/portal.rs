//! Rows of customers' sessions in the portal, and of the links and the subjects by which they sign in.

use crate::domain::{AccountNo, KeyNo};
use crate::record;
use jiff::Timestamp;

/// A session of a customer in the portal, of whose value only the hash is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortalSessionRow {
    /// The value's SHA-256.
    pub hash: Vec<u8>,
    /// What the trail calls it.
    pub id: String,
    /// Whose it is.
    pub account: AccountNo,
    /// The key that it began with; none where it began otherwise.
    pub key: Option<KeyNo>,
    /// Whether it may only read.
    pub read_only: bool,
    /// The operator's page that the customer came from.
    pub return_url: Option<String>,
    /// Whose subject signed in, if one did.
    pub issuer: Option<String>,
    /// The subject, without whose link it is over.
    pub subject: Option<String>,
    /// What the provider ends its own session with.
    pub id_token: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to about a minute.
    pub used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

record! { PortalSessionRow in "portal_sessions" by "hash": (Vec<u8>,) = |row| (row.hash.clone(),);
    hash: Fixed hash,
    id: Fixed id,
    account: Fixed account,
    key: Fixed key,
    read_only: Fixed read_only,
    return_url: Fixed return_url,
    created_ms: Fixed created_at,
    used_ms: Hot used_at,
    expires_ms: Fixed expires_at,
    issuer: Fixed issuer,
    subject: Fixed subject,
    id_token: Fixed id_token,
}

/// A link by which a customer signs in once, of whose value only the hash is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortalLinkRow {
    /// The value's SHA-256.
    pub hash: Vec<u8>,
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub account: AccountNo,
    /// The operator's page that the customer comes from.
    pub return_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

record! { PortalLinkRow in "portal_links" by "hash": (Vec<u8>,) = |row| (row.hash.clone(),);
    hash: Fixed hash,
    id: Fixed id,
    account: Fixed account,
    return_url: Fixed return_url,
    created_ms: Fixed created_at,
    expires_ms: Fixed expires_at,
    used_ms: Cold used_at,
}

/// Which account a subject of a provider of identities belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortalSubjectRow {
    /// The provider.
    pub issuer: String,
    /// Its subject.
    pub subject: String,
    /// The account.
    pub account: AccountNo,
    /// Whether it may only read.
    pub read_only: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// What finds a subject's row: the issuer and the subject.
pub type SubjectKey = (String, String);

record! { PortalSubjectRow in "portal_subjects" by "issuer, subject": SubjectKey = |row| (row.issuer.clone(), row.subject.clone());
    issuer: Fixed issuer,
    subject: Fixed subject,
    account: Fixed account,
    read_only: Cold read_only,
    created_ms: Fixed created_at,
}
