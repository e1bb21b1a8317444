//! The list of genai-prices: `data.json`, or `prices.json` of its packages. Dollars per million tokens, thousand calls or hour.
//!
//! A price is a number or `{base, tiers: [{start, price}]}`. A model has one set of prices, or several with the date from which
//! on each is for, and variants for a service that override some of them. A model is also imported under the other names that the
//! list says are exactly its own; rules such as "starts with" are no names.

use super::amount::{Unit, price};
use super::collection::Collection;
use super::draft::{Draft, Place};
use super::imported::{ImportError, Imported};
use super::tree::Tree;
use faregate_protocol::Credits;
use faregate_protocol::metering::UsageClass;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// What each price is for. The others have no class.
const CLASSES: [(&str, UsageClass, Unit); 18] = [
    ("input_mtok", UsageClass::Input, Unit::MillionTokens),
    ("output_mtok", UsageClass::Output, Unit::MillionTokens),
    ("cache_read_mtok", UsageClass::CacheRead, Unit::MillionTokens),
    ("cache_write_mtok", UsageClass::CacheWrite, Unit::MillionTokens),
    ("cache_write_5m_mtok", UsageClass::CacheWrite, Unit::MillionTokens),
    ("cache_write_1h_mtok", UsageClass::CacheWrite1h, Unit::MillionTokens),
    ("output_reasoning_mtok", UsageClass::Reasoning, Unit::MillionTokens),
    ("input_audio_mtok", UsageClass::AudioInput, Unit::MillionTokens),
    ("cache_audio_read_mtok", UsageClass::AudioCacheRead, Unit::MillionTokens),
    ("output_audio_mtok", UsageClass::AudioOutput, Unit::MillionTokens),
    ("input_image_mtok", UsageClass::ImageInput, Unit::MillionTokens),
    ("output_image_mtok", UsageClass::ImageOutput, Unit::MillionTokens),
    ("web_searches_kcount", UsageClass::Search, Unit::Each(1_000)),
    ("rerank_searches_kcount", UsageClass::Search, Unit::Each(1_000)),
    ("input_document_kpages", UsageClass::Page, Unit::Each(1_000)),
    ("audio_hours", UsageClass::Second, Unit::Each(3_600)),
    ("input_audio_hours", UsageClass::Second, Unit::Each(3_600)),
    ("output_audio_hours", UsageClass::Second, Unit::Each(3_600)),
];
/// A price per request.
const REQUESTS: &str = "requests_kcount";
/// The conditions of a variant that name a service.
const SERVICE_KEYS: [&str; 3] = ["service_tier", "processing", "speed"];

/// Reads the list; with `provider` only what that one has. The rate is credits per US dollar, in millionths.
///
/// # Errors
/// If the text is no such list.
pub fn import(text: &str, rate: Credits, provider: Option<&str>) -> Result<Imported, ImportError> {
    let list = Tree::read(text)?;
    if !list.items().iter().any(|provider| provider.get("models").is_some()) {
        return Err(ImportError::WrongShape {
            format: "genai-prices",
            expected: "a list of providers with \"models\"",
        });
    }
    let name = |tree: &Tree| tree.get("id").and_then(Tree::text).unwrap_or("unknown").to_owned();
    let mut collection = Collection::default();
    for seller in list.items() {
        let id = name(seller);
        if provider.is_some_and(|wanted| wanted != id) {
            continue;
        }
        for model in seller.get("models").map_or(&[][..], Tree::items) {
            let names = names(name(model), model.get("match"));
            for from in times(model) {
                let draft = draft(model, from, rate);
                for alias in &names {
                    collection.add((&id, alias), from.and_then(midnight), &draft)?;
                }
            }
        }
    }
    Ok(collection.finish())
}

/// The model's name, and those that are exactly its own.
fn names(id: String, matches: Option<&Tree>) -> Vec<String> {
    let alternatives = matches.and_then(|rule| rule.get("or")).map_or(&[][..], Tree::items);
    let rules = matches.into_iter().chain(alternatives);
    let mut names = vec![id];
    for name in rules.filter_map(|rule| rule.get("equals")).filter_map(Tree::text) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// When the model's prices begin and change: from ever, and each date.
fn times(model: &Tree) -> Vec<Option<Date>> {
    let lists = ["prices", "price_variants"].into_iter().filter_map(|name| model.get(name));
    let mut dates: Vec<_> = lists.flat_map(Tree::items).filter_map(start).map(Some).collect();
    dates.push(None);
    dates.sort_unstable();
    dates.dedup();
    dates
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp())
}

