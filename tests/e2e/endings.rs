//! When something fails behind the gate, callers pay only for work that the API did.

use crate::hostile::wire::{DATA, END_HEADERS, END_STREAM, H2, HEADERS, block, frame, get as head};
use harness::{Clients, Setup, World, eventually, get, speaks_http2};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// An account that every story of this file charges, and what it has spent once the dust has settled.
async fn spent(world: &World) -> String {
    world.ledger.nothing_is_held().await;
    world.ledger.audit().await;
    world.ledger.balance("acme", "spent").await
}

fn routes(routes: &Value) -> Value {
    json!({"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}})
}

fn filter(name: &str, kind: &str, members: &Value) -> Value {
    let mut config = json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}")});
    for (name, value) in members.as_object().expect("members") {
        config[name] = value.clone();
    }
    json!({"name": name, "typed_config": config})
}

/// A filter that refuses what has this header.
fn rbac() -> Value {
    let header = json!({"header": {"name": "x-forbidden", "present_match": true}});
    let policy = json!({"permissions": [{"any": true}], "principals": [header]});
    filter("rbac", "rbac.v3.RBAC", &json!({"rules": {"action": "DENY", "policies": {"all": policy}}}))
}

/// A filter that lets nothing through that has this header.
fn rate_limit() -> Value {
    let bucket = |size: u32| json!({"max_tokens": size, "tokens_per_fill": size, "fill_interval": "3600s"});
    let full = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    filter(
        "limit",
        "local_ratelimit.v3.LocalRateLimit",
        &json!({"stat_prefix": "limit", "token_bucket": bucket(1), "filter_enabled": full, "filter_enforced": full}),
    )
}

/// An API that answers without Envoy's help.
fn lua() -> Value {
    let code = "function envoy_on_request(handle) if handle:headers():get('x-lua') then handle:respond({[':status'] = '200'}, 'no') end end";
    filter("lua", "lua.v3.Lua", &json!({"default_source_code": {"inline_string": code}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn envoys_own_responses_are_not_charged_and_the_apis_404_is() {
    let world = World::start(Setup {
        manager: routes(&json!([
            {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "yes"}}},
            {"match": {"prefix": "/gone"}, "direct_response": {"status": 410}},
            {"match": {"prefix": "/elsewhere"}, "redirect": {"https_redirect": true}},
            {"match": {"prefix": "/api/"}, "route": {"cluster": "upstream", "prefix_rewrite": "/"}}
        ])),
        behind: vec![rbac(), lua()],
        ..Setup::default()
    })
    .await;
    let key = world.ledger.account("acme", "100").await;
    let key = ("x-api-key", key.as_str());
    for (path, more, status) in [
        ("/nowhere", None, 404),
        ("/direct", None, 200),
        ("/gone", None, 410),
        ("/elsewhere", None, 301),
        ("/api/", Some(("x-forbidden", "1")), 403),
        ("/api/", Some(("x-lua", "1")), 200),
    ] {
        let headers: Vec<_> = [key].into_iter().chain(more).collect();
        assert_eq!(get(world.gate(), path, &headers).await.status, status, "{path}");
    }
    assert_eq!((world.upstream.served(), spent(&world).await), (0, "0".into()));
    assert_eq!(get(world.gate(), "/api/status/404", &[key]).await.status, 404);
    assert_eq!(get(world.gate(), "/api/status/302", &[key]).await.status, 302);
    assert_eq!((world.upstream.served(), spent(&world).await), (2, "2".into()));
    eventually("the refunds are counted", Duration::from_secs(5), async || {
        world.gate().stat("refunds_total").await == 6
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_filters_refusal_is_not_charged() {
    let world = World::start(Setup { behind: vec![rate_limit()], ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for status in [200, 429, 429, 429] {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, status);
    }
    assert_eq!((world.upstream.served(), spent(&world).await), (1, "1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_refunds_charges_every_outcome() {
    let config = json!({"refund_on": []});
    let manager = routes(
        &json!([{"match": {"prefix": "/api/"}, "route": {"cluster": "upstream", "prefix_rewrite": "/"}}]),
    );
    let world = World::start(Setup { config, manager, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for (path, status) in [("/nowhere", 404), ("/api/status/503", 503), ("/api/", 200)] {
        assert_eq!(get(world.gate(), path, &[("x-api-key", &key)]).await.status, status);
    }
    assert_eq!(spent(&world).await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_envoy_rejects_is_charged_and_logged_as_admitted() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    assert_eq!(get(world.gate(), "/large-head", &[("x-api-key", &key)]).await.status, 502);
    assert_eq!(get(world.gate(), "/status/502", &[("x-api-key", &key)]).await.status, 502);
    assert_eq!((world.upstream.served(), spent(&world).await), (2, "1".into()));
    eventually("the access log is written", Duration::from_secs(5), async || {
        let log = world.gate().access_log();
        let line = |path: &str, decision: &str| {
            log.iter().any(|line| line.contains(path) && line.contains(decision))
        };
        line("/large-head", "decision=admitted") && line("/status/502", "decision=released")
    })
    .await;
}

/// A port whose connections are never accepted by anybody: it is full, so the kernel drops what comes.
struct Silent {
    port: u16,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    fn open() -> Self {
        // Every free port of this machine answers; one whose queue is full doesn't.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
        }
        Self { port: address.port(), _listener: listener, _waiting: waiting }
    }
}

fn elsewhere(port: u16, connect_timeout: &str) -> Value {
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "connect_timeout": connect_timeout,
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_api_is_reached_is_not_charged() {
    let silent = Silent::open();
    for manager in [json!({}), json!({"proxy_100_continue": true})] {
        let world =
            World::start(Setup { cluster: elsewhere(silent.port, "20s"), manager, ..Setup::default() }).await;
        let key = world.ledger.account("acme", "100").await;
        for expect in ["", "expect: 100-continue\r\ncontent-length: 2\r\n"] {
            let mut stream = TcpStream::connect(("127.0.0.1", world.gate().port)).expect("a connection");
            write!(stream, "POST / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n{expect}\r\n")
                .expect("a request");
            eventually("Envoy tries to reach the API", Duration::from_secs(10), async || {
                world.gate().envoy_stat("cluster.upstream.upstream_rq_pending_active").await == 1
            })
            .await;
            drop(stream);
            eventually("the request is over", Duration::from_secs(10), async || {
                world.gate().envoy_stat("http.gate.downstream_rq_active").await == 0
            })
            .await;
        }
        assert_eq!(spent(&world).await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_the_api_works_is_charged_despite_100_continue() {
    let world = World::one().await;
    let key = world.ledger.account("acme", "100").await;
    let mut stream = TcpStream::connect(("127.0.0.1", world.gate().port)).expect("a connection");
    write!(
        stream,
        "POST /slow/3000 HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .expect("a request");
    eventually("the API works", Duration::from_secs(10), async || world.upstream.served() == 1).await;
    drop(stream);
    assert_eq!(spent(&world).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_3_client_that_leaves_is_charged_only_if_the_api_was_reached() {
    let Some(clients) = Clients::installed() else { return };
    let silent = Silent::open();
    for (cluster, charged) in [(json!({}), "1"), (elsewhere(silent.port, "20s"), "0")] {
        let world = World::start(Setup { http3: true, cluster, ..Setup::default() }).await;
        let key = world.ledger.account("acme", "100").await;
        let authority = world.dir().join("authority.pem");
        let more = [("PATHS", "leave:/slow/5000"), ("AUTHORITY", authority.to_str().expect("a path"))];
        clients.run("http3_client.py", world.gate(), &key, &more);
        assert_eq!(spent(&world).await, charged);
    }
}

/// A call of gRPC, and whether it had an answer.
fn call(world: &World, path: &str, key: &str) {
    let mut client = H2::connect(world.gate().port);
    let more = [("content-type", "application/grpc"), ("te", "trailers"), ("x-api-key", key)];
    let head: Vec<_> = head(path, &more)
        .into_iter()
        .map(|(name, value)| (name, if name == ":method" { "POST" } else { value }))
        .collect();
    client.send(&frame(HEADERS, END_HEADERS, 1, &block(&head)));
    client.send(&frame(DATA, END_STREAM, 1, &[0; 5]));
    client.read(1, Duration::from_secs(10));
    assert_eq!(client.statuses.get(&1), Some(&200), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_that_fails_as_unavailable_is_not_charged() {
    let manager = routes(&json!([
        {"match": {"prefix": "/grpc"}, "route": {"cluster": "upstream"}},
        {"match": {"prefix": "/slow"}, "route": {"cluster": "upstream", "timeout": "0.2s"}}
    ]));
    let world = World::start(Setup { cluster: speaks_http2(), manager, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for path in ["/grpc/14", "/grpc-at-once/14", "/slow/5000", "/no/route"] {
        call(&world, path, &key);
    }
    assert_eq!(spent(&world).await, "0");
    for path in ["/grpc/0", "/grpc-at-once/5", "/grpc/13"] {
        call(&world, path, &key);
    }
    assert_eq!(spent(&world).await, "3");
    let mut closed = speaks_http2();
    closed["load_assignment"] = elsewhere(harness::free_port(), "1s")["load_assignment"].clone();
    let unreachable = World::start(Setup { cluster: closed, ..Setup::default() }).await;
    let key = unreachable.ledger.account("acme", "100").await;
    call(&unreachable, "/grpc/0", &key);
    assert_eq!(spent(&unreachable).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_chooses_which_grpc_statuses_are_refunded() {
    let config = json!({"refund_on": ["grpc:INTERNAL", "grpc:DEADLINE_EXCEEDED"]});
    let world = World::start(Setup { cluster: speaks_http2(), config, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "100").await;
    for path in ["/grpc/13", "/grpc-at-once/4", "/grpc/14", "/grpc-at-once/14", "/grpc/0"] {
        call(&world, path, &key);
    }
    assert_eq!(spent(&world).await, "3");
}
