//! Links to the portal, and subjects that sign in to it, as the admin API takes and gives them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest address of a page that a customer comes from, in bytes.
pub const MAX_RETURN_URL_BYTES: usize = 2_000;

/// The link to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPortalLink {
    /// The page of yours that the customer comes from, `https://` or `http://`: the portal leads back to it. At most 2000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000, examples("https://example.com/account"))]
    pub return_url: Option<String>,
    /// For how many seconds it may be used; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 30, maximum = 3600)]
    pub lifetime_seconds: Option<u32>,
}

/// A link by which a customer signs in to the portal, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortalLink {
    /// Its identifier, which is not secret.
    pub id: String,
    /// The account's identifier.
    pub account: String,
    /// The address to send the customer to; the first who opens it is signed in. Only in the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The page that the portal leads back to.
    pub return_url: Option<String>,
    /// Until when it may be used.
    pub expires_at: Timestamp,
}

/// What a customer may do in the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortalAccess {
    /// Look, and change what the portal lets customers change.
    #[default]
    Full,
    /// Look.
    Read,
}

/// A subject to let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPortalSubject {
    /// The subject (`sub`) at the provider: 1 to 255 visible ASCII characters.
    #[schema(min_length = 1, max_length = 255)]
    pub subject: String,
    /// What it may do; `full` when absent.
    #[serde(default)]
    pub access: PortalAccess,
    /// The provider's issuer; that of the ledger's `--portal-oidc-issuer` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// A subject to let in no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovedPortalSubject {
    /// The subject at the provider.
    pub subject: String,
    /// The provider's issuer; that of the ledger's `--portal-oidc-issuer` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// A subject that signs in to the portal as an account's customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortalSubject {
    /// The account's identifier.
    pub account: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The subject at the provider.
    pub subject: String,
    /// What it may do.
    pub access: PortalAccess,
    /// Since when.
    pub created_at: Timestamp,
}

/// Subjects that sign in to the portal, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortalSubjects {
    /// The subjects.
    pub subjects: Vec<PortalSubject>,
}
