//! Deprecated and retired routes: every answer announces the end, and then requests are refused without a charge.

use harness::{Gateway, Setup, World, binary, eventually, out_of};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

const SINCE: &str = "@1796083200";
const SUNSET: &str = "Wed, 30 Jun 2027 12:00:00 GMT";
const LINK: &str = "<https://example.com/migrate>; rel=\"deprecation\"";

fn price_list() -> Value {
    let deprecated = json!({"since": "2026-12-01", "sunset": "2027-06-30T12:00:00Z", "link": "https://example.com/migrate"});
    let rule = |path: &str, more: Value| {
        let mut rule = json!({"name": path, "match": {"path": {"prefix": format!("/{path}")}}});
        for (name, value) in more.as_object().expect("an object") {
            rule[name] = value.clone();
        }
        rule
    };
    json!({
        "top_up_url": "https://example.com/topup",
        "rules": [
            rule("linked", json!({"price": "1", "deprecated": deprecated})),
            rule("free", json!({"price": "free", "deprecated": {"since": "2026-12-01"}})),
            rule("gone", json!({"retired": true, "deprecated": deprecated})),
            rule("bare", json!({"retired": true, "price": "7"})),
            rule("watched", json!({"retired": true, "shadow": true, "deprecated": deprecated})),
        ],
        "default": {"price": "1"}
    })
}

async fn world() -> World {
    World::start(Setup { config: price_list(), ..Setup::default() }).await
}

