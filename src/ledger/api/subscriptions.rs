//! Subscriptions, as the admin API takes and gives them.

use super::{Amount, maybe_decimal};
use crate::domain::policy::SubscriptionStatus;
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of a subscription: `trialing` ends with the trial unless it is activated; `active` renews; `past_due` can't be used after
/// the grace period unless it is activated; `paused` doesn't renew until it is resumed; `cancelled` and `expired` are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// The subscription to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// The plan's name.
    pub plan: String,
    /// When it begins or began. Now, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When its trial ends; in the future. It expires then unless it was activated. No trial, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_ends_at: Option<Timestamp>,
}

/// How long a missing payment is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastDue {
    /// When the grace period ends; in the future. Nothing may be spent from then on, until it is activated.
    pub grace_until: Timestamp,
}

/// When to cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Now, instead of at the end of the current period.
    #[serde(default)]
    pub at_once: bool,
}

/// The change to another plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionChange {
    /// The other plan's name.
    pub plan: String,
    /// Now (true) or with the next period (false). When absent: now if the plan gives more per period of the same length,
    /// otherwise with the next period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<bool>,
}

/// An account's subscription to a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    /// Its identifier.
    pub id: String,
    /// The account's identifier.
    pub account: String,
    /// The plan's name.
    pub plan: String,
    /// The version of the plan that the current period uses.
    pub version: u32,
    /// The plan that it changes to with the next period; null when it stays.
    pub next_plan: Option<String>,
    /// Its state.
    pub state: SubscriptionState,
    /// Whether it may be used.
    pub status: SubscriptionStatus,
    /// When it began or begins.
    pub starts_at: Timestamp,
    /// When the last period began for which a quota was given.
    pub period_started_at: Option<Timestamp>,
    /// When that period ends.
    pub period_ends_at: Option<Timestamp>,
    /// When the next period begins; null when there is none.
    pub renews_at: Option<Timestamp>,
    /// When the grace period for a missing payment ends.
    pub grace_until: Option<Timestamp>,
    /// When it ends, if that is known, because of a trial or a cancellation.
    pub ends_at: Option<Timestamp>,
    /// Credits overdrawn in the current or last period, where the plan allows an overdraft.
    #[serde(with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft_used: Option<Credits>,
    /// Credits overdrawn in the period before.
    #[serde(with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft_used_before: Option<Credits>,
    /// When it was made.
    pub created_at: Timestamp,
}
