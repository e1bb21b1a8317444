//! Metered rules through a real Envoy: what is held, what is charged in the end, and that no hold is left.

mod numbers;

use harness::{Gateway, Setup, World, eventually, get};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn rules() -> Value {
    json!({"rules": [
        {"name": "render", "match": {"path": {"prefix": "/cost"}},
         "meter": {"header": "x-cost", "unit": "0.01", "strip": true, "hold": "1"}},
        {"name": "free", "match": {"path": {"prefix": "/page"}}, "price": "0.25",
         "meter": {"header": "x-cost", "unit": "1", "hold": "1", "missing": "free"}},
        {"name": "files", "match": {"path": {"prefix": "/bytes"}},
         "meter": {"response_bytes": "0.5", "per": 1000, "hold": "3"}},
        {"name": "gpu", "match": {"path": {"prefix": "/slow"}}, "meter": {"seconds": "1", "hold": {"seconds": 30}}},
        {"name": "broken", "match": {"path": {"prefix": "/status"}},
         "meter": {"header": "x-cost", "unit": "1", "hold": "2"}},
    ], "response_headers": ["charge"]})
}

async fn world(serve: &[&str]) -> World {
    World::start(Setup { config: rules(), serve, ..Setup::default() }).await
}

/// What an account has spent, in credits, once nothing is held any more.
async fn spent(world: &World, account: &str) -> f64 {
    world.ledger.nothing_is_held().await;
    world.ledger.balance(account, "spent").await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metered_request_is_charged_what_its_answer_says() {
    let world = world(&[]).await;
    for (account, path, cost) in [
        ("said", "/cost/25", "0.25"),
        ("zero", "/cost/0", "0"),
        ("fraction", "/cost/0.001", "0.00001"),
        ("above", "/cost/250", "2.5"),
        ("twice", "/cost/1,2", "1"),
        ("negative", "/cost/-5", "1"),
        ("absent", "/page", "0.25"),
        ("bytes", "/bytes/1500", "0.75"),
        ("empty", "/bytes/0", "0"),
        ("failed", "/status/503", "0"),
        ("other", "/status/404", "2"),
    ] {
        let key = world.ledger.account(account, "5").await;
        let answer = get(world.gate(), path, &[("x-api-key", &key)]).await;
        assert!(!answer.headers.contains_key("x-cost"), "{path}: {answer:?}");
        let shown = answer.headers.get("x-faregate-charge").map(String::as_str);
        let known =
            path.starts_with("/cost/") && account != "twice" && account != "negative" || account == "failed";
        assert_eq!(shown, known.then_some(cost), "{path}");
        world.ledger.balance_becomes(account, "spent", cost).await;
    }
    world.ledger.nothing_is_held().await;
    eventually("the excess is counted", Duration::from_secs(5), async || {
        world.gate().stat("above_hold_total").await == 1
    })
    .await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_requests_on_the_last_hold_pass_one_at_a_time_and_the_excess_is_owed() {
    let world = world(&[]).await;
    let key = world.ledger.account("acme", "1").await;
    let gate = world.gate();
    let headers = [("x-api-key", key.as_str())];
    let all = futures_util::future::join_all((0..8).map(|_| get(gate, "/cost/300", &headers))).await;
    let passed = all.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 1, "{all:?}");
    world.ledger.balance_becomes("acme", "spent", "3").await;
    assert_eq!(world.ledger.balance("acme", "owed").await, "2");
    world.ledger.grant("acme", "10").await;
    assert_eq!(world.ledger.balance("acme", "available").await, "8");
    world.ledger.audit().await;
}

/// Sends a request, reads so many bytes of its answer, and hangs up.
fn hang_up(gate: &Gateway, path: &str, key: &str, wait: Duration, most: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", gate.port)).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n").expect("a request");
    let mut read = vec![0; most];
    if most > 0 {
        stream.read_exact(&mut read).expect("the beginning of the answer");
    }
    std::thread::sleep(wait);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_pays_for_what_was_delivered_and_no_hold_is_left() {
    let world = world(&[]).await;
    let [slow, large] = ["slow", "large"].map(str::to_owned);
    let key = world.ledger.account(&slow, "100").await;
    hang_up(world.gate(), "/slow/3000", &key, Duration::from_millis(1_000), 0);
    let cost = spent(&world, &slow).await;
    assert!((0.9..3.0).contains(&cost), "one second: {cost}");

    let key = world.ledger.account(&large, "100000").await;
    hang_up(world.gate(), "/bytes/50000000", &key, Duration::from_millis(50), 1_000);
    let cost = spent(&world, &large).await;
    assert!((0.5..25_000.0).contains(&cost), "a part of 50 MB: {cost}");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_outlives_its_lease_is_charged_exactly() {
    let mut world = world(&["--lease-ttl", "2s"]).await;
    let key = world.ledger.account("acme", "100").await;
    assert_eq!(get(world.gate(), "/cost/1", &[("x-api-key", &key)]).await.status, 200);
    let gate = world.gateways.remove(0);
    let request = {
        let (url, key) = (gate.url("/slow/7000"), key.clone());
        tokio::spawn(async move {
            let answer = reqwest::Client::new().get(url).header("x-api-key", key).send().await;
            answer.expect("an answer").status().as_u16()
        })
    };
    eventually("the request has begun", Duration::from_secs(5), async || world.upstream.served() == 2).await;
    // The ledger is unreachable for longer than a lease lives, and for a part of the request.
    world.ledger.process.kill();
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.ledger.restart().await;
    eventually("the hold has outlived its lease", Duration::from_secs(10), async || {
        world.ledger.run(&["leases"]).contains("(holds)")
    })
    .await;
    assert_eq!(request.await.expect("no panic"), 200);
    let cost = spent(&world, "acme").await;
    assert!((7.0..9.0).contains(&cost), "seven seconds and a little: {cost}");
    assert_eq!(world.ledger.balance("acme", "owed").await, "0");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_of_a_killed_gateway_return_to_the_account() {
    let mut world = world(&["--lease-ttl", "2s", "--lease-grace", "1s"]).await;
    let key = world.ledger.account("acme", "100").await;
    let url = world.gate().url("/slow/60000");
    let request = tokio::spawn(async move {
        let answer = reqwest::Client::new().get(url).header("x-api-key", key).send().await;
        answer.is_err()
    });
    eventually("the request has begun", Duration::from_secs(5), async || world.upstream.served() == 1).await;
    world.gateways[0].process.kill();
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "available").await, "100");
    assert!(request.await.expect("no panic"));
    world.ledger.audit().await;
}
