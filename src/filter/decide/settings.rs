//! The filter's configuration. [`reading`] parses it and reports errors.

pub mod actions;
mod amount;
pub mod cors;
mod deprecation;
pub mod dialect;
mod matching;
pub mod meter;
pub mod prices;
mod reader;
mod reading;
pub mod refunds;
mod rule;
pub mod template;
pub mod texts;

use crate::decide::base::bytes::same;
use cors::Preflight;
pub use deprecation::Deprecation;
use dialect::Dialect;
use faregate_protocol::Credits;
use meter::Meter;
pub use reader::{Fault, SettingsError};
use refunds::Refunds;
use texts::Texts;

/// Everything that the operator configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How to reach the ledger.
    pub ledger: Ledger,
    /// The places of a caller's credential, in order.
    pub identities: Vec<Identity>,
    /// The rules: the first that matches decides.
    pub rules: Vec<Rule>,
    /// The rule for requests that match no other.
    pub default: Rule,
    /// Which headers about the payer are forwarded to the upstream.
    pub forward: Forward,
    /// Links and texts of refusals.
    pub wording: Wording,
    /// Which headers callers of paid requests get.
    pub shown: Shown,
    /// Whether callers may ask for their status.
    pub account_view: bool,
    /// Whether anybody may see the price list.
    pub publish_prices: bool,
    /// Origins whose pages may read the gate's answers; `*` means all.
    pub cors_origins: Vec<String>,
    /// How browsers' preflights are handled.
    pub preflight: Preflight,
    /// Whether Envoy passes on bodies of requests that are held back (`allow_on_headers_stop_iteration`).
    pub request_bodies: bool,
    /// Whether the caller's key is taken out of headers and cookies before the API sees them.
    pub hide_credentials: bool,
    /// Whether any rule records requests.
    pub records: bool,
    /// Whether the access log gets a note on ordinary admitted requests; all others always get one.
    pub log_paid: bool,
}

/// How to reach the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The Envoy cluster of the ledger's gateway API.
    pub cluster: String,
    /// The `:authority` of calls to it.
    pub authority: String,
    /// The gateway token.
    pub token: Token,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u32,
}

/// Where the gateway token comes from. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// Written in the configuration.
    Value(String),
    /// In this environment variable of the wasm VM.
    Env(String),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(…)"),
            Self::Env(name) => write!(f, "Env({name:?})"),
        }
    }
}

/// A possible place of a caller's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The API key is this header's value.
    Header(String),
    /// `Authorization: Bearer <API key>`.
    Bearer,
    /// The API key is this query parameter's value; it is removed before the upstream sees it.
    Query(String),
    /// The API key is this cookie's value.
    Cookie(String),
    /// A trusted subject is this Envoy attribute's value, such as a verified JWT claim or the SAN of a
    /// client certificate.
    Property(Vec<String>),
}

/// Links and texts of refusals: addresses, in which `{account}`, `{plan}`, `{key}` and `{code}` are filled in, and the operator's
/// custom texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// Where a caller can top up.
    pub top_up_url: Option<String>,
    /// Where a caller can get a bigger plan.
    pub upgrade_url: Option<String>,
    /// What a problem's `type` is.
    pub type_url: Option<String>,
    /// The operator's texts in place of the built-in ones.
    pub texts: Texts,
}

/// One line of the price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in reports and logs.
    pub name: String,
    /// Which requests it is for.
    pub matches: Match,
    /// What a request costs, or what is held for a metered one; `None` is free.
    pub price: Option<Credits>,
    /// How it is found out what a request really cost.
    pub meter: Option<Box<Meter>>,
    /// Its product; plans and keys list the products that they include.
    pub product: Option<String>,
    /// The status of rate-limited requests: 429, or 402.
    pub rate_limited_status: u16,
    /// The answers for which the charge is released.
    pub refund_on: Refunds,
    /// What to do when the ledger is unreachable.
    pub on_ledger_error: OnLedgerError,
    /// How long a request waits for credits that are on their way from another holder, in milliseconds.
    pub max_wait_ms: u32,
    /// The balance below which callers are warned; `None`: as their plan says.
    pub warn_below: Option<Credits>,
    /// Shadow mode: decide, count and log, but never refuse.
    pub shadow: bool,
    /// The format of refusals; `None`: picked from the request.
    pub error_format: Option<Dialect>,
    /// Which of its requests are recorded.
    pub record: Record,
    /// The notice to its callers, if it is deprecated.
    pub deprecated: Option<Deprecation>,
    /// The route is retired: requests are refused.
    pub retired: bool,
}

/// Which requests of a rule are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of which kind.
    pub calls: Recorded,
    /// One in so many of these.
    pub one_in: u32,
}

/// Kinds of requests that are recorded; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recorded {
    /// None.
    None,
    /// Those that are refused, or would be.
    Refused,
    /// Those whose cost is metered.
    Metered,
    /// All.
    All,
}

/// Which requests a rule matches: all given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The host alone, in lower case.
    pub host: Option<String>,
    /// The path without its query, in its canonical form.
    pub path: Option<PathMatch>,
    /// One of these methods; empty means any. With `GET` there is `HEAD`.
    pub methods: Vec<String>,
    /// All of these headers.
    pub headers: Vec<HeaderMatch>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Segment by segment, where `None` matches any one non-empty segment.
    Template(Vec<Option<String>>),
}

impl PathMatch {
    /// Whether a path matches.
    #[expect(
        clippy::inline_always,
        reason = "behind many rules a call for each costs more than the comparison"
    )]
    #[inline(always)]
    pub fn holds(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => path.len() == exact.len() && same(path, exact.as_bytes()),
            Self::Prefix(prefix) => path.len() >= prefix.len() && path.starts_with(prefix.as_bytes()),
            Self::Template(segments) => {
                let mut parts = path.split(|b| *b == b'/');
                segments.iter().all(|segment| match (segment, parts.next()) {
                    (Some(text), Some(part)) => part == text.as_bytes(),
                    (None, Some(part)) => !part.is_empty(),
                    (_, None) => false,
                }) && parts.next().is_none()
            }
        }
    }
}

/// A header that must be there, and perhaps its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name in lower case.
    pub name: String,
    /// Its exact value; `None` is satisfied by presence.
    pub exact: Option<String>,
}

/// What to do with a request that needs the ledger while the ledger is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLedgerError {
    /// Refuse it with 503.
    Refuse,
    /// Admit known payers up to this amount each, and settle it afterwards.
    AllowUpTo(Credits),
}

/// What is forwarded to the upstream, each in a header of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// `x-faregate-account`.
    pub account: bool,
    /// `x-faregate-key`: the key's identifier, not the key.
    pub key: bool,
    /// `x-faregate-plan`.
    pub plan: bool,
    /// `x-faregate-charge`: the price, as a decimal string.
    pub charge: bool,
}

/// What headers tell callers about requests that they paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// `x-faregate-charge`: what it cost.
    pub charge: bool,
    /// `x-faregate-balance`: what is left.
    pub balance: bool,
    /// `ratelimit-policy` and `ratelimit`.
    pub ratelimit: bool,
}

impl Settings {
    /// The rule by its number, as `rules::find` gives it.
    pub fn rule(&self, number: usize) -> &Rule {
        self.rules.get(number).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests;
