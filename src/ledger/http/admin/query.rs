//! Query strings of lists.

use super::post::short;
use crate::api::{AccountState, Amount, DEFAULT_LIMIT, DeliveryState, EventKind, MAX_LIMIT};
use crate::domain::usage_periods::{self, Length};
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use crate::store::queries::usage_sums;
use crate::store::{
    AccountQuery, EventQuery, ItemQuery, Page, Refusal, ShadowQuery, TrailQuery, UsageQuery, UsageSumsQuery,
};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use faregate_protocol::{Credits, api_key};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

/// `?limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl List {
    /// The page that is meant.
    pub fn page(self) -> Result<Page, Invalid> {
        Ok(Page { limit: limit(self.limit)?, after: self.after })
    }
}

/// `?archived=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WithArchived {
    /// Whether archived ones are listed, too.
    #[param(default = false)]
    archived: Option<bool>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

/// `?name=&plan=&state=&balance_below=&expiring_before=&renewing_before=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfAccounts {
    /// Only those with this in their name or identifier; upper and lower case are the same.
    #[param(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Only those that have subscribed to the plan of this name.
    plan: Option<String>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<AccountState>,
    /// Only those with less than this available, in credits.
    #[param(value_type = Option<Amount>)]
    balance_below: Option<String>,
    /// Only those with credits that were bought and expire before this time, or with a subscription that ends before it.
    expiring_before: Option<Timestamp>,
    /// Only those with a subscription that renews before this time.
    renewing_before: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl WithArchived {
    /// Whether archived ones are listed, too.
    pub fn archived(&self) -> bool {
        self.archived.unwrap_or(false)
    }

    /// The page that is meant.
    pub fn page(self) -> Result<Page, Invalid> {
        List { limit: self.limit, after: self.after }.page()
    }
}

impl OfAccounts {
    /// The accounts that are meant.
    pub fn read(self) -> Result<AccountQuery, Invalid> {
        short("name", self.name.as_ref(), 200)?;
        if self.name.as_ref().is_some_and(String::is_empty) {
            return Err(Invalid::field("name", "is empty; leave it out to list all"));
        }
        let below = self.balance_below.map(|text| {
            Credits::parse(&text).map_err(|why| Invalid::field("balance_below", format!("{text:?} is {why}")))
        });
        Ok(AccountQuery {
            page: Page { limit: limit(self.limit)?, after: self.after },
            name: self.name,
            plan: self.plan,
            state: self.state,
            below: below.transpose()?,
            expiring_before: self.expiring_before,
            renewing_before: self.renewing_before,
        })
    }
}

/// `?left=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfGrants {
    /// Whether only those are listed that have something left.
    #[param(default = false)]
    left: Option<bool>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl OfGrants {
    /// The page that is meant, and whether only those are.
    pub fn read(self) -> Result<(Page, bool), Invalid> {
        Ok((Page { limit: limit(self.limit)?, after: self.after }, self.left.unwrap_or(false)))
    }
}

/// `?prefix=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// How the keys begin: `fg_live_` and up to six characters more, as lists and logs show them.
    #[param(min_length = 8, max_length = 14, pattern = "^fg_live_[0-9A-Za-z]{0,6}$")]
    prefix: String,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl Beginning {
    /// The text, and the page that is meant. A whole key is refused: addresses get into logs.
    pub fn read(self) -> Result<(String, Page), Invalid> {
        let Self { prefix, limit: most, after } = self;
        let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if prefix.len() > api_key::VISIBLE_LEN || !prefix.strip_prefix(api_key::PREFIX).is_some_and(is_plain)
        {
            let why = format!(
                "isn't how keys begin; give {} and up to {} of the characters behind it, and not a whole key",
                api_key::PREFIX,
                api_key::VISIBLE_LEN - api_key::PREFIX.len()
            );
            return Err(Invalid::field("prefix", why));
        }
        Ok((prefix, Page { limit: limit(most)?, after }))
    }
}

/// `?since=&until=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// Only what was reported in the minute of this time or later.
    since: Option<Timestamp>,
    /// Only what was reported before the minute of this time.
    until: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

/// A time that ends before it begins is a mistake.
fn in_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Invalid> {
    match (since, until) {
        (Some(since), Some(until)) if until < since => {
            Err(Invalid::field("until", "is before `since`; swap the two"))
        }
        _ => Ok(()),
    }
}

impl Times {
    /// The usage that is meant.
    pub fn usage(self) -> Result<UsageQuery, Invalid> {
        in_order(self.since, self.until)?;
        let after = match self.after {
            None => None,
            Some(text) => Some(position(&text).ok_or_else(|| {
                Invalid::field("after", "is no position; pass what `next` of an answer said")
            })?),
        };
        Ok(UsageQuery { since: self.since, until: self.until, limit: limit(self.limit)?, after })
    }
}

