//! A request that Envoy starts again at another path, because the API redirects it internally, is one request: it is
//! charged once, as its first part was, and released by what its client gets in the end.

use harness::{Setup, World, get};
use serde_json::{Value, json};

/// Envoy follows the API's redirects by itself.
fn follows() -> Value {
    let policy = json!({"max_internal_redirects": 3, "redirect_response_codes": [302]});
    json!({"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "internal_redirect_policy": policy}}
    ]}]}})
}

async fn world(config: Value) -> (World, String) {
    let world = World::start(Setup { manager: follows(), config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    (world, key)
}

async fn spent(world: &World) -> String {
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
    world.ledger.balance("acme", "spent").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_request_is_charged_once() {
    let (world, key) = world(json!({})).await;
    // The first waits for the ledger.
    for redirects in ["", "moved/", "moved/moved/", "moved/moved/moved/"] {
        let answer = get(world.gate(), &format!("/{redirects}a"), &[("x-api-key", &key)]).await;
        assert_eq!((answer.status, &answer.body["served"]), (200, &json!(true)), "{redirects}");
        assert_eq!(world.upstream.last().get("x-faregate-account").map(String::as_str), Some("acme"));
    }
    let log = world.gate().access_log();
    assert_eq!((world.upstream.served(), spent(&world).await), (1 + 2 + 3 + 4, "4".into()), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_request_costs_the_price_of_its_first_part() {
    let rules = json!([
        {"name": "moved", "match": {"path": {"prefix": "/moved/"}}, "price": "5"},
        {"name": "cheap", "match": {"path": {"prefix": "/cheap"}}, "price": "2"},
        {"name": "retired", "match": {"path": {"prefix": "/retired"}}, "retired": true}
    ]);
    let (world, key) = world(json!({"rules": rules, "default": "free"})).await;
    assert_eq!(get(world.gate(), "/moved/cheap", &[("x-api-key", &key)]).await.status, 200);
    assert_eq!(spent(&world).await, "5");
    assert_eq!(get(world.gate(), "/moved/retired", &[("x-api-key", &key)]).await.status, 200);
    assert_eq!(get(world.gate(), "/retired", &[("x-api-key", &key)]).await.status, 410);
    assert_eq!(get(world.gate(), "/cheap", &[("x-api-key", &key)]).await.status, 200);
    assert_eq!(spent(&world).await, "12");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirected_request_is_refunded_by_its_final_status() {
    let (world, key) = world(json!({})).await;
    for (path, status) in
        [("/moved/status/503", 503), ("/moved/status/404", 404), ("/moved/moved/status/502", 502)]
    {
        assert_eq!(get(world.gate(), path, &[("x-api-key", &key)]).await.status, status);
    }
    assert_eq!(spent(&world).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_query_covers_all_parts_of_a_redirected_request() {
    let (world, key) = world(json!({"identities": [{"query": "api_key"}]})).await;
    let answer = get(world.gate(), &format!("/moved/a?api_key={key}"), &[]).await;
    assert_eq!((answer.status, spent(&world).await), (200, "1".into()));
    assert!(world.upstream.last().values().all(|value| !value.contains(&key)), "{:?}", world.upstream.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_pose_as_the_second_part_of_anothers_request() {
    let (world, key) = world(json!({})).await;
    let hostile = [
        ("x-envoy-original-url", "http://a/moved/a"),
        ("x-faregate-account", "acme"),
        ("x-envoy-internal", "true"),
    ];
    for _ in 0..20 {
        assert_eq!(get(world.gate(), "/moved/a", &[("x-api-key", &key)]).await.status, 200);
        assert_eq!(get(world.gate(), "/a", &hostile).await.status, 401);
        // Envoy follows no further, and the client gets the redirect.
        let far = get(world.gate(), "/moved/moved/moved/moved/", &[("x-api-key", &key)]).await;
        assert!([200, 302].contains(&far.status), "{}", far.status);
        assert_eq!(get(world.gate(), "/a", &hostile).await.status, 401);
    }
    assert_eq!(spent(&world).await, (20 + 20).to_string());
}
