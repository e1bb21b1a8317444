//! The upstream itself: what it records is what its answers say, as the filter reads them, and what it was steered to do.

use super::*;
use faregate::decide::meter::dialect::Dialect;
use faregate::decide::meter::framing::Framing;
use faregate::decide::meter::reader::{Reader, Report};
use faregate_protocol::metering::UsageClass;
use std::time::Instant;

/// What a client got.
struct Got {
    status: u16,
    kind: String,
    bytes: Vec<u8>,
    /// Whether the answer came to its end.
    whole: bool,
}

async fn ask(api: &ModelApi, call: &ModelCall, steer: &Value) -> Got {
    let request = reqwest::Client::new().post(format!("http://127.0.0.1:{}{}", api.port, call.path));
    let request = request.header(STEER, steer.to_string()).header("accept-encoding", "gzip").json(&call.body);
    let mut answer = request.send().await.expect("an answer");
    let header = |name: &str| {
        answer.headers().get(name).map_or("", |value| value.to_str().expect("a text")).to_owned()
    };
    let kind = format!("{}{}", header("content-type"), header("content-encoding"));
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    let whole = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Got { status, kind, bytes, whole }
}

fn read(call: &ModelCall, got: &Got) -> Report {
    let dialect = Dialect::detect(call.path);
    let mut reader = Reader::new(dialect, Framing::choose(Some(&got.kind), dialect));
    reader.feed(&got.bytes);
    reader.finish()
}

/// Calls whose usage must be asked for ask.
fn asking() -> impl Iterator<Item = ModelCall> {
    let options = json!({"stream_options": {"include_usage": true}});
    model_calls()
        .into_iter()
        .map(move |call| if call.name == "chat, streamed" { call.with(&options) } else { call })
}

fn all_classes() -> Value {
    json!({"input": 1200, "cache_read": 400, "cache_write": 60, "cache_write_1h": 40, "output": 300, "reasoning": 50, "search": 2})
}

#[tokio::test]
async fn what_is_recorded_is_what_each_answer_says() {
    let api = ModelApi::start().await;
    for call in asking() {
        for steer in [
            json!({}),
            json!({"usage": all_classes(), "tier": "priority"}),
            json!({"usage": {}}),
            json!({"no_usage": true}),
        ] {
            let got = ask(&api, &call, &steer).await;
            let sent = api.last();
            let report = read(&call, &got);
            assert_eq!((got.status, sent.end, got.whole), (200, End::Finished, true), "{}", call.name);
            assert_eq!(report.quantities, sent.usage, "{} {steer}", call.name);
            assert_eq!(
                (report.output_bytes, report.error),
                (sent.text_bytes, false),
                "{} {steer}",
                call.name
            );
            assert_eq!(sent.usage.is_none(), steer["no_usage"] == true, "{} {steer}", call.name);
            assert_eq!(sent.body, call.body.to_string().as_bytes());
        }
    }
}

#[tokio::test]
async fn usage_goes_into_the_classes_that_an_api_has_numbers_for() {
    let api = ModelApi::start().await;
    let expected = |name: &str| match name.split(',').next().unwrap_or_default() {
        "chat" | "mistral" => {
            json!({"input": 1200, "cache_read": 400, "cache_write": 100, "output": 300, "reasoning": 50})
        }
        "responses" => {
            json!({"input": 1200, "cache_read": 400, "cache_write": 100, "output": 300, "reasoning": 50, "search": 2})
        }
        "messages" => all_classes(),
        "gemini" => json!({"input": 1300, "cache_read": 400, "output": 300, "reasoning": 50}),
        "embeddings" => json!({"input": 1700}),
        "ollama" => json!({"input": 1700, "output": 350}),
        "cohere" => json!({"input": 1700, "output": 350, "search": 2}),
        _ => {
            json!({"input": 1200, "cache_read": 400, "cache_write": 60, "cache_write_1h": 40, "output": 350})
        }
    };
    for call in asking() {
        ask(&api, &call, &json!({"usage": all_classes()})).await;
        let usage = serde_json::to_value(api.last().usage).expect("JSON");
        assert_eq!(usage, expected(call.name), "{}", call.name);
    }
}

#[tokio::test]
async fn a_stream_of_chat_says_its_usage_only_if_it_is_asked() {
    let api = ModelApi::start().await;
    let call = ModelCall::named("chat, streamed");
    for (options, is_said) in [
        (json!(null), false),
        (json!({}), false),
        (json!({"include_usage": false}), false),
        (json!({"include_usage": true}), true),
    ] {
        let call = call.clone().with(&json!({"stream_options": options}));
        let got = ask(&api, &call, &json!({})).await;
        let text = String::from_utf8(got.bytes).expect("text");
        assert_eq!(
            (text.contains("\"prompt_tokens\""), api.last().usage.is_some()),
            (is_said, is_said),
            "{options}"
        );
    }
}

