//! Who asks, what it costs, and what the upstream and the log get.

use harness::{Setup, World, eventually, get};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_identified_by_header_bearer_query_cookie_or_attribute() {
    let config = json!({
        "identities": [{"header": "x-api-key"}, {"bearer": true}, {"query": "api_key"}, {"cookie": "key"},
                       {"property": ["request", "headers", "x-verified-subject"]}],
        "forward": ["account", "key", "charge"]
    });
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    let subject = json!({"subject": "spiffe://mesh/billing"});
    world.ledger.post("/admin/v1/accounts", json!({"id": "mesh"})).await;
    world.ledger.grant("mesh", "100").await;
    world.ledger.post("/admin/v1/accounts/mesh/keys", subject).await;
    let (bearer, cookie, query) =
        (format!("Bearer {key}"), format!("a=b; key={key}"), format!("/q?a=1&api_key={key}&b=2"));

    for (path, header, account) in [
        ("/", ("x-api-key", key.as_str()), "acme"),
        ("/", ("authorization", bearer.as_str()), "acme"),
        ("/", ("cookie", cookie.as_str()), "acme"),
        (query.as_str(), ("x", "y"), "acme"),
        ("/", ("x-verified-subject", "spiffe://mesh/billing"), "mesh"),
    ] {
        let answer =
            get(world.gate(), path, &[header, ("x-faregate-account", "forged"), ("x-faregate-admin", "1")])
                .await;
        assert_eq!(answer.status, 200, "{header:?}: {answer:?}");
        let seen = world.upstream.last();
        assert_eq!(seen.get("x-faregate-account").map(String::as_str), Some(account));
        assert_eq!(seen.get("x-faregate-charge").map(String::as_str), Some("1"));
        assert!(seen.get("x-faregate-key").is_some_and(|id| !key.contains(id.as_str())), "{seen:?}");
        assert_eq!(seen.get("x-faregate-admin"), None, "a client's own are removed");
    }
    get(world.gate(), &query, &[]).await;
    assert_eq!(world.upstream.last().get(":path").map(String::as_str), Some("/q?a=1&b=2"));
    let stranger = get(world.gate(), "/", &[("x-verified-subject", "spiffe://mesh/other")]).await;
    assert_eq!((stranger.status, &stranger.body["code"]), (401, &json!("invalid_key")));
    eventually("the access log is written", Duration::from_secs(30), async || {
        world.gate().access_log().len() >= 7
    })
    .await;
    let log = world.gate().access_log().join("\n");
    assert!(!log.contains(&key), "no key ever reaches a log: {log}");
    assert!(log.contains("GET /q?a=1&b=2 200 via_upstream decision=admitted account=acme"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_match_path_method_and_header_and_the_log_shows_the_charge() {
    let config = json!({
        "rules": [
            {"name": "health", "match": {"path": {"exact": "/healthz"}}, "price": "free"},
            {"name": "item", "match": {"path": {"template": "/items/{}/price"}}, "price": "0.25"},
            {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}]}, "price": "5"},
            {"name": "delete", "match": {"methods": ["DELETE"]}, "price": "3"},
            {"name": "watched", "match": {"path": {"prefix": "/beta/"}}, "price": "1000", "shadow": true}
        ]
    });
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    let headers = [("x-api-key", key.as_str())];

    assert_eq!(get(world.gate(), "/healthz", &[]).await.status, 200, "free routes need no key");
    assert_eq!(get(world.gate(), "/items/7/price?x=1", &headers).await.status, 200);
    assert_eq!(get(world.gate(), "/x", &[headers[0], ("x-tier", "gold")]).await.status, 200);
    assert_eq!(get(world.gate(), "/x", &headers).await.status, 200);
    assert_eq!(
        get(world.gate(), "//items//7/./price", &headers).await.status,
        200,
        "Envoy normalises the path first"
    );
    assert_eq!(get(world.gate(), "/beta/new", &headers).await.status, 200, "it only watches");
    assert_eq!(get(world.gate(), "/beta/new", &[]).await.status, 200);
    assert_eq!(get(world.gate(), "/status/502", &headers).await.status, 502);
    assert_eq!(get(world.gate(), "/y", &[]).await.status, 401);

    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "6.5");
    eventually("the access log is written", Duration::from_secs(30), async || {
        world.gate().access_log().len() >= 9
    })
    .await;
    let log = world.gate().access_log();
    let id = |line: &str| {
        line.split("key=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("").to_owned()
    };
    let key_id = id(&log[1]);
    let expected = [
        "GET /healthz 200 via_upstream decision=free".to_owned(),
        format!(
            "GET /items/7/price?x=1 200 via_upstream decision=admitted account=acme key={key_id} charge=0.25 rule=item"
        ),
        format!("GET /x 200 via_upstream decision=admitted account=acme key={key_id} charge=5 rule=gold"),
        format!("GET /x 200 via_upstream decision=admitted account=acme key={key_id} charge=1 rule=default"),
        format!(
            "GET /items/7/price 200 via_upstream decision=admitted account=acme key={key_id} charge=0.25 rule=item"
        ),
        format!(
            "GET /beta/new 200 via_upstream decision=shadow:insufficient_funds account=acme key={key_id}"
        ),
        "GET /beta/new 200 via_upstream decision=shadow:missing_key".to_owned(),
        format!(
            "GET /status/502 502 via_upstream decision=released account=acme key={key_id} charge=0 rule=default"
        ),
        "GET /y 401 faregate{decision=missing_key} -".to_owned(),
    ];
    assert_eq!(log, expected);
    let gate = world.gate();
    eventually("the statistics are flushed", Duration::from_secs(30), async || {
        gate.stat("admitted_total").await == 5
    })
    .await;
    assert_eq!(
        (gate.stat("shadow_refused_total").await, gate.stat("refused_total.missing_key").await),
        (2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_log_paid_off_only_exceptions_are_logged() {
    let world = World::start(Setup { config: json!({"log_paid": false}), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "5").await;
    let headers = [("x-api-key", key.as_str())];

    assert_eq!(get(world.gate(), "/x", &headers).await.status, 200);
    assert_eq!(get(world.gate(), "/y", &[]).await.status, 401);

    eventually("the access log is written", Duration::from_secs(30), async || {
        world.gate().access_log().len() >= 2
    })
    .await;
    assert_eq!(
        world.gate().access_log(),
        ["GET /x 200 via_upstream -", "GET /y 401 faregate{decision=missing_key} -"]
    );
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "1");
}
