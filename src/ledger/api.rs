//! The admin API's requests and answers (JSON), as the server and the command line both use them.
//!
//! Amounts are decimal strings ([`Amount`]), times are RFC 3339 in UTC.
//! Requests refuse unknown fields; answers may grow new ones, so clients must ignore what they don't know.
//!
//! The comments of these types and of their fields are the descriptions in `docs/openapi.json`, so they are written for callers of
//! the API: they give units and limits, and name no Rust item.

mod access;
mod batch;
mod calls;
mod corrections;
mod events;
mod keys;
mod mail;
mod plans;
mod portal;
mod prices;
mod subscriptions;
mod teams;
mod usage;

pub use access::*;
pub use batch::*;
pub use calls::*;
pub use corrections::*;
pub use events::*;
pub use keys::*;
pub use mail::*;
pub use plans::*;
pub use portal::*;
pub use prices::*;
pub use subscriptions::*;
pub use teams::*;
pub use usage::*;

use faregate_protocol::Credits;
use faregate_protocol::credits::{ParseCreditsError, decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The request header that every write needs: the same key gives the first answer again.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// The response header that marks an answer as given before.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";
/// What amounts are counted in.
pub const UNIT: &str = "credits";
/// The priority of a grant that names none.
pub const DEFAULT_PRIORITY: u16 = 100;
/// The largest priority; grants with a smaller one are spent first.
pub const MAX_PRIORITY: u16 = 1_000;
/// How many rows a list gives when the request doesn't say.
pub const DEFAULT_LIMIT: usize = 100;
/// The most rows that a list gives at once.
pub const MAX_LIMIT: usize = 1_000;

/// An amount of credits: a decimal with at most six digits behind the point. The largest amount in a request is 10^12 credits.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9]+(\\.[0-9]{1,6})?$", examples("12", "0.5"))]
pub struct Amount(pub String);

/// Whether an account may spend: `active`, `suspended` until it is resumed, or `closed`, which can be undone for 30 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It may.
    #[default]
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Never again.
    Closed,
}

impl AccountState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Closed];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// The account to open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its identifier. The ledger makes one when this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("acme"))]
    pub id: Option<String>,
    /// A name for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub name: Option<String>,
}

/// An account: it pays for the requests of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its identifier.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// Whether it may spend.
    pub state: AccountState,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was closed: it can be reopened for 30 days. Absent where it isn't closed, or was closed by an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The name of the plan that it has subscribed to; null without a subscription, or when that is over.
    #[serde(default)]
    pub plan: Option<String>,
    /// When its subscription renews; null where it doesn't.
    #[serde(default)]
    pub renews_at: Option<Timestamp>,
    /// Credits that are free to be spent.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub available: Credits,
}

/// A page of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accounts {
    /// In the order of their identifiers. With conditions there may be fewer than `limit`, even none, while `next` says that there
    /// are more accounts to look at.
    pub accounts: Vec<Account>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// The grant to give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// How many credits; above zero.
    #[serde(with = "given")]
    #[schema(value_type = Amount)]
    pub amount: Credits,
    /// Grants with a smaller priority are spent first; 100 when absent.
    #[serde(default = "default_priority")]
    #[schema(maximum = 1000)]
    pub priority: u16,
    /// When what remains of it expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A note for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub note: Option<String>,
    /// Where it comes from, such as `purchase` or `trial`; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub source: Option<String>,
}

fn default_priority() -> u16 {
    DEFAULT_PRIORITY
}

/// Where a grant comes from: a plan's `quota` (also what it rolls over), its `overdraft`, or `bought`: given by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// It came with a plan.
    Quota,
    /// It may be overdrawn.
    Overdraft,
    /// An operator gave it.
    Bought,
}

