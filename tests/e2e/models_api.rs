//! `envoy/models` and `envoy/prompts` as they ship, before upstreams that speak the providers' APIs. Only addresses are filled in.
//!
//! What must hold: a request reaches the provider of its model alone, with that provider's key and no other; its charge is what the
//! provider reported times the configuration's prices; nothing reaches a provider that has no price.

mod prompts;
mod shop;

use crate::models::{got, text_in};
use faregate_protocol::Credits;
use harness::{End, STEER, eventually, out_of};
use serde_json::{Value, json};
use shop::Shop;
use std::process::Command;
use std::time::Duration;

const CHAT: &str = "/v1/chat/completions";

type Model = (&'static str, &'static str, [&'static str; 2], (&'static str, &'static str));

/// A model of each provider: its name, the provider, the paths of a whole answer and of a streamed one, and the header with the key.
const MODELS: [Model; 3] = [
    ("gpt-5-mini", "openai", [CHAT, CHAT], ("authorization", "Bearer key-of-openai")),
    ("claude-haiku-4-5", "anthropic", ["/v1/messages", "/v1/messages"], ("x-api-key", "key-of-anthropic")),
    (
        "gemini-2.5-flash",
        "gemini",
        [
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ],
        ("x-goog-api-key", "key-of-gemini"),
    ),
];

fn chat(model: &str, members: &Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Why is the sky blue? Gr\u{fc}\u{df}e!"}]});
    for (name, value) in members.as_object().expect("an object of members") {
        body[name] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_reaches_the_provider_of_its_model_and_is_charged_by_its_prices() {
    let shop = Shop::start("models", |_| {}).await;
    for (number, (model, provider, paths, (header, secret))) in MODELS.into_iter().enumerate() {
        for (streamed, path) in [(false, paths[0]), (true, paths[1])] {
            let account = format!("acme-{number}-{streamed}");
            let key = shop.ledger.account(&account, "10").await;
            let mut usage = json!({"input": 1_000, "cache_read": 300, "output": 50, "reasoning": 20});
            if provider == "anthropic" {
                // The answer that Envoy writes doesn't say for how long.
                usage["cache_write"] = json!(40);
                usage["cache_write_1h"] = json!(60);
            }
            let before = shop.arrived();
            let request = shop.post(CHAT, &key, &chat(model, &json!({"stream": streamed})));
            let got = got(request.header(STEER, json!({"usage": usage, "words": 10}).to_string())).await;

            assert_eq!(got.status, 200, "{model}: {}", got.text());
            let sent = shop.api(provider).last();
            assert_eq!(sent.path, path, "{model}");
            assert_eq!(shop.arrived(), before + 1, "{model}: one provider, once");
            assert_eq!(sent.headers.get(header).map(String::as_str), Some(secret), "{model}: {sent:?}");
            let others: Vec<_> = sent.headers.iter().filter(|(name, _)| *name != header).collect();
            assert!(
                others.iter().all(|(_, value)| !value.contains("key-of-") && !value.contains(&key)),
                "{model}: {others:?}"
            );
            if streamed {
                assert!(got.text().ends_with("data: [DONE]\n\n"), "{model}: {}", got.text());
                assert_eq!(text_in(&got.body), sent.text_bytes, "{model}: {}", got.text());
            } else {
                let answer: Value = serde_json::from_str(&got.text()).expect("JSON");
                let text = answer["choices"][0]["message"]["content"].as_str().expect("a text");
                assert_eq!(text.len() as u64, sent.text_bytes, "{model}: {answer}");
            }
            let cost = shop.prices(model).cost(&sent.usage.expect("usage"), None, Credits::ZERO);
            shop.ledger.balance_becomes(&account, "spent", &cost.to_string()).await;
        }
    }
    shop.ledger.nothing_is_held().await;
    shop.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_or_a_provider_is_refused_and_costs_nothing() {
    let shop = Shop::start("models", |gate| {
        gate["rules"][0]["meter"]["prices"]["llama4"] = json!({"input": "1", "output": "1"});
    })
    .await;
    let key = shop.ledger.account("acme", "10").await;
    for (model, code) in [
        ("gpt-unpriced", "unknown_model"),
        ("claude-unpriced", "unknown_model"),
        ("", "unknown_model"),
        // It has a price, and no route.
        ("llama4", "model_not_found"),
    ] {
        let got = got(shop.post(CHAT, &key, &chat(model, &json!({})))).await;
        assert_eq!((got.status, got.code().as_str()), (404, code), "{model}: {}", got.text());
    }
    let stranger = got(shop.post(CHAT, "fg_live_nobody", &chat("gpt-5-mini", &json!({})))).await;
    assert_eq!(stranger.status, 401, "{}", stranger.text());
    let elsewhere = got(shop.post("/v1/models", &key, &json!({}))).await;
    assert_eq!(elsewhere.status, 404, "{}", elsewhere.text());
    assert_eq!(shop.arrived(), 0);
    assert_eq!(shop.spent("acme").await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_does_not_reach_providers_to_which_envoy_translates() {
    let shop = Shop::start("models", |_| {}).await;
    let key = shop.ledger.account("acme", "10").await;
    let dear = json!({
        "max_tokens": 7, "speed": "fast", "thinking": {"type": "enabled", "budget_tokens": 9_000}, "n": 8,
        "tools": [{"googleSearch": {}}, {"type": "web_search_20250305", "name": "web_search"}],
        "generationConfig": {"candidateCount": 8}, "cachedContent": "cachedContents/1", "service_tier": "priority"
    });
    for (model, provider, _, (header, secret)) in MODELS.into_iter().skip(1) {
        for content_type in ["application/json", "text/plain", "Application/JSON", "application/vnd.x+json"] {
            let request = shop.post(CHAT, &key, &chat(model, &dear)).header("content-type", content_type);
            let request =
                request.header("anthropic-beta", "fast-mode").header("x-goog-user-project", "another");
            let got = got(request.header(header, "one of the client's")).await;
            assert_eq!(got.status, 200, "{model}, {content_type}: {}", got.text());
            let sent = shop.api(provider).last();
            let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
            let names: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
            let (expected, limit): (&[&str], _) = match provider {
                "anthropic" => (&["max_tokens", "messages", "model"], &body["max_tokens"]),
                _ => (&["contents", "generationConfig"], &body["generationConfig"]["maxOutputTokens"]),
            };
            assert_eq!((names.as_slice(), limit), (expected, &json!(7)), "{content_type}: {body}");
            assert_eq!(sent.headers[header], secret, "{sent:?}");
            for name in ["anthropic-beta", "x-goog-user-project"] {
                assert!(!sent.headers.contains_key(name), "{sent:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_may_not_take_a_body_differently() {
    let shop = Shop::start("models", |_| {}).await;
    let key = shop.ledger.account("acme", "10").await;
    let start =
        r#"{"messages": [{"role": "user", "content": "u"}], "speed": "fast", "model": "claude-haiku-4-5""#;
    for rest in [
        r#", "model": "gpt-5-mini"}"#,
        r#", "mod\u0065l": "gpt-5-mini"}"#,
        r#", "x": {"a": 1, "a": 2}}"#,
        r#", "x": 1e999}"#,
        r#", "x": "\ud800"}"#,
        "} {}",
        &format!(r#", "x": {}{}}}"#, "[".repeat(40), "]".repeat(40)),
    ] {
        let body = format!("{start}{rest}");
        let request = reqwest::Client::new().post(shop.gate.url(CHAT)).bearer_auth(&key).body(body.clone());
        let got = got(request).await;
        assert_eq!(got.status, 400, "{body}: {}", got.text());
    }
    assert_eq!(shop.arrived(), 0);
    assert_eq!(shop.spent("acme").await, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_costs_nothing_and_a_client_that_leaves_pays_for_what_was_delivered() {
    let shop = Shop::start("models", |_| {}).await;
    for (number, (model, provider, ..)) in MODELS.into_iter().enumerate() {
        let account = format!("failed-{number}");
        let key = shop.ledger.account(&account, "10").await;
        for status in [400, 429, 503, 529] {
            let request = shop.post(CHAT, &key, &chat(model, &json!({})));
            let got = got(request.header(STEER, json!({"status": status}).to_string())).await;
            assert_eq!(got.status, status, "{model}: {}", got.text());
        }
        assert_eq!(shop.spent(&account).await, Credits::ZERO, "{model}");

        let account = format!("left-{number}");
        let key = shop.ledger.account(&account, "10").await;
        let steer = json!({"usage": {"input": 100, "output": 90_000}, "words": 200, "pause_ms": 50});
        let request = shop.post(CHAT, &key, &chat(model, &json!({"stream": true})));
        let mut answer = request.header(STEER, steer.to_string()).send().await.expect("an answer");
        let mut read = Vec::new();
        while text_in(&read) == 0 {
            read.extend_from_slice(&answer.chunk().await.expect("no error").expect("a chunk"));
        }
        drop(answer);
        eventually("the provider notices", Duration::from_secs(20), async || {
            shop.api(provider).last().end == End::ClientLeft
        })
        .await;
        let spent = shop.spent(&account).await;
        // All 90,000 would be far more.
        let most = shop.prices(model).cost(
            &serde_json::from_value(json!({"input": 200, "output": 2_000})).expect("usage"),
            None,
            Credits::ZERO,
        );
        assert!(Credits::ZERO < spent && spent < most, "{model}: {spent} of {most}");
    }
    shop.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_arrives_whole_over_each_version_of_http() {
    let shop = Shop::start("models", |_| {}).await;
    let key = shop.ledger.account("acme", "10").await;
    // 1.5 MB: with smaller buffers, what Envoy translates never ends.
    let steer = json!({"usage": {"input": 100, "output": 100}, "words": 150_000});
    for (model, ..) in MODELS {
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let body = chat(model, &json!({})).to_string();
            let (bearer, steer) = (format!("authorization: Bearer {key}"), format!("{STEER}: {steer}"));
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", "--max-time", "30", version, &shop.gate.url(CHAT)]);
            curl.args(["--header", &bearer, "--header", &steer, "--data", &body]);
            let (done, said) =
                tokio::task::spawn_blocking(move || out_of(&mut curl)).await.expect("no panic");
            assert!(done && said.len() > 1_000_000, "{model}, {version}: {} bytes", said.len());
            assert!(said.contains("word149997"), "{model}, {version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_refused_at_once() {
    let shop = Shop::start("models", |_| {}).await;
    for (path, size, statuses) in [
        (CHAT, 1_000_000, [200, 200]),
        (CHAT, 1_100_000, [413, 413]),
        (CHAT, 5_000_000, [413, 413]),
        // There is nothing, which is known before a body of unknown length has arrived.
        ("/v1/models", 5_000_000, [413, 404]),
    ] {
        for (sized, status) in [true, false].into_iter().zip(statuses) {
            // The gate asks the ledger about a key that it hasn't seen, and Envoy keeps the body until it has answered.
            let account = format!("acme-{}-{size}-{sized}", path.len());
            let key = shop.ledger.account(&account, "10").await;
            let body = chat("gpt-5-mini", &json!({"x": "x".repeat(size), "max_tokens": 10}));
            let request = shop.post(path, &key, &body).timeout(shop::AT_ONCE);
            let request = if sized { request } else { request.body(shop::of_unknown_length(&body)) };
            let got = got(request).await;
            assert_eq!(got.status, status, "{path}, {size}, {sized}: {}", got.text());
            assert_eq!(shop.spent(&account).await.is_positive(), status == 200, "{path}, {size}, {sized}");
        }
    }
    assert_eq!(shop.arrived(), 2);
    shop.ledger.audit().await;
}
