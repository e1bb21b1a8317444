//! Large requests: forms with a file, and bodies that pass unread.

use super::{Scene, config, cost, got};
use crate::hostile::wire::{connect, statuses};
use faregate_protocol::Credits;
use harness::{ModelCall, eventually};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// More than Envoy has room for.
const LARGE: usize = 24 << 20;

/// A form with a model, behind a file of so many bytes.
fn form(model: &str, file: usize) -> Vec<u8> {
    let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n";
    let field =
        format!("\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B--\r\n");
    [head.as_bytes(), &vec![b'\r'; file], field.as_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_charged_by_its_size_where_the_answer_has_no_usage() {
    let scene = Scene::with(config(&json!({"prices": {"whisper-1": {"second": "0.0001"}}}))).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let url = scene.world.gate().url("/v1/audio/transcriptions");
    let send = async |kind: &str, body: Vec<u8>| {
        let request =
            reqwest::Client::new().post(&url).header("x-api-key", &key).header("content-type", kind);
        got(request.body(body)).await
    };
    let body = form("whisper-1", 1_000_000);
    for (kind, body) in [
        ("multipart/form-data", body.clone()),
        ("multipart/form-data; boundary=A", body.clone()),
        ("multipart/form-data; boundary=B", body[..body.len() - 5].to_vec()),
    ] {
        let refused = send(kind, body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_body"),
            "{kind}: {}",
            refused.text()
        );
        assert!(refused.text().contains("form"), "{}", refused.text());
    }
    assert_eq!(send("multipart/form-data; boundary=B", form("whisper-2", 9)).await.code(), "unknown_model");
    assert!(scene.api.sent().is_empty());
    let answer = send("multipart/form-data; boundary=B", body.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(scene.api.last().body == body, "the form arrives as it was");
    // 500 seconds at 2,000 bytes each.
    assert_eq!(scene.spent("acme").await.to_string(), "0.05");
}

/// A rule that lets larger bodies pass.
fn unread(more: &Value) -> Value {
    let mut meter = json!({"larger": "hold", "max_body_bytes": 65_536, "unknown_model": "refuse"});
    meter.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    config(&meter)
}

fn large() -> ModelCall {
    ModelCall::named("chat").with(&json!({"messages": [{"role": "user", "content": "x".repeat(LARGE)}]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_known_length_passes_unread_and_costs_what_its_answer_says() {
    let scene = Scene::with(unread(&json!({}))).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let call = large();
    let mut expected = Credits::ZERO;
    for _ in 0..2 {
        // At first the caller isn't known: the request waits for the ledger.
        let answer = scene.ask(&key, &call, &json!({"usage": {"input": 700, "output": 30}})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(scene.api.last().body == call.body.to_string().as_bytes(), "the body arrives as it was");
        expected = expected.saturating_add(cost(&scene.api.last()));
    }
    assert_eq!(scene.spent("acme").await, expected);
    let silent = scene.ask(&key, &call, &json!({"no_usage": true})).await;
    assert_eq!(silent.status, 200, "{}", silent.text());
    assert_eq!(
        scene.spent("acme").await,
        expected.saturating_add("2".parse().expect("an amount")),
        "all that was held"
    );
    let poor = scene.world.ledger.account("poor", "1.9").await;
    assert_eq!(scene.ask(&poor, &call, &json!({})).await.status, 402);
    assert_eq!(scene.api.sent().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_is_let_go_when_it_is_too_large_to_read() {
    let scene = Scene::with(unread(&json!({}))).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let body = large().body.to_string().into_bytes();
    for round in 1..3 {
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let (port, sent) = (scene.world.gate().port, body.clone());
        let answered = tokio::task::spawn_blocking(move || {
            let mut stream = connect(port);
            stream.write_all(head.as_bytes()).expect("sent");
            for piece in sent.chunks(65_536) {
                stream
                    .write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
                    .expect("sent");
            }
            stream.write_all(b"0\r\n\r\n").expect("sent");
            statuses(&mut stream, Duration::from_secs(2))
        });
        assert_eq!(answered.await.expect("no panic"), [200]);
        eventually("the API has answered", Duration::from_secs(10), async || scene.api.sent().len() == round)
            .await;
        assert!(scene.api.last().body == body, "the body arrives as it was");
    }
    let expected = scene.api.sent().iter().fold(Credits::ZERO, |sum, sent| sum.saturating_add(cost(sent)));
    assert_eq!(scene.spent("acme").await, expected);
}