/// The date from which on prices are for.
fn start(prices: &Tree) -> Option<Date> {
    prices.get("constraint")?.get("start_date")?.text()?.parse().ok()
}

/// Whether prices are for some hours of the day only.
fn is_by_hour(prices: &Tree) -> bool {
    prices.get("constraint").is_some_and(|constraint| constraint.get("start_time").is_some())
}

/// Whether prices are for a date.
fn is_active(prices: &Tree, date: Option<Date>) -> bool {
    let constrained = matches!(prices.get("constraint"), Some(Tree::Object(_)));
    !is_by_hour(prices) && (!constrained || start(prices).is_some_and(|start| Some(start) <= date))
}

/// The prices from a date on.
fn draft(model: &Tree, date: Option<Date>, rate: Credits) -> Draft {
    let mut draft = Draft::default();
    let none = Place::default();
    match model.get("prices") {
        Some(Tree::List(list)) => {
            // The last one that is for the date counts, else the first.
            let standard = list.iter().rfind(|prices| is_active(prices, date)).or_else(|| list.first());
            let by_hour = list.iter().filter(|prices| is_by_hour(prices));
            for prices in standard.into_iter().chain(by_hour.clone()).filter_map(|one| one.get("prices")) {
                gather(&mut draft, prices, none, rate);
            }
            if by_hour.count() > 0 {
                let why = "a price by the hour of the day; the dearest is taken".to_owned();
                draft.leave_out(why, false, false);
            }
        }
        Some(prices) => gather(&mut draft, prices, none, rate),
        None => {}
    }
    let variants = model.get("price_variants").map_or(&[][..], Tree::items);
    for variant in variants.iter().filter(|variant| is_active(variant, date)) {
        match (service(variant), variant.get("prices")) {
            (Some(service), Some(prices)) => {
                // The first variant that has a price for the class counts.
                let mut own = Draft::default();
                gather(&mut own, prices, Place { service: Some(service), above: 0 }, rate);
                draft.add_new(own);
            }
            _ => draft.leave_out("a variant by another condition than the service".to_owned(), false, false),
        }
    }
    if variants.iter().any(is_by_hour) {
        draft.leave_out("a variant by the hour of the day".to_owned(), false, false);
    }
    draft
}

/// The service that a variant is for.
fn service(variant: &Tree) -> Option<&str> {
    let mut conditions = variant.get("when")?.members();
    let (key, value) = conditions.next().filter(|_| conditions.next().is_none())?;
    value.text().filter(|_| SERVICE_KEYS.contains(&key))
}

/// Adds a set of prices.
fn gather(draft: &mut Draft, prices: &Tree, place: Place<'_>, rate: Credits) {
    for (name, value) in prices.members() {
        let Some((_, class, unit)) = CLASSES.iter().find(|(key, ..)| *key == name) else {
            let (input, output) = (name.starts_with("input_"), name.starts_with("output_"));
            let per_request = if name == REQUESTS { "; set a price per request in the rule" } else { "" };
            draft.leave_out(format!("{name}{per_request}"), input, output);
            continue;
        };
        let mut put = |above: u64, value: Option<&Tree>| {
            let place = Place { above, ..place };
            match value.and_then(Tree::number).map(|number| price(number, *unit, rate)) {
                Some(Ok(price)) => draft.put(place, *class, price),
                Some(Err(why)) => draft.refuse(format!("{name} is {why}")),
                None => draft.refuse(format!("{name} is not a number")),
            }
        };
        if !matches!(value, Tree::Object(_)) {
            put(0, Some(value));
            continue;
        }
        put(0, value.get("base"));
        for tier in value.get("tiers").map_or(&[][..], Tree::items) {
            match tier.get("start").and_then(Tree::count) {
                Some(above) => put(above, tier.get("price")),
                None => put(0, None),
            }
        }
    }
}
