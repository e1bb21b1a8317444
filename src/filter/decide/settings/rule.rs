//! Reading one rule of the price list, and the defaults that the top level sets for all of them.

use super::reader::{Field, Object};
use super::{HeaderMatch, Match, OnLedgerError, PathMatch, Rule, StatusSet, deprecation};
use crate::decide::refusal::dialect::{self, Dialect};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{MAX_PRODUCT_BYTES, MAX_UNGRANTED};

/// The name under which requests that no rule matches are reported.
pub(super) const OTHERWISE: &str = "otherwise";

/// A recall reaches the gateway that holds the credits with its next beat, after a second at most. So a request
/// that waits for them must wait longer than that.
const PATIENCE_MS: u32 = 2_000;

const PRICE: &str = "a decimal string such as \"1\" or \"0.5\", or \"free\"";
const STATUS: &str = "a status from 100 to 599, or a class such as \"5xx\"";

/// What a rule takes over where it says nothing itself.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    refund_on: StatusSet,
    on_ledger_error: OnLedgerError,
    patience_ms: u32,
    shadow: bool,
    warn_below: Option<Credits>,
    error_format: Option<Dialect>,
}

impl Defaults {
    pub(super) fn read(object: &Object<'_>) -> Self {
        let mut gateway_failures = StatusSet::default();
        for status in [502, 503, 504] {
            gateway_failures.insert(status);
        }
        let mut defaults = Self {
            refund_on: gateway_failures,
            on_ledger_error: OnLedgerError::Refuse,
            patience_ms: PATIENCE_MS,
            shadow: false,
            warn_below: None,
            error_format: None,
        };
        defaults.override_by(object);
        defaults
    }

    #[inline(never)]
    fn override_by(&mut self, object: &Object<'_>) {
        if let Some(field) = object.optional("refund_on") {
            self.refund_on = read_statuses(&field);
        }
        if let Some(field) = object.optional("on_ledger_error") {
            self.on_ledger_error = read_on_ledger_error(&field);
        }
        if let Some(field) = object.optional("patience_ms") {
            self.patience_ms = field.integer(0, 60_000);
        }
        self.shadow = object.flag("shadow", self.shadow);
        if let Some(field) = object.optional("warn_below") {
            self.warn_below = Some(read_amount(&field));
        }
        if let Some(field) = object.optional("error_format") {
            self.error_format = read_format(&field);
        }
    }
}

/// What only `rules` may say, and what `otherwise` may, too.
const ALLOWED: [&str; 14] = [
    "name",
    "match",
    "price",
    "product",
    "rate_limited_status",
    "refund_on",
    "on_ledger_error",
    "patience_ms",
    "shadow",
    "warn_below",
    "error_format",
    "deprecated",
    "retired",
    "$comment",
];

/// Reads `rules[number]`.
pub(super) fn read(field: &Field<'_>, number: usize, defaults: &Defaults) -> Rule {
    let rule = field.object(&ALLOWED);
    let name = match rule.optional("name") {
        Some(field) => field.rule_name(),
        None => format!("rule-{}", number + 1),
    };
    let matches = rule.optional("match").map(|field| read_match(&field)).unwrap_or_default();
    build(name, matches, Some(&rule), *defaults)
}

/// Reads `otherwise`: `"free"`, or an object with a price and what a rule may override.
pub(super) fn read_otherwise(field: &Field<'_>, defaults: &Defaults) -> Rule {
    let free = field.as_str() == Some("free");
    if !free && !field.is_object() {
        field.wrong_value("\"free\", or an object such as {\"price\": \"1\"}");
    }
    let [_, _, allowed @ ..] = &ALLOWED;
    let rule = (!free).then(|| field.object(allowed));
    build(OTHERWISE.to_owned(), Match::default(), rule.as_ref(), *defaults)
}

/// A rule; one that says nothing is free.
#[inline(never)]
fn build(name: String, matches: Match, said: Option<&Object<'_>>, defaults: Defaults) -> Rule {
    let mut rule = Rule {
        name,
        matches,
        price: None,
        product: None,
        rate_limited_status: 429,
        refund_on: defaults.refund_on,
        on_ledger_error: defaults.on_ledger_error,
        patience_ms: defaults.patience_ms,
        shadow: defaults.shadow,
        warn_below: defaults.warn_below,
        error_format: defaults.error_format,
        deprecated: None,
        retired: false,
    };
    if let Some(said) = said {
        read_into(&mut rule, said, defaults);
    }
    rule
}

fn read_into(rule: &mut Rule, said: &Object<'_>, mut defaults: Defaults) {
    rule.retired = said.flag("retired", false);
    // What nobody gets any more needs no price.
    if !rule.retired || said.optional("price").is_some() {
        rule.price = read_price(&said.required("price"));
    }
    defaults.override_by(said);
    let Defaults { refund_on, on_ledger_error, patience_ms, shadow, warn_below, error_format } = defaults;
    rule.refund_on = refund_on;
    rule.on_ledger_error = on_ledger_error;
    rule.patience_ms = patience_ms;
    rule.shadow = shadow;
    rule.warn_below = warn_below;
    rule.error_format = error_format;
    rule.product = said.optional("product").map(|field| read_product(&field));
    if let Some(field) = said.optional("rate_limited_status") {
        rule.rate_limited_status = read_limited(&field);
    }
    rule.deprecated = said.optional("deprecated").and_then(|field| deprecation::read(&field));
}

