//! Subscriptions, as the admin API takes and gives them.

use super::maybe_decimal;
use crate::domain::entitlement::Standing;
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What has become of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// On trial: it ends with the trial unless it is activated.
    Trialing,
    /// It renews.
    #[default]
    Active,
    /// A payment is missing: it can't be used after the grace period unless it is activated.
    PastDue,
    /// It doesn't renew until it is resumed.
    Paused,
    /// Over: it was cancelled.
    Cancelled,
    /// Over: its trial has ended.
    Expired,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Trialing, Self::Active, Self::PastDue, Self::Paused, Self::Cancelled, Self::Expired];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether it is over, for good.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired)
    }
}

/// `POST /admin/v1/accounts/{id}/subscription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// The plan's name.
    pub plan: String,
    /// When it begins, or began; now, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// It is on trial until then, and over if it isn't activated before; in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_ends_at: Option<Timestamp>,
}

/// `POST /admin/v1/accounts/{id}/subscription/past-due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastDue {
    /// Nothing may be spent from then on until it is activated; in the future.
    pub grace_until: Timestamp,
}

/// `POST /admin/v1/accounts/{id}/subscription/cancel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Now, and not at the end of the running period.
    #[serde(default)]
    pub at_once: bool,
}

/// `POST /admin/v1/accounts/{id}/subscription/change`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionChange {
    /// The other plan's name.
    pub plan: String,
    /// Now, or else with the next period. When absent: now if it gives more per period of the same kind, and
    /// else with the next period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<bool>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its identifier.
    pub id: String,
    /// Who has subscribed.
    pub account: String,
    /// To which plan.
    pub plan: String,
    /// The version of it that the running period goes by.
    pub version: u32,
    /// The plan that it changes to with the next period.
    pub next_plan: Option<String>,
    /// What has become of it.
    pub state: SubscriptionState,
    /// Whether it may be used.
    pub standing: Standing,
    /// When it began, or begins.
    pub starts_at: Timestamp,
    /// When the period began for which a quota was given last.
    pub period_started_at: Option<Timestamp>,
    /// When that period ends.
    pub period_ends_at: Option<Timestamp>,
    /// When the next period begins, if there is to be one.
    pub renews_at: Option<Timestamp>,
    /// When the time ends in which a missing payment is tolerated.
    pub grace_until: Option<Timestamp>,
    /// When it is over, if that is known: trial, cancellation.
    pub ends_at: Option<Timestamp>,
    /// What was overdrawn in the running period, or in the last one, where the plan allows it.
    #[serde(with = "maybe_decimal")]
    pub overdraft_used: Option<Credits>,
    /// What was overdrawn in the period before.
    #[serde(with = "maybe_decimal")]
    pub overdraft_used_before: Option<Credits>,
    /// When it was made.
    pub created_at: Timestamp,
}
