//! The admin API's requests and answers (JSON), as the server and the command line both use them.
//!
//! Amounts are decimal strings ([`faregate_protocol::credits::decimal`]), times are RFC 3339 in UTC.
//! Requests refuse unknown fields; answers may grow new ones, so clients must ignore what they don't know.

mod plans;
mod subscriptions;
mod teams;

pub use plans::*;
pub use subscriptions::*;
pub use teams::*;

use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The request header that every POST needs: the same key gives the first answer again.
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

/// Whether an account may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// `POST /admin/v1/accounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// `[a-z0-9][a-z0-9_.-]{0,63}`; made by the ledger when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What people call it; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it may spend.
    pub state: AccountState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/accounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// In the order of their identifiers.
    pub accounts: Vec<Account>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// Whether a key opens the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// `POST /admin/v1/accounts/{id}/keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it stops to open the gate; in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// A subject that gateways vouch for (a JWT claim, a certificate's SAN): then no key is made, the
    /// subject is the credential. At most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The identifier of the account's team that it belongs to, for good; none, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The products that it is limited to, at most 32; all, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<String>>,
}

/// A key, or a subject in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its identifier, which is no secret.
    pub id: String,
    /// The account that pays.
    pub account: String,
    /// The key itself: only in the answer that creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How the key begins; absent for a subject.
    pub prefix: Option<String>,
    /// The subject, when it is one.
    pub subject: Option<String>,
    /// The team that it belongs to.
    #[serde(default)]
    pub team: Option<String>,
    /// The products that it is limited to.
    #[serde(default)]
    pub products: Option<Vec<String>>,
    /// Whether it opens the gate.
    pub state: KeyState,
    /// When it stops to.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/accounts/{id}/keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Oldest first.
    pub keys: Vec<Key>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// `POST /admin/v1/accounts/{id}/grants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// How much; above zero.
    #[serde(with = "decimal")]
    pub amount: Credits,
    /// 0 to [`MAX_PRIORITY`]; the smaller is spent first.
    #[serde(default = "default_priority")]
    pub priority: u16,
    /// When the rest of it is lost; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it is for; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it comes from, such as `purchase` or `trial`; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

fn default_priority() -> u16 {
    DEFAULT_PRIORITY
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// How much was given.
    #[serde(with = "decimal")]
    pub amount: Credits,
    /// How much of it is neither spent, nor in a lease, nor expired.
    #[serde(with = "decimal")]
    pub remaining: Credits,
    /// The smaller is spent first.
    pub priority: u16,
    /// When the rest of it is lost.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub note: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/accounts/{id}/grants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Oldest first.
    pub grants: Vec<Grant>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// `GET /admin/v1/accounts/{id}/balance`. `granted + owed = available + held + spent + expired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Whose.
    pub account: String,
    /// Whether it may spend.
    pub state: AccountState,
    /// Free to be spent.
    #[serde(with = "decimal")]
    pub available: Credits,
    /// In leases: may be spent by gateways without asking.
    #[serde(with = "decimal")]
    pub held: Credits,
    /// Spent so far.
    #[serde(with = "decimal")]
    pub spent: Credits,
    /// Lost by expiry so far.
    #[serde(with = "decimal")]
    pub expired: Credits,
    /// Spent beyond what was there; the next grant pays it first.
    #[serde(with = "decimal")]
    pub owed: Credits,
    /// All that was ever given.
    #[serde(with = "decimal")]
    pub granted: Credits,
    /// [`UNIT`].
    pub unit: String,
}

/// `GET /admin/v1/accounts/{id}/usage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Oldest first.
    pub lines: Vec<UsageLine>,
    /// Over the whole time asked for, not only these lines.
    pub total: UsageTotal,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// What one key used under one rule in one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLine {
    /// When the minute in which it was reported began.
    pub minute: Timestamp,
    /// The key's identifier.
    pub key: String,
    /// The rule's name.
    pub rule: String,
    /// Requests that were charged and kept.
    pub requests: u64,
    /// What they cost together.
    #[serde(with = "decimal")]
    pub credits: Credits,
    /// Requests whose charge was released.
    pub refunds: u64,
}

