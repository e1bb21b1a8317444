//! Sums of usage, and what was refused.

use super::{AccountState, Amount, UsageTotal, maybe_decimal, signed};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Usage by periods, and within them by what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageSums {
    /// The earliest period first; within one, those that cost the most.
    pub lines: Vec<UsageSum>,
    /// Sums over the whole time that was asked for, not only over this page.
    pub total: UsageTotal,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}

/// The usage of a period. By what it isn't summed up is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageSum {
    /// When the period begins; absent where all of the time is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The account's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The identifier of the team that the key now belongs to; empty where it belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The key's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The rule's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The rule's product; empty where it is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The model or the tool; empty where none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// How many requests were charged.
    pub requests: u64,
    /// Credits that these requests cost.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub credits: Credits,
    /// How many requests were not charged in the end. Zero where usage is summed up by item.
    pub refunds: u64,
    /// By item: what the requests cost the seller whose cost is known; absent where none is.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub cost: Option<Credits>,
    /// By item: what the same requests were charged, less what they cost: below zero where money is lost. Absent as `cost`.
    #[serde(default, with = "signed", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^-?[0-9]+(\\.[0-9]{1,6})?$", examples("0.25", "-0.5"))]
    pub margin: Option<Credits>,
}

/// What will have been spent when the running period ends, if it goes on at the pace of the last 7 days: a straight line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// The account's identifier; null for all accounts together.
    pub account: Option<String>,
    /// When the period began: that of the account's plan, else the month.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Credits spent since it began.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub spent: Credits,
    /// Credits that will have been spent when it ends.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub expected: Credits,
    /// The pace: credits per day.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub per_day: Credits,
    /// Since when the pace is counted: 7 days ago, or since the account was made. Less than an hour counts as an hour.
    pub pace_since: Timestamp,
    /// What the account can spend now, leases included; null for all accounts together.
    #[serde(with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub left: Option<Credits>,
    /// When that is used up at this pace; null where nothing is spent, and for all accounts together.
    pub used_up_at: Option<Timestamp>,
}

/// Why an account's requests are refused, and what it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The account's identifier.
    pub account: String,
    /// Whether it may spend.
    pub state: AccountState,
    /// What is wrong now, the most serious first. Empty when requests of a good key that cost no more than is available pass.
    pub findings: Vec<Finding>,
    /// What was refused since the time that was asked for, the most frequent first; at most 100.
    pub refusals: Vec<RefusalSum>,
    /// Since when.
    pub since: Timestamp,
}

/// Something that keeps requests from passing, and what cures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// The code with which requests are refused because of it.
    pub code: String,
    /// What is wrong, in words.
    pub what: String,
    /// What an operator can do about it.
    pub cure: String,
}

/// What was refused of one key under one rule for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalSum {
    /// The code of the refusal.
    pub code: String,
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
