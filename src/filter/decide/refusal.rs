//! The only place that messages a refusal: cause → status, headers and a body in the client's format.
//!
//! What must hold: an answer suggests paying only when paying helps, and waiting only when waiting
//! does; every dialect says the same. Nothing of the caller's or the operator's is repeated except where the format at
//! hand escapes it, and never in a header as it is.
//!
//! - [`RefusalCode`]: the table of causes; [`messages`]: the text for a person, and the remedies; `guide`: what `faregate explain`
//!   says beyond that, which is not in the filter.
//! - [`about`]: what in a request is wrong, in words.
//! - [`language`]: which of the operator's languages; [`custom_texts`]: the operator's own messages instead.
//! - [`signs`] and [`rpc`]: which format; [`formats`] and [`html`]: the formats; [`link`]: blanks filled in; [`rate_limit`]: quotas
//!   and limits in headers.
//! - [`last_event`]: the end of an answer that has begun.
//! - [`rendering`]: all of it put together; [`template`]: an answer as it is sent, with placeholders for what is the request's own; [`response_cache`]:
//!   a cache of answers.

pub mod about;
mod custom_texts;
mod formats;
#[cfg(not(target_arch = "wasm32"))]
pub mod guide;
mod html;
pub mod language;
pub mod last_event;
pub mod link;
mod messages;
pub mod rate_limit;
mod rendering;
pub mod response_cache;
pub mod rpc;
pub mod signs;
pub mod template;

use crate::decide::base::text::joined;
use crate::decide::lease::{CachedStatus, Wait};
use crate::decide::settings::Deprecation;
use crate::decide::settings::dialect::Dialect;
use faregate_protocol::exchange::{Facts, Limits, Reset};
use faregate_protocol::{Credits, RefusalCode};
use rate_limit::Policy;
pub use rendering::readable_for;
#[cfg(not(target_arch = "wasm32"))]
pub use rendering::{Answer, answer};
use std::rc::Rc;

/// A refusal before it is worded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The cause.
    pub code: RefusalCode,
    /// What the request costs, where a rule was reached.
    pub needed: Option<Credits>,
    /// What the payer could still spend, where it is known.
    pub available: Option<Credits>,
    /// When the next period brings credits.
    pub reset: Option<Reset>,
    /// Whether buying credits helps.
    pub top_up: bool,
    /// The status, where the rule overrides the cause's.
    pub status: Option<u16>,
    /// The retry delay after a rate limit, in seconds.
    pub wait_s: u32,
    /// The plan's limits, if one of them was hit.
    pub limits: Limits,
    /// Whether that was the limit of concurrent requests.
    pub crowded: bool,
    /// A narrower reason, for a person.
    pub hint: Option<&'static str>,
    /// What in this request is wrong: of an unknown model its name, as the caller sends it; of other causes a sentence. At most
    /// [`about::MAX_ABOUT`] bytes of it are repeated. Causes for which credits are short have none.
    pub about: Option<Rc<str>>,
    /// The most output tokens that the available credits pay for, where credits are short and the price depends on them.
    pub fits: Option<u64>,
    /// The refused payer, if known: for the operator's log, not for the answer.
    pub payer: Option<Rc<Facts>>,
    /// Whether the caller has a trusted identity from Envoy, so that no other key can help.
    pub trusted_identity: bool,
    /// The number of the rule, once it is known.
    pub rule: Option<usize>,
}

impl Refusal {
    /// For a cause that has nothing to do with amounts.
    pub fn plain(code: RefusalCode) -> Self {
        Self {
            code,
            needed: None,
            available: None,
            reset: None,
            top_up: false,
            status: None,
            wait_s: RETRY_AFTER,
            limits: Limits { rate: None, concurrent: None },
            crowded: false,
            hint: None,
            about: None,
            fits: None,
            payer: None,
            trusted_identity: false,
            rule: None,
        }
    }

    /// For a payer that is over its rate limit, with its plan's status.
    pub fn throttled(wait: Wait, status: Option<CachedStatus>) -> Self {
        let wait_s = u32::try_from(wait.ms().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        let limits = status.map(|status| status.limits).unwrap_or_default();
        Self { wait_s, limits, crowded: wait == Wait::Crowd, ..Self::plain(RefusalCode::RateLimited) }
    }

    /// Its entry in Envoy's access log, as response code details: without spaces, as Envoy's own.
    pub fn details(&self) -> String {
        let code = self.code.as_str();
        match &self.payer {
            Some(payer) => {
                joined(&["faregate{decision=", code, ",account=", &payer.account, ",key=", &payer.key, "}"])
            }
            None => joined(&["faregate{decision=", code, "}"]),
        }
    }

    /// The quota or the limits that were hit, as far as they are known.
    fn policies(&self) -> impl Iterator<Item = Policy> {
        let name = match self.code {
            RefusalCode::KeyBudgetExhausted => "key-budget",
            RefusalCode::TeamBudgetExhausted => "team-budget",
            RefusalCode::AccountBudgetExhausted => "account-budget",
            _ => "plan",
        };
        let reset = self.reset.as_ref().filter(|reset| reset.window_s > 0);
        let left = self.available.unwrap_or_default();
        let quota = reset.map(|reset| Policy::credits(name, reset.size, reset.window_s, left, reset.in_s));
        let limits = Policy::of_limits(self.limits, self.crowded, Some(self.wait_s.into()));
        quota.into_iter().chain(limits.into_iter().flatten())
    }

    /// When waiting alone helps.
    fn cured_at(&self) -> Option<&Reset> {
        self.reset.as_ref().filter(|reset| self.needed.is_none_or(|needed| needed <= reset.brings))
    }

    /// Whether the same request may pass in a moment.
    fn is_retryable(&self) -> bool {
        matches!(self.code, RefusalCode::LedgerUnavailable | RefusalCode::RateLimited)
    }

    /// After how many seconds a retry, or waiting, helps.
    fn retry_after(&self) -> Option<u64> {
        if self.is_retryable() {
            return Some(u64::from(self.wait_s));
        }
        self.cured_at().map(|reset| reset.in_s)
    }
}

/// The context of the refused request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestContext<'a> {
    /// The request's path without its query, which could hold a key.
    pub path: &'a [u8],
    /// Envoy's `x-request-id`.
    pub request_id: Option<&'a [u8]>,
    /// Which format the caller understands.
    pub dialect: Dialect,
    /// The number of the operator's language that the caller reads best; see [`language::choose`].
    pub language: usize,
    /// The request's `origin`, where it is one that may read answers.
    pub origin: Option<&'a str>,
    /// The number of the JSON-RPC request, as JSON.
    pub rpc_id: Option<&'a str>,
    /// Deprecation headers and link, if the rule is deprecated.
    pub deprecated: Option<&'a Deprecation>,
}

/// How much of a path or a request's id is kept while the request waits, and repeated in a refusal, in bytes.
pub const MAX_REPEATED: usize = 1_024;
/// The retry delay while the ledger is unreachable (seconds).
const RETRY_AFTER: u32 = 1;

#[cfg(test)]
mod tests;
