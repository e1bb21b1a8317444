//! Events, alerts and webhooks, as the admin API takes and gives them.

use super::{Amount, maybe_decimal};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum EventKind {
    /// What an account has left fell below its threshold.
    #[serde(rename = "balance.low")]
    BalanceLow,
    /// It is at the threshold again, or above.
    #[serde(rename = "balance.recovered")]
    BalanceRecovered,
    /// 50, 80 or 100 percent of a budget are spent.
    #[serde(rename = "budget.used")]
    BudgetUsed,
    /// 50, 80 or 100 percent of a plan's quota are spent.
    #[serde(rename = "quota.used")]
    QuotaUsed,
    /// Credits were given to an account.
    #[serde(rename = "grant.given")]
    GrantGiven,
    /// Credits were taken from a balance to put it right.
    #[serde(rename = "balance.adjusted")]
    BalanceAdjusted,
    /// A grant was taken back, or a part of it.
    #[serde(rename = "grant.voided")]
    GrantVoided,
    /// What remains of a grant expires within 7 days.
    #[serde(rename = "grant.expires_soon")]
    GrantExpiresSoon,
    /// A key was replaced by another.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A key was revoked.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// A key expires within 7 days.
    #[serde(rename = "key.expires_soon")]
    KeyExpiresSoon,
    /// The first period of a subscription has begun.
    #[serde(rename = "subscription.started")]
    SubscriptionStarted,
    /// Another period of it has begun.
    #[serde(rename = "subscription.renewed")]
    SubscriptionRenewed,
    /// It renews within 3 days.
    #[serde(rename = "subscription.renews_soon")]
    SubscriptionRenewsSoon,
    /// It is past due; its grace has begun.
    #[serde(rename = "subscription.past_due")]
    SubscriptionPastDue,
    /// Its grace is over: nothing may be spent until it is paid.
    #[serde(rename = "subscription.unpaid")]
    SubscriptionUnpaid,
    /// It ends within 3 days.
    #[serde(rename = "subscription.ends_soon")]
    SubscriptionEndsSoon,
    /// It is over.
    #[serde(rename = "subscription.ended")]
    SubscriptionEnded,
    /// Requests of the account are refused: the first since it could pay.
    #[serde(rename = "refusals.began")]
    RefusalsBegan,
    /// They aren't any more: it was cured, or there were none for an hour.
    #[serde(rename = "refusals.ended")]
    RefusalsEnded,
    /// Something is wrong with the ledger itself. It is about no account.
    #[serde(rename = "ledger.fault")]
    LedgerFault,
    /// That is over.
    #[serde(rename = "ledger.fault_over")]
    LedgerFaultOver,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::BalanceLow,
        Self::BalanceRecovered,
        Self::BudgetUsed,
        Self::QuotaUsed,
        Self::GrantGiven,
        Self::BalanceAdjusted,
        Self::GrantVoided,
        Self::GrantExpiresSoon,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::KeyExpiresSoon,
        Self::SubscriptionStarted,
        Self::SubscriptionRenewed,
        Self::SubscriptionRenewsSoon,
        Self::SubscriptionPastDue,
        Self::SubscriptionUnpaid,
        Self::SubscriptionEndsSoon,
        Self::SubscriptionEnded,
        Self::RefusalsBegan,
        Self::RefusalsEnded,
        Self::LedgerFault,
        Self::LedgerFaultOver,
    ];

    /// Whether it is about the ledger itself, and no account.
    pub const fn is_of_ledger(self) -> bool {
        matches!(self, Self::LedgerFault | Self::LedgerFaultOver)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BalanceLow => "balance.low",
            Self::BalanceRecovered => "balance.recovered",
            Self::BudgetUsed => "budget.used",
            Self::QuotaUsed => "quota.used",
            Self::GrantGiven => "grant.given",
            Self::BalanceAdjusted => "balance.adjusted",
            Self::GrantVoided => "grant.voided",
            Self::GrantExpiresSoon => "grant.expires_soon",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::KeyExpiresSoon => "key.expires_soon",
            Self::SubscriptionStarted => "subscription.started",
            Self::SubscriptionRenewed => "subscription.renewed",
            Self::SubscriptionRenewsSoon => "subscription.renews_soon",
            Self::SubscriptionPastDue => "subscription.past_due",
            Self::SubscriptionUnpaid => "subscription.unpaid",
            Self::SubscriptionEndsSoon => "subscription.ends_soon",
            Self::SubscriptionEnded => "subscription.ended",
            Self::RefusalsBegan => "refusals.began",
            Self::RefusalsEnded => "refusals.ended",
            Self::LedgerFault => "ledger.fault",
            Self::LedgerFaultOver => "ledger.fault_over",
        }
    }
}

