//! The one place that words a refusal: cause → status, headers and a body that its reader understands.
//!
//! What must hold: a caller is told to pay only when paying cures it, and to come back only when waiting
//! does; every dialect says the same. Nothing of the caller's or the operator's is repeated except where the format at
//! hand escapes it.
//!
//! - [`cause`]: the table of causes; [`words`]: what a person reads, and what cures it; `guide`: what `faregate explain`
//!   says, which is not in the filter.
//! - [`language`]: which of the operator's languages; [`own`]: the operator's own words instead.
//! - [`dialect`] and [`rpc`]: which format; [`shapes`] and [`html`]: the formats; [`link`]: addresses and texts with blanks
//!   to fill in.

pub mod cause;
pub mod dialect;
#[cfg(not(target_arch = "wasm32"))]
pub mod guide;
mod html;
pub mod language;
pub mod link;
mod own;
pub mod rpc;
mod shapes;
mod words;

use super::lease::{Told, Wait};
use super::settings::texts::OTHERS;
use super::settings::{Deprecation, Wording};
use super::standing::{self, Policy};
use dialect::Dialect;
use faregate_protocol::exchange::{Facts, Limits, Reset};
use faregate_protocol::{Credits, RefusalCode};
use serde::Serialize;
pub(super) use shapes::quoted;
pub use words::ACTIONS;
use words::{Remedy, Words};

/// A refusal before it is worded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// What the request costs, where a rule was reached.
    pub needed: Option<Credits>,
    /// What the payer could still spend, where it is known.
    pub available: Option<Credits>,
    /// When more comes by itself.
    pub reset: Option<Reset>,
    /// Whether buying credits cures it.
    pub top_up: bool,
    /// The status, where the rule says another than the cause.
    pub status: Option<u16>,
    /// How long one who came too fast should stay away, in seconds.
    pub wait_s: u32,
    /// The limits of the plan of one who came too fast.
    pub limits: Limits,
    /// Whether that one ran into the limit of requests at the same time.
    pub crowded: bool,
    /// A narrower reason, for a person.
    pub hint: Option<&'static str>,
    /// Who is refused, where that is known: for the operator's log, not for the answer.
    pub payer: Option<Facts>,
    /// Whether the caller is known by an identity that Envoy vouches for, so that no other key can help.
    pub vouched: bool,
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
            payer: None,
            vouched: false,
            rule: None,
        }
    }

    /// For one who came too fast, to whom this was told of its plan.
    pub fn throttled(wait: Wait, told: Option<Told>) -> Self {
        let wait_s = u32::try_from(wait.ms().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        let limits = told.map(|told| told.limits).unwrap_or_default();
        Self { wait_s, limits, crowded: wait == Wait::Crowd, ..Self::plain(RefusalCode::RateLimited) }
    }

    /// The quota or the limits that stand in the way, as far as they are known.
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

    /// When waiting alone cures it.
    fn cured_at(&self) -> Option<&Reset> {
        self.reset.as_ref().filter(|reset| self.needed.is_none_or(|needed| needed <= reset.brings))
    }

    /// Whether the same request may pass in a moment.
    fn is_retryable(&self) -> bool {
        matches!(self.code, RefusalCode::LedgerUnavailable | RefusalCode::RateLimited)
    }

    /// After how many seconds that, or waiting, cures it.
    fn retry_after(&self) -> Option<u64> {
        if self.is_retryable() {
            return Some(u64::from(self.wait_s));
        }
        self.cured_at().map(|reset| reset.in_s)
    }
}

/// What surrounds the refused request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
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
    /// What else is told, because the rule is on its way out.
    pub deprecated: Option<&'a Deprecation>,
}

/// A refusal ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; of a gRPC answer, its message.
    pub body: String,
    /// The status of a gRPC answer, which has its own way out.
    pub grpc: Option<u8>,
}

/// The members of the body; see `docs/refusals.md`.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: RefusalCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<&'a str>,
    retryable: bool,
    remedies: &'a [Remedy<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// How much of a path or a request's id is kept while the request waits, and repeated in a refusal, in bytes.
