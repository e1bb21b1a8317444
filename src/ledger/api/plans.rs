//! Plans, as the admin API takes and gives them.

use super::{Amount, maybe_decimal};
use crate::domain::policy::{OveragePolicy, Remainder};
use faregate_protocol::exchange::{Pricing, Product};
use faregate_protocol::{Credits, credits::decimal};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// The longest period, in units.
pub const MAX_EVERY: u16 = 100;

/// The unit of a period. A month goes to the same day of the next month, or to its last day where there is no such day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// Where periods begin: at the `start` of the subscription, or by the `calendar` (midnight, Monday, the first of the month or the year).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// The plan to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// Its name, which identifies it.
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("pro"))]
    pub name: String,
    /// Credits per period; above zero.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub quota: Credits,
    /// The unit of a period.
    pub period: Unit,
    /// How many units a period has; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub every: Option<u16>,
    /// Where periods begin; `start` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// The IANA time zone of the periods; `UTC` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The most credits that are carried over into the next period; none when absent.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub rollover: Option<Credits>,
    /// What pays when the quota is used up; `bought` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage: Option<OveragePolicy>,
    /// The most credits that may be overdrawn per period; goes with `overdraft` as what pays beyond the quota.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft: Option<Credits>,
    /// Requests per second, a decimal with at most three digits behind the point. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]+(\\.[0-9]{1,3})?$", examples("10", "0.5"))]
    pub rate_per_second: Option<String>,
    /// Requests that may come at once after a pause. Follows the rate when absent: the requests of one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Requests in flight at the same time. Not limited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// The products that are included; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32)]
    pub products: Option<Vec<PlanProduct>>,
    /// Who gets the credits that a gateway which died had not reported; `customer` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
    /// Callers with fewer credits than this are warned. Never, when absent.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub warn_below: Option<Credits>,
    /// A balance below so many credits is announced by the event `balance.low`; with 0 none is. The default of all accounts, when
    /// absent; what an account says itself comes first.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub alert_below: Option<Credits>,
}

/// A product that a plan includes, at the rule's price unless `times` or `price` says otherwise. Not both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanProduct {
    /// The `product` that rules carry.
    #[schema(pattern = "^[a-z0-9][a-z0-9_.-]{0,63}$", examples("chat"))]
    pub name: String,
    /// A factor on the rule's price.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub times: Option<Credits>,
    /// Credits per request, instead of the rule's price.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
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

/// What changes in a plan. A field that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    /// Credits per period; above zero.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub quota: Option<Credits>,
    /// The unit of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Unit>,
    /// How many units a period has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub every: Option<u16>,
    /// Where periods begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// The IANA time zone of the periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The most credits that are carried over into the next period.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub rollover: Option<Credits>,
    /// What pays when the quota is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overage: Option<OveragePolicy>,
    /// The most credits that may be overdrawn per period.
    #[serde(default, with = "maybe_decimal", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft: Option<Credits>,
    /// Requests per second, a decimal with at most three digits behind the point; null removes the limit.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]+(\\.[0-9]{1,3})?$")]
    pub rate_per_second: Edit<String>,
    /// Requests that may come at once after a pause; null lets it follow the rate.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<u32>)]
    pub burst: Edit<u32>,
    /// Requests in flight at the same time; null removes the limit.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<u32>)]
    pub concurrent: Edit<u32>,
    /// The products that are included; null includes all.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Vec<PlanProduct>>)]
    pub products: Edit<Vec<PlanProduct>>,
    /// Who gets the credits that a gateway which died had not reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Remainder>,
    /// Callers with fewer credits than this are warned; null turns the warning off.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Amount>)]
    pub warn_below: Edit<String>,
    /// A balance below so many credits is announced by the event `balance.low`; with 0 none is; null for the default of all accounts.
    #[serde(default, skip_serializing_if = "Edit::is_keep")]
    #[schema(value_type = Option<Amount>)]
    pub alert_below: Edit<String>,
    /// Whether it also applies to current periods, instead of only to those that begin later.
    #[serde(default)]
    pub at_once: bool,
}

/// A plan's newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The number of this version; the first is 1.
    pub version: u32,
    /// Credits per period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub quota: Credits,
    /// The unit of a period.
    pub period: Unit,
    /// How many units a period has.
    pub every: u16,
    /// Where periods begin.
    pub anchor: Anchor,
    /// The IANA time zone of the periods.
    pub time_zone: String,
    /// The most credits that are carried over into the next period.
    #[serde(with = "decimal")]
    #[schema(value_type = Amount)]
    pub rollover: Credits,
    /// What pays when the quota is used up.
    pub overage: OveragePolicy,
    /// The most credits that may be overdrawn per period; null where nothing may.
    #[serde(with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub overdraft: Option<Credits>,
    /// Requests per second; null for no limit.
    pub rate_per_second: Option<String>,
    /// Requests that may come at once after a pause.
    pub burst: Option<u32>,
    /// Requests in flight at the same time; null for no limit.
    pub concurrent: Option<u32>,
    /// The products that are included; null for all.
    pub products: Option<Vec<PlanProduct>>,
    /// Who gets the credits that a gateway which died had not reported.
    pub remainder: Remainder,
    /// Callers with fewer credits than this are warned; null for never.
    #[serde(default, with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub warn_below: Option<Credits>,
    /// A balance below so many credits is announced by the event `balance.low`, and none where it is 0; null for the default of all
    /// accounts.
    #[serde(default, with = "maybe_decimal")]
    #[schema(value_type = Option<Amount>)]
    pub alert_below: Option<Credits>,
    /// When this version was made.
    pub created_at: Timestamp,
    /// Since when it is archived: it takes no new subscriptions. Absent where it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

/// A page of plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plans {
    /// In the order of their names.
    pub plans: Vec<Plan>,
    /// The value of `after` for the next page; null on the last page.
    pub next: Option<String>,
}
