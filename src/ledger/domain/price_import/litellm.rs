//! LiteLLM's list: `model_prices_and_context_window.json`. Dollars per token.
//!
//! A field's name is made of what it prices and of suffixes: `cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex` is
//! a cache write for 12 hours, above 272,000 input tokens, in the service `flex`. `tiered_pricing` has such fields by ranges of
//! input tokens. Prices of searches go by the size of their context, which usage doesn't tell: the dearest is taken.

use super::amount::{Unit, price};
use super::collection::Collection;
use super::draft::{Draft, Place};
use super::imported::{ImportError, Imported, ONE_TO_ONE};
use super::tree::Tree;
use faregate_protocol::Credits;
use faregate_protocol::metering::UsageClass;
use std::collections::BTreeMap;

/// What a field prices, by its name without suffixes.
const CLASSES: [(&str, UsageClass, Unit); 14] = [
    ("input_cost_per_token", UsageClass::Input, Unit::Token),
    ("output_cost_per_token", UsageClass::Output, Unit::Token),
    ("cache_read_input_token_cost", UsageClass::CacheRead, Unit::Token),
    ("input_cost_per_token_cache_hit", UsageClass::CacheRead, Unit::Token),
    ("cache_creation_input_token_cost", UsageClass::CacheWrite, Unit::Token),
    ("output_cost_per_reasoning_token", UsageClass::Reasoning, Unit::Token),
    ("input_cost_per_audio_token", UsageClass::AudioInput, Unit::Token),
    ("cache_read_input_audio_token_cost", UsageClass::AudioCacheRead, Unit::Token),
    ("output_cost_per_audio_token", UsageClass::AudioOutput, Unit::Token),
    ("input_cost_per_image_token", UsageClass::ImageInput, Unit::Token),
    ("output_cost_per_image_token", UsageClass::ImageOutput, Unit::Token),
    ("input_cost_per_query", UsageClass::Search, Unit::Each(1)),
    ("ocr_cost_per_page", UsageClass::Page, Unit::Each(1)),
    ("input_cost_per_second", UsageClass::Second, Unit::Each(1)),
];
/// Video is priced by its resolution, which usage doesn't tell: the dearest is taken.
const OUTPUT_SECONDS: &str = "output_cost_per_second";
/// The services, by their suffix.
const SERVICES: [(&str, &str); 6] = [
    ("_priority", "priority"),
    ("_flex", "flex"),
    ("_batches", "batch"),
    ("_ultrafast", "ultrafast"),
    ("_balanced", "balanced"),
    ("_decisions", "decisions"),
];
/// How long written tokens stay in a cache, by suffix.
const LIFETIMES: [(&str, UsageClass); 2] =
    [("_above_1hr", UsageClass::CacheWrite1h), ("_above_12hr", UsageClass::CacheWrite12h)];
/// Where seconds are those of audio or video. Elsewhere they are seconds of a rented machine.
const MODES_BY_SECOND: [&str; 4] = ["audio_transcription", "audio_speech", "video_generation", "realtime"];
/// Where both input and output must have a price.
const MODES_BY_TOKEN: [&str; 4] = ["chat", "completion", "responses", "realtime"];
/// Members that are no models.
const NO_MODELS: [&str; 2] = ["sample_spec", "fallback_generalizations"];

/// Reads the list; with `provider` only what that one has. The rate is credits per US dollar, in millionths.
///
/// # Errors
/// If the text is no such list.
pub fn import(text: &str, rate: Credits, provider: Option<&str>) -> Result<Imported, ImportError> {
    let list = Tree::read(text)?;
    let models: BTreeMap<_, _> = list.members().filter(|(name, _)| !NO_MODELS.contains(name)).collect();
    if !models.values().any(|entry| entry.get("litellm_provider").is_some()) {
        return Err(ImportError::WrongShape {
            format: "litellm",
            expected: "an object of models with \"litellm_provider\"",
        });
    }
    let mut collection = Collection::default();
    for (name, entry) in &models {
        let target =
            entry.get("alias_of").and_then(Tree::text).and_then(|target| models.get(target)).unwrap_or(entry);
        let (seller, model) = split(name, target.get("litellm_provider").and_then(Tree::text));
        if provider.is_none_or(|wanted| wanted == seller) {
            collection.add((seller, model), None, &draft(target, rate))?;
        }
    }
    Ok(collection.finish())
}

/// The provider of an entry, and its model without it. `vertex_ai-anthropic_models` is a family of the provider `vertex_ai`.
fn split<'a>(name: &'a str, provider: Option<&'a str>) -> (&'a str, &'a str) {
    let prefixed = name.split_once('/');
    let Some(provider) = provider else { return prefixed.unwrap_or(("unknown", name)) };
    let families = ["vertex_ai", "fireworks_ai"];
    let family = families.into_iter().find(|family| provider.starts_with(family)).unwrap_or(provider);
    match prefixed {
        Some((prefix, model)) if prefix == provider || prefix == family => (prefix, model),
        // Bedrock's converse API is the same provider; `azure_text` and the like are such cases, too.
        Some((prefix, model)) if provider.starts_with(prefix) => (prefix, model),
        _ => (family, name),
    }
}

