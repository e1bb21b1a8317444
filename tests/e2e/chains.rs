//! Two gates in one chain of filters, by mistake or because a mesh adds one: the second recognises what the first charged.

use harness::{Setup, World, envoy_config, get};
use serde_json::{Value, json};

/// The same gate again, with these members of its configuration.
fn gate(world_config: &Value, members: &Value) -> Value {
    let (port, dir) = ((1, 1), std::path::Path::new("/"));
    let mut config = world_config.clone();
    for (name, value) in members.as_object().expect("members") {
        config[name] = value.clone();
    }
    let whole = envoy_config(dir, "unused", port, (&[1], 1), &config);
    whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0].clone()
}

async fn world(config: Value, second: Value) -> (World, String) {
    let own = Setup { config: config.clone(), ..Setup::default() }.filter_config();
    let world = World::start(Setup { config, behind: vec![gate(&own, &second)], ..Setup::default() }).await;
    let key = world.ledger.account("acme", "10").await;
    (world, key)
}

async fn spent(world: &World) -> String {
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
    world.ledger.balance("acme", "spent").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_through_two_gates_is_charged_once_down_to_the_last_credit() {
    for second in [json!({}), json!({"default": {"price": "3"}})] {
        let (world, key) = world(json!({}), second).await;
        for _ in 0..10 {
            assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
            assert_eq!(world.upstream.last().get("x-faregate-account").map(String::as_str), Some("acme"));
        }
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 402);
        assert_eq!((world.upstream.served(), spent(&world).await), (10, "10".into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_gate_may_charge_what_the_first_passes_for_free() {
    let (world, key) = world(json!({"default": "free"}), json!({"default": {"price": "3"}})).await;
    assert_eq!(get(world.gate(), "/", &[]).await.status, 401);
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    assert_eq!(spent(&world).await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_forge_the_charge_of_another_gate() {
    let (world, key) = world(json!({"default": "free"}), json!({"default": {"price": "1"}})).await;
    let forged = [("x-faregate-account", "acme"), ("x-faregate-charge", "1")];
    // Between requests that are under way and paid.
    let slow = tokio::spawn({
        let (url, key) = (world.gate().url("/slow/2000"), key.clone());
        async move {
            reqwest::Client::new()
                .get(url)
                .header("x-api-key", key)
                .send()
                .await
                .map(|answer| answer.status())
        }
    });
    for _ in 0..40 {
        assert_eq!(get(world.gate(), "/", &forged).await.status, 401);
    }
    assert!(slow.await.expect("it ends").is_ok());
    assert_eq!(spent(&world).await, "1");
    assert_eq!(world.upstream.served(), 1);
}
