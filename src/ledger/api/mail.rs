//! Addresses that get events by mail, as the admin API takes and gives them.

use super::EventKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The address to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMailAddress {
    /// The address alone, in ASCII, such as `billing@example.com`: at most 254 bytes.
    #[schema(max_length = 254, examples("billing@example.com"))]
    pub address: String,
    /// Only events of these kinds. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventKind>>,
    /// Events of the account of this identifier. When absent, those of all accounts, and the ledger's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Whether an address gets mail: `active`, or `deleted`, which is only in the answer to what deletes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// It does.
    #[default]
    Active,
    /// Not any more.
    Deleted,
}

impl AddressState {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Active, Self::Deleted];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// An address that gets events by mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailAddress {
    /// Its identifier.
    pub id: String,
    /// The address.
    pub address: String,
    /// Only events of these kinds; null for all.
    pub events: Option<Vec<String>>,
    /// Events of this account; null for those of all accounts, and the ledger's own.
    pub account: Option<String>,
    /// Whether it gets mail.
    pub state: AddressState,
    /// How many mails wait to be sent; absent in answers to writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// How many mails of the last 30 days were given up; absent in answers to writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<u64>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Some addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailAddresses {
    /// Oldest first.
    pub addresses: Vec<MailAddress>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// Where a test mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMailTest {
    /// The address.
    #[schema(max_length = 254, examples("billing@example.com"))]
    pub address: String,
}

/// What came of a test mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailTest {
    /// Where it was to go.
    pub address: String,
    /// Whether the mail server has taken it.
    pub delivered: bool,
    /// The code that the mail server answered with; null where it didn't answer.
    pub status: Option<u16>,
    /// Why it failed; null where it didn't.
    pub error: Option<String>,
    /// How many milliseconds it took.
    pub took_ms: u64,
}
