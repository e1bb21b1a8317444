//! What browsers ask before a page's request: a preflight never costs anything, and is no way to the API for anything else.

use crate::hostile::wire::{self, H2};
use harness::{Clients, Setup, World, eventually};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

const PAGE: &str = "https://app.example.com";
const VIEW: &str = "/.well-known/faregate";
/// What makes an `OPTIONS` a preflight.
const ASKS: [(&str, &str); 2] = [("origin", PAGE), ("access-control-request-method", "POST")];

async fn world(config: Value) -> World {
    World::start(Setup { config, ..Setup::default() }).await
}

async fn ask(world: &World, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().request(method, world.gate().url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("a text")).collect()
}

async fn preflights_are(world: &World, count: u64) {
    eventually(&format!("{count} preflights"), Duration::from_secs(5), async || {
        world.gate().stat("preflights_total").await == count
    })
    .await;
}

/// A request of HTTP/1.1 with these headers, and behind them whatever comes.
fn typed(path: &str, headers: &[(&str, &str)], rest: &str) -> Vec<u8> {
    let mut text = format!("OPTIONS {path} HTTP/1.1\r\nhost: a\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    (text + "\r\n" + rest).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_real_preflights_reach_the_api_unpaid() {
    let rules = json!([{"match": {"path": {"prefix": "/gone"}}, "retired": true}]);
    let identities = json!([{"header": "x-api-key"}, {"bearer": true}, {"query": "key"}, {"cookie": "fg"}]);
    let world = world(json!({"rules": rules, "identities": identities})).await;
    let port = world.gate().port;
    assert_eq!(wire::say(port, &typed("/", &ASKS, "")), [200]);
    assert_eq!(world.upstream.served(), 1, "an API may answer preflights itself");

    let with = |more: &[(&'static str, &'static str)]| [&ASKS[..], more].concat();
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    let bad = world.ledger.account("broke", "0").await;
    let query = format!("/?key={bad}");
    let not_ours = [
        (401, "/", with(&[("content-length", "5")]), "hello"),
        (401, "/", with(&[("content-length", "0")]), ""),
        (401, "/", with(&[("transfer-encoding", "chunked")]), chunked),
        (401, "/", with(&[("transfer-encoding", "chunked")]), "0\r\n\r\n"),
        (401, "/", with(&[("x-http-method-override", "DELETE")]), ""),
        (401, "/", with(&[("X_HTTP_METHOD", "DELETE")]), ""),
        (401, "/", with(&[("x-method-override", "DELETE")]), ""),
        (401, "/", with(&[("authorization", "Basic dTpw")]), ""),
        (401, "/", with(&[("cookie", "session=1")]), ""),
        (401, "/", with(&[("x-api-key", "fg_live_typo")]), ""),
        (402, query.as_str(), with(&[]), ""),
        (401, "/", vec![("origin", ""), ASKS[1]], ""),
        (401, "/", vec![("origin", "https://app.example.com/page"), ASKS[1]], ""),
        (401, "/", vec![ASKS[0], ("access-control-request-method", "")], ""),
        (401, "/", vec![ASKS[0], ("access-control-request-method", "GET, POST")], ""),
        (401, "/", vec![ASKS[0], ASKS[0], ASKS[1]], ""),
        (401, "/", vec![ASKS[0]], ""),
        (410, "/gone", with(&[]), ""),
    ];
    for (status, path, headers, rest) in &not_ours {
        assert_eq!(wire::say(port, &typed(path, headers, rest))[..1], [*status], "{path} {headers:?}");
    }
    assert_eq!(world.upstream.served(), 1);

    let mut client = H2::connect(port);
    let head = |path, more: &[(&'static str, &'static str)]| {
        [
            &[(":method", "OPTIONS"), (":scheme", "http"), (":authority", "a"), (":path", path)],
            &ASKS[..],
            more,
        ]
        .concat()
    };
    client.send(&wire::request(1, &head("/", &[])));
    client.read(1, Duration::from_secs(5));
    assert_eq!((client.statuses[&1], world.upstream.served()), (200, 2));
    client.send(&wire::request(3, &head("/", &[("cookie", "a=b")])));
    client.send(&wire::request(5, &head("/gone", &[])));
    // A body; none but for an empty frame; trailers.
    client.send(&wire::frame(wire::HEADERS, wire::END_HEADERS, 7, &wire::block(&head("/", &[]))));
    client.send(&wire::frame(wire::DATA, wire::END_STREAM, 7, b"hello"));
    client.send(&wire::frame(wire::HEADERS, wire::END_HEADERS, 9, &wire::block(&head("/", &[]))));
    client.send(&wire::frame(wire::DATA, wire::END_STREAM, 9, b""));
    client.send(&wire::frame(wire::HEADERS, wire::END_HEADERS, 11, &wire::block(&head("/", &[]))));
    let trailers = wire::block(&[("x-trailer", "1")]);
    client.send(&wire::frame(wire::HEADERS, wire::END_HEADERS | wire::END_STREAM, 11, &trailers));
    client.read(6, Duration::from_secs(5));
    let statuses: Vec<u16> = client.statuses.values().copied().collect();
    assert_eq!(statuses, [200, 401, 410, 401, 401, 401]);
    assert_eq!(world.upstream.served(), 2);

    preflights_are(&world, 2).await;
    eventually("the access log is written", Duration::from_secs(15), async || {
        world
            .gate()
            .access_log()
            .iter()
            .filter(|line| line.ends_with("OPTIONS / 200 via_upstream decision=preflight"))
            .count()
            == 2
    })
    .await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_with_a_key_is_charged_like_any_request() {
    let world = world(json!({})).await;
    let key = world.ledger.account("rich", "10").await;
    let headers = [&ASKS[..], &[("x-api-key", key.as_str())]].concat();
    assert_eq!(ask(&world, Method::OPTIONS, "/", &headers).await.status(), 200);
    world.ledger.balance_becomes("rich", "spent", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_configured_origins_the_gate_answers_preflights_itself() {
    let world = world(json!({"cors_origins": [PAGE]})).await;
    let asks = [ASKS[0], ASKS[1], ("access-control-request-headers", "content-type,x-api-key")];
    for (path, methods) in [("/reports", "POST"), (VIEW, "GET, HEAD")] {
        let answer = ask(&world, Method::OPTIONS, path, &asks).await;
        assert_eq!(answer.status(), 204, "{path}");
        let headers = answer.headers();
        assert_eq!(all(headers, "access-control-allow-origin"), [PAGE]);
        assert_eq!(all(headers, "access-control-allow-methods"), [methods]);
        assert_eq!(all(headers, "access-control-allow-headers"), ["content-type,x-api-key"]);
        assert_eq!(all(headers, "access-control-max-age"), ["600"]);
        assert_eq!(all(headers, "vary"), ["origin"]);
        let other = [("origin", "https://evil.example.com"), ASKS[1]];
        let answer = ask(&world, Method::OPTIONS, path, &other).await;
        assert_eq!(
            (answer.status().as_u16(), all(answer.headers(), "access-control-allow-origin")),
            (403, vec![])
        );
    }
    let mut client = H2::connect(world.gate().port);
    let head =
        [&[(":method", "OPTIONS"), (":scheme", "http"), (":authority", "a"), (":path", "/")], &ASKS[..]]
            .concat();
    client.send(&wire::request(1, &head));
    client.read(1, Duration::from_secs(5));
    assert_eq!(client.statuses[&1], 204);
    assert_eq!(world.upstream.served(), 0);
    preflights_are(&world, 5).await;
    eventually("the access log is written", Duration::from_secs(15), async || {
        world.gate().access_log().len() == 5
    })
    .await;
    let log = world.gate().access_log();
    for line in [
        "OPTIONS /reports 204 faregate{decision=preflight} -",
        "OPTIONS /reports 403 faregate{decision=preflight_refused} -",
    ] {
        assert_eq!(log.iter().filter(|found| *found == line).count(), 1, "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_can_be_passed_charged_or_refused() {
    for (preflight, status, served) in [("pass", 200, 1), ("charge", 401, 0), ("refuse", 403, 0)] {
        let world = world(json!({"cors_origins": [PAGE], "preflight": preflight})).await;
        assert_eq!(ask(&world, Method::OPTIONS, "/", &ASKS).await.status(), status, "{preflight}");
        assert_eq!(world.upstream.served(), served, "{preflight}");
        assert_eq!(ask(&world, Method::OPTIONS, VIEW, &ASKS).await.status(), 204, "the API has no such page");
        assert_eq!(world.upstream.served(), served, "{preflight}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_read_the_response_headers_of_the_gate_and_of_the_api() {
    let deprecated = json!({"since": "2026-12-01"});
    let rules = json!([
        {"match": {"path": {"exact": "/page/old"}}, "price": "1", "deprecated": deprecated},
        {"match": {"path": {"exact": "/page/free"}}, "price": "free", "deprecated": deprecated}
    ]);
    let config = json!({"cors_origins": [PAGE], "response_headers": ["charge", "balance"], "rules": rules});
    let world = world(config).await;
    let key = world.ledger.account("rich", "10").await;
    let key = ("x-api-key", key.as_str());
    let exposed = async |path: &str, origin: &str| {
        let answer = ask(&world, Method::GET, path, &[key, ("origin", origin)]).await;
        assert_eq!(answer.status(), 200);
        let headers = answer.headers();
        assert_eq!(
            all(headers, "access-control-allow-origin").len(),
            usize::from(path != "/"),
            "that is the API's"
        );
        // Envoy makes one list of several.
        let lists = all(headers, "access-control-expose-headers").join(",");
        lists.split(',').map(str::trim).collect::<Vec<_>>().join(", ")
    };
    let ours = "x-faregate-charge, x-faregate-balance";
    // The first waits for the ledger, the second doesn't.
    assert_eq!(exposed("/page", PAGE).await, format!("x-total, {ours}"));
    assert_eq!(exposed("/page", PAGE).await, format!("x-total, {ours}"));
    assert_eq!(exposed("/", PAGE).await, ours);
    assert_eq!(exposed("/page/old", PAGE).await, format!("x-total, deprecation, {ours}"));
    assert_eq!(exposed("/page/free", PAGE).await, "x-total, deprecation");
    assert_eq!(exposed("/page", "https://evil.example.com").await, "x-total");
    let answer = ask(&world, Method::GET, "/page", &[key]).await;
    assert_eq!(all(answer.headers(), "access-control-expose-headers"), ["x-total"]);
}

/// A page at an address of its own, whose script asks the gate.
async fn page_at(port_of_gate: u16, key: &str) -> String {
    let script = format!(
        "function ask(path, name) {{
            var asked = new XMLHttpRequest();
            asked.open('GET', 'http://127.0.0.1:{port_of_gate}' + path, false);
            asked.setRequestHeader('x-api-key', '{key}');
            try {{ asked.send(); }} catch (why) {{ return 'unreadable'; }}
            return asked.status + ' ' + asked.getResponseHeader(name) + ' ' + asked.responseText;
        }}
        document.body.innerText = ['/page', '/.well-known/faregate'].map(function (path, at) {{
            return ask(path, ['x-faregate-balance', 'etag'][at]);
        }}).join(' | ');"
    );
    let page = axum::response::Html(format!("<!doctype html><body><script>{script}</script></body>"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://127.0.0.1:{}", listener.local_addr().expect("an address").port());
    let router = axum::Router::new().fallback(async move || page.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cross_origin_page_in_a_browser_reads_its_balance_and_the_price_list() {
    let Some(clients) = Clients::installed() else { return };
    // The origin is known only once there is the page, and the page must know the gate; so all may read.
    let world = world(json!({"cors_origins": ["*"], "response_headers": ["balance"]})).await;
    let key = world.ledger.account("rich", "10").await;
    let origin = page_at(world.gate().port, &key).await;
    let (shown, _) = clients.browse(&origin);
    let (paid, view) = shown.split_once(" | ").unwrap_or_else(|| panic!("{shown}"));
    assert!(paid.contains("200 8 {\"served\":true}") || paid.contains("200 9 {\"served\":true}"), "{shown}");
    assert!(view.starts_with("200 \"") && view.contains("\"account\":\"rich\""), "{shown}");
    assert!(world.gate().stat("preflights_total").await > 0, "a key in a header needs leave");
}
