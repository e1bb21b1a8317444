//! Plans and subscriptions, as the admin API takes and gives them.

use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest period, in units.
pub const MAX_EVERY: u16 = 100;

/// What periods are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Sixty minutes, whatever the clocks on the wall do.
    Hour,
    /// From a time of day to the same time of the next: 23 to 25 hours where clocks are changed.
    Day,
    /// Seven such days.
    Week,
    /// From a day to the same day of the next month, or its last day where it has none such.
    Month,
    /// Twelve months.
    Year,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Where periods begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// When the subscription began.
    #[default]
    Start,
    /// At midnight, on Mondays, on the first of the month or of January.
    Calendar,
}

impl Anchor {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Calendar => "calendar",
        }
    }
}

/// `POST /admin/v1/plans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// `[a-z0-9][a-z0-9_.-]{0,63}`.
    pub name: String,
    /// Credits per period; above zero.
    #[serde(with = "decimal")]
    pub quota: Credits,
    /// What a period is.
    pub period: Unit,
    /// So many of these, 1 to [`MAX_EVERY`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u16>,
    /// Where periods begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// An IANA time zone; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The most that is taken over into the next period; nothing when absent.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Credits>,
}

/// `POST /admin/v1/plans/{id}/change`: what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    /// As in [`NewPlan`].
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub quota: Option<Credits>,
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Unit>,
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u16>,
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// As in [`NewPlan`].
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Credits>,
    /// Whether a larger quota counts for the running period, too.
    #[serde(default)]
    pub at_once: bool,
}

/// A plan's newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The number of this version; the first is 1.
    pub version: u32,
    /// Credits per period.
    #[serde(with = "decimal")]
    pub quota: Credits,
    /// What a period is.
    pub period: Unit,
    /// So many of these.
    pub every: u16,
    /// Where periods begin.
    pub anchor: Anchor,
    /// In which time zone.
    pub time_zone: String,
    /// The most that is taken over into the next period.
    #[serde(with = "decimal")]
    pub rollover: Credits,
    /// When this version was made.
    pub created_at: Timestamp,
}

/// `GET /admin/v1/plans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plans {
    /// In the order of their names.
    pub plans: Vec<Plan>,
    /// What to pass as `after` for the rest; absent at the end.
    pub next: Option<String>,
}

/// What has become of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// On trial: it ends with the trial unless it is activated.
    Trialing,
    /// It renews.
    Active,
    /// A payment is missing: it ends with the grace period unless it is activated.
    PastDue,
    /// It doesn't renew until it is resumed.
    Paused,
    /// Over: it was cancelled.
    Cancelled,
    /// Over: its trial or its grace period has ended.
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
    /// It is over if it isn't activated before then; in the future.
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
    /// What has become of it.
    pub state: SubscriptionState,
    /// When it began, or begins.
    pub starts_at: Timestamp,
    /// When the period began for which a quota was given last.
    pub period_started_at: Option<Timestamp>,
    /// When that period ends.
    pub period_ends_at: Option<Timestamp>,
    /// When the next period begins, if there is to be one.
    pub renews_at: Option<Timestamp>,
    /// When it is over, if that is known: trial, grace, cancellation.
    pub ends_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An amount as a decimal string, or none.
mod maybe_decimal {
    use super::{Credits, Deserialize, Deserializer, Serialize, Serializer, decimal};

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
