//! The filter's configuration: what an operator may write, and what is said when it is wrong.
//!
//! What must hold: whatever JSON comes in, the answer is either complete settings or one message that
//! names the field's path, what was found there and what is allowed. An unknown field is an error, because
//! a misspelt `price` must not make a route free.

pub mod cors;
mod deprecation;
mod matching;
pub(super) mod protobuf;
mod reader;
mod rule;
pub mod texts;

use super::json::{self, Json};
use super::refunds::Refunds;
use super::refusal::dialect::Dialect;
use super::refusal::link;
use cors::Preflight;
pub use deprecation::Deprecation;
use faregate_protocol::Credits;
pub use reader::{Fault, SettingsError};
use reader::{Faults, Field, Object};
use texts::Texts;

/// Everything that the operator configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How to reach the ledger.
    pub ledger: Ledger,
    /// Where a caller's credential is looked for, in order.
    pub identities: Vec<Identity>,
    /// Which requests cost what: the first that matches decides.
    pub rules: Vec<Rule>,
    /// What holds for requests that no rule matches.
    pub otherwise: Rule,
    /// What the upstream is told about who paid.
    pub forward: Forward,
    /// What refusals refer to.
    pub wording: Wording,
    /// What headers tell callers about requests that they paid.
    pub shown: Shown,
    /// Whether callers may ask how they stand.
    pub account_view: bool,
    /// Whether anybody may see the price list.
    pub publish_prices: bool,
    /// Origins whose pages may read what the gate says; `*` stands for all.
    pub cors_origins: Vec<String>,
    /// What becomes of browsers' preflights.
    pub preflight: Preflight,
    /// Whether Envoy shows bodies of requests that are held back (`allow_on_headers_stop_iteration`).
    pub request_bodies: bool,
    /// Whether the caller's key is taken out of headers and cookies before the API sees them.
    pub hide_credentials: bool,
    /// Whether the access log gets a note on what went through as it should; on all else it always does.
    pub log_paid: bool,
}

/// How to reach the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The Envoy cluster of the ledger's gateway API.
    pub cluster: String,
    /// The `:authority` of calls to it.
    pub authority: String,
    /// What proves that we are a gateway.
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

/// A place where a caller's credential may stand.
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

/// What refusals refer to: addresses, in which `{account}`, `{plan}`, `{key}` and `{code}` are filled in, and the operator's
/// own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// Where a caller can top up.
    pub top_up_url: Option<String>,
    /// Where a caller can get a bigger plan.
    pub upgrade_url: Option<String>,
    /// What a problem's `type` is.
    pub type_url: Option<String>,
    /// What refusals say instead of the built-in words.
    pub texts: Texts,
}

/// One line of the price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How reports and logs call it.
    pub name: String,
    /// Which requests it is for.
    pub matches: Match,
    /// What a request costs; `None` is free.
    pub price: Option<Credits>,
    /// What of the seller's it is for; plans and keys say which products they are good for.
    pub product: Option<String>,
    /// The status of those who come too fast: 429, or 402.
    pub rate_limited_status: u16,
    /// The answers for which the charge is released.
    pub refund_on: Refunds,
    /// What happens when the ledger can't be asked.
    pub on_ledger_error: OnLedgerError,
    /// How long a request waits for credits that are on their way from another holder, in milliseconds.
    pub patience_ms: u32,
    /// Below which balance callers are warned; `None`: as their plan says.
    pub warn_below: Option<Credits>,
    /// Judge, count and log, but never refuse.
    pub shadow: bool,
    /// In which format refusals are told; `None`: as the request shows.
    pub error_format: Option<Dialect>,
    /// What callers are told of it where it is on its way out.
    pub deprecated: Option<Deprecation>,
    /// Nothing is sold here any more.
    pub retired: bool,
}

/// Which requests a rule is for: all that is given must hold.
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
    /// Segment by segment, where `None` stands for any one non-empty segment.
    Template(Vec<Option<String>>),
}

/// A header that must be there, and perhaps its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name in lower case.
    pub name: String,
    /// Its exact value; `None` is satisfied by presence.
    pub exact: Option<String>,
}

