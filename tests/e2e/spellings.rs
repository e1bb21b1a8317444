//! What is the same to an API in another spelling costs the same, and what can be read in several ways isn't cheaper for it.

use super::hostile::wire::{self, H2};
use harness::{Setup, World, envoy_config, get};
use serde_json::{Value, json};
use std::time::Duration;

/// As long as an answer may take, on a busy machine.
const SHORT_TIMEOUT: Duration = Duration::from_secs(5);

async fn world(rules: Value, default: Value) -> World {
    let config = json!({"rules": rules, "default": default});
    let manager = json!({"path_with_escaped_slashes_action": "REJECT_REQUEST"});
    World::start(Setup { config, manager, ..Setup::default() }).await
}

/// The status of a request as it was typed.
fn typed(world: &World, head: &str) -> u16 {
    let statuses = wire::say(world.gate().port, format!("{head}\r\n\r\n").as_bytes());
    assert_eq!(statuses.len(), 1, "{head}: {statuses:?}");
    statuses[0]
}

/// The status of a request over HTTP/2; 0 where Envoy resets it.
fn over_http_2(world: &World, head: &[(&str, &str)]) -> u16 {
    let mut client = H2::connect(world.gate().port);
    client.send(&wire::request(1, head));
    client.read(1, SHORT_TIMEOUT);
    *client.statuses.get(&1).unwrap_or_else(|| panic!("no answer to {head:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_path_is_priced_in_every_spelling() {
    let rules = json!([
        {"name": "exact", "match": {"path": {"exact": "/g:generateContent"}}, "price": "1"},
        {"name": "marks", "match": {"path": {"exact": "/@+!$&'()%2A,;="}}, "price": "1"},
        {"name": "letters", "match": {"path": {"prefix": "/gr%c3%b6%C3%9fe/"}}, "price": "1"},
        {"name": "template", "match": {"path": {"template": "/a@b/{}/[c]"}}, "price": "1"}
    ]);
    let world = world(rules, json!("free")).await;
    for path in [
        "/g:generateContent",
        "/g%3AgenerateContent",
        "/g%3agenerateContent?x=%3A",
        "/%67%3a%67enerateContent",
        "/@+!$&'()*,;=",
        "/%40%2B%21%24%26%27%28%29%2A%2C%3B%3D",
        "/%40%2b!%24&%27()%2a,%3b=",
        "/gr%C3%B6%C3%9Fe/x",
        "/gr%c3%b6%c3%9fe/x",
        "//gr%c3%b6%C3%9fe/./x",
        "/a@b/7/[c]",
        "/a%40b/%20/%5Bc%5d",
        "http://a/g%3AgenerateContent",
    ] {
        assert_eq!(typed(&world, &format!("GET {path} HTTP/1.1\r\nhost: a")), 401, "{path}");
        if !path.starts_with("http") {
            assert_eq!(over_http_2(&world, &wire::get(path, &[])), 401, "{path} over HTTP/2");
        }
    }
    assert_eq!(over_http_2(&world, &wire::get("/größe/x", &[])), 401, "letters as they are");
    assert_eq!(world.upstream.served(), 0, "none reached the API");
    // No API that reads a path once takes these for the same.
    for path in ["/g%253AgenerateContent", "/g%3", "/g%3ZgenerateContent", "/gr%C3%B6/x", "/a@b/7/8/[c]"] {
        assert_eq!(typed(&world, &format!("GET {path} HTTP/1.1\r\nhost: a")), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priced_host_is_priced_in_every_spelling() {
    let rules = json!([
        {"name": "dear", "match": {"host": "dear.example"}, "price": "7"},
        {"name": "cheap", "match": {"host": "cheap.example"}, "price": "free"}
    ]);
    let world = world(rules, json!({"price": "1"})).await;
    let key = world.ledger.account("acme", "1000").await;
    let mut spent = 0;
    for (host, price) in [
        ("dear.example", 7),
        ("DEAR.example", 7),
        ("dear.example.", 7),
        ("dear.example:80", 7),
        ("dear.example.:80", 7),
        ("dear.example:", 7),
        ("dear.example,x", 7),
        ("x,dear.example", 7),
        ("cheap.example,dear.example", 7),
        ("d%65ar.example", 7),
        ("cheap.example.", 0),
        ("CHEAP.example:80", 0),
        ("cheap.example,x", 1),
        ("x.cheap.example", 1),
    ] {
        let asked = format!("GET / HTTP/1.1\r\nhost: {host}");
        assert_eq!(typed(&world, &asked), if price == 0 { 200 } else { 401 }, "{host}");
        assert_eq!(typed(&world, &format!("{asked}\r\nx-api-key: {key}")), 200, "{host}");
        let head = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", host),
            (":path", "/"),
            ("x-api-key", &key),
        ];
        assert_eq!(over_http_2(&world, &head), 200, "{host} over HTTP/2");
        spent += 2 * price;
    }
    // HTTP/1 alone lets these through.
    for (head, price) in [
        ("GET / HTTP/1.1\r\nhost: me@dear.example", 7),
        ("GET / HTTP/1.1\r\nhost: me:secret@dear.example:80", 7),
        ("GET / HTTP/1.1\r\nhost: dear.example:80@cheap.example", 7),
        ("GET / HTTP/1.1\r\nhost: me@cheap.example", 0),
        ("GET / HTTP/1.1\r\nhost: dear.example\r\nhost: cheap.example", 7),
        ("GET http://me@dear.example:80/ HTTP/1.1\r\nhost: cheap.example", 7),
        ("GET http://dear.example. HTTP/1.1\r\nhost: cheap.example", 7),
    ] {
        assert_eq!(typed(&world, head), if price == 0 { 200 } else { 401 }, "{head}");
        assert_eq!(typed(&world, &format!("{head}\r\nx-api-key: {key}")), 200, "{head}");
        spent += price;
    }
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, spent.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_for_get_applies_to_head_and_to_methods_in_another_case() {
    let rules = json!([
        {"name": "own", "match": {"methods": ["HEAD"], "path": {"prefix": "/own"}}, "price": "free"},
        {"name": "read", "match": {"methods": ["GET"]}, "price": "2"}
    ]);
    let world = world(rules, json!("free")).await;
    let of = |method, path| [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)];
    for (method, path, status) in [
        ("GET", "/", 401),
        ("HEAD", "/", 401),
        ("get", "/", 401),
        ("Head", "/", 401),
        ("HEAD", "/own", 200),
        ("GET", "/own", 401),
        ("DELETE", "/", 200),
    ] {
        assert_eq!(over_http_2(&world, &of(method, path)), status, "{method} {path}");
        // Over HTTP/1.1 Envoy knows no other case.
        let expected = if method.contains(char::is_lowercase) { 400 } else { status };
        assert_eq!(
            typed(&world, &format!("{method} {path} HTTP/1.1\r\nhost: a")),
            expected,
            "{method} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_matches_whether_sent_once_repeated_or_in_a_list() {
    let rules = json!([
        {"name": "deep", "match": {"headers": [{"name": "x-mode", "exact": "deep"}]}, "price": "10"},
        {"name": "gold", "match": {"headers": [{"name": "x-tier", "exact": "gold"}]}, "price": "1"}
    ]);
    let config = json!({"rules": rules, "default": {"price": "3"}, "forward": ["charge"]});
    let world = World::start(Setup { config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1000").await;
    for (headers, price) in [
        ("x-mode: deep", 10),
        ("X-Mode:   deep  ", 10),
        ("x-mode: deep,deep", 10),
        ("x-mode: deep, deep", 10),
        ("x-mode: deep\r\nx-mode: deep", 10),
        ("x-mode: DEEP", 10),
        ("x-mode: plain\r\nx-mode: deep", 10),
        ("x-mode: deeper", 3),
        ("x-tier: gold", 1),
        ("x-tier: gold\r\nx-tier: gold", 1),
        ("x-tier: gold, lead", 3),
        ("x-tier: Gold", 3),
        ("x-tier: gold\r\nx-mode: deep, plain", 10),
    ] {
        let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n{headers}");
        assert_eq!(typed(&world, &head), 200, "{headers}");
        let charged = world.upstream.last().get("x-faregate-charge").cloned();
        assert_eq!(charged, Some(price.to_string()), "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_costs_the_most_expensive_path_and_a_websocket_its_own() {
    let paid = json!({"name": "paid", "match": {"path": {"prefix": "/paid"}}, "price": "5"});
    let tunnel =
        json!({"name": "tunnel", "match": {"methods": ["CONNECT"], "host": "open.example"}, "price": "free"});
    let upgrades = json!([{"upgrade_type": "CONNECT"}, {"upgrade_type": "websocket"}]);
    let manager = json!({
        "upgrade_configs": upgrades,
        "http2_protocol_options": {"allow_connect": true},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"connect_matcher": {}}, "route": {
                "cluster": "upstream", "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]
            }},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}
        ]}]}
    });
    let config = json!({"rules": [tunnel, paid], "default": "free"});
    let world = World::start(Setup { config, manager, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    let mine = ("x-api-key", key.as_str());
    let over_http_2 = |head: &[(&str, &str)]| {
        let mut client = H2::connect(world.gate().port);
        client.send(&wire::frame(wire::HEADERS, wire::END_HEADERS, 1, &wire::block(head)));
        client.read(1, SHORT_TIMEOUT);
        *client.statuses.get(&1).unwrap_or_else(|| panic!("no answer to {head:?}"))
    };

    for (host, headers, status) in [
        ("a.example:80", "", 401),
        ("a.example:80", "x-api-key: $\r\n", 200),
        ("open.example:80", "", 200),
        ("open.example.:80", "", 200),
    ] {
        let headers = headers.replace('$', &key);
        let head = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        assert_eq!(wire::say(world.gate().port, head.as_bytes()), [status], "{head}");
    }
    let connect = [(":method", "CONNECT"), (":authority", "a.example:80")];
    assert_eq!(over_http_2(&connect), 401);
    assert_eq!(over_http_2(&[&connect[..], &[mine]].concat()), 200);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("acme", "spent").await, "10");

    // A websocket has a path. The upstream knows no websockets, and answers as to any request.
    let websocket = |path| {
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", path),
        ]
    };
    assert_eq!(over_http_2(&websocket("/paid")), 401);
    let served = world.upstream.served();
    for path in ["/paid", "/free"] {
        let upgrade =
            format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
        let status = wire::say(world.gate().port, upgrade.as_bytes());
        assert_eq!(status == [401], path == "/paid", "{path}: {status:?}");
    }
    assert_ne!(over_http_2(&websocket("/free")), 401);
    assert_eq!(world.upstream.served(), served + 2, "only what is free");
}

/// The filter behind one that turns headers into metadata, as one that verifies tokens would write it.
fn behind_claims(config: &Value) -> Value {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let config = Setup { config: config.clone(), ..Setup::default() }.filter_config();
    let envoy = envoy_config(dir.path(), "claims", (1, 2), (&[3], 4), &config);
    let filters = envoy
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters")
        .and_then(Value::as_array)
        .expect("filters");
    let claim = |header: &str, key: &str, kind: &str| json!({"header": header, "on_header_present": {"metadata_namespace": "claims", "key": key, "type": kind}});
    let claims = json!({
        "name": "claims",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
            "request_rules": [claim("x-number", "number", "NUMBER"), claim("x-text", "text", "STRING")]
        }
    });
    let all = [&[claims], filters.as_slice()].concat();
    json!({"http_filters": all})
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_are_subjects_and_other_values_do_not_hide_a_key() {
    let place = |name: &str| json!({"property": ["metadata", "filter_metadata", "claims", name]});
    let config = json!({"identities": [place("number"), place("text"), {"header": "x-api-key"}], "forward": ["account"]});
    let manager = behind_claims(&config);
    let world = World::start(Setup { config, manager, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for (account, subject) in
        [("number", "42"), ("debt", "-7"), ("eight", "AAAAAAAA"), ("text", "spiffe://a/b")]
    {
        world.ledger.post("/admin/v1/accounts", json!({"id": account})).await;
        world.ledger.grant(account, "100").await;
        world.ledger.post(&format!("/admin/v1/accounts/{account}/keys"), json!({"subject": subject})).await;
    }
    let mine = ("x-api-key", key.as_str());
    for (headers, account) in [
        (vec![("x-number", "42")], Some("number")),
        (vec![("x-number", "42.0"), mine], Some("number")),
        (vec![("x-number", "-7")], Some("debt")),
        (vec![("x-text", "42")], Some("number")),
        (vec![("x-text", "AAAAAAAA")], Some("eight")),
        (vec![("x-text", "spiffe://a/b")], Some("text")),
        // The double whose bytes are those of eight letters A.
        (vec![("x-number", "2261634.5098039214"), mine], Some("acme")),
        (vec![("x-number", "2261634.5098039214")], None),
        (vec![("x-number", "1.5"), mine], Some("acme")),
        (vec![("x-number", "9007199254740993"), mine], Some("acme")),
        (vec![("x-number", "1e300"), ("x-text", "AAAAAAAA")], Some("eight")),
        (vec![("x-number", "nan"), mine], Some("acme")),
        (vec![("x-text", &"x".repeat(2_000)), mine], Some("acme")),
        (vec![mine], Some("acme")),
        // One that no account has, before and after the ledger has said so.
        (vec![("x-number", "43"), mine], Some("acme")),
        (vec![("x-number", "43"), mine], Some("acme")),
        (vec![("x-number", "43"), ("x-text", "spiffe://a/b")], Some("text")),
        (vec![("x-number", "44")], None),
        (vec![("x-number", "44"), mine], Some("acme")),
        (vec![("x-number", "45"), ("x-api-key", "fg_live_typo")], None),
    ] {
        let answer = get(world.gate(), "/", &headers).await;
        assert_eq!(answer.status, if account.is_some() { 200 } else { 401 }, "{headers:?}: {answer:?}");
        if let Some(account) = account {
            let seen = world.upstream.last();
            assert_eq!(seen.get("x-faregate-account").map(String::as_str), Some(account), "{headers:?}");
        }
    }
}
