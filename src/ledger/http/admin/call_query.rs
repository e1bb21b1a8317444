//! Which call records a query string asks for.

use super::post::short;
use super::query::limit;
use crate::http::body::Invalid;
use crate::store::CallQuery;
use faregate_protocol::calls::Decision;
use jiff::Timestamp;
use serde::Deserialize;
use std::ops::Range;
use utoipa::IntoParams;

/// `?account=&key=&rule=&item=&decision=&code=&status=&request_id=&since=&until=&limit=&after=&newer_than=`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OfCalls {
    /// Only those of this account.
    pub account: Option<String>,
    /// Only those with the key of this identifier.
    pub key: Option<String>,
    /// Only those under the rule of this name.
    pub rule: Option<String>,
    /// Only those for this model or tool.
    pub item: Option<String>,
    /// Only those of which this became: `admitted`, `released`, `stopped`, `free`, `shadow` or `refused`.
    pub decision: Option<String>,
    /// Only those that were refused for this cause, or would have been.
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
    /// The most records in the answer.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// The `next` of the previous page: the answer begins after it.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Only those that were stored after this record, oldest first: the `newest` or the `next` of an answer before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub newer_than: Option<String>,
}

impl OfCalls {
    /// The records that are meant.
    pub fn read(self) -> Result<CallQuery, Invalid> {
        let Self { since, until, after, newer_than, .. } = self;
        if let (Some(since), Some(until)) = (since, until)
            && until <= since
        {
            return Err(Invalid::field("until", "is not after since"));
        }
        if after.is_some() && newer_than.is_some() {
            return Err(Invalid::field("newer_than", "can't be combined with after"));
        }
        if let Some(decision) = &self.decision
            && Decision::named(decision).is_none()
        {
            let all = Decision::ALL.map(Decision::as_str).join(", ");
            return Err(Invalid::field("decision", format!("is {decision:?}; it must be one of {all}")));
        }
        for (field, text) in [
            ("account", &self.account),
            ("key", &self.key),
            ("rule", &self.rule),
            ("item", &self.item),
            ("code", &self.code),
            ("request_id", &self.request_id),
        ] {
            short(field, text.as_ref(), 200)?;
        }
        Ok(CallQuery {
            account: self.account,
            key: self.key,
            rule: self.rule,
            item: self.item,
            decision: self.decision,
            code: self.code,
            status: self.status.as_deref().map(statuses).transpose()?,
            request_id: self.request_id,
            since,
            until,
            after: number("after", after.as_deref())?,
            newer_than: number("newer_than", newer_than.as_deref())?,
            limit: limit(self.limit)?,
        })
    }
}

/// A record's number.
fn number(field: &str, text: Option<&str>) -> Result<Option<i64>, Invalid> {
    let Some(text) = text else { return Ok(None) };
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.map(Some).ok_or_else(|| Invalid::field(field, "is no number of a record; take it from an answer"))
}

/// A status, or all of a class.
fn statuses(text: &str) -> Result<Range<i64>, Invalid> {
    let (digits, length) = match text.strip_suffix("xx") {
        Some(class) => (format!("{class}00"), 100),
        None => (text.to_owned(), 1),
    };
    let first = digits.parse::<i64>().ok().filter(|status| (100..=599).contains(status) && digits.len() == 3);
    let first = first.ok_or_else(|| {
        Invalid::field(
            "status",
            format!("is {text:?}; it must be a status such as 429, or a class such as 5xx"),
        )
    })?;
    Ok(first..first.saturating_add(length))
}
