//! Answers that fail, that say no usage, or that are cut by either side: what was delivered is charged, what failed isn't, and no hold
//! is left.

use super::{Scene, bounds, text_in};
use faregate_protocol::Credits;
use harness::{End, ModelCall, eventually, model_calls};
use serde_json::{Value, json};
use std::time::Duration;

/// Waits until all is charged, and asserts that each account was charged at least and at most so much.
async fn are_within(scene: &Scene, expected: Vec<(String, (Credits, Credits))>) {
    for (account, (least, most)) in expected {
        let spent = scene.spent(&account).await;
        assert!(least <= spent && spent <= most, "{account}: {least} <= {spent} <= {most}");
    }
}

/// An account that is named after a call.
fn account_of(call: &ModelCall) -> String {
    call.name.replace(", ", "-")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_an_error_costs_nothing() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let mut served = 0;
    for status in [400, 429, 500, 503, 524, 529] {
        for name in
            ["chat", "chat, streamed", "messages, streamed", "gemini, events", "ollama", "cohere", "bedrock"]
        {
            let got = scene.ask(&key, &ModelCall::named(name), &json!({"status": status})).await;
            served += 1;
            assert_eq!(got.status, status, "{name}: {}", got.text());
        }
    }
    assert_eq!(scene.api.sent().len(), served);
    assert_eq!(scene.spent("acme").await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_within_a_stream_is_no_output() {
    let scene = Scene::start().await;
    let mut expected = Vec::new();
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
        let key = scene.world.ledger.account(&account_of(&call), "10").await;
        let got =
            scene.ask(&key, &call, &json!({"usage": {"input": 40, "output": 900}, "error_after": 6})).await;
        assert_eq!((got.status, got.whole), (200, true), "{name}");
        let sent = scene.api.last();
        expected.push((account_of(&call), bounds(&sent, sent.text_bytes)));
    }
    are_within(&scene, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_usage_is_charged_by_its_size() {
    let scene = Scene::start().await;
    let mut expected = Vec::new();
    for call in model_calls() {
        let key = scene.world.ledger.account(&account_of(&call), "10").await;
        let got = scene.ask(&key, &call, &json!({"no_usage": true, "words": 100})).await;
        assert_eq!((got.status, got.whole), (200, true), "{}", call.name);
        let sent = scene.api.last();
        assert_eq!(sent.usage, None);
        let (least, most) = bounds(&sent, sent.text_bytes);
        // An answer of embeddings has no text.
        assert!(least.is_positive() || call.name == "embeddings", "{}: it isn't free", call.name);
        expected.push((account_of(&call), (least, most)));
    }
    are_within(&scene, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_upstream_cuts_is_charged_for_what_was_delivered() {
    let scene = Scene::start().await;
    let mut expected = Vec::new();
    for call in model_calls() {
        let key = scene.world.ledger.account(&account_of(&call), "10").await;
        let steer = json!({"usage": {"input": 40, "output": 900}, "cut_after": 9});
        let got = scene.ask(&key, &call, &steer).await;
        assert!(!got.whole, "{}: {}", call.name, got.text());
        let sent = scene.api.last();
        assert_eq!(sent.end, End::Cut, "{}", call.name);
        expected.push((account_of(&call), bounds(&sent, text_in(&got.body))));
    }
    are_within(&scene, expected).await;
}

/// Makes a call, reads until so many bytes of the model's text have come, and hangs up. Returns how many did.
async fn hang_up(scene: &Scene, key: &str, call: &ModelCall, steer: &Value, most: u64) -> u64 {
    let mut answer = scene.request(key, call, steer).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", call.name);
    let mut body = Vec::new();
    while text_in(&body) < most {
        body.extend_from_slice(&answer.chunk().await.expect("a chunk").expect("not the end"));
    }
    text_in(&body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_pays_for_what_was_delivered_until_then() {
    let scene = Scene::start().await;
    let steer =
        json!({"usage": {"input": 4_000, "cache_read": 500, "output": 90_000}, "words": 400, "pause_ms": 10});
    let mut expected = Vec::new();
    for name in ["chat, streamed", "messages, streamed"] {
        let call = ModelCall::named(name);
        let key = scene.world.ledger.account(&account_of(&call), "10").await;
        let read = hang_up(&scene, &key, &call, &steer, 300).await;
        eventually("the upstream learns of it", Duration::from_secs(20), async || {
            scene.api.last().end == End::ClientLeft
        })
        .await;
        let sent = scene.api.last();
        assert_eq!(sent.usage.is_some(), name != "chat, streamed", "its input was reported at the beginning");
        expected.push((account_of(&call), bounds(&sent, read)));
    }
    are_within(&scene, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_answer_leaves_no_hold() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let call = ModelCall::named("chat");
    let request = scene.request(&key, &call, &json!({"pause_ms": 30_000})).send();
    let left = tokio::time::timeout(Duration::from_secs(2), request).await;
    assert!(left.is_err(), "no answer within that time");
    let most = bounds(&scene.api.last(), 0).1;
    are_within(&scene, vec![("acme".to_owned(), (Credits::ZERO, most))]).await;
    assert_eq!(scene.world.ledger.balance("acme", "held").await, "0");
}