/// `?account=&since=&limit=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// Only the account of this identifier.
    account: Option<String>,
    /// Only what was reported in the minute of this time or later.
    since: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

impl Watched {
    /// The refusals in shadow that are meant.
    pub fn shadow(self) -> Result<ShadowQuery, Invalid> {
        Ok(ShadowQuery { account: self.account, since: self.since, limit: limit(self.limit)? })
    }
}

/// `?account=&operator=&since=&until=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Only what was done about the account of this identifier.
    account: Option<String>,
    /// Only what the operator of this name did; `root` for the token of the environment.
    operator: Option<String>,
    /// Only what was done at this time or later.
    since: Option<Timestamp>,
    /// Only what was done before this time.
    until: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl Done {
    /// The part of the trail that is meant.
    pub fn trail(self) -> Result<TrailQuery, Invalid> {
        let page = Page { limit: limit(self.limit)?, after: self.after };
        if page.after.as_ref().is_some_and(|after| after.parse::<i64>().is_err()) {
            return Err(Invalid::field("after", "is no position; pass what `next` of an answer said"));
        }
        let (account, operator, since, until) = (self.account, self.operator, self.since, self.until);
        Ok(TrailQuery { account, operator, since, until, page })
    }
}

/// `?account=&kind=&since=&until=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfEvents {
    /// Only those about the account of this identifier.
    account: Option<String>,
    /// Only those of this kind.
    #[param(inline)]
    kind: Option<EventKind>,
    /// Only what happened at this time or later.
    since: Option<Timestamp>,
    /// Only what happened before this time.
    until: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl OfEvents {
    /// The events that are meant.
    pub fn read(self) -> Result<EventQuery, Invalid> {
        in_order(self.since, self.until)?;
        let page = Page { limit: limit(self.limit)?, after: self.after };
        let (account, kind, since, until) = (self.account, self.kind, self.since, self.until);
        Ok(EventQuery { account, kind, since, until, page })
    }
}

/// `?state=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfDeliveries {
    /// Only those in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl OfDeliveries {
    /// The deliveries that are meant.
    pub fn read(self) -> Result<(Option<DeliveryState>, Page), Invalid> {
        Ok((self.state, Page { limit: limit(self.limit)?, after: self.after }))
    }
}

/// `?account=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfMailAddresses {
    /// Only those of the account of this identifier.
    account: Option<String>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    after: Option<String>,
}

impl OfMailAddresses {
    /// The addresses that are meant.
    pub fn read(self) -> Result<(Option<String>, Page), Invalid> {
        Ok((self.account, Page { limit: limit(self.limit)?, after: self.after }))
    }
}

/// `?account=&subject=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfPortalSubjects {
    /// Only those of the account of this identifier.
    account: Option<String>,
    /// Only those of this name, whatever account they belong to.
    subject: Option<String>,
}

impl OfPortalSubjects {
    /// Whose subjects, or which.
    pub fn read(self) -> Result<(Option<String>, Option<String>), Invalid> {
        if self.account.is_none() && self.subject.is_none() {
            return Err(Invalid::field("account", "is missing; name an account, or a subject"));
        }
        Ok((self.account, self.subject))
    }
}

/// By what usage is summed up: `item`, which is a model or a tool.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// By model or tool.
    Item,
}

/// `?group=&account=&since=&until=&limit=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Grouped {
    /// By what usage is summed up: `item`, which is a model or a tool.
    #[param(inline)]
    #[expect(dead_code, reason = "there is one way yet, and a query must name it")]
    group: Group,
    /// Only the account of this identifier.
    account: Option<String>,
    /// Only what was reported in the minute of this time or later.
    since: Option<Timestamp>,
    /// Only what was reported before the minute of this time.
    until: Option<Timestamp>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
}

impl Grouped {
    /// The usage that is meant.
    pub fn items(self) -> Result<ItemQuery, Invalid> {
        in_order(self.since, self.until)?;
        let limit = limit(self.limit)?;
        Ok(ItemQuery { account: self.account, since: self.since, until: self.until, limit })
    }
}

/// How long the periods are by which usage is summed up.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Hours.
    Hour,
    /// Days of the time zone.
    Day,
    /// Months of the time zone.
    Month,
}

