//! Those who read refusals in earnest: the SDKs, agents' clients, gRPC, curl and a browser, as their users install them, and with
//! the retries that their makers chose. A refusal reaches each as its own kind of error, with the code, at the first attempt.

mod agents;
mod metered;
mod terminals;

use harness::{Clients, Setup, World, eventually};
use serde_json::{Value, json};
use std::time::Duration;

/// Where each of the SDKs puts its key.
fn setup() -> Setup<'static> {
    let identities =
        json!([{"header": "x-api-key"}, {"bearer": true}, {"header": "x-goog-api-key"}, {"query": "key"}]);
    let config =
        json!({"identities": identities, "top_up_url": "https://example.com/topup", "request_bodies": true});
    let plugin = json!({"allow_on_headers_stop_iteration": true});

    Setup { config, plugin, ..Setup::default() }
}

/// How many requests the gate got.
async fn attempts(world: &World) -> u64 {
    world.gate().envoy_stat("http.gate.downstream_rq_total").await
}

/// What a script says after its call, which it must have made once.
async fn once(world: &World, clients: &Clients, script: &str, key: &str) -> Value {
    let before = attempts(world).await;
    let said = clients.run(script, world.gate(), key, &[]);
    assert_eq!(attempts(world).await - before, 1, "{script} calls once: {said}");
    said
}

/// Waits until the gate has counted so many refusals; it counts when a request's end is logged.
async fn refusals_are(world: &World, count: u64) {
    eventually(&format!("{count} refusals"), Duration::from_secs(30), async || {
        world.gate().stat("refused_total.insufficient_funds").await == count
    })
    .await;
}

/// Whether a user of the client could catch this class.
fn is_caught_as(said: &Value, class: &str) -> bool {
    said["error"].as_array().is_some_and(|classes| classes.iter().any(|name| name == class))
}

const DETAIL: &str = "This request costs 1 credit; 0 are left.";

#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_of_three_vendors_raise_their_own_error_after_one_attempt() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    let key = world.ledger.account("broke", "0").await;

    for (script, class) in [("openai_sdk.py", "APIStatusError"), ("openai_sdk.mjs", "APIError")] {
        let said = once(&world, &clients, script, &key).await;
        assert!(is_caught_as(&said, class), "{script}: {said}");
        assert_eq!((&said["status"], &said["code"]), (&json!(402), &json!("insufficient_funds")), "{said}");
        assert_eq!(said["type"], "insufficient_quota");
        assert!(said["message"].as_str().is_some_and(|text| text.ends_with(DETAIL)), "{said}");
    }

    for script in ["anthropic_sdk.py", "anthropic_sdk.mjs"] {
        let said = once(&world, &clients, script, &key).await;
        assert!(is_caught_as(&said, "PaymentRequiredError"), "{script}: {said}");
        assert_eq!((&said["status"], &said["body"]["error"]["type"]), (&json!(402), &json!("billing_error")));
        assert_eq!(said["body"]["error"]["message"], DETAIL);
        assert_eq!(said["body"]["problem"]["code"], "insufficient_funds");
    }

    for (script, class) in [("gemini_sdk.py", "ClientError"), ("gemini_sdk.mjs", "ApiError")] {
        let said = once(&world, &clients, script, &key).await;
        assert!(is_caught_as(&said, class), "{script}: {said}");
        assert_eq!(said["status"], 402, "{said}");
        // The one in JavaScript leaves the body in its message.
        let body = match said["body"].as_object() {
            Some(_) => said["body"].clone(),
            None => serde_json::from_str(said["message"].as_str().expect("a message")).expect("JSON"),
        };
        assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(body["error"]["message"], DETAIL);
        assert_eq!(body["error"]["details"][0]["reason"], "INSUFFICIENT_FUNDS");
    }
    refusals_are(&world, 6).await;
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_with_an_invalid_key_does_not_retry() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    for script in ["openai_sdk.py", "openai_sdk.mjs", "anthropic_sdk.py", "anthropic_sdk.mjs"] {
        let said = once(&world, &clients, script, "fg_live_typo").await;
        assert!(is_caught_as(&said, "AuthenticationError"), "{script}: {said}");
        assert_eq!(said["status"], 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_gets_the_matching_status_and_the_reason() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::start(setup()).await;
    let key = world.ledger.account("broke", "0").await;
    for (key, status, code, words) in [
        (key.as_str(), "RESOURCE_EXHAUSTED", "insufficient_funds", DETAIL),
        ("fg_live_typo", "UNAUTHENTICATED", "invalid_key", "The API key is not one of ours"),
    ] {
        let said = once(&world, &clients, "grpc_client.py", key).await;
        assert!(is_caught_as(&said, "RpcError"), "{said}");
        assert_eq!(
            (&said["status"], &said["trailers"]["faregate-code"]),
            (&json!(status), &json!(code)),
            "{said}"
        );
        assert!(said["message"].as_str().is_some_and(|text| text.starts_with(words)), "{said}");
    }
}