/// A grant: credits that an account was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Its identifier.
    pub id: String,
    /// The account's identifier.
    pub account: String,
    /// How many credits were given.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub amount: Credits,
    /// Credits of it that are neither spent, nor in a lease, nor expired, nor voided.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub remaining: Credits,
    /// Credits of it that corrections took back, also those that were spent and became owed.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub voided: Credits,
    /// Grants with a smaller priority are spent first.
    #[schema(maximum = 1000)]
    /// Grants with a smaller priority are spent first. What a plan lets the account overdraw has 65535.
    #[schema(maximum = 65535)]
    pub priority: u16,
    /// When what remains of it expires; null for never.
    pub expires_at: Option<Timestamp>,
    /// A note for people.
    pub note: Option<String>,
    /// Where it comes from, in words.
    pub source: Option<String>,
    /// Where it comes from.
    pub kind: GrantKind,
    /// When it was given.
    pub created_at: Timestamp,
}

/// A page of grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grants {
    /// Oldest first.
    pub grants: Vec<Grant>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// An account's balance, in credits. `granted + owed = available + held + spent + expired + voided` always holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balance {
    /// The account's identifier.
    pub account: String,
    /// Whether it may spend.
    pub state: AccountState,
    /// Credits that are free to be spent.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub available: Credits,
    /// Of the available credits, those of the plan's quota. `available = quota + bought + overdraft` always holds.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub quota: Credits,
    /// Of the available credits, those that were given by an operator.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub bought: Credits,
    /// Of the available credits, those that the plan lets the account overdraw.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub overdraft: Credits,
    /// The name of the plan that it has subscribed to.
    #[serde(default)]
    pub plan: Option<String>,
    /// Credits in leases: gateways may spend them without asking.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub held: Credits,
    /// Credits spent so far.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub spent: Credits,
    /// Credits expired so far.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub expired: Credits,
    /// Credits that the account had not, or no longer, when they were spent or taken back; the next grant pays them first.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub owed: Credits,
    /// Credits that corrections took back: voided grants, and adjustments below zero.
    #[serde(default, with = "decimal")]
    #[schema(value_type = Amount)]
    pub voided: Credits,
    /// All credits that were ever given.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub granted: Credits,
    /// Always `credits`.
    pub unit: String,
}

/// A page of an account's usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Oldest first.
    pub lines: Vec<UsageLine>,
    /// Sums over the whole time that was asked for, not only over this page.
    pub total: UsageTotal,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// Usage of one key under one rule in one minute; of old usage in one hour, or one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageLine {
    /// The start of the minute in which the requests ended. Of usage older than 7 days the start of the hour, and older than 400
    /// days the start of the day (UTC), with the sums over it.
    pub minute: Timestamp,
    /// The key's identifier.
    pub key: String,
    /// The rule's name.
    pub rule: String,
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these requests cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// How many requests were not charged in the end.
    pub refunds: u64,
}

/// Sums of usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageTotal {
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these requests cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// How many requests were not charged in the end.
    pub refunds: u64,
}

/// Requests that rules with `shadow` would have refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shadow {
    /// Those with the most requests first, at most `limit`.
    pub lines: Vec<ShadowLine>,
    /// Sums over all that was asked for, not only over these lines.
    pub total: ShadowTotal,
}

/// Requests that one key, or all callers without a known key together, would have been refused under one rule for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShadowLine {
    /// The account's identifier; null for callers without a known key.
    pub account: Option<String>,
    /// The key's identifier; null for callers without a known key.
    pub key: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// The code of the refusal.
    pub code: String,
    /// How many requests.
    pub requests: u64,
    /// The start of the minute in which the first of them was reported.
    pub first_seen: Timestamp,
    /// The start of the minute in which the last of them was reported.
    pub last_seen: Timestamp,
}

/// Sums of refusals in shadow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShadowTotal {
    /// How many lines there are, including those that are not listed.
    pub lines: u64,
    /// How many requests.
    pub requests: u64,
}

/// Open leases, those with the most at risk first; at most 1000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leases {
    /// The leases.
    pub leases: Vec<Lease>,
    /// Credits at risk in all open leases, including those that are not listed.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub at_risk: Credits,
}

