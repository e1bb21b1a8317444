//! Reads the prices of a model: those of a rule, and those that the ledger answers with.
//!
//! Both have the JSON form of [`faregate_protocol::prices`], whose own reader would make the filter larger. What must hold, and is
//! tested: what is read keeps all limits of [`ModelPrices`], and whatever the protocol writes is read back as it was. An unknown
//! field is an error, because a misspelt class must not be free.

use super::reader::{Faults, Field};
use crate::decide::base::json::Json;
use faregate_protocol::Credits;
use faregate_protocol::exchange::MAX_AMOUNT;
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::{
    MAX_SERVICE_BYTES, MAX_SERVICES, MAX_TIERS, ModelPrices, Rates, ServicePrices, Tier,
};

/// How amounts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amounts {
    /// As a number of micro-credits: by the ledger.
    Micros,
    /// As a decimal string of credits: in a configuration.
    Decimal,
}

/// What an object of prices may hold: a tier what is behind the first two, a service what is between the first and the last, a
/// model what is before the last.
const NAMES: [&str; UsageClass::ALL.len() + 3] = [
    "service",
    "above",
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "cache_write_12h",
    "output",
    "reasoning",
    "audio_input",
    "audio_cache_read",
    "audio_output",
    "image_input",
    "image_output",
    "search",
    "second",
    "page",
    "input_tokens",
];
/// Where the last of them is.
const LAST: usize = NAMES.len() - 1;

/// What an object holds.
#[derive(Default)]
struct Prices {
    rates: Rates,
    input_tokens: u64,
    tiers: Vec<Tier>,
    services: Vec<(String, ServicePrices)>,
}

/// The prices in the ledger's answer; `None` when they can't be read, or are outside of the limits.
pub fn answered(value: &Json) -> Option<ModelPrices> {
    let faults = Faults::new(1);
    let prices = read(&Field::root(value, &faults), Amounts::Micros);
    faults.or(prices).ok()
}

/// The prices of one model.
#[inline(never)]
pub(super) fn read(field: &Field<'_>, amounts: Amounts) -> ModelPrices {
    let Prices { rates, tiers, services, .. } = object(field, amounts, NAMES.get(..LAST));
    let prices = ModelPrices { base: rates, tiers, services };
    // What [`ModelPrices::check`] looks at besides is a fault by now.
    if prices.base.is_empty() {
        field.wrong("no price of a class", "\"input\" and \"output\", or \"0\" for what is free");
    }
    prices
}

#[inline(never)]
fn object(field: &Field<'_>, amounts: Amounts, allowed: Option<&[&str]>) -> Prices {
    let mut read = Prices::default();
    let object = field.object(allowed.unwrap_or(&NAMES));
    for member in object.members() {
        match member.name() {
            "above" => read.tiers = tiers(&member, amounts),
            "service" => read.services = services(&member, amounts),
            "input_tokens" => read.input_tokens = tokens(&member),
            name => {
                if let Some(class) = UsageClass::named(name) {
                    read.rates.set(class, amount(&member, amounts));
                }
            }
        }
    }
    read
}

/// Tiers, which may be written in any order.
fn tiers(field: &Field<'_>, amounts: Amounts) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::new();
    for item in field.list(MAX_TIERS) {
        let Prices { rates, input_tokens: above, .. } = object(&item, amounts, NAMES.get(2..));
        if tiers.iter().any(|other| other.above == above) {
            item.wrong("the \"input_tokens\" of another tier, or none", "a number of its own for each tier");
        }
        if above == 0 {
            item.wrong("no \"input_tokens\"", "the number of tokens above which the tier is for");
        }
        let place = tiers.iter().position(|other| other.above > above).unwrap_or(tiers.len());
        tiers.insert(place, Tier { above, rates });
    }
    tiers
}

fn services(field: &Field<'_>, amounts: Amounts) -> Vec<(String, ServicePrices)> {
    if let Json::Object(members) = field.value()
        && members.len() > MAX_SERVICES
    {
        field.wrong("too many services", "at most 8");
        return Vec::new();
    }
    let mut services = Vec::new();
    for member in field.object(&[]).members() {
        let name = member.name();
        if !(1..=MAX_SERVICE_BYTES).contains(&name.len()) || name.chars().any(char::is_control) {
            member.wrong("this service's name", "1 to 64 bytes without control characters");
        }
        let Prices { rates: base, tiers, .. } = object(&member, amounts, NAMES.get(1..LAST));
        services.push((name.to_owned(), ServicePrices { base, tiers }));
    }
    services
}

/// Envoy turns every number of a Struct into a float, so `200000.0` is taken as well.
fn tokens(field: &Field<'_>) -> u64 {
    let found = field.value().as_u64().or_else(|| field.whole().map(u64::from));
    found.filter(|tokens| *tokens > 0).unwrap_or_else(|| {
        field.wrong_value("a whole number of tokens above 0");
        0
    })
}

fn amount(field: &Field<'_>, amounts: Amounts) -> Credits {
    let found = match amounts {
        Amounts::Micros => field.value().as_i64().map(Credits::from_micros),
        Amounts::Decimal => field.as_str().and_then(|text| Credits::parse(text).ok()),
    };
    found.filter(|price| (Credits::ZERO..=MAX_AMOUNT).contains(price)).unwrap_or_else(|| {
        field.wrong_value(
            "a decimal string such as \"2.5\" of at most 6 digits behind the point, from 0 to 1000000000000",
        );
        Credits::ZERO
    })
}

// A fault says them in words.
const _: () = assert!(MAX_SERVICES == 8 && MAX_SERVICE_BYTES == 64);

#[cfg(test)]
pub(crate) mod tests;