#[tokio::test]
async fn text_with_usage_in_it_changes_no_usage() {
    let api = ModelApi::start().await;
    for call in asking() {
        let steer = json!({"usage": all_classes(), "forged": true});
        let got = ask(&api, &call, &steer).await;
        let text = String::from_utf8_lossy(&got.bytes);
        assert!(text.contains("900000") || call.name == "embeddings", "{}: {text}", call.name);
        assert_eq!(read(&call, &got).quantities, api.last().usage, "{}", call.name);
    }
}

#[tokio::test]
async fn errors_and_cuts_come_where_they_are_steered_to() {
    let api = ModelApi::start().await;
    for call in asking() {
        let is_streamed = call.name.contains(',');
        let got = ask(&api, &call, &json!({"error_after": 3})).await;
        assert!(got.whole && read(&call, &got).error, "{}", call.name);
        let words = ["word0 ", "word1 ", "word2 "].map(str::len).iter().sum::<usize>() as u64;
        let most = if is_streamed { words } else { u64::MAX };
        assert!(api.last().text_bytes <= most, "{}: {}", call.name, api.last().text_bytes);

        let got = ask(&api, &call, &json!({"cut_after": 3})).await;
        assert!(!got.whole, "{}", call.name);
        assert_eq!(api.last().end, End::Cut, "{}", call.name);
        if is_streamed {
            assert_eq!(api.last().text_bytes, words, "{}", call.name);
        }

        let got = ask(&api, &call, &json!({"status": 429})).await;
        assert_eq!((got.status, api.last().usage), (429, None), "{}", call.name);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_is_recorded_with_what_it_was_sent() {
    let api = ModelApi::start().await;
    let call = ModelCall::named("messages, streamed");
    let url = format!("http://127.0.0.1:{}{}", api.port, call.path);
    let steer = json!({"words": 500, "pause_ms": 5, "usage": {"input": 7, "output": 900}});
    let request = reqwest::Client::new().post(url).header(STEER, steer.to_string()).json(&call.body);
    let mut answer = request.send().await.expect("an answer");
    let mut seen = 0;
    while seen < 2_000 {
        seen += answer.chunk().await.expect("a chunk").expect("not the end").len();
    }
    drop(answer);
    let start = Instant::now();
    while api.last().end == End::Running && start.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = api.last();
    let usage = sent.usage.expect("the beginning was sent");
    assert_eq!(
        (sent.end, usage.get(UsageClass::Input), usage.get(UsageClass::Output)),
        (End::ClientLeft, 7, 1)
    );
    assert!(sent.text_bytes > 0 && sent.text_bytes < 500 * 7, "{}", sent.text_bytes);
}

#[tokio::test]
async fn answers_are_compressed_on_request() {
    let api = ModelApi::start().await;
    for name in ["chat", "messages, streamed"] {
        let got = ask(&api, &ModelCall::named(name), &json!({"gzip": true})).await;
        assert!(got.kind.ends_with("gzip"), "{name}: {}", got.kind);
        assert_eq!(got.bytes.get(..3), Some([0x1f, 0x8b, 8].as_slice()));
        let python = "import gzip,sys; sys.stdout.write(str(len(gzip.decompress(sys.stdin.buffer.read()))))";
        let mut child = std::process::Command::new("python3")
            .args(["-c", python])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3");
        std::io::Write::write_all(&mut child.stdin.take().expect("its input"), &got.bytes).expect("written");
        let said = child.wait_with_output().expect("its output");
        let size: usize = String::from_utf8_lossy(&said.stdout).parse().expect("a size");
        assert!(size > 500 && said.status.success(), "{name}: {size}");
    }
}

#[test]
fn the_checksum_is_that_of_gzip() {
    assert_eq!(framing::checksum(b"123456789"), 0xCBF4_3926);
}

#[tokio::test]
async fn what_cannot_be_steered_is_an_error() {
    let api = ModelApi::start().await;
    let call = ModelCall::named("chat");
    for steer in [json!({"word": 3}), json!({"usage": {"inputs": 3}}), json!({"usage": {"input": -1}})] {
        assert_eq!(ask(&api, &call, &steer).await.status, 422, "{steer}");
    }
}