fn read_format(field: &Field<'_>) -> Option<Dialect> {
    let name = field.as_str();
    let known = dialect::NAMES.iter().find(|(known, _)| name == Some(known));
    if known.is_none() && name != Some("auto") {
        field.wrong_value(
            "\"auto\", \"problem\", \"html\", \"text\", \"openai\", \"anthropic\", \"gemini\", \"mcp\", \"mcp_result\" or \"grpc\"",
        );
    }
    known.map(|(_, dialect)| *dialect)
}

fn read_product(field: &Field<'_>) -> String {
    let name = field.text(MAX_PRODUCT_BYTES);
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    if !name.bytes().all(plain) || name.starts_with(['-', '.', '_']) {
        field.wrong_value("a name of a-z, 0-9, '-', '.' and '_', as plans have it in their products");
    }
    name
}

fn read_limited(field: &Field<'_>) -> u16 {
    match field.integer(402, 429) {
        402 => 402,
        429 => 429,
        _ => {
            field.wrong_value("429, or 402");
            429
        }
    }
}

#[inline(never)]
fn read_price(field: &Field<'_>) -> Option<Credits> {
    let Some(text) = field.as_str() else {
        field.wrong_value(PRICE);
        return None;
    };
    if text == "free" {
        return None;
    }
    match Credits::parse(text) {
        Ok(Credits::ZERO) => field.wrong("\"0\"", "an amount above zero, or \"free\""),
        Ok(price) => return Some(price),
        Err(why) => field.wrong(&format!("{text:?}, which is {why}"), PRICE),
    }
    None
}

fn read_statuses(field: &Field<'_>) -> StatusSet {
    let mut statuses = StatusSet::default();
    for item in field.list(100) {
        let (first, more) = match item.as_str().map(str::as_bytes) {
            Some([class @ b'1'..=b'5', b'x', b'x']) => (u16::from(class - b'0') * 100, 99),
            _ => (item.whole().and_then(|status| u16::try_from(status).ok()).unwrap_or(0), 0),
        };
        if (100..=599).contains(&first) {
            (first..=first + more).for_each(|status| statuses.insert(status));
        } else {
            item.wrong_value(STATUS);
        }
    }
    statuses
}

fn read_on_ledger_error(field: &Field<'_>) -> OnLedgerError {
    if field.as_str() == Some("refuse") {
        return OnLedgerError::Refuse;
    }
    if !field.is_object() {
        field.wrong_value("\"refuse\", or {\"allow_up_to\": AMOUNT}");
    }
    let object = field.object(&["allow_up_to"]);
    let field = object.required("allow_up_to");
    let amount = read_amount(&field);
    if amount > MAX_UNGRANTED {
        // The ledger charges no more than that at once.
        field.wrong_value("at most \"1000000000\"");
    }
    OnLedgerError::AllowUpTo(amount)
}

fn read_amount(field: &Field<'_>) -> Credits {
    read_price(field).unwrap_or_else(|| {
        field.wrong_value("a decimal string such as \"10\"");
        Credits::ZERO
    })
}

#[inline(never)]
fn read_match(field: &Field<'_>) -> Match {
    let object = field.object(&["host", "path", "methods", "headers"]);
    let mut matches = Match::default();
    if let Some(field) = object.optional("host") {
        let mut host = field.header_value();
        host.make_ascii_lowercase();
        matches.host = Some(host);
    }
    let (methods, headers) = (object.optional("methods"), object.optional("headers"));
    // How long both lists are comes before what is in them.
    for field in [methods, headers].iter().flatten() {
        field.items(32);
    }
    matches.path = object.optional("path").and_then(|field| read_path(&field));
    if let Some(field) = methods {
        matches.methods = field.texts(32, |item| item.method());
    }
    if let Some(field) = headers {
        matches.headers = field.list(32).map(|item| read_header(&item)).collect();
    }
    matches
}

#[inline(never)]
fn read_path(field: &Field<'_>) -> Option<PathMatch> {
    let allowed = "{\"exact\": PATH}, {\"prefix\": PATH} or {\"template\": PATH with {} for any one segment}";
    if !field.is_object() {
        field.wrong_value(allowed);
        return None;
    }
    let object = field.object(&["exact", "prefix", "template"]);
    let value = object.single(allowed)?;
    let path = value.text(2_048);
    if !path.starts_with('/') || path.contains(['?', '#']) {
        value.wrong_value("a path that starts with / and has no query");
    }
    Some(match value.name() {
        "exact" => PathMatch::Exact(path),
        "prefix" => PathMatch::Prefix(path),
        _ => PathMatch::Template(path.split('/').map(|text| read_segment(&value, text)).collect()),
    })
}

fn read_segment(field: &Field<'_>, text: &str) -> Option<String> {
    if text == "{}" {
        return None;
    }
    if text.contains(['{', '}']) {
        field.wrong_value("{} as a whole segment, such as /items/{}/price");
    }
    Some(text.to_owned())
}

#[inline(never)]
fn read_header(field: &Field<'_>) -> HeaderMatch {
    let object = field.object(&["name", "exact"]);
    HeaderMatch {
        name: object.required("name").header_name(),
        exact: object.optional("exact").map(|field| field.text(2_048)),
    }
}
