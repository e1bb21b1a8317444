//! Hostile and broken input: a clear 4xx, no panic, no memory that grows, nothing booked.

use faregate_protocol::api_key;
use harness::{World, eventually, flood, get};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends these bytes and returns the status line's code, or 0 when the connection just ends.
fn raw(port: u16, head: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let _ = stream.write_all(head);
    let mut answer = [0; 256];
    let size = stream.read(&mut answer).unwrap_or(0);
    let text = String::from_utf8_lossy(&answer[..size]).into_owned();
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

async fn is_sound(world: &World, key: &str) {
    assert_eq!(get(world.gate(), "/", &[("x-api-key", key)]).await.status, 200);
    let output = world.gate().process.output();
    assert!(!output.contains("panicked") && !output.contains("Wasm VM failed"), "{output}");
}

/// How many wasm VMs Envoy has made so far; a filter that panics is reloaded.
async fn vms_made(world: &World) -> u64 {
    world.gate().envoy_stat("wasm.envoy.wasm.runtime.v8.created").await
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_the_filter_survives() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    is_sound(&world, &key).await;
    let vms = vms_made(&world).await;
    assert!(vms > 0, "Envoy counts its VMs under this name");
    let exchanges = world.gate().stat("exchanges_total").await;
    let served = world.upstream.served();
    let port = world.gate().port;

    let with = |line: &[u8]| [b"GET / HTTP/1.1\r\nhost: a\r\n", line, b"\r\n\r\n"].concat();
    let other = api_key::compose(&[3; api_key::SECRET_LEN]).expect("a key");
    for (line, status) in [
        (b"x-api-key: \xff\xfe\xfd".to_vec(), 401),
        (format!("x-api-key: {key}\r\nx-api-key: {other}").into_bytes(), 401),
        (format!("x-api-key: {key}, {other}").into_bytes(), 401),
        (format!("x-api-key: {}", &key[..key.len() - 1]).into_bytes(), 401),
        (format!("x-api-key: {key}0").into_bytes(), 401),
        (format!("x-api-key: {}", key.replace("fg_live_", "fg_live-")).into_bytes(), 401),
        (b"x-api-key:".to_vec(), 401),
        ([b"x-junk: ".to_vec(), vec![b'j'; 60_000], b"\r\nx-api-key: none".to_vec()].concat(), 401),
    ] {
        assert_eq!(
            raw(port, &with(&line)),
            status,
            "{}",
            String::from_utf8_lossy(&line[..line.len().min(80)])
        );
    }
    let non_utf8 = [
        b"x-api-key: ".to_vec(),
        key.clone().into_bytes(),
        b"\r\nx-note: \xff\xfe\r\ncookie: \xff=\xfe".to_vec(),
    ]
    .concat();
    assert_eq!(raw(port, &with(&non_utf8)), 200, "bytes elsewhere are none of our business");
    assert_eq!(world.upstream.served(), served + 1);
    assert!(world.gate().stat("exchanges_total").await <= exchanges + 3, "a malformed key costs no call");
    is_sound(&world, &key).await;
    assert_eq!(vms_made(&world).await, vms, "no VM was reloaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_unknown_keys_do_not_grow_memory() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    is_sound(&world, &key).await;
    let ledger = world.ledger.process.memory_kb();
    let mut warm = 0;
    let client = Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
    let url = world.gate().url("/");
    for round in 0_u8..10 {
        let tasks: Vec<_> = (0_u8..8)
            .map(|task| {
                let (client, url) = (client.clone(), url.clone());
                tokio::spawn(async move {
                    for number in 0..1_250_u16 {
                        let mut secret = [round; api_key::SECRET_LEN];
                        secret[1] = task;
                        secret[2] = u8::try_from(number % 200).expect("small");
                        secret[3] = u8::try_from(number / 200).expect("small");
                        let key = api_key::compose(&secret).expect("a key");
                        let answer =
                            client.get(&url).header("x-api-key", key).send().await.expect("an answer");
                        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a client that doesn't panic");
        }
        if round == 1 {
            warm = world.gate().process.memory_kb();
        }
    }
    let grown = world.gate().process.memory_kb().saturating_sub(warm);
    assert!(grown < 20_000, "Envoy grew by {grown} kB over 80,000 unknown keys");
    let grown = world.ledger.process.memory_kb().saturating_sub(ledger);
    assert!(grown < 60_000, "the ledger grew by {grown} kB");
    is_sound(&world, &key).await;
    assert_eq!(world.ledger.get("/admin/v1/leases").await["leases"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_names_the_invalid_field_and_books_nothing() {
    let world = World::one().await;
    world.ledger.account("acme", "5").await;
    let grants = "/admin/v1/accounts/acme/grants";
    for amount in ["-1", "1e9", "0.0000001", "9223372036854775807", "0", "", "five"] {
        let (status, problem) =
            world.ledger.call(Method::POST, grants, Some(json!({"amount": amount}))).await;
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!("amount")), "{amount}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("amount")), "{problem}");
    }
    for (body, field) in [
        (json!({"amount": 5}), "amount"),
        (json!({"amount": "5", "priorty": 1}), "priorty"),
        (json!({"amount": "5", "priority": -1}), "priority"),
        (json!({"amount": "5", "expires_at": "soon"}), "expires_at"),
        (json!({}), "amount"),
    ] {
        let (status, problem) = world.ledger.call(Method::POST, grants, Some(body.clone())).await;
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!(field)), "{body}: {problem}");
    }
    let huge = json!({"amount": "1", "note": "n".repeat(200_000)});
    assert_eq!(world.ledger.call(Method::POST, grants, Some(huge)).await.0.as_u16(), 413);
    let (status, _) = world
        .ledger
        .call(Method::POST, "/admin/v1/accounts/missing/grants", Some(json!({"amount": "1"})))
        .await;
    assert_eq!(status.as_u16(), 404);
    let (status, problem) =
        world.ledger.call(Method::POST, "/admin/v1/accounts", Some(json!({"id": "No Spaces"}))).await;
    assert_eq!((status.as_u16(), &problem["field"]), (400, &json!("id")));
    assert_eq!(world.ledger.balance("acme", "available").await, "5");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_api_rejects_invalid_exchanges() {
    let world = World::one().await;
    world.ledger.account("acme", "5").await;
    let client = Client::new();
    let url = format!("http://127.0.0.1:{}/gateway/v1/exchange", world.ledger.gateway_port);
    let send = async |token: &str, body: String| {
        let answer =
            client.post(&url).bearer_auth(token).header("content-type", "application/json").body(body);
        let answer = answer.send().await.expect("an answer");
        assert!(answer.headers().get("x-faregate-ledger").is_some(), "every answer is marked");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or(Value::Null))
    };
    let token = "a-gateway-token-for-tests";
    let good = json!({"protocol": 2, "gateway": "test"});
    assert_eq!(send(token, good.to_string()).await.0, 200);
    assert_eq!(send("wrong", good.to_string()).await.0, 401);
    assert_eq!(
        send("an-admin-token-for-tests", good.to_string()).await.0,
        401,
        "an administrator is no gateway"
    );
    let (status, said) = send(token, json!({"protocol": 99, "gateway": "test"}).to_string()).await;
    assert_eq!((status, &said["code"]), (400, &json!("unsupported_protocol")));
    let lease = json!({"epoch": 1, "spent": 0, "returned": 0, "held": 0});
    let entry = |changed: Value| json!({"protocol": 2, "gateway": "test", "entries": [changed]});
    for (body, place) in [
        ("{".to_owned(), ""),
        (json!({"protocol": 2}).to_string(), "gateway"),
        (json!({"protocol": 2, "gateway": "g".repeat(500)}).to_string(), "gateway"),
        (entry(json!({"payer": {"key": "k"}, "lese": lease})).to_string(), "entries[0].lese"),
        (
            entry(
                json!({"payer": {"id": "k"}, "lease": {"epoch": -1, "spent": 0, "returned": 0, "held": 0}}),
            )
            .to_string(),
            "entries[0].lease.epoch",
        ),
        (
            entry(
                json!({"payer": {"id": "k"}, "lease": {"epoch": 1, "spent": -5, "returned": 0, "held": 0}}),
            )
            .to_string(),
            "spent",
        ),
        (
            entry(
                json!({"payer": {"id": "k"}, "lease": {"epoch": 1, "spent": 1.5, "returned": 0, "held": 0}}),
            )
            .to_string(),
            "spent",
        ),
    ] {
        let (status, said) = send(token, body.clone()).await;
        assert_eq!((status, &said["code"]), (400, &json!("invalid_request")), "{body}: {said}");
        assert!(said["detail"].as_str().is_some_and(|detail| detail.contains(place)), "{body}: {said}");
    }
    let (status, _) = send(token, " ".repeat(2 << 20)).await;
    assert_eq!(status, 413);
    assert_eq!(world.ledger.balance("acme", "available").await, "5");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_a_broke_caller_costs_the_ledger_almost_nothing() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "0").await;
    let before = world.ledger.metric("faregate_exchanges_total").await;
    let start = std::time::Instant::now();
    let status_counts = flood(&world.gateways, &key, 5_000, 16).await;
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(status_counts.get(&402), Some(&5_000), "{status_counts:?}");
    let cost = world.ledger.metric("faregate_exchanges_total").await - before;
    assert!(cost <= 2.0 * (seconds + 1.0) + 2.0, "{cost} exchanges in {seconds} s at two workers");
    eventually("they are counted", Duration::from_secs(30), async || {
        world.gate().stat("refused_total.insufficient_funds").await == 5_000
    })
    .await;
}