/// Sums over usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageTotal {
    /// Requests that were charged and kept.
    pub requests: u64,
    /// What they cost together.
    #[serde(with = "decimal")]
    pub credits: Credits,
    /// Requests whose charge was released.
    pub refunds: u64,
}

/// `GET /admin/v1/shadow`: what rules that only watch would have refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// Those of the most requests first, at most as many as asked for.
    pub lines: Vec<ShadowLine>,
    /// Over all that was asked for, not only these lines.
    pub total: ShadowTotal,
}

/// What one key, or all callers without a known key together, would have been refused under one rule for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowLine {
    /// Whose; absent for callers without a known key.
    pub account: Option<String>,
    /// The key's identifier.
    pub key: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// Why: the code of the refusal.
    pub code: String,
    /// How many requests.
    pub requests: u64,
    /// When the minute began in which the first of these was reported.
    pub first_seen: Timestamp,
    /// When the minute began in which the last of these was reported.
    pub last_seen: Timestamp,
}

/// Sums over refusals in shadow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowTotal {
    /// How many lines there are, also those not listed.
    pub lines: u64,
    /// How many requests.
    pub requests: u64,
}

/// `GET /admin/v1/leases`: the open ones, the largest at risk first, at most [`MAX_LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// The leases.
    pub leases: Vec<Lease>,
    /// What all open leases (also those not listed) hold together.
    #[serde(with = "decimal")]
    pub at_risk: Credits,
}

/// An open lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub gateway: String,
    /// Who pays.
    pub account: String,
    /// The key's identifier.
    pub key: String,
    /// Its number for this gateway and key.
    pub fence: u32,
    /// Granted so far.
    #[serde(with = "decimal")]
    pub granted: Credits,
    /// Reported as spent so far.
    #[serde(with = "decimal")]
    pub spent: Credits,
    /// Handed back so far.
    #[serde(with = "decimal")]
    pub returned: Credits,
    /// Held for requests in flight, as last reported.
    #[serde(with = "decimal")]
    pub held: Credits,
    /// What the gateway could spend without telling: what is lost to sight if it dies.
    #[serde(with = "decimal")]
    pub at_risk: Credits,
    /// Milliseconds since the gateway last named this lease, give or take half a second; counted
    /// from the ledger's start when that is later.
    pub heard_ms_ago: u64,
}

/// `POST /admin/v1/recall`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// Only from this one; from all, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// The answer to [`RecallRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallAnswer {
    /// How many leases were asked to hand back what is unused.
    pub leases: u64,
}

/// `GET /admin/v1/audit`: every balance, recomputed from the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Whether all agrees, and nothing was reported that was not charged.
    pub ok: bool,
    /// How many accounts were looked at.
    pub accounts: u64,
    /// How many entries were added up.
    pub entries: u64,
    /// What disagrees; at most [`MAX_LIMIT`].
    pub problems: Vec<AuditProblem>,
    /// What gateways reported in the last 90 days and was not charged, newest first; at most [`MAX_LIMIT`].
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

/// What one gateway reported for one key beyond all that is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnbookedReports {
    /// Whose.
    pub account: String,
    /// By which key.
    pub key: String,
    /// Who said so.
    pub gateway: String,
    /// The last fence that it was about.
    pub fence: u32,
    /// How many reports there were.
    pub reports: u64,
    /// What was not charged.
    #[serde(with = "decimal")]
    pub not_charged: Credits,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// Something that disagrees with the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProblem {
    /// What, in words.
    pub what: String,
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What the entries say.
    pub expected: String,
    /// What is stored.
    pub found: String,
}

/// The body of every error: `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A short, stable name.
    pub code: String,
    /// What is wrong and what cures it.
    pub detail: String,
    /// The path of the field that is wrong, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// An amount as a decimal string, or none.
mod maybe_decimal {
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
