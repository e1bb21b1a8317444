//! What clients may hold: how many connections, and for how long when nothing happens on them.

use super::World;
use crate::manifests::yaml;
use crate::sidecar::Mesh;
use harness::{Gateway, eventually, get};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FILE: &str = "envoy/quickstart/envoy.yaml";
/// How many connections there may be in these stories.
const LIMIT: usize = 60;
/// Ten seconds as the files say, and what a busy machine takes on top.
const SHORT_TIMEOUT: Duration = Duration::from_secs(20);
/// What HTTP/2 begins with: the preface, and settings that change nothing.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const WHOLE: &[u8] = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// A gate that takes no more than so many connections, with these replacements in its file.
async fn small(world: &World, replacements: &[(&str, &str)]) -> Gateway {
    let limit =
        ("max_active_downstream_connections: 10000", &*format!("max_active_downstream_connections: {LIMIT}"));
    let mut text = world.site.text(FILE);
    for (from, to) in replacements.iter().chain([&limit]) {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    world.site.replace(FILE, &text);
    let mut gate = world.site.envoy(FILE);
    gate.is_ready().await;
    gate
}

/// Takes all connections that there may be, beginning with these words in turn.
async fn occupy(gate: &Gateway, words: &[&[u8]]) -> Vec<TcpStream> {
    let (mut held, mut turned_away) = (Vec::new(), 0);
    // Not only once: what a client has just closed may still count.
    while turned_away < 10 {
        for word in words {
            let mut connection = TcpStream::connect(("127.0.0.1", gate.port)).await.expect("a connection");
            // One that is turned away takes no words.
            let _ = connection.write_all(word).await;
            held.push(connection);
        }
        turned_away = if get(gate, "/health", &[]).await.status == 0 { turned_away + 1 } else { 0 };
        assert!(held.len() < 5 * LIMIT, "there is no limit");
    }
    held
}

async fn gets_in(gate: &Gateway, within: Duration) {
    eventually("an honest client gets in", within, async || get(gate, "/health", &[]).await.status == 200)
        .await;
}

/// Each of these comes to its end, whatever it began with.
async fn are_closed(held: Vec<TcpStream>) {
    for (number, mut connection) in held.into_iter().enumerate() {
        let mut said = Vec::new();
        let end = tokio::time::timeout(SHORT_TIMEOUT, connection.read_to_end(&mut said)).await;
        assert!(end.is_ok(), "{number}: {:?}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_request_block_others_for_at_most_ten_seconds() {
    let world = World::of("quickstart").await;
    let gate = small(&world, &[]).await;

    let held = occupy(&gate, &[b"", b"G", b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "]).await;

    assert!(held.len() >= LIMIT / 2, "{}", held.len());
    assert!(gate.admin("/ready").await.is_some_and(|text| text.contains("LIVE")), "the operator sees it");
    gets_in(&gate, SHORT_TIMEOUT).await;
    are_closed(held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_block_others_until_their_idle_timeout() {
    let world = World::of("quickstart").await;
    let quick = [("idle_timeout: 75s\n                  max", "idle_timeout: 2s\n                  max")];
    let gate = small(&world, &quick).await;

    let held = occupy(&gate, &[WHOLE, HTTP2]).await;

    // Envoy gives those five seconds' notice.
    gets_in(&gate, SHORT_TIMEOUT).await;
    are_closed(held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_never_starts_times_out() {
    let mesh = Mesh::start().await;
    let mut silent = TcpStream::connect(("127.0.0.1", mesh.b.port)).await.expect("a connection");
    let end = tokio::time::timeout(SHORT_TIMEOUT, silent.read(&mut [0])).await;
    assert!(matches!(end, Ok(Ok(0) | Err(_))), "{end:?}");
}

/// Every Envoy configuration under `envoy/`, by its path.
fn configurations() -> Vec<(String, Value)> {
    let all = yaml::below("envoy")
        .into_iter()
        .flat_map(|path| yaml::file(&path).into_iter().map(move |document| (path.clone(), document)));
    let found: Vec<_> = all.filter(|(_, it)| it["static_resources"]["listeners"].is_array()).collect();
    assert!(found.len() >= 7, "{}", found.len());
    found
}

fn seconds(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.strip_suffix('s'));
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no seconds: {value}"))
}

#[test]
fn every_shipped_listener_limits_connections_and_their_idle_time() {
    for (path, config) in configurations() {
        let most = "/overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections";
        assert_eq!(config.pointer(most).and_then(Value::as_u64), Some(10_000), "{path}");
        assert_eq!(config["admin"]["ignore_global_conn_limit"], true, "{path}");
        for listener in config["static_resources"]["listeners"].as_array().expect("listeners") {
            let chain = &listener["filter_chains"][0];
            let begins = if chain["transport_socket"].is_null() {
                let inspector = listener["listener_filters"][0]["name"].as_str();
                assert_eq!(inspector, Some("envoy.filters.listener.http_inspector"), "{path}");
                &listener["listener_filters_timeout"]
            } else {
                &chain["transport_socket_connect_timeout"]
            };
            let manager = &chain["filters"][0]["typed_config"];
            let common = &manager["common_http_protocol_options"];
            for (found, most) in [
                (begins, 10),
                (&manager["request_headers_timeout"], 10),
                (&manager["stream_idle_timeout"], 75),
                (&common["idle_timeout"], 75),
                (&common["max_connection_duration"], 3_600),
            ] {
                assert!((1..=most).contains(&seconds(found)), "{path}: {found}");
            }
        }
    }
}

#[test]
fn the_mesh_manifests_set_the_same_connection_limits() {
    let policies = yaml::file("envoy/gateway-api/gateway.yaml");
    let policy = policies.iter().find(|it| it["kind"] == "ClientTrafficPolicy").expect("a policy");
    let spec = &policy["spec"];
    assert_eq!(spec["connection"]["connectionLimit"]["value"], 10_000);
    assert_eq!(seconds(&spec["timeout"]["http"]["idleTimeout"]), 75);
    for file in ["envoy/istio/ingress-gateway-token.yaml", "envoy/istio/sidecar.yaml"] {
        let deployment =
            yaml::file(file).into_iter().find(|it| it["kind"] == "Deployment").expect("a deployment");
        let set = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
            .as_array()
            .expect("variables")
            .clone();
        let value = |name: &str| set.iter().find(|it| it["name"] == name).map(|it| it["value"].clone());
        assert_eq!(value("ISTIO_META_IDLE_TIMEOUT"), Some("75s".into()), "{file}");
        assert_eq!(value("ISTIO_META_GLOBAL_DOWNSTREAM_MAX_CONNECTIONS"), Some("10000".into()), "{file}");
    }
}