/// `?by=&group=&account=&since=&until=&time_zone=&limit=&after=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Summed {
    /// How long periods are; when absent, all of the time is one.
    #[param(inline)]
    pub by: Option<By>,
    /// By what usage is summed up within a period: any of `account`, `team`, `key`, `rule`, `product` and `item` (the model or the tool), with
    /// commas between. With `item` only usage under metered rules counts.
    pub group: Option<String>,
    /// Only the account of this identifier.
    pub account: Option<String>,
    /// From the minute of this time on. When absent, the last 24 hours, 30 days or 12 months, as `by` says.
    pub since: Option<Timestamp>,
    /// Until this time; now, when absent.
    pub until: Option<Timestamp>,
    /// The IANA time zone of days and months; UTC, when absent. Usage older than 7 days is kept by the hour of UTC, and older than
    /// 400 days by the day.
    pub time_zone: Option<String>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    pub after: Option<String>,
}

/// `?account=&time_zone=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Foreseen {
    /// The account of this identifier; all together, when absent.
    account: Option<String>,
    /// The IANA time zone of the month; UTC, when absent.
    time_zone: Option<String>,
}

impl Foreseen {
    /// The account and the zone that are meant.
    pub fn meant(self) -> Result<(Option<String>, TimeZone), Invalid> {
        Ok((self.account, zone(self.time_zone.as_deref())?))
    }
}

fn zone(name: Option<&str>) -> Result<TimeZone, Invalid> {
    let name = name.unwrap_or("UTC");
    TimeZone::get(name).map_err(|_| {
        Invalid::field("time_zone", format!("{name:?} is none of IANA; an example is Europe/Berlin"))
    })
}

impl Summed {
    /// The sums that are meant.
    pub fn sums(self, now: Timestamp) -> Result<UsageSumsQuery, Invalid> {
        let zone = zone(self.time_zone.as_deref())?;
        let length = self.by.map(|by| match by {
            By::Hour => Length::Hour,
            By::Day => Length::Day,
            By::Month => Length::Month,
        });
        in_order(self.since, self.until)?;
        let periods = match length {
            Some(length) => usage_periods::periods(length, (self.since, self.until), &zone, now)
                .map_err(|why| Invalid::field("since", why.to_string()))?,
            None => vec![(self.since.unwrap_or(Timestamp::MIN), self.until.unwrap_or(now))],
        };
        let after = self.after.map(|text| {
            let place = text
                .split_once(':')
                .and_then(|(period, line)| Some((period.parse().ok()?, line.parse().ok()?)));
            place.ok_or_else(|| Invalid::field("after", "is no position; pass what `next` of an answer said"))
        });
        let groups = self.group.as_deref().map(usage_sums::groups).transpose();
        let groups = groups.map_err(|refusal| match refusal {
            Refusal::Field { field, why } => Invalid::field(field, why),
            other => Invalid::field("group", other.to_string()),
        })?;
        Ok(UsageSumsQuery {
            account: self.account,
            periods,
            by_period: length.is_some(),
            groups: groups.unwrap_or_default(),
            limit: limit(self.limit)?,
            after: after.transpose()?,
        })
    }
}

/// `?price=&since=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// What a request costs, in credits; the smallest amount, when absent.
    price: Option<String>,
    /// Refusals of the hour of this time and later; those of the last 24 hours, when absent. They are kept for 30 days.
    since: Option<Timestamp>,
}

impl Asking {
    /// The price and the time that are meant.
    pub fn meant(self, now: Timestamp) -> Result<(Credits, Timestamp), Invalid> {
        let least = Credits::from_micros(1);
        let price = match self.price {
            Some(text) => Credits::parse(&text).map_err(|why| Invalid::field("price", why.to_string()))?,
            None => least,
        };
        if price < least {
            return Err(Invalid::field("price", "must be above zero"));
        }
        let day = now.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        Ok((price, self.since.unwrap_or(day)))
    }
}

/// `?from=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Only what is valid from this time on or later; all when absent.
    pub from: Option<Timestamp>,
}

fn position(text: &str) -> Option<(i64, i64, String)> {
    let mut parts = text.splitn(3, ':');
    let minute = parts.next()?.parse().ok()?;
    let key = parts.next()?.parse().ok()?;
    Some((minute, key, parts.next()?.to_owned()))
}

pub(super) fn limit(given: Option<usize>) -> Result<usize, Invalid> {
    match given.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        found => Err(Invalid::field("limit", format!("is {found}; it must be 1 to {MAX_LIMIT}"))),
    }
}

/// `?gateway=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfGateway {
    /// Only the leases of the gateway of this name.
    pub gateway: Option<String>,
}

/// A query string, read into its type.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Query(read) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|error| Failure::from(unread(&error)))?;
        Ok(Self(read))
    }
}

/// Digs out of axum's error which parameter is meant.
fn unread(error: &QueryRejection) -> Invalid {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<serde_path_to_error::Error<serde::de::value::Error>>() {
            return Invalid::at(inner.path(), inner.inner().to_string());
        }
        cause = inner.source();
    }
    Invalid { field: None, reason: error.body_text() }
}