pub const MOST_REPEATED: usize = 1_024;
/// How long a caller is asked to stay away when the ledger is (seconds).
const RETRY_AFTER: u32 = 1;
/// What a page from an allowed origin may read of a refusal's headers.
const EXPOSED: &str = "link, retry-after, www-authenticate, x-should-retry, ratelimit, ratelimit-policy, grpc-status, grpc-message, faregate-code, deprecation, sunset";

/// Words a refusal.
pub fn answer(refusal: &Refusal, around: &Surroundings<'_>, wording: &Wording) -> Answer {
    let status = refusal.status.unwrap_or(cause::of(refusal.code).status);
    let retryable = refusal.is_retryable();
    let words = words::of(refusal, around, wording);
    let mut headers = Vec::new();
    set(&mut headers, "cache-control", "no-store");
    if status == 401 {
        set(&mut headers, "www-authenticate", "Bearer realm=\"faregate\"");
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.push(("retry-after", seconds.to_string()));
    }
    if !retryable {
        set(&mut headers, "x-should-retry", "false");
    }
    if let Some(url) = words.payment() {
        headers.push(("link", format!("<{url}>; rel=\"payment\"")));
    }
    for (name, value) in around.deprecated.map_or(&[][..], |deprecated| &deprecated.headers) {
        if !value.is_empty() {
            set(&mut headers, name, value);
        }
    }
    headers.extend(standing::fields(refusal.policies()));
    let by_language = !wording.texts.is_empty();
    if by_language && words.language != OTHERS {
        set(&mut headers, "content-language", words.language);
    }
    readable_for(around.origin, by_language, &mut headers);
    let problem = problem(refusal, around, wording, &words, (status, retryable));
    shapes::answer(around, refusal.code, status, &words, &problem, headers)
}

/// Lets a page of this origin read an answer, which others may get in another language.
#[inline(never)]
pub fn readable_for(origin: Option<&str>, by_language: bool, headers: &mut Vec<(&'static str, String)>) {
    if let Some(origin) = origin {
        set(headers, "access-control-allow-origin", origin);
        set(headers, "access-control-expose-headers", EXPOSED);
    }
    match (by_language, origin) {
        (true, Some(_)) => set(headers, "vary", "accept-language, origin"),
        (true, None) => set(headers, "vary", "accept-language"),
        (false, Some(_)) => set(headers, "vary", "origin"),
        (false, None) => {}
    }
}

/// Compiled once, because there are many headers.
#[inline(never)]
fn set(headers: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    headers.push((name, value.to_owned()));
}

#[inline(never)]
fn problem(
    refusal: &Refusal,
    around: &Surroundings<'_>,
    wording: &Wording,
    words: &Words<'_>,
    (status, retryable): (u16, bool),
) -> String {
    let lossy =
        |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..MOST_REPEATED).unwrap_or(bytes)).into_owned();
    let amounts = refusal.code.is_short();
    let problem = Problem {
        r#type: match &wording.type_url {
            Some(template) => link::fill(template, refusal),
            None => format!("urn:faregate:refusal:{}", refusal.code),
        },
        title: &words.title,
        status,
        detail: &words.detail,
        instance: lossy(around.path),
        code: refusal.code,
        needed: refusal.needed.filter(|_| amounts).map(|credits| credits.to_string()),
        available: refusal.available.filter(|_| amounts).map(|credits| credits.to_string()),
        unit: amounts.then_some("credits"),
        resets_at: refusal.reset.as_ref().map(|reset| reset.at.as_str()),
        retryable,
        remedies: &words.remedies,
        request_id: around.request_id.map(lossy),
    };
    // Serialising plain strings and numbers has no way to fail.
    serde_json::to_string(&problem).unwrap_or_default()
}

/// All parts in one: compiled once, because formats are made of many.
#[inline(never)]
pub(super) fn joined(parts: &[&str]) -> String {
    let mut out = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests;
