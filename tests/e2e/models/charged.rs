//! An answer that comes to its end is charged exactly what it reports.

use super::{Scene, cost};
use faregate_protocol::Credits;
use harness::{End, ModelCall, model_calls};
use serde_json::{Value, json};

/// Some of every class.
fn all_classes() -> Value {
    json!({"input": 1200, "cache_read": 400, "cache_write": 60, "cache_write_1h": 40, "output": 300, "reasoning": 50, "search": 2})
}

/// Makes every call on an account of its own, and waits until each is charged what the upstream has recorded.
async fn each_is_charged(scene: &Scene, steer: &Value) {
    let mut expected = Vec::new();
    for (number, call) in model_calls().into_iter().enumerate() {
        let account = format!("account-{number}");
        let key = scene.world.ledger.account(&account, "10").await;
        let got = scene.ask(&key, &call, steer).await;
        assert_eq!((got.status, got.whole), (200, true), "{}: {}", call.name, got.text());
        let sent = scene.api.last();
        assert_eq!(sent.end, End::Finished, "{}", call.name);
        assert!(sent.usage.is_some(), "{}: the upstream was asked for its usage", call.name);
        expected.push((account, call.name, cost(&sent)));
    }
    for (account, name, cost) in expected {
        assert_eq!(scene.spent(&account).await, cost, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_api_is_charged_what_its_answer_reports_streamed_or_not() {
    each_is_charged(&Scene::start().await, &json!({"usage": all_classes(), "tier": "default"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_inside_a_models_text_or_a_tools_arguments_changes_no_charge() {
    each_is_charged(&Scene::start().await, &json!({"usage": all_classes(), "forged": true})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_many_pieces_is_charged_as_one_in_few() {
    let steer = json!({"usage": all_classes(), "pause_ms": 1, "words": 200});
    each_is_charged(&Scene::start().await, &steer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_charge_is_what_it_comes_to_by_hand() {
    let scene = Scene::start().await;
    for (account, call, usage, spent) in [
        // 12 × 1.25 + 4 × 0.125 + 35 × 10 = 365.5 millionths, rounded up once.
        ("chat", "chat", json!({"input": 12, "cache_read": 4, "output": 30, "reasoning": 5}), "0.000366"),
        (
            "chat-streamed",
            "chat, streamed",
            json!({"input": 12, "cache_read": 4, "output": 30, "reasoning": 5}),
            "0.000366",
        ),
        // What is written costs as input: 112 × 1.25 + 2 searches.
        (
            "responses",
            "responses, streamed",
            json!({"input": 12, "cache_write": 100, "search": 2}),
            "0.05014",
        ),
        // 100 × 5 + 1000 × 0.5 + 200 × 6.25 + 50 × 10 + 320 × 25 = 10750 millionths, and 2 searches.
        (
            "messages",
            "messages, streamed",
            json!({"input": 100, "cache_read": 1000, "cache_write": 200, "cache_write_1h": 50, "output": 300, "reasoning": 20, "search": 2}),
            "0.03075",
        ),
        // 1000 × 2 + 500 × 0.2 + 150 × 12
        (
            "gemini",
            "gemini, list",
            json!({"input": 1000, "cache_read": 500, "output": 100, "reasoning": 50}),
            "0.0039",
        ),
        // 1,000,000 × 0.13
        ("embeddings", "embeddings", json!({"input": 1_000_000}), "0.13"),
        // 26 × 0.1 + 298 × 0.2 = 62.2
        ("ollama", "ollama, streamed", json!({"input": 26, "output": 298}), "0.000063"),
        // 5 × 2 + 7 × 6
        ("mistral", "mistral, streamed", json!({"input": 5, "output": 7}), "0.000052"),
        // 3 × 2.5 + 9 × 10 = 97.5, and a search
        ("cohere", "cohere, streamed", json!({"input": 3, "output": 9, "search": 1}), "0.002098"),
        // 30 × 5 + 40 × 0.5 + 60 × 10 + 8 × 25
        (
            "bedrock",
            "bedrock, streamed",
            json!({"input": 30, "cache_read": 40, "cache_write_1h": 60, "output": 8}),
            "0.00097",
        ),
    ] {
        let key = scene.world.ledger.account(account, "10").await;
        let got = scene.ask(&key, &ModelCall::named(call), &json!({"usage": usage})).await;
        assert_eq!(got.status, 200, "{call}: {}", got.text());
        scene.world.ledger.balance_becomes(account, "spent", spent).await;
    }
    scene.world.ledger.nothing_is_held().await;
    scene.world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_that_the_answer_names_is_the_one_that_is_charged() {
    let scene = Scene::start().await;
    // 100 × 1.25 + 10 × 10, or twice that.
    for (account, asked, tier, spent) in [
        ("as-usual", "auto", json!(null), "0.000225"),
        ("downgraded", "priority", json!("default"), "0.000225"),
        ("priority", "priority", json!("priority"), "0.00045"),
        ("upgraded", "auto", json!("priority"), "0.00045"),
        ("unlisted", "auto", json!("flex"), "0.000225"),
    ] {
        let key = scene.world.ledger.account(account, "10").await;
        for name in ["chat", "chat, streamed"] {
            let call = ModelCall::named(name).with(&json!({"service_tier": asked}));
            let steer = json!({"usage": {"input": 100, "output": 10}, "tier": tier});
            assert_eq!(scene.ask(&key, &call, &steer).await.status, 200, "{account}");
        }
        let one: Credits = spent.parse().expect("an amount");
        scene.world.ledger.balance_becomes(account, "spent", &one.times(2).to_string()).await;
    }
    scene.world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_of_zero_costs_nothing() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    for call in model_calls() {
        let got = scene.ask(&key, &call, &json!({"usage": {}})).await;
        assert_eq!(got.status, 200, "{}: {}", call.name, got.text());
        assert_eq!(scene.api.last().usage, Some(faregate_protocol::metering::Quantities::default()));
    }
    assert_eq!(scene.spent("acme").await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_allows_compression_is_charged_exactly() {
    let scene = Scene::start().await;
    for (account, name) in [("whole", "chat"), ("streamed", "messages, streamed")] {
        let key = scene.world.ledger.account(account, "10").await;
        let call = ModelCall::named(name);
        let steer = json!({"usage": all_classes(), "gzip": true});
        let request = scene.request(&key, &call, &steer).header("accept-encoding", "gzip, br");
        assert_eq!(super::got(request).await.status, 200);
        let sent = scene.api.last();
        assert_eq!(sent.headers.get("accept-encoding"), None, "what is compressed can't be read");
        scene.world.ledger.balance_becomes(account, "spent", &cost(&sent).to_string()).await;
    }
    scene.world.ledger.audit().await;
}
