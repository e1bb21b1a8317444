//! Reads the configuration, and reports what is wrong with it.
//!
//! What must hold: for any JSON, the result is either complete settings or one message that
//! names the field's path, the value found there and what is allowed. An unknown field is an error, because
//! a misspelt `price` must not make a route free.

use super::reader::{self, Faults, Field, Object, SettingsError};
use super::{
    Forward, Identity, Ledger, Recorded, Rule, Settings, Shown, Token, Wording, cors, matching, rule, texts,
};
use crate::decide::base::json::{self, Json};
use crate::decide::base::protobuf;
use crate::decide::base::text::visible;

const TOP: [&str; 25] = [
    "ledger",
    "identities",
    "rules",
    "default",
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
    "record",
    "log_paid",
    "request_bodies",
    "hide_credentials",
    "refund_on",
    "on_ledger_error",
    "max_wait_ms",
    "shadow",
    "$comment",
];

impl Settings {
    /// Reads the configuration as Envoy passes it: the bytes of a JSON object, or of a
    /// `google.protobuf.Struct`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    #[inline(never)]
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SettingsError> {
        Self::read_slice(bytes, 1).map_err(first)
    }

    #[inline(never)]
    fn read_slice(bytes: &[u8], most: usize) -> Result<Self, Vec<SettingsError>> {
        match json::parse(bytes) {
            Ok(value) => Self::read(&value, most),
            Err(why) => match protobuf::read_struct(bytes).filter(|_| !bytes.is_empty()) {
                Some(value) => Self::read(&value, most),
                None => Err(vec![SettingsError::new(
                    "(configuration)",
                    &format!("text that is no JSON (see {})", why.place(bytes)),
                    "a JSON object in a StringValue, or a Struct",
                )]),
            },
        }
    }

    /// Reads the configuration from what another program parsed.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_value(value: &serde_json::Value) -> Result<Self, SettingsError> {
        Self::read(&value.into(), 1).map_err(first)
    }

    /// The same, for people who correct it.
    ///
    /// # Errors
    /// All that is wrong, but at most 100 faults.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check(value: &serde_json::Value) -> Result<Self, Vec<SettingsError>> {
        Self::read(&value.into(), MOST_FAULTS)
    }

    /// [`Settings::from_slice`], for people who correct it.
    ///
    /// # Errors
    /// All that is wrong, but at most 100 faults.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn check_slice(bytes: &[u8]) -> Result<Self, Vec<SettingsError>> {
        Self::read_slice(bytes, MOST_FAULTS)
    }

    fn read(value: &Json, most: usize) -> Result<Self, Vec<SettingsError>> {
        let faults = Faults::new(most);
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
        let default = rule::read_default(&top.required("default"), &defaults);
        let request_bodies = top.flag("request_bodies", false);
        let needs_body = |rule: &Rule| rule.meter.as_ref().is_some_and(|meter| meter.max_body().is_some());
        if !request_bodies && (rules.iter().any(needs_body) || needs_body(&default)) {
            top.absent("request_bodies").wrong(
                "nothing, or false; but the price of a rule depends on the request's body",
                "true, together with allow_on_headers_stop_iteration in Envoy's configuration of the filter",
            );
        }
        let records = |rule: &Rule| rule.record.calls > Recorded::None;
        Self {
            records: rules.iter().any(records) || records(&default),
            ledger: read_ledger(&top.required("ledger")),
            identities: read_identities(&identities),
            rules,
            default,
            forward: read_forward(top.optional("forward")),
            cors_origins,
            preflight,
            shown: read_shown(top.optional("response_headers")),
            account_view: top.flag("account_view", true),
            publish_prices: top.flag("publish_prices", false),
            request_bodies,
            hide_credentials: top.flag("hide_credentials", false),
            log_paid: top.flag("log_paid", false),
            wording: read_wording(top),
        }
    }
}

/// The most faults that are shown of a configuration.
#[cfg(not(target_arch = "wasm32"))]
const MOST_FAULTS: usize = 100;

fn first(faults: Vec<SettingsError>) -> SettingsError {
    let first = faults.into_iter().next();
    first.unwrap_or_else(|| SettingsError::new("(configuration)", "a fault", "none"))
}

#[inline(never)]
fn read_rules(top: &Object<'_>, defaults: &rule::Defaults) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let Some(field) = top.optional("rules") else {
        return rules;
    };
    for (number, item) in field.list(reader::MAX_RULES).enumerate() {
        let before = item.faults();
        let rule = rule::read(&item, number, defaults);
        // What it matches isn't known then.
        if item.faults() > before {
            continue;
        }
        if rules.iter().any(|other| other.name == rule.name) || rule.name == rule::DEFAULT_RULE {
            item.wrong(
                &format!("the name {} a second time", visible(&rule.name)),
                "a name of its own for each rule",
            );
        }
        if let Some(other) = rules.iter().find(|other| matching::covers(&other.matches, &rule.matches)) {
            item.wrong(
                &format!(
                    "a rule that no request reaches: all that it matches falls under {}",
                    visible(&other.name)
                ),
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
    let address = |name| top.optional(name).map(|field| field.url());
    Wording {
        top_up_url: address("top_up_url"),
        upgrade_url: address("upgrade_url"),
        type_url: address("problem_type_url"),
        texts: top.optional("texts").map(|field| texts::read(&field)).unwrap_or_default(),
    }
}
