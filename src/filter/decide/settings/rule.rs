//! Reads one rule of the price list, and the defaults that the top level sets for all of them.

use super::amount::{read_amount, read_price};
use super::dialect::{self, Dialect};
use super::meter::{Meter, MeterKind};
use super::reader::{Field, Object};
use super::refunds::{GRPC_CODES, Refunds};
use super::{Match, OnLedgerError, Record, Recorded, Rule, deprecation, matching, meter};
use faregate_protocol::Credits;
use faregate_protocol::calls::MAX_ONE_IN;
use faregate_protocol::exchange::{MAX_PRODUCT_BYTES, MAX_UNGRANTED};

/// The name under which requests that no rule matches are reported.
pub(super) const DEFAULT_RULE: &str = "default";

/// A recall reaches the gateway that holds the credits with its next heartbeat, usually within a second. So a request
/// that waits for them must wait longer than that.
const PATIENCE_MS: u32 = 2_000;

const REFUND: &str = "a status from 100 to 599, a class such as \"5xx\", \"grpc:\" with a code other than OK such as \"grpc:UNAVAILABLE\", or \"unserved\"";
/// Before the name of a gRPC code.
const GRPC: &str = "grpc:";

/// The defaults of a rule.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    /// `None`: what is usual for the rule's meter.
    refund_on: Option<Refunds>,
    on_ledger_error: OnLedgerError,
    max_wait_ms: u32,
    shadow: bool,
    warn_below: Option<Credits>,
    error_format: Option<Dialect>,
    record: Record,
}

impl Defaults {
    pub(super) fn read(object: &Object<'_>) -> Self {
        let mut defaults = Self {
            refund_on: None,
            on_ledger_error: OnLedgerError::Refuse,
            max_wait_ms: PATIENCE_MS,
            shadow: false,
            warn_below: None,
            error_format: None,
            record: Record { calls: Recorded::None, one_in: 1 },
        };
        defaults.override_by(object);
        defaults
    }

    #[inline(never)]
    fn override_by(&mut self, object: &Object<'_>) {
        if let Some(field) = object.optional("refund_on") {
            self.refund_on = Some(read_refunds(&field));
        }
        if let Some(field) = object.optional("on_ledger_error") {
            self.on_ledger_error = read_on_ledger_error(&field);
        }
        if let Some(field) = object.optional("max_wait_ms") {
            self.max_wait_ms = field.integer(0, 60_000);
        }
        self.shadow = object.flag("shadow", self.shadow);
        if let Some(field) = object.optional("warn_below") {
            self.warn_below = Some(read_amount(&field));
        }
        if let Some(field) = object.optional("error_format") {
            self.error_format = read_format(&field);
        }
        if let Some(field) = object.optional("record") {
            self.record = read_record(&field);
        }
    }
}

/// The fields of `rules` only, and those of `default`, too.
const ALLOWED: [&str; 16] = [
    "name",
    "match",
    "price",
    "meter",
    "product",
    "rate_limited_status",
    "refund_on",
    "on_ledger_error",
    "max_wait_ms",
    "shadow",
    "warn_below",
    "error_format",
    "record",
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
    let matches = rule.optional("match").map(|field| matching::read(&field)).unwrap_or_default();
    build(name, matches, Some(&rule), *defaults)
}

/// Reads `default`: `"free"`, or an object with a price and what a rule may override.
pub(super) fn read_default(field: &Field<'_>, defaults: &Defaults) -> Rule {
    let free = field.as_str() == Some("free");
    if !free && !field.is_object() {
        field.wrong_value("\"free\", or an object such as {\"price\": \"1\"}");
    }
    let [_, _, allowed @ ..] = &ALLOWED;
    let rule = (!free).then(|| field.object(allowed));
    build(DEFAULT_RULE.to_owned(), Match::default(), rule.as_ref(), *defaults)
}

