//! The portal API's answers, where they differ from the admin API's: nothing in them is meant for the operator alone.
//!
//! Their comments are the descriptions in the portal's OpenAPI document.

use crate::api::{AccountState, Amount, PlanProduct, SubscriptionState, Unit};
use crate::domain::policy::OveragePolicy;
use faregate_protocol::prices::{self, ModelPrices};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Who asks, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Me {
    /// The account's identifier.
    pub account: String,
    /// What people call the account.
    pub name: Option<String>,
    /// Whether it may spend.
    pub state: AccountState,
    /// `full`; or `read`, where a key was shown or the sign-in may only look.
    pub access: String,
    /// What is allowed: any of `make_keys`, `rotate_keys`, `revoke_keys`, `set_alerts`.
    pub may: Vec<String>,
    /// Where credits are sold.
    pub top_up_url: Option<String>,
    /// Where plans are sold.
    pub upgrade_url: Option<String>,
    /// What the portal is called.
    pub portal: String,
}

/// The link to sign in with.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// What the link that the admin API has made shows behind `link=`.
    pub link: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "it is the value of the session")]
pub struct Session {
    /// Its secret value, to be sent as `Authorization: Bearer …`. Only in this answer.
    pub session: String,
    /// The account's identifier.
    pub account: String,
    /// When it ends at the latest. It ends sooner after an hour without use.
    pub expires_at: Timestamp,
}

/// Usage by periods, and within them by what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnUsage {
    /// The earliest period first; within one, what cost the most.
    pub lines: Vec<OwnUsageLine>,
    /// How many requests were charged in all of the time that was asked for.
    pub requests: u64,
    /// Credits that these cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// The usage of a period. By what it isn't summed up is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnUsageLine {
    /// When the period begins; absent where all of the time is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The identifier of the key's team; empty where it belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The key's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of the rule by which requests were charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The product; empty where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The model or the tool; empty where none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
}

/// The key to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwnKey {
    /// A note for people; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub note: Option<String>,
    /// When it expires; in the future. Never, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The team that it belongs to, by its identifier. It can't be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The products that it is limited to. All, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 32)]
    pub products: Option<Vec<String>>,
}

/// How to rotate a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateOwnKey {
    /// For how many seconds the old key works besides the new one; 0 ends it at once.
    #[schema(maximum = 31_622_400)]
    pub overlap_seconds: u32,
}

/// The account's plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnPlan {
    /// The plan's name.
    pub plan: String,
    /// The state of the subscription.
    pub state: SubscriptionState,
    /// Credits per period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub quota: Credits,
    /// The unit of a period.
    pub period: Unit,
    /// How many units a period has.
    pub every: u16,
    /// What pays when the quota is used up.
    pub overage: OveragePolicy,
    /// The most credits that may be overdrawn per period; null where nothing may.
    #[serde(with = "crate::api::maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft: Option<Credits>,
    /// The most credits that are carried over into the next period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub rollover: Credits,
    /// Requests per second; null for no limit.
    pub rate_per_second: Option<String>,
    /// Requests that may come at once after a pause.
    pub burst: Option<u32>,
    /// Requests in flight at the same time; null for no limit.
    pub concurrent: Option<u32>,
    /// The products that are included; null for all.
    pub products: Option<Vec<PlanProduct>>,
    /// When the current period began.
    pub period_started_at: Option<Timestamp>,
    /// When the next period begins; null when there is none.
    pub renews_at: Option<Timestamp>,
    /// Until when a missing payment is tolerated.
    pub grace_until: Option<Timestamp>,
    /// When the subscription ends, if that is known.
    pub ends_at: Option<Timestamp>,
    /// The plan that it changes to with the next period; null when it stays.
    pub next_plan: Option<String>,
}

/// A page of the price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnPrices {
    /// What models cost now and later, in the order of their names and times.
    pub prices: Vec<OwnPrice>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnPrice {
    /// The model's name.
    pub model: String,
    /// Its prices by class of usage, in credits per million tokens or each.
    #[serde(with = "prices::decimal")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub prices: ModelPrices,
    /// From when on; until the model's next entry.
    pub valid_from: Timestamp,
}

/// Why requests are refused, and what was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnRefusals {
    /// What is wrong now, the most serious first. Empty when requests of a good key that cost no more than is available pass.
    pub findings: Vec<OwnFinding>,
    /// What was refused in the last 24 hours, or since the time that was asked for, the most frequent first; at most 100.
    pub refusals: Vec<OwnRefusal>,
    /// Since when.
    pub since: Timestamp,
}

/// Something that keeps requests from passing, and what cures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnFinding {
    /// The code with which requests are refused because of it.
    pub code: String,
    /// What that means, in words.
    pub title: String,
    /// What is wrong, in words.
    pub what: String,
    /// What can be done about it, the best first.
    pub cures: Vec<String>,
}

/// What was refused of one key under one rule for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnRefusal {
    /// The code of the refusal.
    pub code: String,
    /// What that means, in words.
    pub title: String,
    /// What can be done about it, the best first.
    pub cures: Vec<String>,
    /// The key's identifier.
    pub key: String,
    /// The rule's name.
    pub rule: String,
    /// How many requests.
    pub requests: u64,
    /// The beginning of the first hour in which there were some.
    pub first_seen: Timestamp,
    /// The beginning of the last hour in which there were some.
    pub last_seen: Timestamp,
}

/// The account's calls, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnCalls {
    /// The calls. There may be fewer than `limit`, or none, while there is a `next`: then the search took long, and goes on there.
    pub calls: Vec<OwnCall>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// A request of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnCall {
    /// Its identifier; a later call has a larger one, as a number.
    pub id: String,
    /// When it arrived.
    pub time: Timestamp,
    /// How long it took, until its answer was sent, in milliseconds.
    pub duration_ms: u64,
    /// The key's identifier.
    pub key: Option<String>,
    /// The name of the rule that it came under.
    pub rule: String,
    /// The model or the tool.
    pub item: Option<String>,
    /// What became of it: `admitted`, `released` (its charge), `stopped` (its answer), `free` or `refused`.
    #[schema(examples("admitted"))]
    pub decision: String,
    /// Why it was refused.
    #[schema(examples("insufficient_funds"))]
    pub code: Option<String>,
    /// What that means, in words.
    pub title: Option<String>,
    /// What can be done about it, the best first.
    pub cures: Vec<String>,
    /// What it was charged in the end, in credits.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub charge: Credits,
    /// On what the charge is based, where it is metered: `reported`, `estimated`, `held` or `listed`.
    pub basis: Option<String>,
    /// What it used, by class, where that is metered.
    pub used: BTreeMap<String, u64>,
    /// The status of its answer; null where the client left before there was one.
    pub status: Option<u16>,
    /// Its `x-request-id`.
    pub request_id: Option<String>,
}
