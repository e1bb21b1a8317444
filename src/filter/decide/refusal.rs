//! The one place that words a refusal: cause → status, headers and a body that its reader understands.
//!
//! What must hold: a caller is told to pay only when paying cures it, and to come back only when waiting
//! does; every dialect says the same. Nothing of the caller's or the operator's is repeated except where the format at
//! hand escapes it.
//!
//! - [`RefusalCode`]: the table of causes; [`words`]: what a person reads, and what cures it; `guide`: what `faregate explain`
//!   says beyond that, which is not in the filter.
//! - [`language`]: which of the operator's languages; [`own`]: the operator's own words instead.
//! - [`dialect`] and [`rpc`]: which format; [`shapes`] and [`html`]: the formats; [`link`]: addresses and texts with blanks
//!   to fill in.
//! - [`form`]: an answer as it is sent, with gaps for what is the request's own; [`kept`]: those of a moment ago.

pub mod dialect;
pub mod form;
#[cfg(not(target_arch = "wasm32"))]
pub mod guide;
mod html;
pub mod kept;
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
use form::{Form, Gap, Headers, Text};
pub(super) use shapes::quoted;
use std::rc::Rc;
pub use words::ACTIONS;
use words::Words;

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
    pub payer: Option<Rc<Facts>>,
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

    /// What Envoy's access log says of it, as the details of the response's code: no spaces, which Envoy has none of there.
    pub fn details(&self) -> String {
        let code = self.code.as_str();
        match &self.payer {
            Some(payer) => {
                joined(&["faregate{decision=", code, ",account=", &payer.account, ",key=", &payer.key, "}"])
            }
            None => joined(&["faregate{decision=", code, "}"]),
        }
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

/// A refusal as its reader gets it.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; of a gRPC answer, its message.
    pub body: String,
    /// The status of a gRPC answer, which has its own way out.
    pub grpc: Option<u8>,
}

/// How much of a path or a request's id is kept while the request waits, and repeated in a refusal, in bytes.
pub const MOST_REPEATED: usize = 1_024;
/// How long a caller is asked to stay away when the ledger is (seconds).
const RETRY_AFTER: u32 = 1;
/// What a page from an allowed origin may read of a refusal's headers.
const EXPOSED: &str = "link, retry-after, www-authenticate, x-should-retry, ratelimit, ratelimit-policy, grpc-status, grpc-message, faregate-code, deprecation, sunset, etag";

/// Words a refusal, and tells it to this reader.
#[cfg(not(target_arch = "wasm32"))]
pub fn answer(refusal: &Refusal, around: &Surroundings<'_>, wording: &Wording) -> Answer {
    let form = write(refusal, around, wording);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let read = super::request::Head::read(&form.headers);
    Answer {
        status: form.status,
        headers: read.all().map(|(name, value)| (text(name), text(value))).collect(),
        body: text(&form.body(around)),
        grpc: form.grpc,
    }
}

/// Words a refusal for such a reader.
#[inline(never)]
fn write(refusal: &Refusal, around: &Surroundings<'_>, wording: &Wording) -> Form {
    let status = refusal.status.unwrap_or(refusal.code.status());
    let retryable = refusal.is_retryable();
    let words = words::of(refusal, around, wording);
    let mut headers = Headers::default();
    headers.add("cache-control", &["no-store"]);
    if status == 401 {
        headers.add("www-authenticate", &["Bearer realm=\"faregate\""]);
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.add("retry-after", &[&seconds.to_string()]);
    }
    if !retryable {
        headers.add("x-should-retry", &["false"]);
    }
    if let Some(url) = words.payment() {
        headers.add("link", &["<", url, ">; rel=\"payment\""]);
    }
    for (name, value) in around.deprecated.map_or(&[][..], |deprecated| &deprecated.headers) {
        if !value.is_empty() {
            headers.add(name, &[value]);
        }
    }
    for (name, value) in standing::fields(refusal.policies()) {
        headers.add(name, &[&value]);
    }
    let by_language = !wording.texts.is_empty();
    if by_language && words.language != OTHERS {
        headers.add("content-language", &[words.language]);
    }
    // No page reads gRPC itself.
    let exposed = around.origin.filter(|_| around.dialect != Dialect::Grpc);
    readable_for(exposed, around.origin.is_some(), by_language, &mut headers);
    let problem = |to: &mut Text| problem(to, refusal, wording, &words, (status, retryable));
    shapes::form(around.dialect, refusal.code, status, &words, &problem, headers)
}

/// Lets a page of this origin read an answer. Others may get it in another language, or get another one.
#[inline(never)]
pub fn readable_for(origin: Option<&str>, by_origin: bool, by_language: bool, headers: &mut Headers) {
    if let Some(origin) = origin {
        headers.add("access-control-allow-origin", &[origin]);
        headers.add("access-control-expose-headers", &[EXPOSED]);
    }
    let vary = match (by_language, by_origin) {
        (true, true) => "accept-language, origin",
        (true, false) => "accept-language",
        (false, true) => "origin",
        (false, false) => return,
    };
    headers.add("vary", &[vary]);
}

/// Writes the members of the body, but for the brace in front; see `docs/refusals.md`.
#[inline(never)]
fn problem(
    to: &mut Text,
    refusal: &Refusal,
    wording: &Wording,
    words: &Words<'_>,
    (status, retryable): (u16, bool),
) {
    let code = refusal.code.as_str();
    let kind = match &wording.type_url {
        Some(template) => link::fill(template, refusal),
        None => joined(&["urn:faregate:refusal:", code]),
    };
    to.member("\"type\":", &kind);
    to.member(",\"title\":", &words.title);
    to.push(",\"status\":");
    to.push(&status.to_string());
    to.member(",\"detail\":", &words.detail);
    to.push(",\"instance\":");
    to.gap(Gap::Path);
    to.member(",\"code\":", code);
    if refusal.code.is_short() {
        for (name, amount) in [(",\"needed\":", refusal.needed), (",\"available\":", refusal.available)] {
            if let Some(amount) = amount {
                to.member(name, &amount.to_string());
            }
        }
        to.member(",\"unit\":", "credits");
    }
    if let Some(reset) = &refusal.reset {
        to.member(",\"resets_at\":", &reset.at);
    }
    to.push(if retryable { ",\"retryable\":true" } else { ",\"retryable\":false" });
    to.push(",\"remedies\":[");
    for (number, remedy) in words.remedies.iter().enumerate() {
        if number > 0 {
            to.push(",");
        }
        remedy.write(to);
    }
    to.push("]");
    to.gap(Gap::RequestId);
    to.push("}");
}

/// All parts in one: compiled once, because formats are made of many.
#[inline(never)]
pub fn joined(parts: &[&str]) -> String {
    let mut out = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests;