/// Something that happened about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its identifier: the `webhook-id` of its deliveries.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(examples("balance.low"))]
    pub kind: String,
    /// The account's identifier; null where it is about the ledger itself.
    pub account: Option<String>,
    /// The account's events are numbered from 1, without gaps; and so are the ledger's own.
    pub sequence: i64,
    /// When it happened.
    pub time: Timestamp,
    /// What there is to know about it.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Newest first.
    pub events: Vec<Event>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// What is to be announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlerts {
    /// A balance below so many credits is announced as low; with 0 none is. When null or absent, what holds for all accounts
    /// holds for this one (and for all of them nothing is announced).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub balance_below: Option<Credits>,
}

/// What is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alerts {
    /// The account's identifier; null for what holds for all accounts that say nothing else.
    pub account: Option<String>,
    /// A balance below so many credits is announced as low; null or 0: none is. Where the account says nothing of its own, its plan
    /// comes before what holds for all.
    #[serde(default, with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub balance_below: Option<Credits>,
    /// Whether the account says nothing of its own, so that it is what its plan says, or what holds for all.
    pub is_default: bool,
    /// Whether its balance was announced as low, and hasn't recovered since.
    pub low: bool,
}

/// Whether an endpoint gets events: `active`; `paused` by an operator; or `failing`, because an event could not be delivered for 3
/// days. While it is not active its events wait. `deleted` is only in the answer to what deletes it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// It does.
    #[default]
    Active,
    /// An operator has paused it.
    Paused,
    /// It failed for so long that the ledger has paused it.
    Failing,
    /// It is gone: only in the answer to what deletes it.
    Deleted,
}

impl WebhookState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Active, Self::Paused, Self::Failing, Self::Deleted];
    /// Those for which events are kept to be delivered.
    pub const LISTENING: [Self; 3] = [Self::Active, Self::Paused, Self::Failing];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Failing => "failing",
            Self::Deleted => "deleted",
        }
    }
}

/// The endpoint to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where events are posted: an `https://` URL of at most 2048 bytes, without a user name.
    #[schema(max_length = 2048, examples("https://example.com/faregate"))]
    pub url: String,
    /// Only events of these kinds. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventKind>>,
    /// Only events of the account of this identifier. Of all accounts, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// An endpoint to which events are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its identifier.
    pub id: String,
    /// Where events are posted.
    pub url: String,
    /// Only events of these kinds; null for all.
    pub events: Option<Vec<String>>,
    /// Only events of this account; null for those of all.
    pub account: Option<String>,
    /// The secret with which deliveries are signed: only in the first answer to the request that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until when deliveries are signed with the secret before this one, too; null when there is none.
    pub old_secret_until: Option<Timestamp>,
    /// Whether it gets events.
    pub state: WebhookState,
    /// Why it doesn't.
    pub note: Option<String>,
    /// How many events wait to be delivered; absent in answers to writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Since when its events are about to be put in the queue again; null when none are.
    pub replaying_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Some endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhooks {
    /// Oldest first.
    pub webhooks: Vec<Webhook>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// How a secret is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateSecret {
    /// For how many seconds deliveries are signed with both; at most 30 days.
    #[serde(default = "a_day")]
    #[schema(maximum = 2_592_000, default = 86_400)]
    pub overlap_seconds: u32,
}

impl Default for RotateSecret {
    fn default() -> Self {
        Self { overlap_seconds: a_day() }
    }
}

const fn a_day() -> u32 {
    86_400
}

/// Which events are delivered again: either `since` or `event`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Those that happened at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The one with this identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// Whether an event was delivered.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not yet.
    #[default]
    Waiting,
    /// The endpoint has answered with a status from 200 to 299, or the mail server has taken the mail.
    Delivered,
    /// Not, and it isn't tried any more: only mails are given up.
    GivenUp,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::GivenUp];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// An event on its way to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The event's identifier.
    pub event: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(examples("balance.low"))]
    pub kind: String,
    /// The account's identifier; null where it is about the ledger itself.
    pub account: Option<String>,
    /// The event's number among those of the account.
    pub sequence: i64,
    /// Whether it was delivered.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The status that the endpoint, or the code that the mail server, last answered with; null where it didn't answer.
    pub status: Option<u16>,
    /// Why the last attempt failed; null where it didn't.
    pub error: Option<String>,
    /// When it may be tried next; null when it was delivered. Events of an account are delivered in their order, so it may wait for
    /// one before it.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was delivered; null when it wasn't.
    pub delivered_at: Option<Timestamp>,
    /// When it happened.
    pub time: Timestamp,
}

/// A page of deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deliveries {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTest {
    /// The endpoint's identifier.
    pub webhook: String,
    /// The identifier of the event that was sent, which is in no list.
    pub event: String,
    /// Whether it was taken: the endpoint answered with a status from 200 to 299.
    pub delivered: bool,
    /// The status that the endpoint answered with; null where it didn't answer.
    pub status: Option<u16>,
    /// Why it failed; null where it didn't.
    pub error: Option<String>,
    /// How many milliseconds it took.
    pub took_ms: u64,
}
