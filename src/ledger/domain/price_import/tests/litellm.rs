//! LiteLLM's list.

use super::{LITELLM, only, why};
use crate::domain::price_import::{Imported, ONE_TO_ONE, litellm::import};
use serde_json::json;

fn imported() -> Imported {
    import(LITELLM, ONE_TO_ONE, None).unwrap()
}

#[test]
fn suffixes_are_tiers_lifetimes_and_services() {
    let imported = imported();
    assert_eq!(
        only(&imported, "gpt-6-rosalind"),
        json!({
            "input": "15", "cache_read": "1.5", "cache_write": "18.75", "cache_write_12h": "37.5", "output": "75",
            "above": [{"input_tokens": 272_000, "input": "30", "cache_read": "3", "cache_write": "37.5",
                "cache_write_12h": "75", "output": "112.5"}],
        })
    );
    let terra = only(&imported, "gpt-6.1-terra");
    assert_eq!(
        terra["service"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["batch", "flex", "priority"]
    );
    assert_eq!(terra["service"]["flex"]["above"][0]["cache_write_12h"], "2.5");
    assert_eq!(terra["service"]["batch"]["above"][0]["input_tokens"], 272_000);
    let sonnet = only(&imported, "claude-sonnet-4-5@20250929");
    assert_eq!(
        (&sonnet["cache_write_1h"], &sonnet["above"][0]["cache_write_1h"]),
        (&json!("6"), &json!("12"))
    );
}

#[test]
fn ranges_of_input_are_tiers() {
    let plus = only(&imported(), "qwen3-coder-plus");
    assert_eq!(
        plus,
        json!({
            "input": "1", "cache_read": "0.1", "output": "5",
            "above": [
                {"input_tokens": 32_000, "input": "1.8", "cache_read": "0.18", "output": "9"},
                {"input_tokens": 128_000, "input": "3", "cache_read": "0.3", "output": "15"},
                {"input_tokens": 256_000, "input": "6", "cache_read": "0.6", "output": "60"},
            ],
        })
    );
}

#[test]
fn noise_is_rounded_away_and_all_other_digits_are_kept() {
    let imported = imported();
    let haiku = only(&imported, "opencode_go/claude-haiku-5-5");
    assert_eq!((&haiku["input"], &haiku["above"][0]["cache_read"]), (&json!("0.1"), &json!("0.05")));
    assert_eq!(only(&imported, "databricks-claude-haiku-5-5")["above"][0]["cache_write_1h"], "1.00002");
}

#[test]
fn what_is_counted_one_by_one_has_its_price_each() {
    let imported = imported();
    assert_eq!(only(&imported, "whisper-1"), json!({"second": "0.0001"}));
    assert_eq!(only(&imported, "grok-voice-2.0"), json!({"second": "0.001334"}));
    assert_eq!(only(&imported, "mistral-ocr-4")["page"], "0.004");
    assert_eq!(only(&imported, "amazon.rerank-v1:0")["search"], "0.001");
    assert_eq!(only(&imported, "gpt-6.1-terra")["search"], "0.01");
}

#[test]
fn a_service_that_names_output_only_is_for_reasoning_too() {
    let hydrogen = only(&imported(), "gemini/gemini-4-hydrogen");
    assert_eq!((hydrogen.get("reasoning"), &hydrogen["output"]), (None, &json!("7.5")));
    assert_eq!(hydrogen["service"]["priority"]["output"], "13.5");
}

#[test]
fn an_alias_costs_what_its_model_costs() {
    let imported = imported();
    assert_eq!(only(&imported, "gpt-sol-latest"), only(&imported, "gpt-6.1-sol"));
    assert_eq!(only(&imported, "claude-haiku-latest"), only(&imported, "claude-haiku-5-5"));
}

#[test]
fn what_cant_be_charged_for_is_skipped_with_the_reason() {
    let Imported { skipped, notes, .. } = imported();
    for (model, reason) in [
        (
            "exa_ai/search",
            "it is priced by what isn't counted: tiered_pricing by another measure than input tokens",
        ),
        ("dashscope/qwen3-30b-a3b", "it has no price"),
        ("azure/speech/azure-tts", "it is priced by what isn't counted: input_cost_per_character"),
        (
            "nscale/stabilityai/stable-diffusion-xl-base-1.0",
            "it is priced by what isn't counted: input_cost_per_pixel",
        ),
        (
            "bedrock/us-west-2/6-month-commitment/anthropic.claude-v2:1",
            "it is priced by what isn't counted: cost_per_second; input_cost_per_second",
        ),
    ] {
        assert_eq!(why(&skipped, model), [reason], "{model}");
    }
    assert_eq!(why(&notes, "tencent/deepseek-v4.1-flash"), ["without off_peak_pricing"]);
    assert_eq!(why(&notes, "openai/gpt-image-2.6-flare"), ["without cache_read_input_image_token_cost"]);
    assert_eq!(why(&notes, "duckduckgo/search"), ["all of its prices are zero"]);
}

#[test]
fn a_model_without_a_price_for_one_direction_is_skipped() {
    let list = |cost: serde_json::Value| {
        let mut model = json!({"litellm_provider": "openai", "mode": "chat"});
        model.as_object_mut().unwrap().extend(cost.as_object().unwrap().clone());
        import(&json!({"gpt": model}).to_string(), ONE_TO_ONE, None).unwrap()
    };
    for (cost, reason) in [
        (json!({"input_cost_per_token": 1e-6}), "it has no price for its output"),
        (json!({"output_cost_per_token": 1e-6}), "it has no price for its input"),
        (
            json!({"input_cost_per_token": -1e-6, "output_cost_per_token": 1e-6}),
            "input_cost_per_token is below zero",
        ),
        (
            json!({"input_cost_per_token": 0, "output_cost_per_token": 0, "output_cost_per_image": 0.04}),
            "it is priced by what isn't counted: output_cost_per_image",
        ),
    ] {
        let imported = list(cost);
        assert_eq!((imported.entries.len(), why(&imported.skipped, "openai/gpt")), (0, vec![reason]));
    }
}
