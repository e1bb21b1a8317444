//! Answers that cost more than their payer has: they end with the API's own error, and what was delivered is charged.

use super::{Got, Scene, config, cost};
use faregate_protocol::Credits;
use harness::{End, ModelCall, eventually};
use serde_json::json;
use std::time::Duration;

/// A scene in which a tenth of a millicredit is held at first, and answers end when nothing is left.
async fn scene() -> Scene {
    let small = json!({"bytes_per_token": super::BYTES_PER_TOKEN, "output": 8192, "at_most": "0.0001"});
    let mut config = config(&json!({"hold": small, "stop_at_zero": true}));
    // How long an answer goes on while the ledger is asked for more.
    config["ledger"]["timeout_ms"] = json!(500);
    Scene::with(config).await
}

/// A slow answer of 2,000 words.
fn slowly() -> serde_json::Value {
    json!({"usage": {"input": 40, "output": 9_000}, "words": 2_000, "pause_ms": 5})
}

/// How an answer ends, by its API.
fn is_error(name: &str, got: &Got) -> bool {
    let text = got.text();
    match name {
        "messages, streamed" => {
            text.contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"billing_error\"")
        }
        "responses, streamed" => text.contains("event: error\ndata: {\"type\":\"error\",\"error\":"),
        "gemini, events" => text.contains("data: {\"error\":{\"code\":402,\"message\":"),
        "ollama, streamed" => text.contains("\n{\"error\":\"This request costs "),
        "cohere, streamed" => text.contains(
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\"",
        ),
        "bedrock, streamed" => text.contains(":exception-type") && text.contains("modelStreamErrorException"),
        _ => text.contains("data: {\"error\":{\"message\":\"This request costs "),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_apis_own_error_when_nothing_is_left() {
    let scene = scene().await;
    for name in [
        "chat, streamed",
        "responses, streamed",
        "messages, streamed",
        "gemini, events",
        "ollama, streamed",
        "cohere, streamed",
        "bedrock, streamed",
    ] {
        let call = ModelCall::named(name);
        let account = call.name.replace(", ", "-");
        // For some ten to a hundred words, by the model.
        let has = "0.0004";
        let key = scene.world.ledger.account(&account, has).await;
        let got = scene.ask(&key, &call, &slowly()).await;
        assert_eq!(got.status, 200, "{name}: {}", got.text());
        assert!(is_error(name, &got), "{name}: {}", got.text());
        eventually("the upstream learns of it", Duration::from_secs(20), async || {
            scene.api.last().end == End::ClientLeft
        })
        .await;
        let spent = scene.spent(&account).await;
        let most = Credits::from_micros(20_000);
        assert!(spent >= has.parse().expect("an amount") && spent < most, "{name}: {spent}");
    }
    assert_eq!(scene.world.gate().stat("stopped_total").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_paid_for_comes_to_its_end_however_little_was_held_at_first() {
    let scene = scene().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let mut sum = Credits::ZERO;
    for name in ["chat", "chat, streamed", "messages, streamed", "gemini, list", "bedrock, streamed"] {
        let got = scene
            .ask(
                &key,
                &ModelCall::named(name),
                &json!({"usage": {"input": 40, "output": 900}, "words": 300, "pause_ms": 2}),
            )
            .await;
        assert_eq!((got.status, got.whole), (200, true), "{name}: {}", got.text());
        sum = sum.saturating_add(cost(&scene.api.last()));
    }
    assert_eq!(scene.spent("acme").await, sum);
    assert_eq!(scene.world.gate().stat("stopped_total").await, 0);
}
