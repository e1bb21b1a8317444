//! The vendors' SDKs, as callers that pay for what they use: what an SDK reports as usage, times the prices, is what is charged. An SDK
//! that didn't ask for usage sees none. And an upstream that we didn't write.

mod messages;
mod tools;

use crate::models::{Scene, config, cost, prices_of, setup};
use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use harness::{Clients, End, ModelCall, Process, World, eventually, free_port};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;

/// Where each of the SDKs puts its key.
fn for_sdks() -> Value {
    let mut config = config(&json!({}));
    config["identities"] =
        json!([{"header": "x-api-key"}, {"bearer": true}, {"header": "x-goog-api-key"}, {"query": "key"}]);
    config
}

/// The text that the upstream sends.
const WORDS: u64 = 12;

fn steer() -> String {
    let usage = json!({
        "input": 1000, "cache_read": 300, "cache_write": 50, "cache_write_1h": 20, "output": 200, "reasoning": 40
    });
    json!({"usage": usage, "words": WORDS}).to_string()
}

/// The usage that an SDK shows, in disjoint classes.
fn classes(usage: &Value) -> Quantities {
    let number = |place: &str| usage.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let first = |places: [&str; 2]| places.into_iter().map(number).max().unwrap_or(0);
    let mut all = Quantities::default();
    let mut set = |class, quantity| all.set(class, quantity);
    if usage.get("cache_read_input_tokens").is_some() {
        // Anthropic's lie beside.
        let written = number("/cache_creation_input_tokens");
        let long = number("/cache_creation/ephemeral_1h_input_tokens");
        let thought = number("/output_tokens_details/thinking_tokens");
        set(UsageClass::Input, number("/input_tokens"));
        set(UsageClass::CacheRead, number("/cache_read_input_tokens"));
        set(UsageClass::CacheWrite1h, long);
        set(UsageClass::CacheWrite, written - long);
        set(UsageClass::Reasoning, thought);
        set(UsageClass::Output, number("/output_tokens") - thought);
    } else if usage.get("prompt_token_count").is_some() {
        // Gemini's cache lies inside, its thoughts beside.
        let read = number("/cached_content_token_count");
        set(UsageClass::CacheRead, read);
        set(UsageClass::Input, number("/prompt_token_count") - read);
        set(UsageClass::Output, number("/candidates_token_count"));
        set(UsageClass::Reasoning, number("/thoughts_token_count"));
    } else {
        // OpenAI's lie inside.
        let read = first(["/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"]);
        let written =
            first(["/prompt_tokens_details/cache_write_tokens", "/input_tokens_details/cache_write_tokens"]);
        let thought =
            first(["/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"]);
        set(UsageClass::CacheRead, read);
        set(UsageClass::CacheWrite, written);
        set(UsageClass::Input, first(["/prompt_tokens", "/input_tokens"]) - read - written);
        set(UsageClass::Reasoning, thought);
        set(UsageClass::Output, first(["/completion_tokens", "/output_tokens"]) - thought);
    }
    all
}