/// A rule; an empty one is free.
#[inline(never)]
fn build(name: String, matches: Match, said: Option<&Object<'_>>, defaults: Defaults) -> Rule {
    let mut rule = Rule {
        name,
        matches,
        price: None,
        meter: None,
        product: None,
        rate_limited_status: 429,
        refund_on: defaults.refund_on.unwrap_or_else(Refunds::usual),
        on_ledger_error: defaults.on_ledger_error,
        max_wait_ms: defaults.max_wait_ms,
        shadow: defaults.shadow,
        warn_below: defaults.warn_below,
        error_format: defaults.error_format,
        record: defaults.record,
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
    // What is no longer sold needs no price.
    let meter = said.optional("meter");
    if (!rule.retired && meter.is_none()) || said.optional("price").is_some() {
        let field = said.required("price");
        rule.price = read_price(&field);
        if meter.is_some() && rule.price.is_none() {
            field.wrong_value("an amount that is added to what the meter says, or no price");
        }
    }
    if let Some(field) = meter
        && let Some((meter, hold)) = meter::read(&field, rule.price.unwrap_or_default())
    {
        rule.price = Some(meter.fixed.saturating_add(hold));
        rule.meter = Some(Box::new(meter));
    }
    defaults.override_by(said);
    let Defaults { refund_on, on_ledger_error, max_wait_ms, shadow, warn_below, error_format, record } =
        defaults;
    rule.refund_on = refund_on.unwrap_or_else(|| match rule.meter.as_deref() {
        // Providers of models bill no answer that says what was wrong with the request.
        Some(Meter { kind: MeterKind::Models(_), .. }) => Refunds::usual_of_models(),
        _ => Refunds::usual(),
    });
    rule.on_ledger_error = on_ledger_error;
    rule.max_wait_ms = max_wait_ms;
    rule.shadow = shadow;
    rule.warn_below = warn_below;
    rule.error_format = error_format;
    rule.record = record;
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

/// Reads `record`: a name, or an object with one and how many requests a record stands for.
fn read_record(field: &Field<'_>) -> Record {
    if !field.is_object() {
        return Record { calls: read_recorded(field), one_in: 1 };
    }
    let object = field.object(&["calls", "one_in"]);
    Record {
        calls: read_recorded(&object.required("calls")),
        one_in: object.optional("one_in").map_or(1, |field| field.integer(1, MAX_ONE_IN)),
    }
}

fn read_recorded(field: &Field<'_>) -> Recorded {
    match field.as_str() {
        Some("none") => Recorded::None,
        Some("refused") => Recorded::Refused,
        Some("metered") => Recorded::Metered,
        Some("all") => Recorded::All,
        _ => {
            field.wrong_value(
                "\"none\", \"refused\", \"metered\", \"all\", or an object with calls and one_in",
            );
            Recorded::None
        }
    }
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

fn read_refunds(field: &Field<'_>) -> Refunds {
    let mut refunds = Refunds::default();
    for item in field.list(100) {
        match item.as_str() {
            Some("unserved") => refunds.add_unserved(),
            Some(text) if text.starts_with(GRPC) => match grpc_code(text) {
                Some(code) => refunds.add_grpc(code),
                None => item.wrong_value(REFUND),
            },
            text => add_statuses(&item, text, &mut refunds),
        }
    }
    refunds
}

/// The number of a gRPC code by its name. OK is no reason to release anything.
fn grpc_code(text: &str) -> Option<u8> {
    let name = text.strip_prefix(GRPC)?;
    let code = GRPC_CODES.iter().skip(1).position(|code| *code == name)?;
    u8::try_from(code + 1).ok()
}

fn add_statuses(item: &Field<'_>, text: Option<&str>, refunds: &mut Refunds) {
    let (first, more) = match text.map(str::as_bytes) {
        Some([class @ b'1'..=b'5', b'x', b'x']) => (u16::from(class - b'0') * 100, 99),
        _ => (item.whole().and_then(|status| u16::try_from(status).ok()).unwrap_or(0), 0),
    };
    if (100..=599).contains(&first) {
        (first..=first + more).for_each(|status| refunds.add_status(status));
    } else {
        item.wrong_value(REFUND);
    }
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
