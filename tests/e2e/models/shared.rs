//! Several requests at once: holds are exclusive, and a rule by usage costs other routes nothing.

use super::{Scene, config, cost};
use crate::hostile::wire::{connect, statuses};
use futures_util::future::join_all;
use harness::{ModelCall, eventually, model_calls};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_requests_on_the_last_hold_exactly_one_passes() {
    let scene = Scene::start().await;
    // 10,000 tokens of Opus are 0.25 credits, and the body is below 0.01: one hold fits, two don't.
    let key = scene.world.ledger.account("acme", "0.3").await;
    let call = ModelCall::named("messages, streamed").with(&json!({"max_tokens": 10_000}));
    let steer = json!({"usage": {"input": 50, "output": 40}, "words": 30, "pause_ms": 50});
    let all = join_all((0..8).map(|_| scene.ask(&key, &call, &steer))).await;
    let passed = all.iter().filter(|got| got.status == 200).count();
    let refused = all.iter().filter(|got| got.status == 402).count();
    assert_eq!((passed, refused), (1, 7), "{all:?}");
    assert_eq!(scene.api.sent().len(), 1);
    // 50 × 5 + 40 × 25 millionths; what was held beyond that is there again.
    scene.world.ledger.balance_becomes("acme", "spent", "0.00125").await;
    assert_eq!(scene.ask(&key, &call, &steer).await.status, 200);
    assert_eq!(scene.spent("acme").await.to_string(), "0.0025");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_at_once_are_charged_what_they_used() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "1000").await;
    let calls: Vec<_> = model_calls().into_iter().cycle().take(100).collect();
    let steer = json!({"words": 30, "pause_ms": 5});
    let all = join_all(calls.iter().map(|call| scene.ask(&key, call, &steer))).await;
    assert!(
        all.iter().all(|got| got.status == 200 && got.whole),
        "{:?}",
        all.iter().map(|got| got.status).collect::<Vec<_>>()
    );
    let sent = scene.api.sent();
    let costs: i64 = sent.iter().map(|sent| cost(sent).micros()).sum();
    assert_eq!((sent.len(), scene.spent("acme").await.micros()), (100, costs));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_to_another_rule_reaches_the_api_as_it_comes() {
    let mut config = config(&json!({}));
    let files = json!({"name": "files", "match": {"path": {"prefix": "/files"}}, "price": "1"});
    config["rules"].as_array_mut().expect("a list").insert(0, files);
    let scene = Scene::with(config).await;
    let key = scene.world.ledger.account("acme", "10").await;
    // Far more than the rule by usage reads, and than Envoy may keep.
    let size = 60_000_000;
    let head = format!(
        "POST /files HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n"
    );
    let port = scene.world.gate().port;
    let mut stream = connect(port);
    let half = vec![b'x'; size / 2];
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&half[..size / 1_000]).expect("sent");
    eventually("the beginning has arrived", Duration::from_secs(30), async || scene.api.sent().len() == 1)
        .await;
    let answered = tokio::task::spawn_blocking(move || {
        stream.set_write_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        stream.write_all(&half[size / 1_000..]).expect("sent");
        stream.write_all(&half).expect("sent");
        statuses(&mut stream, Duration::from_secs(5))
    });
    assert_eq!(answered.await.expect("no panic"), [200]);
    assert_eq!(scene.api.last().body.len(), size);
    scene.world.ledger.balance_becomes("acme", "spent", "1").await;
}
