//! Plans, as the admin API takes and gives them.

use super::maybe_decimal;
use crate::domain::entitlement::{Beyond, Remainder};
use faregate_protocol::exchange::{Pricing, Product};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest period, in units.
pub const MAX_EVERY: u16 = 100;

/// What periods are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Sixty minutes, whatever the clocks on the wall do.
    Hour,
    /// From a time of day to the same time of the next: 23 to 25 hours where clocks are changed.
    Day,
    /// Seven such days.
    Week,
    /// From a day to the same day of the next month, or its last day where it has none such.
    #[default]
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
    /// What pays when the quota is used up; what was bought, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Beyond>,
    /// The most that may be overdrawn per period, where that is what pays.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub overdraft: Option<Credits>,
    /// Requests per second, a decimal up to thousandths; without limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<String>,
    /// How many requests at once after a pause; what a second brings, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How many requests at the same time; without limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Which products are included; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<PlanProduct>>,
    /// Whose is what a gateway that died had not reported; the customer's, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
    /// Below how much callers are to be warned; never, when absent.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub warn_below: Option<Credits>,
}

/// A product that a plan includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanProduct {
    /// The label that rules of this product carry; `[a-z0-9][a-z0-9_.-]{0,63}`.
    pub name: String,
    /// So many times the rule's price.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub times: Option<Credits>,
    /// This, whatever the rule says.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub price: Option<Credits>,
}

impl PlanProduct {
    /// What gateways receive; `None` when it names both kinds of price.
    pub fn read(self) -> Option<Product> {
        let pricing = match (self.times, self.price) {
            (None, None) => Pricing::List,
            (Some(factor), None) => Pricing::Times(factor),
            (None, Some(price)) => Pricing::Fixed(price),
            (Some(_), Some(_)) => return None,
        };
        Some(Product { name: self.name, pricing })
    }

    /// The same for people.
    pub fn shown(product: &Product) -> Self {
        let name = product.name.clone();
        match product.pricing {
            Pricing::List => Self { name, times: None, price: None },
            Pricing::Times(factor) => Self { name, times: Some(factor), price: None },
            Pricing::Fixed(price) => Self { name, times: None, price: Some(price) },
        }
    }
}

/// What becomes of something that need not be there: absent keeps it, `null` takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Remove,
    /// It becomes this.
    Set(T),
}

impl<T> Edit<T> {
    /// Whether nothing is to change.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The same about something else.
    pub fn try_map<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Edit<U>, E> {
        Ok(match self {
            Self::Keep => Edit::Keep,
            Self::Remove => Edit::Remove,
            Self::Set(new) => Edit::Set(make(new)?),
        })
    }
}

impl<T: Clone> Edit<T> {
    /// What comes of what was there.
    pub fn of(&self, old: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => old.cloned(),
            Self::Remove => None,
            Self::Set(new) => Some(new.clone()),
        }
    }
}

impl<T: Serialize> Serialize for Edit<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(new) => to.serialize_some(new),
            Self::Keep | Self::Remove => to.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Edit<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(from)?.map_or(Self::Remove, Self::Set))
    }
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
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Beyond>,
    /// As in [`NewPlan`].
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub overdraft: Option<Credits>,
    /// As in [`NewPlan`]; `null` takes the limit away.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    pub rate_per_second: Edit<String>,
    /// As in [`NewPlan`]; `null` has it follow the rate.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    pub burst: Edit<u32>,
    /// As in [`NewPlan`]; `null` takes the limit away.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    pub concurrent: Edit<u32>,
    /// As in [`NewPlan`]; `null` includes all.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    pub products: Edit<Vec<PlanProduct>>,
    /// As in [`NewPlan`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
    /// As in [`NewPlan`]; `null` turns warnings off.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    pub warn_below: Edit<String>,
    /// Whether it counts for running periods, too.
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
    /// What pays when the quota is used up.
    pub beyond: Beyond,
    /// The most that may be overdrawn per period.
    #[serde(with = "maybe_decimal")]
    pub overdraft: Option<Credits>,
    /// Requests per second; without limit when absent.
    pub rate_per_second: Option<String>,
    /// How many requests at once after a pause.
    pub burst: Option<u32>,
    /// How many requests at the same time; without limit when absent.
    pub concurrent: Option<u32>,
    /// Which products are included; all when absent.
    pub products: Option<Vec<PlanProduct>>,
    /// Whose is what a gateway that died had not reported.
    pub remainder: Remainder,
    /// Below how much callers are to be warned.
    #[serde(default, with = "maybe_decimal")]
    pub warn_below: Option<Credits>,
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
