//! Query strings of lists.

use crate::api::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::problem::Failure;
use crate::store::{ItemQuery, Page, ShadowQuery, TrailQuery, UsageQuery};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
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

impl Times {
    /// The usage that is meant.
    pub fn usage(self) -> Result<UsageQuery, Invalid> {
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
        let limit = limit(self.limit)?;
        Ok(ItemQuery { account: self.account, since: self.since, until: self.until, limit })
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

fn limit(given: Option<usize>) -> Result<usize, Invalid> {
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

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let Query(read) = Query::<T>::from_request_parts(parts, app)
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
