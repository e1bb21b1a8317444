//! Query strings of the portal's API.

use crate::http::admin::call_query::OfCalls;
use crate::http::admin::query::{By, Summed};
use crate::http::body::Invalid;
use crate::store::{CallQuery, UsageGroup, UsageSumsQuery};
use faregate_protocol::calls::Decision;
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

/// `?key=&rule=&item=&decision=&code=&status=&request_id=&since=&until=&limit=&after=`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfOwnCalls {
    /// Only those with the key of this identifier.
    pub key: Option<String>,
    /// Only those under the rule of this name.
    pub rule: Option<String>,
    /// Only those for this model or tool.
    pub item: Option<String>,
    /// Only those of which this became: `admitted`, `released`, `stopped`, `free` or `refused`.
    pub decision: Option<String>,
    /// Only those that were refused for this cause.
    #[param(example = "insufficient_funds")]
    pub code: Option<String>,
    /// Only those with this status of the answer, such as `429`, or of this class, such as `5xx`.
    #[param(pattern = "^[1-5]([0-9][0-9]|xx)$")]
    pub status: Option<String>,
    /// Only the request with this `x-request-id`.
    pub request_id: Option<String>,
    /// Only those that were stored at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that were stored before this time.
    pub until: Option<Timestamp>,
    /// The most calls in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
}

/// What became of a customer's request, as customers read it. That a price is only tried out is for the operator: such a request was free.
pub const DECISIONS: [Decision; 5] =
    [Decision::Admitted, Decision::Released, Decision::Stopped, Decision::Free, Decision::Refused];

impl OfOwnCalls {
    /// The records that are meant, of this account.
    pub fn read(self, account: String) -> Result<CallQuery, Invalid> {
        let Self { key, rule, item, decision, code, status, request_id, since, until, limit, after } = self;
        let decision = match (decision.as_deref(), &code) {
            (None, None) => None,
            (None | Some("refused"), _) => Some(Decision::Refused),
            (Some(_), Some(_)) => {
                return Err(Invalid::field("decision", "is not refused; only refused calls have a code"));
            }
            // A call that was free for the account's customer is one that is tried out: of others the gateway asks for no key.
            (Some("free"), None) => Some(Decision::Shadow),
            (Some(name), None) => {
                let found = DECISIONS.into_iter().find(|one| one.as_str() == name);
                Some(found.ok_or_else(|| {
                    let all = DECISIONS.map(Decision::as_str).join(", ");
                    Invalid::field("decision", format!("is {name:?}; it must be one of {all}"))
                })?)
            }
        };
        let decision = decision.map(|decision| decision.as_str().to_owned());
        let account = Some(account);
        OfCalls {
            account,
            key,
            rule,
            item,
            decision,
            code,
            status,
            request_id,
            since,
            until,
            limit,
            after,
            newer_than: None,
        }
        .read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_find_calls_that_were_free_and_none_that_would_have_been_refused() {
        let read = |decision: Option<&str>, code: Option<&str>| {
            let asked = OfOwnCalls {
                decision: decision.map(str::to_owned),
                code: code.map(str::to_owned),
                ..OfOwnCalls::default()
            };
            asked.read("acme".to_owned()).map(|query| query.decision).map_err(|wrong| wrong.sentence())
        };
        assert_eq!(read(None, None), Ok(None));
        assert_eq!(read(Some("free"), None), Ok(Some("shadow".to_owned())));
        assert_eq!(read(Some("stopped"), None), Ok(Some("stopped".to_owned())));
        for decision in [None, Some("refused")] {
            assert_eq!(read(decision, Some("rate_limited")), Ok(Some("refused".to_owned())));
        }
        for (decision, code) in [("shadow", None), ("x", None), ("free", Some("rate_limited"))] {
            assert!(read(Some(decision), code).unwrap_err().starts_with("decision"), "{decision}");
        }
    }
}
