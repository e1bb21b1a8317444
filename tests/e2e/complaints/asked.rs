//! Requests whose body misleads: images that look like text, a model at the end, and a body that passes a second reader.

use super::desk::{Desk, completion};
use crate::models::{BYTES_PER_TOKEN, config, got, prices_of, setup};
use faregate_protocol::Credits;
use harness::{Answering, Clients, ModelCall, Process, Scripted, World, eventually, free_port};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;

/// How many tokens the rule takes for an image.
const IMAGE: u64 = 1_500;

/// What is held for a chat of at most 100 tokens, with so many bytes of image data in its body.
fn held(call: &ModelCall, image_bytes: usize) -> Credits {
    let text = (call.body.to_string().len() - image_bytes) as u64;
    prices_of(call.model).hold(text.div_ceil(BYTES_PER_TOKEN) + IMAGE, 100, None, Credits::ZERO)
}

/// A chat about this picture.
fn about(picture: &Value) -> ModelCall {
    let content = json!([{"type": "text", "text": "What is this?"}, picture]);
    let messages = json!([{"role": "user", "content": content}]);
    ModelCall::named("chat").with(&json!({"messages": messages, "max_completion_tokens": 100}))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_counts_as_an_image_inline_or_by_its_url() {
    let desk = Desk::start().await;
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    desk.api.answers(Answering::json(&completion("a cat", &usage)));
    let data = format!("data:image/png;base64,{}", "iVBORw0K".repeat(100_000));
    let anthropic = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K".repeat(100_000)}});
    let messages = json!([{"role": "user", "content": [anthropic]}]);
    let claude = ModelCall::named("messages").with(&json!({"messages": messages, "max_tokens": 100}));
    let url = "https://example.com/cat.png";
    for (number, (call, image_bytes)) in [
        (about(&json!({"type": "image_url", "image_url": {"url": data}})), data.len()),
        (about(&json!({"type": "image_url", "image_url": {"url": url}})), 0),
        (claude, 800_000),
    ]
    .into_iter()
    .enumerate()
    {
        let hold = held(&call, image_bytes);
        let short = hold.saturating_sub(Credits::from_micros(1));
        for (name, balance, status) in [("exact", hold, 200), ("short", short, 402)] {
            let key = desk.world.ledger.account(&format!("{name}-{number}"), &balance.to_string()).await;
            let got = got(desk.request(&key, &call)).await;
            assert_eq!(got.status, status, "{number}, {name}: {balance} of {hold}: {}", got.text());
        }
    }
    assert_eq!(desk.api.got().len(), 3);
    desk.settles().await;
}

/// A chat of about this size whose last member is the model.
fn ends_with_its_model(size: usize) -> String {
    let text = serde_json::to_string(&"Gr\u{fc}\u{df}e, \"world\" ".repeat(size / 19)).expect("JSON");
    format!(
        "{{\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":{text}}}],\"max_tokens\":10,\"model\":\"gpt-5\"}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_at_the_end_of_a_large_body_is_found() {
    let mut desk = Desk::start().await;
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}).to_string();
    for size in [1_000, 100_000, 1_600_000, 7_000_000] {
        let body = ends_with_its_model(size);
        let call = ModelCall {
            body: serde_json::from_str(&body).expect("JSON"),
            ..ModelCall::named("chat, streamed")
        };
        let key = desk.world.ledger.account(&format!("acme-{size}"), "100").await;
        desk.api.answers(Answering::events([usage.as_str(), "[DONE]"]));
        let got = got(desk.request(&key, &call).body(body.clone())).await;
        assert_eq!(got.status, 200, "{size}: {}", got.text());
        let arrived = desk.api.got().pop().expect("a request").body;
        let arrived: Value = serde_json::from_slice(&arrived).expect("the whole body");
        assert_eq!(arrived["messages"], call.body["messages"], "{size}");
        assert_eq!(arrived["stream_options"]["include_usage"], true, "{size}");
        desk.world.ledger.balance_becomes(&format!("acme-{size}"), "spent", "0.000225").await;
    }
    desk.costs(
        &ModelCall::named("chat"),
        Answering::json(&completion("", &json!({"prompt_tokens": 0}))),
        "0",
    )
    .await;
    desk.settles().await;
}

/// A gate with Envoy's external processor behind it, in this mode.
async fn processed(clients: &Clients, api: &Scripted, mode: &Value) -> (World, Process) {
    let port = free_port();
    let number = port.to_string();
    let processor = clients.start("ext_proc.py", &[("PORT", &number)]);
    eventually("the processor listens", Duration::from_secs(60), async || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    let service = json!({"target_uri": format!("127.0.0.1:{port}"), "stat_prefix": "processor"});
    let filter = json!({"name": "processor", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"google_grpc": service}, "processing_mode": mode, "message_timeout": "20s"
    }});
    let mut setup = setup(config(&json!({})), api.port);
    setup.behind = vec![filter];
    (World::start(setup).await, processor)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_passes_whole_to_an_external_processor_behind_the_gate() {
    let Some(clients) = Clients::installed() else { return };
    let api = Scripted::start().await;
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}).to_string();
    api.answers(Answering::events([usage.as_str(), "[DONE]"]));
    let duplex = json!({
        "request_body_mode": "FULL_DUPLEX_STREAMED", "request_trailer_mode": "SEND",
        "response_body_mode": "FULL_DUPLEX_STREAMED", "response_trailer_mode": "SEND"
    });
    for mode in [
        duplex,
        json!({"request_body_mode": "STREAMED", "response_body_mode": "STREAMED"}),
        json!({"request_body_mode": "BUFFERED"}),
    ] {
        let (world, _processor) = processed(&clients, &api, &mode).await;
        let key = world.ledger.account("acme", "100").await;
        let mut spent = 0;
        for size in [1_000, 16_384, 65_536, 1_600_000] {
            for _ in 0..4 {
                let body = ends_with_its_model(size);
                let sent: Value = serde_json::from_str(&body).expect("JSON");
                let url = world.gate().url("/v1/chat/completions");
                let got = got(reqwest::Client::new().post(url).header("x-api-key", &key).body(body)).await;
                assert_eq!((got.status, got.whole), (200, true), "{mode}, {size}: {}", got.text());
                let request = api.got().pop().expect("a request");
                assert_eq!(
                    request.headers.get("x-processed").map(|value| value.as_bytes()),
                    Some(&b"yes"[..]),
                    "{mode}"
                );
                let arrived: Value = serde_json::from_slice(&request.body).unwrap_or_else(|why| {
                    panic!("{mode}: {} of {size} bytes arrived: {why}", request.body.len())
                });
                assert_eq!(arrived["messages"], sent["messages"], "{mode}, {size}");
                spent += 225;
            }
        }
        world.ledger.balance_becomes("acme", "spent", &Credits::from_micros(spent).to_string()).await;
        world.ledger.nothing_is_held().await;
        world.ledger.audit().await;
    }
}
