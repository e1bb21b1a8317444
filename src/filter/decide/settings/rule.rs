//! Reading one rule of the price list, and the defaults that the top level sets for all of them.

use super::reader::{Field, Object};
use super::{HeaderMatch, Match, OnLedgerError, PathMatch, Rule, SettingsError, StatusSet, deprecation};
use crate::decide::json::Json;
use crate::decide::refusal::dialect::{self, Dialect};
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_PRODUCT_BYTES;

/// The name under which requests that no rule matches are reported.
pub(super) const OTHERWISE: &str = "otherwise";

/// A recall reaches the gateway that holds the credits with its next beat, after a second at most. So a request
/// that waits for them must wait longer than that.
const PATIENCE_MS: u32 = 2_000;

const PRICE: &str = "a decimal string such as \"1\" or \"0.5\", or \"free\"";
const STATUS: &str = "a status from 100 to 599, or a class such as \"5xx\"";

/// What a rule takes over where it says nothing itself.
pub(super) struct Defaults {
    refund_on: StatusSet,
    on_ledger_error: OnLedgerError,
    patience_ms: u32,
    shadow: bool,
    warn_below: Option<Credits>,
    error_format: Option<Dialect>,
}

impl Defaults {
    pub(super) fn read(object: &Object<'_>) -> Result<Self, SettingsError> {
        let mut gateway_failures = StatusSet::default();
        for status in [502, 503, 504] {
            gateway_failures.insert(status);
        }
        let built_in = Self {
            refund_on: gateway_failures,
            on_ledger_error: OnLedgerError::Refuse,
            patience_ms: PATIENCE_MS,
            shadow: false,
            warn_below: None,
            error_format: None,
        };
        built_in.overridden_by(object)
    }

    fn overridden_by(&self, object: &Object<'_>) -> Result<Self, SettingsError> {
        Ok(Self {
            refund_on: object.optional("refund_on").map_or(Ok(self.refund_on), |f| read_statuses(&f))?,
            on_ledger_error: object
                .optional("on_ledger_error")
                .map_or(Ok(self.on_ledger_error), |f| read_on_ledger_error(&f))?,
            patience_ms: object
                .optional("patience_ms")
                .map_or(Ok(self.patience_ms), |f| f.integer(0, 60_000))?,
            shadow: object.flag("shadow", self.shadow)?,
            warn_below: object
                .optional("warn_below")
                .map_or(Ok(self.warn_below), |f| read_amount(&f).map(Some))?,
            error_format: object
                .optional("error_format")
                .map_or(Ok(self.error_format), |f| read_format(&f))?,
        })
    }
}

/// Reads `rules[number]`.
pub(super) fn read(field: &Field<'_>, number: usize, defaults: &Defaults) -> Result<Rule, SettingsError> {
    let rule = field.object(&[
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
    ])?;
    let name = rule.optional("name").map_or(Ok(format!("rule-{}", number + 1)), |f| read_name(&f))?;
    let matches = rule.optional("match").map_or(Ok(Match::default()), |f| read_match(&f))?;
    build(name, matches, false, &rule, defaults)
}

/// Reads `otherwise`: `"free"`, or an object with a price and what a rule may override.
pub(super) fn read_otherwise(field: &Field<'_>, defaults: &Defaults) -> Result<Rule, SettingsError> {
    let name = OTHERWISE.to_owned();
    if field.as_str() == Some("free") {
        let nothing = Json::Object(Vec::new());
        return build(name, Match::default(), true, &Field::root(&nothing).object(&[])?, defaults);
    }
    if !field.is_object() {
        return Err(field.wrong_value("\"free\", or an object such as {\"price\": \"1\"}"));
    }
    let rule = field.object(&[
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
    ])?;
    build(name, Match::default(), false, &rule, defaults)
}

fn build(
    name: String,
    matches: Match,
    free: bool,
    rule: &Object<'_>,
    defaults: &Defaults,
) -> Result<Rule, SettingsError> {
    let retired = rule.flag("retired", false)?;
    // What nobody gets any more needs no price.
    let price = if free || (retired && rule.optional("price").is_none()) {
        None
    } else {
        read_price(&rule.required("price")?)?
    };
    let with = defaults.overridden_by(rule)?;
    Ok(Rule {
        name,
        matches,
        price,
        product: rule.optional("product").map(|field| read_product(&field)).transpose()?,
        rate_limited_status: rule.optional("rate_limited_status").map_or(Ok(429), |f| read_limited(&f))?,
        refund_on: with.refund_on,
        on_ledger_error: with.on_ledger_error,
        patience_ms: with.patience_ms,
        shadow: with.shadow,
        warn_below: with.warn_below,
        error_format: with.error_format,
        deprecated: match rule.optional("deprecated") {
            Some(field) => Some(deprecation::read(&field)?),
            None => None,
        },
        retired,
    })
}

fn read_format(field: &Field<'_>) -> Result<Option<Dialect>, SettingsError> {
    let name = field.as_str();
    match dialect::NAMES.iter().find(|(known, _)| name == Some(known)) {
        Some((_, dialect)) => Ok(Some(*dialect)),
        None if name == Some("auto") => Ok(None),
        None => Err(field.wrong_value(
            "\"auto\", \"problem\", \"html\", \"text\", \"openai\", \"anthropic\", \"gemini\", \"mcp\", \"mcp_result\" or \"grpc\"",
        )),
    }
}