fn draft(entry: &Tree, rate: Credits) -> Draft {
    let mut draft = Draft::default();
    let mode = entry.get("mode").and_then(Tree::text).unwrap_or("");
    gather(&mut draft, entry, mode, 0, rate);
    for range in entry.get("tiered_pricing").map_or(&[][..], Tree::items) {
        match range.get("range").and_then(|bounds| bounds.items().first()).and_then(Tree::count) {
            Some(above) => gather(&mut draft, range, mode, above, rate),
            None => {
                draft.leave_out(
                    "tiered_pricing by another measure than input tokens".to_owned(),
                    true,
                    false,
                );
            }
        }
    }
    if !draft.is_empty() && MODES_BY_TOKEN.contains(&mode) && !draft.has(None, UsageClass::Second) {
        for (class, direction) in [(UsageClass::Input, "input"), (UsageClass::Output, "output")] {
            if !draft.has(None, class) {
                draft.refuse(format!("it has no price for its {direction}"));
            }
        }
    }
    draft
}

/// Adds the prices that an object has.
fn gather(draft: &mut Draft, object: &Tree, mode: &str, above: u64, rate: Credits) {
    for (name, value) in object.members() {
        if name == "search_context_cost_per_query" {
            for number in value.members().filter_map(|(_, size)| size.number()) {
                put(
                    draft,
                    name,
                    number,
                    (UsageClass::Search, Unit::Each(1)),
                    Place { service: None, above },
                    rate,
                );
            }
        } else if let Some(number) = value.number() {
            let field = Field::of(name);
            let place = Place { service: field.service, above: field.above.unwrap_or(above) };
            match field.class(mode) {
                Some(class) => put(draft, name, number, class, place, rate),
                None => leave_out(draft, name, number),
            }
        } else if name == "off_peak_pricing" || name == "provider_specific_entry" {
            draft.leave_out(name.to_owned(), false, false);
        }
    }
}

fn put(
    draft: &mut Draft,
    name: &str,
    number: &str,
    (class, unit): (UsageClass, Unit),
    place: Place<'_>,
    rate: Credits,
) {
    match price(number, unit, rate) {
        Ok(price) => draft.put(place, class, price),
        Err(why) => draft.refuse(format!("{name} is {why}")),
    }
}

/// Notes a field that prices something without a class. What costs nothing, or is the same price in another currency, is none.
fn leave_out(draft: &mut Draft, name: &str, number: &str) {
    let prices = name.contains("cost") || name.contains("multiplier");
    if prices && !name.contains("_dbu_cost_") && price(number, Unit::Each(1), ONE_TO_ONE) != Ok(Credits::ZERO)
    {
        let per_request =
            if name == "input_cost_per_request" { "; set a price per request in the rule" } else { "" };
        draft.leave_out(
            format!("{name}{per_request}"),
            name.starts_with("input_"),
            name.starts_with("output_"),
        );
    }
}

/// A field's name, taken apart.
struct Field<'a> {
    stem: &'a str,
    lifetime: Option<UsageClass>,
    above: Option<u64>,
    service: Option<&'static str>,
}

impl<'a> Field<'a> {
    fn of(name: &'a str) -> Self {
        let mut field = Self { stem: name, lifetime: None, above: None, service: None };
        while let Some(rest) = field.suffix() {
            field.stem = rest;
        }
        field
    }

    /// Takes note of the last suffix. Returns the name without it.
    fn suffix(&mut self) -> Option<&'a str> {
        let strip = |suffix: &str| self.stem.strip_suffix(suffix);
        if let Some((rest, service)) =
            SERVICES.iter().find_map(|(suffix, name)| Some((strip(suffix)?, *name)))
        {
            self.service = Some(service);
            return Some(rest);
        }
        if let Some((rest, class)) =
            LIFETIMES.iter().find_map(|(suffix, class)| Some((strip(suffix)?, *class)))
        {
            self.lifetime = Some(class);
            return Some(rest);
        }
        let (rest, thousands) = strip("k_tokens")?.rsplit_once("_above_")?;
        self.above = Some(thousands.parse::<u64>().ok()?.saturating_mul(1_000));
        Some(rest)
    }

    /// What it prices, in what unit; `None`: something that isn't counted.
    fn class(&self, mode: &str) -> Option<(UsageClass, Unit)> {
        let seconds = MODES_BY_SECOND.contains(&mode);
        if seconds && self.stem.starts_with(OUTPUT_SECONDS) {
            return Some((UsageClass::Second, Unit::Each(1)));
        }
        let (_, class, unit) = CLASSES.iter().find(|(stem, ..)| *stem == self.stem)?;
        match (class, self.lifetime) {
            (UsageClass::Second, None) => seconds.then_some((*class, *unit)),
            (UsageClass::CacheWrite, Some(lifetime)) => Some((lifetime, *unit)),
            (_, Some(_)) => None,
            (_, None) => Some((*class, *unit)),
        }
    }
}