async fn ask(
    gate: &Gateway,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, HeaderMap, Value) {
    let mut request = reqwest::Client::new().request(method, gate.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.json().await.unwrap_or_default())
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_of_a_deprecated_route_says_so_and_keeps_api_headers() {
    let world = world().await;
    let rich = world.ledger.account("rich", "10").await;
    // The first waits for the ledger, the others don't.
    for _ in 0..3 {
        let (status, headers, _) = ask(world.gate(), Method::GET, "/linked", &[("x-api-key", &rich)]).await;
        assert_eq!(status, 200);
        assert_eq!(all(&headers, "deprecation"), [SINCE]);
        assert_eq!(all(&headers, "sunset"), [SUNSET], "one date counts, and it is the operator's");
        assert_eq!(all(&headers, "link"), ["</linked?page=2>; rel=\"next\"", LINK]);
    }
    let (status, headers, _) = ask(world.gate(), Method::GET, "/free", &[]).await;
    assert_eq!((status, all(&headers, "deprecation")), (200, vec![SINCE]));
    assert!(all(&headers, "sunset").is_empty() && all(&headers, "link").is_empty(), "{headers:?}");
    let (status, headers, _) = ask(world.gate(), Method::GET, "/other", &[("x-api-key", &rich)]).await;
    assert_eq!((status, all(&headers, "deprecation")), (200, vec![]), "only where the rule says so");
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("rich", "spent").await, "4");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_on_a_deprecated_route_carry_the_deprecation_headers_too() {
    let world = world().await;
    let broke = world.ledger.account("broke", "0").await;
    for (key, code) in
        [(None, "missing_key"), (Some(&broke), "insufficient_funds"), (Some(&broke), "insufficient_funds")]
    {
        let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key.as_str())).into_iter().collect();
        let (_, headers, body) = ask(world.gate(), Method::GET, "/linked", &headers).await;
        assert_eq!(body["code"], code, "{body}");
        assert_eq!((all(&headers, "deprecation"), all(&headers, "sunset")), (vec![SINCE], vec![SUNSET]));
        let pay = "<https://example.com/topup>; rel=\"payment\"";
        assert_eq!(all(&headers, "link"), if key.is_some() { vec![pay, LINK] } else { vec![LINK] });
    }
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_route_is_gone_with_or_without_a_key() {
    let mut world = world().await;
    let rich = world.ledger.account("rich", "10").await;
    world.ledger.process.kill();
    let remedy = json!([{"action": "use_successor", "url": "https://example.com/migrate"}]);
    for (path, key, remedies) in [
        ("/gone", None, &remedy),
        ("/gone", Some(rich.as_str()), &remedy),
        ("/gone", Some("no key of ours"), &remedy),
        ("/bare", Some(rich.as_str()), &json!([{"action": "use_successor"}])),
    ] {
        let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
        let (status, headers, body) = ask(world.gate(), Method::GET, path, &headers).await;
        assert_eq!((status, &body["code"]), (410, &json!("route_retired")), "{path} with {key:?}: {body}");
        assert_eq!((&body["remedies"], &body["retryable"]), (remedies, &json!(false)));
        assert_eq!(all(&headers, "x-should-retry"), ["false"]);
        let deprecated = path == "/gone";
        assert_eq!(all(&headers, "sunset"), if deprecated { vec![SUNSET] } else { vec![] });
        assert_eq!(all(&headers, "link"), if deprecated { vec![LINK] } else { vec![] });
    }
    for (format, pointer, expected) in [
        (("x-stainless-lang", "python"), "/error/type", json!("invalid_request_error")),
        (("anthropic-version", "2023-06-01"), "/error/type", json!("not_found_error")),
        (("x-goog-api-key", "x"), "/error/status", json!("NOT_FOUND")),
        (("mcp-protocol-version", "2025-11-25"), "/error/code", json!(410)),
    ] {
        let (status, _, body) = ask(world.gate(), Method::POST, "/gone", &[format]).await;
        assert_eq!((status, body.pointer(pointer)), (410, Some(&expected)), "{body}");
    }
    let grpc = [("content-type", "application/grpc")];
    let (status, headers, _) = ask(world.gate(), Method::POST, "/gone", &grpc).await;
    assert_eq!(
        (status, all(&headers, "grpc-status"), all(&headers, "faregate-code")),
        (200, vec!["12"], vec!["route_retired"])
    );

    let asked = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
    let (status, _, _) = ask(world.gate(), Method::OPTIONS, "/gone", &asked).await;
    assert_eq!((status, world.upstream.served()), (410, 0), "not even what a browser asks beforehand passes");

    let gate = world.gate();
    eventually("it is counted", Duration::from_secs(30), async || {
        gate.stat("refused_total.route_retired").await == 10
    })
    .await;
    assert_eq!((gate.stat("admitted_total").await, gate.stat("waited_total").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_of_a_route_can_be_observed_before_it_is_retired() {
    let world = world().await;
    let rich = world.ledger.account("rich", "10").await;
    let (status, headers, _) = ask(world.gate(), Method::GET, "/watched", &[("x-api-key", &rich)]).await;
    assert_eq!((status, all(&headers, "deprecation"), all(&headers, "link")), (200, vec![SINCE], vec![LINK]));
    eventually("the ledger knows", Duration::from_secs(20), async || {
        let report = world.ledger.get("/admin/v1/shadow").await;
        let line = &report["lines"][0];
        (&line["rule"], &line["code"], &line["requests"])
            == (&json!("watched"), &json!("route_retired"), &json!(1))
    })
    .await;
    assert_eq!(world.ledger.balance("rich", "spent").await, "0");
    world.ledger.audit().await;
}

#[test]
fn an_invalid_date_is_reported_before_envoy_sees_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("configuration.json");
    let config = json!({"rules": [{"price": "1", "deprecated": {"since": "2026-02-29"}}]});
    let config = Setup { config, ..Setup::default() }.filter_config();
    std::fs::write(&file, config.to_string()).expect("a file");
    let (good, said) = out_of(Command::new(binary()).arg("check").arg(file));
    assert!(!good, "{said}");
    for part in [
        "rules[0].deprecated.since\n",
        "found    string \"2026-02-29\"\n",
        "allowed  a date such as \"2026-12-01\" or \"2026-12-01T12:00:00Z\"\n",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
}
