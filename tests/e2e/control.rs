//! What an operator does reaches every gateway with its next heartbeat, while traffic flows.

use harness::{Gateway, Setup, World, eventually, get};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// It takes one or two heartbeats, of a second each. Without the news it would take until the lease ends, after 20 s.
const SHORT_TIMEOUT: Duration = Duration::from_secs(10);

async fn gate_answers(gate: &Gateway, key: &str, status: u16) {
    eventually(&format!("the gate answers {status}"), SHORT_TIMEOUT, async || {
        get(gate, "/", &[("x-api-key", key)]).await.status == status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_reopens_the_gate() {
    let world = World::start(Setup { gateways: 2, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1").await;
    let headers = [("x-api-key", key.as_str())];
    assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
    for gate in &world.gateways {
        let refused = get(gate, "/", &headers).await;
        assert_eq!((refused.status, refused.body["available"].as_str()), (402, Some("0")), "{refused:?}");
    }

    world.ledger.grant("acme", "10").await;

    for gate in &world.gateways {
        gate_answers(gate, &key, 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_an_account_closes_the_gate_and_resuming_opens_it() {
    let world = World::start(Setup { gateways: 2, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;
    for gate in &world.gateways {
        assert_eq!(get(gate, "/", &[("x-api-key", &key)]).await.status, 200);
    }

    world.ledger.post("/admin/v1/accounts/acme/suspend", json!({})).await;
    for gate in &world.gateways {
        gate_answers(gate, &key, 403).await;
    }
    let served = world.upstream.served();
    for gate in &world.gateways {
        let refused = get(gate, "/", &[("x-api-key", &key)]).await;
        assert_eq!(refused.body["code"], "account_suspended", "{refused:?}");
    }
    assert_eq!(world.upstream.served(), served, "a refused request never reaches the upstream");
    world.ledger.nothing_is_held().await;

    world.ledger.post("/admin/v1/accounts/acme/resume", json!({})).await;
    for gate in &world.gateways {
        gate_answers(gate, &key, 200).await;
    }
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_key_closes_the_gate_for_that_key_alone() {
    let world = World::one().await;
    let first = world.ledger.account("acme", "1000").await;
    let (id, second) = world.ledger.key("acme").await;
    for key in [&first, &second] {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", key)]).await.status, 200);
    }

    world.ledger.post(&format!("/admin/v1/keys/{id}/revoke"), json!({})).await;

    gate_answers(world.gate(), &second, 401).await;
    let refused = get(world.gate(), "/", &[("x-api-key", &second)]).await;
    assert_eq!(refused.body["code"], "invalid_key", "{refused:?}");
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &first)]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_that_one_gateway_holds_are_recalled_for_a_caller_at_another() {
    let world = World::start(Setup { gateways: 2, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "40").await;
    let headers = [("x-api-key", key.as_str())];
    assert_eq!(get(&world.gateways[0], "/", &headers).await.status, 200);
    assert_ne!(world.ledger.balance("acme", "held").await, "0", "the first gateway holds some of the rest");

    // Every credit can be spent at the second gateway, although the first sits on part of them.
    for number in 0..39 {
        let answer = get(&world.gateways[1], "/", &headers).await;
        assert_eq!(answer.status, 200, "request {number}: {answer:?}");
    }
    assert_eq!(get(&world.gateways[1], "/", &headers).await.status, 402);
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_credits_are_returned_when_a_caller_goes_idle() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    assert_ne!(world.ledger.balance("acme", "held").await, "0");
    world.ledger.balance_becomes("acme", "held", "0").await;
    assert_eq!(world.ledger.balance("acme", "available").await, "99");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_counted_per_key_and_rule() {
    let config =
        json!({"rules": [{"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "0.5"}]});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for path in ["/", "/search?q=a", "/search?q=b", "/status/503"] {
        get(world.gate(), path, &[("x-api-key", &key)]).await;
    }
    let total = json!({"requests": 3, "credits": "2", "refunds": 1});
    eventually("the usage is booked", Duration::from_secs(30), async || {
        let (_, usage) = world.ledger.call(Method::GET, "/admin/v1/accounts/acme/usage", None).await;
        usage["total"] == total
    })
    .await;
    let usage = world.ledger.get("/admin/v1/accounts/acme/usage").await;
    let lines = usage["lines"].as_array().expect("lines");
    // There are two lines where a minute has ended in between.
    let search = || lines.iter().filter(|line| line["rule"] == "search");
    let requests: u64 = search().filter_map(|line| line["requests"].as_u64()).sum();
    let credits: f64 = search().filter_map(|line| line["credits"].as_str()?.parse::<f64>().ok()).sum();
    assert_eq!((requests, credits), (2, 1.0), "{usage}");
}
