//! The sums of the crate genai-prices, which computes with the same list in another way.
//!
//! Known differences: it has floats, so its sums are right to a millionth of a micro-credit or so only; a price per hour becomes
//! a price per second that is rounded up; where it goes by the hour of the day, the dearest price is taken here; and a price per
//! request is left out here, because that is a rule's.

use super::{GENAI_PRICES, why};
use crate::domain::price_import::{ONE_TO_ONE, genai_prices::import};
use crate::domain::price_list::{Listed, PriceList};
use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use genai_prices::{Calculator, PriceRequest, Usage};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Before, at and after the dates in the list.
const TIMES: [&str; 6] = [
    "2024-01-01T00:00:00Z",
    "2026-03-12T23:59:59Z",
    "2026-03-13T00:00:00Z",
    "2026-10-12T12:00:00Z",
    "2026-10-14T00:00:00Z",
    "2027-06-01T00:00:00Z",
];
/// What the crate asks for as the context of a request.
const CONTEXTS: [Option<(&str, &str)>; 7] = [
    None,
    Some(("service_tier", "default")),
    Some(("service_tier", "priority")),
    Some(("service_tier", "flex")),
    Some(("service_tier", "fast")),
    Some(("processing", "batch")),
    Some(("service_tier", "unheard-of")),
];
/// Which classes each count of the crate's contains.
const COUNTS: [(&str, &[UsageClass]); 14] = {
    use UsageClass::{
        AudioCacheRead, AudioInput, AudioOutput, CacheRead, CacheWrite, CacheWrite1h, ImageInput,
        ImageOutput, Input, Output, Page, Reasoning, Search,
    };
    [
        (
            "input_tokens",
            &[Input, CacheRead, CacheWrite, CacheWrite1h, AudioInput, AudioCacheRead, ImageInput],
        ),
        ("cache_read_tokens", &[CacheRead, AudioCacheRead]),
        ("cache_write_tokens", &[CacheWrite, CacheWrite1h]),
        ("cache_write_1h_tokens", &[CacheWrite1h]),
        ("input_audio_tokens", &[AudioInput, AudioCacheRead]),
        ("cache_audio_read_tokens", &[AudioCacheRead]),
        ("input_image_tokens", &[ImageInput]),
        // An image read from a cache is no class of its own here.
        ("cache_image_read_tokens", &[]),
        ("output_tokens", &[Output, Reasoning, AudioOutput, ImageOutput]),
        ("output_reasoning_tokens", &[Reasoning]),
        ("output_audio_tokens", &[AudioOutput]),
        ("output_image_tokens", &[ImageOutput]),
        ("web_searches", &[Search]),
        ("input_document_pages", &[Page]),
    ]
};

fn list() -> PriceList {
    let entry = |entry: crate::domain::price_import::ImportedPrices| Listed {
        model: entry.model,
        prices: entry.prices,
        cost: None,
        valid_from: entry.valid_from.unwrap_or(Timestamp::MIN),
    };
    let mut list = PriceList::default();
    list.add(import(GENAI_PRICES, ONE_TO_ONE, None).unwrap().entries.into_iter().map(entry)).unwrap();
    list
}

#[expect(clippy::cast_precision_loss, reason = "counts and costs below 2^53")]
fn float(number: impl TryInto<u64>) -> f64 {
    number.try_into().ok().unwrap() as f64
}

fn usage(quantities: &Quantities) -> Usage {
    let mut usage = Usage::new();
    for (name, classes) in COUNTS {
        usage.insert(name, float(classes.iter().map(|class| quantities.get(*class)).sum::<u64>()));
    }
    for name in ["audio_seconds", "input_audio_seconds"] {
        usage.insert(name, float(quantities.get(UsageClass::Second)));
    }
    usage
}

/// Usage of ordinary sizes, with contexts around the thresholds of tiers.
fn quantities() -> impl Strategy<Value = Quantities> {
    let count = prop_oneof![4 => Just(0), 3 => 1..3_000_u64, 2 => 0..150_000_u64, 1 => 199_999..200_002_u64, 1 => 0..900_000_u64];
    proptest::collection::vec(count, UsageClass::ALL.len()).prop_map(|counts| {
        let mut quantities = Quantities::default();
        for (class, count) in UsageClass::ALL.into_iter().zip(counts) {
            // It has no cache for 12 hours, and bills ten seconds at least.
            let count = match class {
                UsageClass::CacheWrite12h => 0,
                UsageClass::Second if count < 10 => 0,
                _ => count,
            };
            quantities.set(class, count);
        }
        quantities
    })
}

#[test]
fn costs_are_those_of_another_implementation_rounded_up() {
    let (list, oracle) = (list(), Calculator::from_json(GENAI_PRICES).unwrap());
    let imported = import(GENAI_PRICES, ONE_TO_ONE, None).unwrap();
    let noted = |provider: &str, model: &str, what: &str| {
        why(&imported.notes, &format!("{provider}/{model}")).iter().any(|why| why.contains(what))
    };
    let models: Vec<(String, String)> = oracle
        .providers()
        .flat_map(|provider| {
            provider.models().map(move |model| (provider.id().to_owned(), model.id().to_owned()))
        })
        .filter(|(provider, model)| why(&imported.skipped, &format!("{provider}/{model}")).is_empty())
        .filter(|(provider, model)| !noted(provider, model, "requests_kcount"))
        .filter(|(provider, model)| {
            // A few of its rules don't match a model's own name.
            let usage = Usage::new();
            let sum = oracle.calculate(&PriceRequest::new(model, &usage).with_provider_id(provider));
            sum.is_ok_and(|sum| sum.model_id == *model)
        })
        .collect();
    assert!(models.len() > 30, "{}", models.len());
    let cases = (0..models.len(), 0..TIMES.len(), 0..CONTEXTS.len(), quantities());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(3_000) });
    let ran = runner.run(&cases, |(model, time, context, quantities)| {
        let (provider, model) = &models[model];
        let time: Timestamp = TIMES[time].parse().unwrap();
        let usage = usage(&quantities);
        let request = PriceRequest::new(model, &usage).with_provider_id(provider).with_timestamp(time);
        let request = match CONTEXTS[context] {
            Some((key, value)) => request.with_price_context(key, value),
            None => request,
        };
        let sum = oracle.calculate(&request).unwrap().total_price * 1e6;
        let prices = &list.find(model, Some(provider), time).unwrap().prices;
        let cost =
            float(prices.cost(&quantities, CONTEXTS[context].map(|(_, name)| name), Credits::ZERO).micros());
        let by_hour = noted(provider, model, "by the hour of the day");
        let over = if by_hour { f64::MAX } else { 1.0 + float(quantities.get(UsageClass::Second)) };
        prop_assert!(cost > sum - 1e-3, "{provider}/{model}: {cost} is less than {sum}");
        prop_assert!(cost < sum + over + 1e-3, "{provider}/{model}: {cost} is more than {sum} rounded up");
        Ok(())
    });
    ran.unwrap();
}
