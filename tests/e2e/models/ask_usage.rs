//! A stream of chat says its usage only if the request asks for it. The gate asks, and takes the extra chunk out again where the client
//! didn't; nothing else of the request or the answer changes.

use super::{Scene, cost, got};
use crate::hostile::wire::{connect, statuses};
use harness::{ModelApi, ModelCall, STEER, model_calls};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";

/// A request as somebody may write it: odd blanks, escapes, numbers that don't survive a float.
fn written(options: &str) -> String {
    let odd = r#""messages" : [ {"role":"user","content":"Gr\u00fc\u00dfe \"stream_options\":{} é"} ],"seed":12345678901234567890, "temperature":1.0e-1"#;
    format!("{{ \"model\":\"gpt-5\",\n\t{odd},\"stream\": true{options}}}\r\n ")
}

/// How many bytes at the beginning and at the end two texts have in common, without counting one twice.
fn in_common(one: &[u8], other: &[u8]) -> usize {
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let start = same(&mut one.iter().zip(other));
    let end = same(&mut one[start..].iter().rev().zip(other[start..].iter().rev()));
    start + end
}

async fn send(scene: &Scene, key: &str, body: &str, steer: &Value) -> super::Got {
    let request = reqwest::Client::new().post(scene.world.gate().url(PATH)).header("x-api-key", key);
    let request = request.header(STEER, steer.to_string()).header("content-type", "application/json");
    got(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_did_not_ask_for_usage_sees_none_and_the_charge_is_exact() {
    let scene = Scene::start().await;
    let steer = json!({"usage": {"input": 90, "cache_read": 10, "output": 33}, "words": 7});
    for (number, (options, replaced)) in [
        ("", ""),
        (r#","stream_options":{}"#, ""),
        (r#", "stream_options" : null"#, "null"),
        (r#","stream_options":{"include_obfuscation":false}"#, ""),
        (r#","stream_options":{ "include_usage" : false }"#, "false"),
        (r#","stream_options":{"include_usage":null,"include_obfuscation":false}"#, "null"),
    ]
    .into_iter()
    .enumerate()
    {
        let account = format!("account-{number}");
        let key = scene.world.ledger.account(&account, "10").await;
        let body = written(options);
        let got = send(&scene, &key, &body, &steer).await;
        assert_eq!(got.status, 200, "{options}: {}", got.text());

        let sent = scene.api.last();
        let arrived: Value = serde_json::from_slice(&sent.body).expect("JSON");
        assert_eq!(arrived["stream_options"]["include_usage"], true, "{options}: {arrived}");
        let kept = in_common(body.as_bytes(), &sent.body);
        assert!(kept + replaced.len() >= body.len(), "{options}: all else is unchanged: {arrived}");
        assert_eq!(sent.headers.get("content-length"), Some(&sent.body.len().to_string()), "{options}");

        let events = got.events();
        assert_eq!(events.len(), 7 + 3, "the role, the words, the reason, the end: {events:?}");
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
        assert!(!got.text().contains("prompt_tokens"), "{options}: {}", got.text());
        scene.world.ledger.balance_becomes(&account, "spent", &cost(&sent).to_string()).await;
    }
    scene.world.ledger.nothing_is_held().await;
    scene.world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asked_for_usage_sees_it_and_its_request_is_unchanged() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let body = written(r#","stream_options":{"include_usage":true}"#);
    let got = send(&scene, &key, &body, &json!({"usage": {"input": 90, "output": 33}, "words": 7})).await;
    let sent = scene.api.last();
    assert_eq!(String::from_utf8_lossy(&sent.body), body);
    let events = got.events();
    assert_eq!(events.len(), 7 + 4, "{events:?}");
    let usage: Value = serde_json::from_str(&events[9]).expect("JSON");
    assert_eq!((&usage["choices"], &usage["usage"]["prompt_tokens"]), (&json!([]), &json!(90)));
    scene.world.ledger.balance_becomes("acme", "spent", &cost(&sent).to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_streams_of_chat_are_changed() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    for call in model_calls() {
        let got = scene.ask(&key, &call, &json!({})).await;
        assert_eq!(got.status, 200, "{}: {}", call.name, got.text());
        let is_chat = call.path == PATH && call.body["stream"] == true;
        let is_unchanged = scene.api.last().body == call.body.to_string().as_bytes();
        assert_eq!(is_unchanged, !is_chat, "{}", call.name);
    }
    scene.world.ledger.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_asks_for_nothing_leaves_requests_as_they_are() {
    let scene = Scene::with(super::config(&json!({"ask_for_usage": false}))).await;
    let key = scene.world.ledger.account("acme", "10").await;
    let call = ModelCall::named("chat, streamed");
    assert_eq!(scene.ask(&key, &call, &json!({"words": 50})).await.events().len(), 50 + 3);
    let sent = scene.api.last();
    assert_eq!((sent.body, sent.usage), (call.body.to_string().into_bytes(), None));
    let spent = scene.spent("acme").await;
    assert!(spent.is_positive(), "what was delivered isn't free: {spent}");
}

/// What must hold of a connection on which one request is directly behind another.
fn two_requests(key: &str, bodies: [&str; 2]) -> String {
    let one = |body: &str, more: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    one(bodies[0], "") + &one(bodies[1], "connection: close\r\n")
}

fn bodies(api: &ModelApi) -> Vec<Value> {
    api.sent().iter().map(|sent| serde_json::from_slice(&sent.body).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_directly_behind_a_changed_one_is_answered_as_one_of_its_own() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let second = r#"{"model":"gpt-5","messages":[],"seed":2}"#;
    let port = scene.world.gate().port;
    for turn in 1..=3 {
        let request = two_requests(&key, [&written(""), second]);
        let answered = tokio::task::spawn_blocking(move || {
            let mut stream = connect(port);
            stream.write_all(request.as_bytes()).expect("sent");
            statuses(&mut stream, Duration::from_secs(5))
        });
        assert_eq!(answered.await.expect("no panic"), [200, 200]);
        let arrived = bodies(&scene.api);
        assert_eq!(arrived.len(), 2 * turn, "no request comes out of the rest of another: {arrived:?}");
        let [.., first, other] = arrived.as_slice() else { panic!("two requests") };
        assert_eq!(
            (&first["stream_options"]["include_usage"], &first["seed"]),
            (&json!(true), &json!(12_345_678_901_234_567_890_u64))
        );
        assert_eq!(other, &serde_json::from_str::<Value>(second).expect("JSON"));
    }
    let costs: i64 = scene.api.sent().iter().map(|sent| cost(sent).micros()).sum();
    assert_eq!(scene.spent("acme").await.micros(), costs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_is_changed_as_well() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10").await;
    let body = written("");
    let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let chunks: Vec<u8> = body.as_bytes().chunks(7).chain([&[][..]]).flat_map(chunk).collect();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let port = scene.world.gate().port;
    let answered = tokio::task::spawn_blocking(move || {
        let mut stream = connect(port);
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&chunks).expect("sent");
        statuses(&mut stream, Duration::from_secs(5))
    });
    assert_eq!(answered.await.expect("no panic"), [200]);
    let sent = scene.api.last();
    assert_eq!(in_common(body.as_bytes(), &sent.body), body.len());
    scene.world.ledger.balance_becomes("acme", "spent", &cost(&sent).to_string()).await;
}
