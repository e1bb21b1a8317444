//! Requests that can't be priced are refused before they reach the API, and cost nothing.

use super::{MAX_BODY, Scene, config, got};
use crate::hostile::wire::{connect, statuses};
use faregate_protocol::Credits;
use harness::{ModelCall, model_calls};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// What must hold in the end: nothing arrived, and nothing was spent.
async fn nothing_happened(scene: &Scene) {
    assert_eq!(scene.api.sent().len(), 0, "{:?}", scene.api.sent());
    assert_eq!(scene.spent("acme").await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_prices_is_refused_by_its_name() {
    let scene = Scene::with(config(&json!({"unknown_model": "refuse"}))).await;
    let key = scene.world.ledger.account("acme", "10").await;
    for (name, model) in [
        ("chat", "gpt-unpriced"),
        ("chat, streamed", "GPT-5"),
        ("responses", "gpt-5-mini"),
        ("messages", "claude-unpriced"),
        ("ollama", ""),
    ] {
        let call = ModelCall::named(name).with(&json!({"model": model}));
        let got = scene.ask(&key, &call, &json!({})).await;
        assert_eq!((got.status, got.code().as_str()), (404, "unknown_model"), "{model}: {}", got.text());
        assert!(got.text().contains(model), "{model}: {}", got.text());
    }
    for (name, path) in [
        ("gemini", "/v1beta/models/gemini-unpriced:generateContent"),
        ("bedrock", "/model/gemini-unpriced/converse"),
    ] {
        let call = ModelCall { path, ..ModelCall::named(name) };
        let got = scene.ask(&key, &call, &json!({})).await;
        assert_eq!((got.status, got.code().as_str()), (404, "unknown_model"), "{path}: {}", got.text());
        assert!(got.text().contains("gemini-unpriced"), "{path}: {}", got.text());
    }
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_readers_may_take_differently_is_refused() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    for (path, body) in [
        ("/v1/chat/completions", r#"{"model":"gpt-5","messages":["#),
        ("/v1/chat/completions", r#"{"model":"gpt-5"} {"model":"claude-opus-5"}"#),
        ("/v1/chat/completions", r#"[{"model":"gpt-5"}]"#),
        ("/v1/chat/completions", r#""gpt-5""#),
        ("/v1/chat/completions", ""),
        ("/v1/chat/completions", r#"{"model":"llama4","model":"gpt-5"}"#),
        ("/v1/chat/completions", r#"{"model":"llama4","mod\u0065l":"gpt-5"}"#),
        ("/v1/chat/completions", r#"{"model":"llama4","Model":"gpt-5"}"#),
        ("/v1/chat/completions", r#"{"model":5}"#),
        ("/v1/chat/completions", r#"{"model":"gpt-5","max_tokens":"10"}"#),
        (
            "/v1/chat/completions",
            r#"{"model":"gpt-5","stream":true,"stream_options":{"include_usage":false,"include_usage":true}}"#,
        ),
        ("/v1/messages", r#"{"max_tokens":1,"max_tokens":900000,"model":"claude-opus-5"}"#),
    ] {
        let request = reqwest::Client::new().post(scene.world.gate().url(path)).header("x-api-key", &key);
        let got = got(request.header("content-type", "application/json").body(body)).await;
        assert_eq!((got.status, got.code().as_str()), (400, "invalid_body"), "{body}: {}", got.text());
    }
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_request_is_refused() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    for encoding in ["gzip", "br", "zstd", "gzip, identity"] {
        let request = scene.request(&key, &ModelCall::named("chat"), &json!({}));
        let got = got(request.header("content-encoding", encoding)).await;
        assert_eq!(got.status, 415, "{encoding}: {}", got.text());
    }
    nothing_happened(&scene).await;
    let request = scene.request(&key, &ModelCall::named("chat"), &json!({}));
    assert_eq!(got(request.header("content-encoding", "identity")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_and_one_that_fits_is_not() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n");
    let port = scene.world.gate().port;
    let known = format!("{head}content-length: {}\r\n\r\n", MAX_BODY + 1).into_bytes();
    let unknown = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    for (name, head, chunks) in [("known", known, 0), ("unknown", unknown, MAX_BODY / 65_536 + 16)] {
        let chunk = chunk.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let mut stream = connect(port);
            stream.write_all(&head).expect("sent");
            for _ in 0..chunks {
                // It may be refused before all was sent.
                if stream.write_all(&chunk).is_err() {
                    break;
                }
            }
            statuses(&mut stream, Duration::from_secs(1))
        });
        assert_eq!(answered.await.expect("no panic"), [413], "a body of {name} length");
    }
    nothing_happened(&scene).await;

    let text = "x".repeat(MAX_BODY - 1_000);
    let call = ModelCall::named("chat").with(&json!({"messages": [{"role": "user", "content": text}]}));
    let rich = scene.world.ledger.account("rich", "100").await;
    let got = scene.ask(&rich, &call, &json!({})).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(scene.api.last().body, call.body.to_string().as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_cannot_pay_the_hold_is_refused_with_the_amount() {
    let scene = Scene::start().await;
    // 1000 tokens of Opus are 0.025 credits, and the body some more.
    let key = scene.world.ledger.account("acme", "0.025").await;
    let got = scene.ask(&key, &ModelCall::named("messages, streamed"), &json!({})).await;
    assert_eq!(got.status, 402, "{}", got.text());
    assert!(got.text().contains("insufficient_funds"), "{}", got.text());
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_key_is_refused_whatever_the_body_is() {
    let scene = Scene::start().await;
    scene.world.ledger.account("acme", "10").await;
    for call in model_calls() {
        let got = scene.ask("fg_live_typo", &call, &json!({})).await;
        assert_eq!(got.status, 401, "{}: {}", call.name, got.text());
    }
    nothing_happened(&scene).await;
}