/// What happens to a request that needs the ledger when the ledger can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLedgerError {
    /// Refuse it with 503.
    Refuse,
    /// Let known payers through up to this amount each, and settle it afterwards.
    AllowUpTo(Credits),
}

/// What the upstream is told, each in a header of its own.
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

const TOP: [&str; 24] = [
    "ledger",
    "identities",
    "rules",
    "otherwise",
    "forward",
    "top_up_url",
    "upgrade_url",
    "problem_type_url",
    "texts",
    "cors_origins",
    "preflight",
    "response_headers",
    "account_view",
    "publish_prices",
    "warn_below",
    "error_format",
    "log_paid",
    "request_bodies",
    "hide_credentials",
    "refund_on",
    "on_ledger_error",
    "patience_ms",
    "shadow",
    "$comment",
];

impl Settings {
    /// Reads the configuration as Envoy passes it: the bytes of a JSON object, or of a
    /// `google.protobuf.Struct`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SettingsError> {
        match json::parse(bytes) {
            Ok(value) => Self::read(&value),
            Err(why) => match protobuf::read_struct(bytes).filter(|_| !bytes.is_empty()) {
                Some(value) => Self::read(&value),
                None => Err(SettingsError::new(
                    "(configuration)",
                    &format!("text that is no JSON ({why})"),
                    "a JSON object in a StringValue, or a Struct",
                )),
            },
        }
    }

    /// Reads the configuration from what another program parsed.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_value(value: &serde_json::Value) -> Result<Self, SettingsError> {
        Self::read(&value.into())
    }

    fn read(value: &Json) -> Result<Self, SettingsError> {
        let faults = Faults::default();
        let root = Field::root(value, &faults);
        let settings = Self::of(&root.object(&TOP));
        faults.or(settings)
    }

    // Here and below in pieces, because Envoy compiles each function in one piece. The order is that in which faults
    // are found.
    #[inline(never)]
    fn of(top: &Object<'_>) -> Self {
        let defaults = rule::Defaults::read(top);
        let rules = read_rules(top, &defaults);
        let identities = top.required("identities");
        if identities.items(reader::MAX_IDENTITIES).is_empty() {
            identities.wrong("an empty list", "at least one place to look for a credential");
        }
        let (cors_origins, preflight) = cors::read(top);
        Self {
            ledger: read_ledger(&top.required("ledger")),
            identities: read_identities(&identities),
            rules,
            otherwise: rule::read_otherwise(&top.required("otherwise"), &defaults),
            forward: read_forward(top.optional("forward")),
            cors_origins,
            preflight,
            shown: read_shown(top.optional("response_headers")),
            account_view: top.flag("account_view", true),
            publish_prices: top.flag("publish_prices", false),
            request_bodies: top.flag("request_bodies", false),
            hide_credentials: top.flag("hide_credentials", false),
            log_paid: top.flag("log_paid", false),
            wording: read_wording(top),
        }
    }

    /// The rule by its number, as [`crate::decide::rules::find`] gives it.
    pub fn rule(&self, number: usize) -> &Rule {
        self.rules.get(number).unwrap_or(&self.otherwise)
    }
}

#[inline(never)]
fn read_rules(top: &Object<'_>, defaults: &rule::Defaults) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let Some(field) = top.optional("rules") else {
        return rules;
    };
    for (number, item) in field.list(reader::MAX_RULES).enumerate() {
        let rule = rule::read(&item, number, defaults);
        if rules.iter().any(|other| other.name == rule.name) || rule.name == rule::OTHERWISE {
            item.wrong(&format!("the name {:?} a second time", rule.name), "a name of its own for each rule");
        }
        if let Some(other) = rules.iter().find(|other| matching::covers(&other.matches, &rule.matches)) {
            item.wrong(
                &format!("a rule that no request reaches: all that it matches falls under {:?}", other.name),
                "the narrower rule before the wider, or one of the two alone",
            );
        }
        rules.push(rule);
    }
    rules
}