/// An open lease: credits that a gateway may spend for a key without asking. Amounts are in credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// The name of the gateway that holds it.
    pub gateway: String,
    /// The identifier of the account that pays.
    pub account: String,
    /// The key's identifier.
    pub key: String,
    /// Its epoch: the number of this lease among those of the gateway for the key.
    pub epoch: u32,
    /// Credits granted so far.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub granted: Credits,
    /// Credits reported as spent so far.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub spent: Credits,
    /// Credits returned so far.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub returned: Credits,
    /// Credits held for requests that are in flight, as last reported.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub held: Credits,
    /// Credits that the gateway could have spent without having reported it.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub at_risk: Credits,
    /// Milliseconds since the gateway last named this lease, to half a second; counted from the ledger's start when that is
    /// later.
    pub heard_ms_ago: u64,
}

/// Which leases to recall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// Only those of the gateway of this name. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// What was recalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecallAnswer {
    /// How many leases were asked to return unused credits.
    pub leases: u64,
}

/// Every balance, recomputed from the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// Whether every balance agrees, and no report was left uncharged.
    pub ok: bool,
    /// How many accounts were checked.
    pub accounts: u64,
    /// How many entries were added up.
    pub entries: u64,
    /// What disagrees; at most 1000.
    pub problems: Vec<AuditProblem>,
    /// What gateways reported in the last 90 days and was not charged, newest first; at most 1000. Absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unbooked: Vec<UnbookedReports>,
}

impl Audit {
    /// Of so many accounts and entries.
    pub fn of(
        (accounts, entries): (u64, u64),
        problems: Vec<AuditProblem>,
        unbooked: Vec<UnbookedReports>,
    ) -> Self {
        Self { ok: problems.is_empty() && unbooked.is_empty(), accounts, entries, problems, unbooked }
    }

    /// Whether all agrees, whatever gateways have reported.
    pub fn agrees(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What one gateway reported for one key beyond what is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnbookedReports {
    /// The account's identifier.
    pub account: String,
    /// The key's identifier.
    pub key: String,
    /// The name of the gateway that reported it.
    pub gateway: String,
    /// The epoch of the last lease that was reported.
    pub epoch: u32,
    /// How many reports there were.
    pub reports: u64,
    /// Credits that were not charged.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub not_charged: Credits,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// A stored value that disagrees with the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditProblem {
    /// Which value, in words.
    pub what: String,
    /// The account's identifier, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The value by the entries.
    pub expected: String,
    /// The value that is stored.
    pub found: String,
}

/// The body of every error, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A short, stable name of the error. The descriptions of the answers list them; later versions may add others.
    pub code: String,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// The path of the field or query parameter that is wrong, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// An amount as a decimal string, or none.
pub(crate) mod maybe_decimal {
    use super::{Credits, Deserialize, Serialize, decimal};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Amount(#[serde(with = "decimal")] Credits);

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(amount: &Option<Credits>, to: S) -> Result<S::Ok, S::Error> {
        amount.map(Amount).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Credits>, D::Error> {
        Ok(Option::<Amount>::deserialize(from)?.map(|amount| amount.0))
    }
}

/// An amount that may be below zero, as a decimal string, or none.
mod signed {
    use super::{Credits, Deserialize, Serialize};
    use serde::de::{Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(amount: &Option<Credits>, to: S) -> Result<S::Ok, S::Error> {
        amount.map(|amount| amount.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Credits>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        super::signed_amount(&text).map(Some).map_err(D::Error::custom)
    }
}

/// Reads a decimal that may be below zero.
fn signed_amount(text: &str) -> Result<Credits, ParseCreditsError> {
    let below = text.strip_prefix('-');
    let amount = Credits::parse(below.unwrap_or(text))?;
    Ok(if below.is_some() { amount.times(-1) } else { amount })
}
