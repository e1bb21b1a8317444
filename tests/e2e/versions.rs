//! A gateway and a ledger of different releases: each says so, and the gate stays closed. Between the two is a
//! relay that makes the real messages of one side look like another version's.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use faregate_protocol::exchange::{MARKER_HEADER, PATH};
use harness::{GATEWAY_TOKEN, Setup, World, eventually, get};
use serde_json::json;
use std::time::Duration;

const OURS: &str = "\"protocol\":1";
const OTHER: &str = "\"protocol\":2";

/// Starts a relay to a ledger, which changes the version in one of the two directions.
async fn relay(ledger: u16, port: u16, in_requests: bool) {
    let client = reqwest::Client::new();
    let pass = async move |headers: HeaderMap, body: Bytes| {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.contains(OURS), "{text}");
        assert!(headers.contains_key("authorization"));
        let text = if in_requests { text.replace(OURS, OTHER) } else { text };
        let call = client.post(format!("http://127.0.0.1:{ledger}{PATH}")).bearer_auth(GATEWAY_TOKEN);
        let answer = call.body(text).send().await.expect("an answer");
        let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
        assert!(answer.headers().contains_key(MARKER_HEADER));
        let text = answer.text().await.expect("a text");
        let text = if in_requests { text } else { text.replace(OURS, OTHER) };
        (status, [(MARKER_HEADER, "1")], text)
    };
    let router = Router::new().route(PATH, axum::routing::post(pass));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn a_mismatch(in_requests: bool, says: &str) {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    let key = world.bank.account("acme", "10").await;
    let port = harness::free_port();
    relay(world.bank.gateway_port, port, in_requests).await;
    let ports = (harness::free_port(), harness::free_port());
    let ledgers = [port];
    let behind = (ledgers.as_slice(), world.upstream.port);
    let config = harness::envoy_config(world.dir(), "gate", ports, behind, &Setup::default().filter_config());
    let gate = harness::Gateway::start(world.dir(), "gate", &config, ports, &[]).await;

    let refused = get(&gate, "/", &[("x-api-key", &key)]).await;

    assert_eq!(
        (refused.status, refused.body["code"].as_str()),
        (503, Some("ledger_unavailable")),
        "{refused:?}"
    );
    eventually("the gate says why", Duration::from_secs(30), async || gate.process.output().contains(says))
        .await;
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_spoken_to_in_another_version_names_both() {
    let says = "the ledger can't be asked: unsupported_protocol: protocol: found 2, this ledger speaks 1; use the same release on both sides";
    a_mismatch(true, says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_is_answered_in_another_version_names_both() {
    let says =
        "the ledger can't be asked: it speaks protocol 2, this gate 1; use the same release on both sides";
    a_mismatch(false, says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_other_fields_is_refused_for_its_version_and_not_for_its_fields() {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    let message = json!({"protocol": 2, "gateway": "g", "manifest": []});
    let (status, answer) = world.bank.exchange(&message).await.expect("an answer");
    assert_eq!((status.as_u16(), answer["code"].as_str()), (400, Some("unsupported_protocol")), "{answer}");
    let detail = answer["detail"].as_str().expect("words");
    assert!(detail.contains("found 2, this ledger speaks 1"), "{detail}");
}
