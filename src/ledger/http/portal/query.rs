//! Query strings of the portal's API.

use crate::http::admin::query::{By, Summed};
use crate::http::body::Invalid;
use crate::store::{UsageGroup, UsageSumsQuery};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// `?since=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// Refusals of the hour of this time and later; those of the last 24 hours, when absent. They are kept for 30 days.
    pub since: Option<Timestamp>,
}

/// `?by=&group=&since=&until=&time_zone=&limit=&after=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfUsage {
    /// How long periods are; when absent, all of the time is one.
    #[param(inline)]
    pub by: Option<By>,
    /// By what usage is summed up within a period: any of `team`, `key`, `rule`, `product` and `item` (the model or the tool), with commas
    /// between. With `item` only usage under metered rules counts.
    pub group: Option<String>,
    /// From the minute of this time on. When absent, the last 24 hours, 30 days or 12 months, as `by` says.
    pub since: Option<Timestamp>,
    /// Until this time; now, when absent.
    pub until: Option<Timestamp>,
    /// The IANA time zone of days and months; UTC, when absent.
    pub time_zone: Option<String>,
    /// The most rows in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    pub after: Option<String>,
}

impl OfUsage {
    /// The sums that are meant, of this account.
    pub fn sums(self, account: String, now: Timestamp) -> Result<UsageSumsQuery, Invalid> {
        let Self { by, group, since, until, time_zone, limit, after } = self;
        let account = Some(account);
        let query = Summed { by, group, account, since, until, time_zone, limit, after }.sums(now)?;
        if query.groups.contains(&UsageGroup::Account) {
            return Err(Invalid::field("group", "names account; it is always the same here"));
        }
        Ok(query)
    }
}