#[inline(never)]
fn read_ledger(field: &Field<'_>) -> Ledger {
    let ledger = field.object(&["cluster", "authority", "token", "timeout_ms"]);
    let cluster = ledger.required("cluster").text(256);
    let authority = match ledger.optional("authority") {
        Some(field) => field.header_value(),
        None => cluster.clone(),
    };
    let token = read_token(&ledger.required("token"));
    let timeout_ms = ledger.optional("timeout_ms").map_or(500, |field| field.integer(1, 60_000));
    Ledger { cluster, authority, token, timeout_ms }
}

#[inline(never)]
fn read_token(field: &Field<'_>) -> Token {
    let allowed = "{\"env\": NAME} for an environment variable of the VM, or {\"value\": TOKEN}";
    if !field.is_object() {
        // The found value may be the token itself: it must not reach a log.
        field.wrong(field.kind(), allowed);
    }
    let token = field.object(&["env", "value"]);
    match (token.optional("env"), token.optional("value")) {
        (Some(name), None) => Token::Env(name.text(256)),
        (None, Some(value)) => Token::Value(value.secret()),
        _ => {
            field.wrong("both or neither of env and value", allowed);
            Token::Env(String::new())
        }
    }
}

#[inline(never)]
fn read_identities(field: &Field<'_>) -> Vec<Identity> {
    field.list(reader::MAX_IDENTITIES).map(|item| read_identity(&item)).collect()
}

#[inline(never)]
fn read_identity(field: &Field<'_>) -> Identity {
    let allowed = "exactly one of {\"header\": NAME}, {\"bearer\": true}, {\"query\": NAME}, {\"cookie\": NAME}, {\"property\": [PATH …]}";
    let object = field.object(&["header", "bearer", "query", "cookie", "property"]);
    let Some(value) = object.single(allowed) else {
        return Identity::Bearer;
    };
    match value.name() {
        "header" => Identity::Header(value.header_name()),
        "query" => Identity::Query(value.token_name()),
        "cookie" => Identity::Cookie(value.token_name()),
        "property" => {
            let path = value.texts(16, |part| part.text(256));
            if path.is_empty() {
                value.wrong(
                    "an empty list",
                    "the segments of an attribute, such as [\"connection\", \"uri_san_peer_certificate\"]",
                );
            }
            Identity::Property(path)
        }
        _ => {
            if !value.boolean() {
                value.wrong("false", "true, or no such entry");
            }
            Identity::Bearer
        }
    }
}

#[inline(never)]
fn read_forward(field: Option<Field<'_>>) -> Forward {
    let mut forward = Forward { account: field.is_none(), key: false, plan: false, charge: false };
    for item in field.iter().flat_map(|field| field.list(4)) {
        match item.text(16).as_str() {
            "account" => forward.account = true,
            "key" => forward.key = true,
            "plan" => forward.plan = true,
            "charge" => forward.charge = true,
            other => item.wrong_text(other, "\"account\", \"key\", \"plan\" or \"charge\""),
        }
    }
    forward
}

#[inline(never)]
fn read_shown(field: Option<Field<'_>>) -> Shown {
    let mut shown = Shown::default();
    for item in field.iter().flat_map(|field| field.list(3)) {
        match item.as_str() {
            Some("charge") => shown.charge = true,
            Some("balance") => shown.balance = true,
            Some("ratelimit") => shown.ratelimit = true,
            _ => item.wrong_value("\"charge\", \"balance\" or \"ratelimit\""),
        }
    }
    shown
}

#[inline(never)]
fn read_wording(top: &Object<'_>) -> Wording {
    let address = |name| top.optional(name).map(|field| read_url(&field));
    Wording {
        top_up_url: address("top_up_url"),
        upgrade_url: address("upgrade_url"),
        type_url: address("problem_type_url"),
        texts: top.optional("texts").map(|field| texts::read(&field)).unwrap_or_default(),
    }
}

#[inline(never)]
fn read_url(field: &Field<'_>) -> String {
    let url = field.header_value();
    let plain =
        link::is_sound(&url, &link::IN_ADDRESSES, |b| b.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&b));
    if !plain || !(url.starts_with("https://") || url.starts_with("http://")) {
        field.wrong_text(&url, "an absolute URL such as \"https://example.com/topup\"");
    }
    url
}

#[cfg(test)]
mod tests;
