//! Links to the portal, as the admin API takes and gives them.

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
