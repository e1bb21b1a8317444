//! The list of models.dev.

use super::{MODELS_DEV, only, why};
use crate::domain::price_import::{ONE_TO_ONE, models_dev::import};
use serde_json::json;

#[test]
fn prices_are_per_million_and_tiers_go_by_their_own_size() {
    let imported = import(MODELS_DEV, ONE_TO_ONE, None).unwrap();
    assert_eq!(
        only(&imported, "gpt-5.4"),
        json!({
            "input": "2.5", "cache_read": "0.25", "output": "15",
            "above": [{"input_tokens": 272_000, "input": "5", "cache_read": "0.5", "output": "22.5"}],
        })
    );
    assert_eq!(
        only(&imported, "doubao-seed-2-0-mini-260428")["above"][1],
        json!({"input_tokens": 128_000, "input": "0.11", "cache_read": "0.02256", "audio_input": "1.692", "output": "1.13"})
    );
    assert_eq!(only(&imported, "novita-ai/qwen/qwen3-omni-30b-a3b-thinking")["audio_output"], "1.788");
}

#[test]
fn the_plain_name_is_the_model_makers_and_the_others_are_qualified() {
    let imported = import(MODELS_DEV, ONE_TO_ONE, None).unwrap();
    assert_eq!(only(&imported, "gpt-5"), only(&imported, "openai/gpt-5"));
    assert_eq!(only(&imported, "azure/gpt-5")["cache_read"], "0.13");
    assert_eq!(only(&imported, "openrouter/openai/gpt-5")["input"], "1.25");
    assert_eq!(only(&imported, "llama-3.3-70b-versatile")["input"], "0.59");
    assert_eq!(why(&imported.skipped, "cohere/c4ai-aya-expanse-32b"), ["it has no price"]);
    assert_eq!(why(&imported.notes, "github-copilot/gpt-5"), ["all of its prices are zero"]);
}

#[test]
fn older_lists_have_one_tier_above_200k() {
    let cost = json!({"input": 1, "output": 2, "context_over_200k": {"input": 3, "output": 4.5}});
    let list = json!({"zai": {"models": {"glm": {"cost": cost}}}});
    let imported = import(&list.to_string(), ONE_TO_ONE, None).unwrap();
    let above = json!([{"input_tokens": 200_000, "input": "3", "output": "4.5"}]);
    assert_eq!(only(&imported, "glm"), json!({"input": "1", "output": "2", "above": above}));
}

#[test]
fn what_cant_be_read_is_named() {
    let model = |cost: serde_json::Value| {
        let list = json!({"zai": {"models": {"glm": {"cost": cost}}}});
        import(&list.to_string(), ONE_TO_ONE, None).unwrap()
    };
    for (cost, reason) in [
        (json!({}), "it has no price"),
        (json!({"input": 1}), "it has no price for its output"),
        (json!({"input": 1, "output": -2}), "output is below zero"),
        (json!({"input": 1e99, "output": 2}), "input is more than 10^12 credits"),
        (json!({"output_video": 3}), "it is priced by what isn't counted: output_video"),
    ] {
        assert_eq!(why(&model(cost).skipped, "zai/glm"), [reason]);
    }
    let tier = json!({"input": 9, "tier": {"type": "output", "size": 5}});
    let imported = model(json!({"input": 1, "output": 2, "output_video": 3, "tiers": [tier]}));
    assert_eq!(
        why(&imported.notes, "zai/glm"),
        ["without a tier that doesn't go by the context's size", "without output_video"]
    );
}