fn read_product(field: &Field<'_>) -> Result<String, SettingsError> {
    let name = field.text(MAX_PRODUCT_BYTES)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    if name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(name);
    }
    Err(field.wrong_value("a name of a-z, 0-9, '-', '.' and '_', as plans have it in their products"))
}

fn read_limited(field: &Field<'_>) -> Result<u16, SettingsError> {
    match field.integer(402, 429)? {
        402 => Ok(402),
        429 => Ok(429),
        _ => Err(field.wrong_value("429, or 402")),
    }
}

fn read_name(field: &Field<'_>) -> Result<String, SettingsError> {
    let name = field.text(64)?;
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/:".contains(&b)) {
        return Ok(name);
    }
    Err(field.wrong_value("a name of letters, digits, '-', '.', '_', '/' and ':'"))
}

fn read_price(field: &Field<'_>) -> Result<Option<Credits>, SettingsError> {
    let Some(text) = field.as_str() else {
        return Err(field.wrong_value(PRICE));
    };
    if text == "free" {
        return Ok(None);
    }
    match Credits::parse(text) {
        Ok(Credits::ZERO) => Err(field.wrong("\"0\"", "an amount above zero, or \"free\"")),
        Ok(price) => Ok(Some(price)),
        Err(why) => Err(field.wrong(&format!("{text:?}, which is {why}"), PRICE)),
    }
}

fn read_statuses(field: &Field<'_>) -> Result<StatusSet, SettingsError> {
    let mut statuses = StatusSet::default();
    for item in field.list(100)? {
        match item.as_str().map(str::as_bytes) {
            Some([class @ b'1'..=b'5', b'x', b'x']) => {
                let first = u16::from(class - b'0') * 100;
                (first..first + 100).for_each(|status| statuses.insert(status));
            }
            Some(_) => return Err(item.wrong_value(STATUS)),
            None => {
                let status = item.integer(100, 599).map_err(|_| item.wrong_value(STATUS))?;
                statuses.insert(u16::try_from(status).unwrap_or(0));
            }
        }
    }
    Ok(statuses)
}

fn read_on_ledger_error(field: &Field<'_>) -> Result<OnLedgerError, SettingsError> {
    let allowed = "\"refuse\", or {\"allow_up_to\": AMOUNT}";
    if field.as_str() == Some("refuse") {
        return Ok(OnLedgerError::Refuse);
    }
    if !field.is_object() {
        return Err(field.wrong_value(allowed));
    }
    let amount = field.object(&["allow_up_to"])?.required("allow_up_to")?;
    read_amount(&amount).map(OnLedgerError::AllowUpTo)
}

fn read_amount(field: &Field<'_>) -> Result<Credits, SettingsError> {
    read_price(field)?.ok_or_else(|| field.wrong_value("a decimal string such as \"10\""))
}

fn read_match(field: &Field<'_>) -> Result<Match, SettingsError> {
    let object = field.object(&["host", "path", "methods", "headers"])?;
    let host = object.optional("host").map(|f| f.header_value()).transpose()?;
    let methods = object.list("methods", 32)?;
    let headers = object.list("headers", 32)?;
    Ok(Match {
        host: host.map(|host| host.to_ascii_lowercase()),
        path: object.optional("path").map(|f| read_path(&f)).transpose()?,
        methods: methods.iter().map(read_method).collect::<Result<_, _>>()?,
        headers: headers.iter().map(read_header).collect::<Result<_, _>>()?,
    })
}

fn read_method(field: &Field<'_>) -> Result<String, SettingsError> {
    let method = field.text(32)?;
    if method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Ok(method);
    }
    Err(field.wrong_value("a method in capital letters, such as \"GET\""))
}

fn read_path(field: &Field<'_>) -> Result<PathMatch, SettingsError> {
    let allowed = "{\"exact\": PATH}, {\"prefix\": PATH} or {\"template\": PATH with {} for any one segment}";
    if !field.is_object() {
        return Err(field.wrong_value(allowed));
    }
    let object = field.object(&["exact", "prefix", "template"])?;
    let [(kind, value)] = object.members() else {
        return Err(field.wrong(&format!("{} members", object.members().len()), allowed));
    };
    let path = value.text(2_048)?;
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(value.wrong_value("a path that starts with / and has no query"));
    }
    match *kind {
        "exact" => Ok(PathMatch::Exact(path)),
        "prefix" => Ok(PathMatch::Prefix(path)),
        _ => {
            let segment = |text: &str| match text {
                "{}" => Ok(None),
                text if text.contains(['{', '}']) => {
                    Err(value.wrong_value("{} as a whole segment, such as /items/{}/price"))
                }
                text => Ok(Some(text.to_owned())),
            };
            path.split('/').map(segment).collect::<Result<_, _>>().map(PathMatch::Template)
        }
    }
}

fn read_header(field: &Field<'_>) -> Result<HeaderMatch, SettingsError> {
    let object = field.object(&["name", "exact"])?;
    Ok(HeaderMatch {
        name: object.required("name")?.header_name()?,
        exact: object.optional("exact").map(|f| f.text(2_048)).transpose()?,
    })
}
