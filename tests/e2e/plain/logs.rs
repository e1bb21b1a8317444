//! What the access logs say that ship: who asked for which path, and never the query, in which callers may put a key.

use super::World;
use harness::{Gateway, Process, binary, envoy, eventually, filter, free_port, project};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FILE: &str = "envoy/quickstart/envoy.yaml";
/// Formats with which an access log prints a query.
const TELLING: [&str; 9] = [
    "%REQ(:PATH",
    "?:PATH",
    "X-ENVOY-ORIGINAL-PATH",
    "REFERER",
    "%PATH%",
    "%PATH(WQ",
    "%PATH()",
    "%QUERY_PARAM",
    "%REQ(:AUTHORITY",
];

/// Requests with a key in their query, each with the status that answers it: some Envoy refuses before the gate sees
/// them, of others it sees the query.
fn requests(key: &str) -> Vec<(String, u16)> {
    let get = |target: &str, headers: &str, status| {
        (format!("GET {target} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n"), status)
    };
    vec![
        get(&format!("/v1/x?api_key={key}"), "", 200),
        get(&format!("/v1/x?a=b&api_key={key}"), &format!("referer: http://x/?api_key={key}\r\n"), 200),
        get(&format!("/health?api_key={key}"), "", 200),
        get(&format!("/v1/x?api_key={key}&api_key=b"), "", 401),
        get(&format!("/v1/x?other={key}"), "", 401),
        get(&format!("/v1%2Fx?api_key={key}"), "", 400),
        get(&format!("/v1%5cx?api_key={key}"), "", 400),
        get(&format!("/v1/x?api_key={key}#f"), "", 400),
        get(&format!("/v1/x#f?api_key={key}"), "", 400),
        get(&format!("/%00?api_key={key}"), "", 400),
        get(&format!("?api_key={key}"), "", 400),
        get(&format!("http://x?api_key={key}"), "", 404),
        get(&format!("/v1/x?api_key={key}"), "x_y: 1\r\n", 400),
        (format!("CONNECT x:443?api_key={key} HTTP/1.1\r\nhost: x\r\n\r\n"), 400),
    ]
}

/// The status of a request in its own bytes.
async fn status(port: u16, request: &str) -> u16 {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    connection.write_all(request.as_bytes()).await.expect("a request that is taken");
    let mut answer = vec![0; 12];
    connection.read_exact(&mut answer).await.unwrap_or_else(|why| panic!("{request}: {why}"));
    String::from_utf8_lossy(&answer)[9..].parse().expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_query_never_appears_in_the_quickstart_log() {
    let world = World::of("quickstart").await;
    let key = world.ledger.account("acme", "1000").await;
    let own = "                              - header: x-api-key\n";
    let text = world.site.text(FILE);
    let asked = text.replace(own, &format!("                              - query: api_key\n{own}"));
    assert_ne!(asked, text);
    world.site.replace(FILE, &asked);
    let mut gate: Gateway = world.site.envoy(FILE);
    gate.is_ready().await;

    let requests = requests(&key);
    for (request, expected) in &requests {
        assert_eq!(status(gate.port, request).await, *expected, "{request}");
    }

    let lines = |log: &str| log.lines().filter(|line| line.ends_with('"') || line.contains("ms ")).count();
    eventually("the log is written", Duration::from_secs(30), async || {
        lines(&gate.process.output()) >= requests.len()
    })
    .await;
    let log = gate.process.output();
    assert!(!log.contains(&key), "{log}");
    for path in
        ["GET /v1/x 200", "GET /v1/x 401", "GET /v1/x 400 path_normalization_failed", "GET /health 200"]
    {
        assert!(log.contains(path), "{path}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_query_never_appears_in_the_output_of_up() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let mut command = Command::new(binary());
    command.args(["up", "--listen", &format!("127.0.0.1:{port}")]).arg("--data").arg(dir.path().join("data"));
    command.arg("--filter").arg(filter()).env("ENVOY", envoy());
    let mut up = Process::start("faregate up", &mut command, &dir.path().join("up.log"));
    eventually("the gate is open", Duration::from_secs(30), async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_ok() && up.output().contains("the gate is open")
    })
    .await;

    let key = "fg_live_a_key_that_must_not_be_shown";
    let requests = requests(key);
    for (request, expected) in &requests {
        // There the key is in a header, so all that the gate sees is refused.
        let expected = if *expected == 200 { 401 } else { *expected };
        assert_eq!(status(port, request).await, expected, "{request}");
    }

    let shown = |what: &str| up.output().matches(what).count();
    eventually("all are shown", Duration::from_secs(30), async || shown(" ms)") >= requests.len()).await;
    let log = up.output();
    assert!(!log.contains(key), "{log}");
    assert!(log.contains("400  GET /v1/x ") && log.contains("401  GET /v1/x "), "{log}");
    assert_eq!(up.stop(), Some(0));
}

/// Every text below a folder.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn no_shipped_or_recommended_log_format_contains_the_query() {
    let mut found = Vec::new();
    for folder in ["envoy", "docs", "src/demo"] {
        texts(&project().join(folder), &mut found);
    }
    let formats = found.iter().filter(|(_, text)| text.contains("%PATH(NQ)%")).count();
    assert!(formats >= 8, "{formats} files have a format");
    for (path, text) in found {
        for telling in TELLING {
            assert!(!text.to_uppercase().contains(telling), "{path}: {telling}");
        }
    }
}
