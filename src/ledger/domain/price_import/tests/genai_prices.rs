//! The list of genai-prices.

use super::{GENAI_PRICES, only, shown, why};
use crate::domain::price_import::{Imported, ONE_TO_ONE, genai_prices::import};
use serde_json::{Value, json};

fn imported() -> Imported {
    import(GENAI_PRICES, ONE_TO_ONE, None).unwrap()
}

#[test]
fn dated_prices_become_entries_of_their_own() {
    let entries = shown(&imported(), "anthropic/claude-opus-4-6");
    let input = |prices: &Value| (prices["input"].clone(), prices["above"][0]["input"].clone());
    let found: Vec<_> = entries.iter().map(|(from, prices)| (from.as_str(), input(prices))).collect();
    assert_eq!(
        found,
        [
            ("", (json!("5"), json!("10"))),
            ("2026-03-13T00:00:00Z", (json!("5"), Value::Null)),
            ("2026-10-14T00:00:00Z", (json!("5"), Value::Null)),
        ]
    );
    let batch: Vec<_> =
        entries.iter().map(|(_, prices)| prices["service"]["batch"]["output"].clone()).collect();
    assert_eq!(batch, [Value::Null, Value::Null, json!("12.5")]);
}

#[test]
fn variants_by_tier_or_processing_become_services() {
    let entries = shown(&imported(), "gpt-5.4");
    let (_, prices) = entries.last().unwrap();
    let services: Vec<_> = prices["service"].as_object().unwrap().keys().collect();
    assert_eq!(services, ["batch", "fast", "flex", "priority"]);
    let flex = &prices["service"]["flex"];
    assert_eq!((&flex["input"], &flex["above"][0]["input"]), (&json!("1.25"), &json!("2.5")));
}

#[test]
fn every_exact_name_of_a_model_is_one_and_no_rule_is() {
    let imported = imported();
    let names: Vec<_> = imported.entries.iter().map(|entry| entry.model.as_str()).collect();
    for name in ["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.iter().any(|name| name.contains("realtime-preview-2") || name.contains('^')));
    assert!(names.contains(&"google/claude-opus-4-6") && names.contains(&"claude-2"));
}

#[test]
fn units_become_a_price_each() {
    let imported = imported();
    assert_eq!(only(&imported, "mistral-ocr-2503"), json!({"page": "0.001"}));
    let (_, whisper) = shown(&imported, "whisper-large-v3").first().cloned().unwrap();
    assert_eq!(whisper, json!({"second": "0.000031"}), "0.111 per hour, rounded up");
    assert_eq!(only(&imported, "claude-3-5-haiku-latest")["search"], "0.01");
}

#[test]
fn the_dearest_hour_counts_for_the_whole_day() {
    let imported = imported();
    let flash = shown(&imported, "deepseek-v4-flash");
    let found: Vec<_> =
        flash.iter().map(|(from, prices)| (from.get(..10), prices["output"].clone())).collect();
    assert_eq!(
        found,
        [(None, json!("1.2")), (Some("2026-08-17"), json!("1.2")), (Some("2026-09-10"), json!("1.2")),]
    );
    assert_eq!(
        why(&imported.notes, "deepseek/deepseek-chat"),
        ["without a price by the hour of the day; the dearest is taken"]
    );
}

#[test]
fn what_has_no_class_is_named() {
    let Imported { skipped, notes, .. } = imported();
    assert_eq!(why(&skipped, "mistral/devstral-small:free"), ["it has no price"]);
    assert_eq!(
        why(&skipped, "groq/canopylabs/orpheus-arabic-saudi"),
        ["it is priced by what isn't counted: input_mchars"]
    );
    assert_eq!(
        why(&notes, "perplexity/sonar"),
        ["without requests_kcount; set a price per request in the rule"]
    );
    assert_eq!(
        why(&notes, "openrouter/mistralai/mistral-large-4-0"),
        ["without a variant by another condition than the service"]
    );
}

#[test]
fn the_first_active_variant_counts_for_each_class() {
    let list = json!([{"id": "openai", "models": [{"id": "gpt", "prices": {"input_mtok": 9, "output_mtok": 9},
    "price_variants": [
        {"when": {"service_tier": "flex"}, "prices": {"input_mtok": {"base": 1, "tiers": [{"start": 5, "price": 2}]}}},
        {"when": {"service_tier": "flex"}, "prices": {"input_mtok": 3, "output_mtok": 4}},
        {"when": {"service_tier": "flex", "speed": "fast"}, "prices": {"input_mtok": 7}},
    ]}]}]);
    let imported = import(&list.to_string(), ONE_TO_ONE, None).unwrap();
    assert_eq!(
        only(&imported, "gpt")["service"],
        json!({"flex": {"input": "1", "output": "4", "above": [{"input_tokens": 5, "input": "2"}]}})
    );
}
