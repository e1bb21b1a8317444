//! Requests with a body: none of it reaches the API before it is paid for, and an agent's question gets its number back.

use harness::{Setup, World, eventually};
use serde_json::{Value, json};
use std::time::Duration;

/// Envoy may let filters see bodies of requests that they hold back.
fn reads_bodies() -> Value {
    json!({"allow_on_headers_stop_iteration": true})
}

async fn post(world: &World, path: &str, key: &str, body: String) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(world.gate().url(path))
        .header("x-api-key", key)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(body);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_does_not_carry_an_unpaid_request_past_the_gate() {
    for plugin in [reads_bodies(), json!({})] {
        let world = World::start(Setup { plugin, ..Setup::default() }).await;
        let broke = world.ledger.account("broke", "0").await;
        let rich = world.ledger.account("rich", "3").await;
        let large = "x".repeat(200_000);
        for body in ["{}", large.as_str()] {
            assert_eq!(post(&world, "/", &broke, body.to_owned()).await.0, 402);
        }
        assert_eq!(world.upstream.served(), 0, "what waits for the ledger goes nowhere, body or not");
        for body in ["{}", large.as_str(), ""] {
            assert_eq!(post(&world, "/", &rich, body.to_owned()).await.0, 200);
        }
        assert_eq!((world.upstream.served(), post(&world, "/", &rich, "{}".into()).await.0), (3, 402));
        world.ledger.nothing_is_held().await;
        world.ledger.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_rpc_id_is_returned_with_the_same_type() {
    let config = json!({"request_bodies": true});
    let world = World::start(Setup { plugin: reads_bodies(), config, ..Setup::default() }).await;
    let broke = world.ledger.account("broke", "0").await;
    for id in [json!(7), json!("7"), json!("a\"\\\u{e9}"), json!(9_007_199_254_740_993_u64), json!(null)] {
        for padding in ["", &" ".repeat(40_000)] {
            let question =
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t"}});
            let (status, answer) = post(&world, "/mcp", &broke, format!("{padding}{question}")).await;
            assert_eq!((status, &answer["id"]), (402, &id), "{answer}");
            assert_eq!(answer["error"]["data"]["code"], "insufficient_funds");
        }
    }
    let unknown = post(&world, "/mcp", "nonsense", json!({"jsonrpc": "2.0", "id": 5}).to_string()).await;
    assert_eq!((unknown.0, &unknown.1["id"], &unknown.1["error"]["code"]), (401, &json!(5), &json!(401)));
    for odd in ["", "no json", "[]", "{}", &format!("{{\"id\":1,\"a\":\"{}\"}}", "x".repeat(300_000))] {
        let (status, answer) = post(&world, "/mcp", &broke, odd.to_owned()).await;
        assert_eq!((status, &answer["id"]), (402, &Value::Null), "{answer}");
    }
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tool_calls_are_answered_with_a_result() {
    let config = json!({"request_bodies": true, "error_format": "mcp_result"});
    let world = World::start(Setup { plugin: reads_bodies(), config, ..Setup::default() }).await;
    let broke = world.ledger.account("broke", "0").await;
    let call = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "t"}});
    let (status, answer) = post(&world, "/mcp", &broke, call.to_string()).await;
    assert_eq!(
        (status, &answer["id"], &answer["result"]["isError"]),
        (200, &json!("a"), &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["result"]["structuredContent"]["code"], "insufficient_funds");
    for (question, id) in [
        (json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"}), json!(1)),
        (json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}), json!(2)),
        (json!({"jsonrpc": "2.0", "method": "notifications/initialized"}), json!(null)),
        (json!({"jsonrpc": "2.0", "method": "tools/call"}), json!(null)),
        (json!([call]), json!(null)),
    ] {
        let (status, answer) = post(&world, "/mcp", &broke, question.to_string()).await;
        assert_eq!(
            (status, &answer["id"], &answer["error"]["code"]),
            (402, &id, &json!(402)),
            "{question}: {answer}"
        );
        assert_eq!(
            (&answer["result"], &answer["error"]["data"]["code"]),
            (&json!(null), &json!("insufficient_funds"))
        );
    }

    let config = json!({"error_format": "mcp_result"});
    let blind = World::start(Setup { config, ..Setup::default() }).await;
    let (status, answer) = post(&blind, "/mcp", "no key", call.to_string()).await;
    assert_eq!(
        (status, &answer["id"], &answer["error"]["code"]),
        (401, &json!(null), &json!(401)),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_cannot_read_bodies_still_answers() {
    let world = World::start(Setup { config: json!({"request_bodies": true}), ..Setup::default() }).await;
    let broke = world.ledger.account("broke", "0").await;
    eventually("an answer without a number", Duration::from_secs(10), async || {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        post(&world, "/mcp", &broke, question.to_string()).await.1["id"].is_null()
    })
    .await;
    let (status, answer) = post(&world, "/mcp", &broke, "{\"id\":1}".into()).await;
    assert_eq!((status, &answer["error"]["data"]["code"]), (402, &json!("insufficient_funds")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_upload_of_a_caller_may_have_any_size() {
    for plugin in [reads_bodies(), json!({})] {
        for accept in ["*/*", "application/json, text/event-stream"] {
            let config = json!({"request_bodies": plugin != json!({})});
            // As small as the quickstart's.
            let listener = json!({"per_connection_buffer_limit_bytes": 32_768});
            let world =
                World::start(Setup { plugin: plugin.clone(), config, listener, ..Setup::default() }).await;
            for size in [100_000, 3_000_000, 100_000_000] {
                let key = world.ledger.account(&format!("acme-{size}"), "3").await;
                for _ in 0..2 {
                    let request =
                        reqwest::Client::new().post(world.gate().url("/")).header("x-api-key", &key);
                    let answer = request
                        .header("accept", accept)
                        .body(vec![b' '; size])
                        .send()
                        .await
                        .expect("an answer");
                    assert_eq!(answer.status().as_u16(), 200, "{size} bytes, {plugin}, {accept}");
                    let served: Value = answer.json().await.expect("JSON");
                    assert_eq!(served["size"], json!(size));
                }
            }
            world.ledger.nothing_is_held().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_larger_than_envoys_buffers_is_refused_with_its_json_rpc_id() {
    let config = json!({"request_bodies": true});
    let listener = json!({"per_connection_buffer_limit_bytes": 32_768});
    let world = World::start(Setup { plugin: reads_bodies(), config, listener, ..Setup::default() }).await;
    let broke = world.ledger.account("broke", "0").await;
    let text = "x".repeat(100_000);
    let question =
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"text": text}}).to_string();
    let (status, answer) = post(&world, "/mcp", "no key", question.clone()).await;
    assert_eq!((status, &answer["id"]), (401, &json!(7)), "{answer}");
    // While it waits for the ledger, Envoy reads no more of it than it may keep.
    let (status, answer) = post(&world, "/mcp", &broke, question).await;
    assert_eq!((status, &answer["error"]["code"]), (402, &json!(402)), "{answer}");
    assert_eq!(world.upstream.served(), 0);
}