/// Starts a server of other makers, and waits until it listens on this port.
async fn serve(clients: &Clients, script: &str, port: u16, more: &[(&str, &str)]) -> Process {
    let number = port.to_string();
    let environment: Vec<_> = more.iter().copied().chain([("PORT", number.as_str())]).collect();
    let running = clients.start(script, &environment);
    eventually(&format!("{script} listens"), Duration::from_secs(60), async || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    running
}

/// What such a server says of the work that it has done.
async fn carried_out(port: u16) -> Value {
    let said = reqwest::get(format!("http://127.0.0.1:{port}/carried-out")).await.expect("an answer");
    said.json().await.expect("JSON")
}

/// Runs a script, and compares each of its calls with what the upstream sent. Returns what it said.
async fn is_charged_as_shown(script: &str, model: impl Fn(&str) -> &'static str) -> Option<Value> {
    let clients = Clients::installed()?;
    let scene = Scene::with(for_sdks()).await;
    let key = scene.world.ledger.account("acme", "100").await;
    let said = clients.run(script, scene.world.gate(), &key, &[("ANSWER", &steer())]);
    let calls = said["calls"].as_object().unwrap_or_else(|| panic!("{script}: {said}"));
    let sent = scene.api.sent();
    assert_eq!(sent.len(), calls.len(), "{script} makes each call once: {said}");
    let mut shown = Credits::ZERO;
    for (name, call) in calls {
        // A call whose SDK sees no usage is charged as all others of its API are.
        let usage = if call["usage"].is_null() { &calls["chat"]["usage"] } else { &call["usage"] };
        shown = shown.saturating_add(prices_of(model(name)).cost(&classes(usage), None, Credits::ZERO));
    }
    assert!(sent.iter().all(|sent| sent.end == End::Finished && sent.usage.is_some()), "{script}: {sent:?}");
    let recorded: i64 = sent.iter().map(|sent| cost(sent).micros()).sum();
    assert_eq!(shown.micros(), recorded, "{script} shows what the upstream has recorded: {said}");
    assert_eq!(scene.spent("acme").await, shown, "{script}: {said}");
    for (name, call) in calls.iter().filter(|(name, _)| *name != "embeddings") {
        let text = call["text"].as_str().unwrap_or_default();
        assert!(text.starts_with("word0 word1 ") && text.ends_with("word11 "), "{script}, {name}: {text}");
    }
    Some(said)
}

fn of_openai(name: &str) -> &'static str {
    if name == "embeddings" { "text-embedding-4" } else { "gpt-5" }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openai_sdks_are_charged_what_they_show_and_see_no_usage_unasked() {
    for script in ["metered_openai.py", "metered_openai.mjs"] {
        let Some(said) = is_charged_as_shown(script, of_openai).await else { return };
        // The role, the words, and the reason why it ended.
        let chunks = WORDS + 2;
        for (name, chunks, empty) in
            [("stream", chunks, 0), ("stream with options", chunks, 0), ("stream with usage", chunks + 1, 1)]
        {
            let call = &said["calls"][name];
            assert_eq!(
                (&call["chunks"], &call["empty"]),
                (&json!(chunks), &json!(empty)),
                "{script}, {name}: {call}"
            );
            assert_eq!(call["usage"].is_null(), empty == 0, "{script}, {name}: {call}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anthropic_sdk_is_charged_what_it_shows() {
    let Some(said) = is_charged_as_shown("metered_anthropic.py", |_| "claude-opus-5").await else { return };
    assert_eq!(said["calls"]["messages, streamed"]["chunks"], json!(WORDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gemini_sdk_is_charged_what_it_shows() {
    let Some(said) = is_charged_as_shown("metered_gemini.py", |_| "gemini-3-pro").await else { return };
    assert_eq!(said["calls"]["gemini, streamed"]["chunks"], json!(WORDS + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_raise_their_own_error_when_a_stream_ends_for_lack_of_credits() {
    let Some(clients) = Clients::installed() else { return };
    let mut config = for_sdks();
    let meter = &mut config["rules"][0]["meter"];
    meter["hold"]["at_most"] = json!("0.0001");
    meter["stop_at_zero"] = json!(true);
    config["ledger"]["timeout_ms"] = json!(500);
    let scene = Scene::with(config).await;
    let slowly = json!({"usage": {"input": 40, "output": 9_000}, "words": 2_000, "pause_ms": 5}).to_string();
    for (name, error) in [("chat", "APIError"), ("responses", "APIError"), ("messages", "APIStatusError")] {
        let key = scene.world.ledger.account(name, "0.0015").await;
        let said =
            clients.run("stopped.py", scene.world.gate(), &key, &[("ANSWER", &slowly), ("CALL", name)]);
        assert_eq!(said["error"], json!(error), "{name}: {said}");
        assert!(said["events"].as_u64() > Some(5), "{name}: {said}");
        assert!(
            said["text"].as_str().is_some_and(|text| text.contains("for the rest of the answer")),
            "{name}: {said}"
        );
    }
    assert_eq!(scene.api.sent().len(), 3, "none is tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_of_other_makers_is_charged_what_it_reports() {
    let Some(clients) = Clients::installed() else { return };
    let port = free_port();
    let _running = serve(&clients, "aimock.mjs", port, &[]).await;
    let world = World::start(setup(config(&json!({})), port)).await;
    let hello = json!({"messages": [{"role": "user", "content": "hello"}]});
    // 120 × 1.25 + 30 × 10 millionths; 120 × 5 + 30 × 25; 120 × 2 + 30 × 12.
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    for (number, (name, more, spent)) in [
        ("chat", &hello, "0.00045"),
        ("chat, streamed", &hello, "0.00045"),
        ("messages", &hello, "0.00135"),
        ("messages, streamed", &hello, "0.00135"),
        ("gemini, events", &gemini, "0.0006"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("account-{number}");
        let key = world.ledger.account(&account, "10").await;
        let call = ModelCall::named(name).with(more);
        let request = reqwest::Client::new().post(world.gate().url(call.path)).header("x-api-key", &key);
        let answer = request.json(&call.body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert_eq!(status, 200, "{name}: {text}");
        // It says the text in two pieces where it streams.
        assert!(text.contains("Hi there") && text.contains("today?"), "{name}: {text}");
        assert_eq!(text.contains("prompt_tokens"), name == "chat", "{name}: {text}");
        world.ledger.balance_becomes(&account, "spent", spent).await;
    }
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
}
