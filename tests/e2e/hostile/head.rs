//! Answers that must have no body: on one connection, the next answer begins where this one ends.

use super::wire;
use harness::{Setup, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One connection, and what has come on it and isn't read yet.
struct Line {
    stream: TcpStream,
    unread: Vec<u8>,
}

struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Line {
    fn open(port: u16) -> Self {
        Self { stream: wire::connect(port), unread: Vec::new() }
    }

    /// Sends a request, and takes exactly one answer off the line.
    fn ask(&mut self, method: &str, headers: &[(&str, &str)]) -> Reply {
        assert!(self.unread.is_empty(), "left over: {:?}", String::from_utf8_lossy(&self.unread));
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} /paid HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).expect("an open connection");
        let head = self.until(|bytes| bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let size = headers.get("content-length").map_or(0, |size| size.parse().expect("a size"));
        let body = if method == "HEAD" {
            String::new()
        } else {
            self.until(|bytes| (bytes.len() >= size).then_some(size))
        };
        Reply { status: status.unwrap_or_else(|| panic!("no answer begins here: {head}")), headers, body }
    }

    /// Reads until there is enough, and takes so much.
    fn until(&mut self, enough: impl Fn(&[u8]) -> Option<usize>) -> String {
        let mut piece = [0; 4_096];
        loop {
            if let Some(size) = enough(&self.unread) {
                return String::from_utf8(self.unread.drain(..size).collect()).expect("text");
            }
            let size = self.stream.read(&mut piece).expect("an answer within seconds");
            assert!(size > 0, "the connection is closed");
            self.unread.extend_from_slice(&piece[..size]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_head_matches_a_refused_get_without_the_body() {
    let world = World::start(Setup { config: json!({"request_bodies": true}), ..Setup::default() }).await;
    let broke = world.ledger.account("broke", "0").await;
    let rich = world.ledger.account("rich", "10").await;
    let mut line = Line::open(world.gate().port);
    for (status, more) in [
        (401, vec![]),
        // The first of these waits for the ledger.
        (402, vec![("x-api-key", broke.as_str())]),
        (402, vec![("x-api-key", broke.as_str())]),
        (401, vec![("accept", "text/html")]),
        (401, vec![("accept", "text/plain")]),
        (401, vec![("anthropic-version", "2023-06-01")]),
        (401, vec![("mcp-protocol-version", "2025-11-25")]),
    ] {
        let since = Instant::now();
        let head = line.ask("HEAD", &more);
        let get = line.ask("GET", &more);
        assert_eq!((head.status, get.status), (status, status), "{more:?}");
        assert!(since.elapsed() < Duration::from_secs(4), "nothing hangs: {:?}", since.elapsed());
        assert!(head.body.is_empty() && !get.body.is_empty());
        let [head, get] = [head.headers, get.headers].map(|mut headers| {
            headers.remove("date");
            headers
        });
        assert_eq!(head, get, "{more:?}");
        assert_eq!(head.get("connection"), None, "{more:?}");
    }
    assert_eq!(world.upstream.served(), 0);
    // What is paid costs the same, and the connection is the same.
    let paid = [("x-api-key", rich.as_str())];
    assert_eq!((line.ask("HEAD", &paid).status, line.ask("GET", &paid).status), (200, 200));
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("rich", "spent").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_options_request_is_an_ordinary_one_unless_it_is_a_preflight() {
    let world = World::one().await;
    let rich = world.ledger.account("rich", "10").await;
    let mut line = Line::open(world.gate().port);
    let origin = ("origin", "https://app.example.com");
    let beforehand = ("access-control-request-method", "POST");
    for (status, headers, paid) in [
        (401, vec![], false),
        (401, vec![origin], false),
        (401, vec![beforehand], false),
        (200, vec![origin, beforehand], false),
        (200, vec![("x-api-key", rich.as_str())], true),
        (200, vec![("x-api-key", rich.as_str()), origin], true),
        // No browser sends a key with what it asks beforehand.
        (200, vec![("x-api-key", rich.as_str()), origin, beforehand], true),
    ] {
        assert_eq!(line.ask("OPTIONS", &headers).status, status, "{headers:?}");
        assert_eq!(world.upstream.last().contains_key("x-faregate-account"), paid, "{headers:?}");
    }
    assert_eq!(world.upstream.served(), 4);
    world.ledger.nothing_is_held().await;
    assert_eq!(world.ledger.balance("rich", "spent").await, "3");
    world.ledger.audit().await;
}
