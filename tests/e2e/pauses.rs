//! Every way in which Envoy resumes a stopped request, in each stage of a request: none of them gets an unpaid request to
//! the API.
//!
//! Envoy goes on with a stopped request when a filter's callback says Continue or isn't there (headers, data, trailers), when a filter
//! asks for it, and when the filter is gone. It answers by itself when a buffer is full, a time is over, or the client breaks the
//! protocol. Payloads of upgrades and of CONNECT are data; METADATA frames pass beside the request.

use crate::hostile::wire::{
    DATA, END_HEADERS, END_STREAM, H2, HEADERS, block, connect, frame, get as head, statuses,
};
use harness::{Clients, Setup, World, eventually, get, speaks_http2};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const METADATA: u8 = 0x4d;
/// How long a client waits for an answer.
const LONG: Duration = Duration::from_secs(10);

/// A request as far as it is sent at once, and what comes when the gate has stopped it.
struct Shape {
    name: &'static str,
    send: fn(u16, &[(&str, &str)]) -> Sent,
}

/// A request on its way.
enum Sent {
    H1(TcpStream),
    H2(H2),
}

impl Sent {
    /// Its status; 0 where Envoy only closed.
    fn status(self) -> u16 {
        match self {
            Self::H1(mut stream) => {
                statuses(&mut stream, Duration::from_millis(20)).first().copied().unwrap_or(0)
            }
            Self::H2(mut client) => {
                client.read(1, LONG);
                client.statuses.get(&1).copied().unwrap_or(0)
            }
        }
    }
}

fn h1(port: u16, line: &str, headers: &[(&str, &str)], rest: &[u8]) -> Sent {
    let mut stream = connect(port);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: a\r\n{headers}").as_bytes()).expect("a head");
    stream.write_all(rest).expect("a body");
    Sent::H1(stream)
}

fn h2(port: u16, headers: &[(&str, &str)], frames: &[Vec<u8>]) -> Sent {
    let mut client = H2::connect(port);
    client.send(&frame(HEADERS, END_HEADERS, 1, &block(&head("/", headers))));
    for frame in frames {
        client.send(frame);
    }
    Sent::H2(client)
}

fn trailers() -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x-checksum", "1")]))
}

fn post<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [headers, &[("content-type", "application/json")]].concat()
}

const SHAPES: &[Shape] = &[
    Shape { name: "HTTP/1.1 without a body", send: |port, headers| h1(port, "GET /", headers, b"\r\n") },
    Shape {
        name: "HTTP/1.1 with a body",
        send: |port, headers| h1(port, "POST /", &post(headers), b"content-length: 2\r\n\r\n{}"),
    },
    Shape {
        name: "HTTP/1.1 with a body in pieces",
        send: |port, headers| {
            h1(port, "POST /", &post(headers), b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        },
    },
    Shape {
        name: "HTTP/1.1 with trailers",
        send: |port, headers| {
            let rest =
                b"te: trailers\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-checksum: 1\r\n\r\n";
            h1(port, "POST /", &post(headers), rest)
        },
    },
    Shape {
        name: "HTTP/1.1 with trailers alone",
        send: |port, headers| {
            let rest = b"te: trailers\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-checksum: 1\r\n\r\n";
            h1(port, "POST /", &post(headers), rest)
        },
    },
    Shape {
        name: "HTTP/1.1 with a body larger than Envoy's buffers",
        send: |port, headers| {
            let body = [b"content-length: 300000\r\n\r\n".as_slice(), &[b' '; 60_000]].concat();
            h1(port, "POST /", &post(headers), &body)
        },
    },
    Shape {
        name: "an upgrade with a payload",
        send: |port, headers| {
            let headers = [headers, &[("connection", "upgrade"), ("upgrade", "websocket")]].concat();
            h1(port, "GET /", &headers, b"\r\n\x81\x02hi")
        },
    },
    Shape {
        name: "CONNECT with a payload",
        send: |port, headers| h1(port, "CONNECT a:80", headers, b"\r\npayload"),
    },
    Shape {
        name: "HTTP/2 with a body",
        send: |port, headers| h2(port, &post(headers), &[frame(DATA, END_STREAM, 1, b"{}")]),
    },
    Shape {
        name: "HTTP/2 with trailers",
        send: |port, headers| h2(port, &post(headers), &[frame(DATA, 0, 1, b"{}"), trailers()]),
    },
    Shape {
        name: "HTTP/2 with trailers alone",
        send: |port, headers| h2(port, &post(headers), &[trailers()]),
    },
    Shape {
        name: "HTTP/2 with an end of its own",
        send: |port, headers| {
            h2(port, &post(headers), &[frame(DATA, 0, 1, b"{}"), frame(DATA, END_STREAM, 1, b"")])
        },
    },
    Shape {
        name: "HTTP/2 with metadata",
        send: |port, headers| {
            let metadata = frame(METADATA, END_HEADERS, 1, &block(&[("key", "value")]));
            h2(port, &post(headers), &[metadata.clone(), frame(DATA, 0, 1, b"{}"), metadata, trailers()])
        },
    },
    Shape {
        name: "gRPC",
        send: |port, headers| {
            let headers = [headers, &[("content-type", "application/grpc"), ("te", "trailers")]].concat();
            h2(port, &headers, &[frame(DATA, 0, 1, &[0, 0, 0, 0, 0]), trailers()])
        },
    },
];

async fn world(shows_bodies: bool, cluster: Value) -> World {
    World::start(Setup {
        cluster,
        plugin: json!({"allow_on_headers_stop_iteration": shows_bodies}),
        // Waiting for a payment takes less than a second, so that each shape can wait.
        config: json!({"request_bodies": shows_bodies, "max_wait_ms": 300}),
        manager: json!({
            "http_protocol_options": {"enable_trailers": true},
            "http2_protocol_options": {"allow_connect": true, "allow_metadata": true},
            "upgrade_configs": [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
                {"match": {"connect_matcher": {}}, "route": {"cluster": "upstream", "upgrade_configs": [
                    {"upgrade_type": "CONNECT", "connect_config": {}}]}}
            ]}]}
        }),
        listener: json!({"per_connection_buffer_limit_bytes": 32_768}),
        ..Setup::default()
    })
    .await
}

/// A format whose answers need the body of the question, where it is shown.
const WITH_BODY: (&str, &str) = ("accept", "application/json, text/event-stream");

#[tokio::test(flavor = "multi_thread")]
async fn no_way_of_resuming_a_request_bypasses_the_gate() {
    for shows_bodies in [true, false] {
        let world = world(shows_bodies, json!({})).await;
        let port = world.gate().port;
        let broke = world.ledger.account("broke", "0").await;
        let rich = world.ledger.account("rich", "100").await;
        let all = |headers: &[(&'static str, &str)], expected: &[u16], stage: &str| {
            let sent: Vec<(&str, Sent)> =
                SHAPES.iter().map(|shape| (shape.name, (shape.send)(port, headers))).collect();
            for (name, sent) in sent {
                let status = sent.status();
                assert!(expected.contains(&status), "{stage}, bodies {shows_bodies}: {name} got {status}");
            }
            assert_eq!(world.upstream.served(), 0, "{stage}, bodies {shows_bodies}");
        };
        // Refused at once, and refused when the body is here. gRPC's refusals are 200.
        all(&[], &[401, 200], "without a key");
        all(&[WITH_BODY], &[401, 200], "without a key, in a format that repeats the body");
        all(&[("x-api-key", &broke)], &[402, 200], "after a wait");
        all(&[("x-api-key", &broke)], &[402, 200], "refused from memory");
        all(&[("x-api-key", &broke), WITH_BODY], &[402, 200], "refused from memory when the body is here");
        // Waiting, until the wait is over.
        world.ledger.process.signal("STOP");
        all(&[("x-api-key", &rich)], &[503, 200], "the ledger is frozen");
        all(&[("x-api-key", &rich), WITH_BODY], &[503, 200], "the ledger is frozen, the body is wanted");
        world.ledger.process.signal("CONT");
        world.ledger.nothing_is_held().await;
        assert_eq!(world.ledger.balance("rich", "spent").await, "0");
        world.ledger.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_request_reaches_the_api_with_its_trailers() {
    for shows_bodies in [true, false] {
        let world = world(shows_bodies, speaks_http2()).await;
        let rich = world.ledger.account("rich", "100").await;
        // The first waits for the ledger, and the others don't.
        for headers in [vec![WITH_BODY, ("x-api-key", &rich)], vec![("x-api-key", rich.as_str())]] {
            for shape in SHAPES.iter().filter(|shape| shape.name.contains("trailers")) {
                let status = (shape.send)(world.gate().port, &headers).status();
                assert_eq!(status, 200, "{}", shape.name);
                let last = world.upstream.last();
                assert_eq!(
                    last.get("trailer x-checksum").map(String::as_str),
                    Some("1"),
                    "{}: {last:?}",
                    shape.name
                );
            }
        }
        world.ledger.nothing_is_held().await;
        assert_eq!(world.upstream.served().to_string(), world.ledger.balance("rich", "spent").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_request_is_cut_off_and_never_served() {
    for shows_bodies in [true, false] {
        let world = World::start(Setup {
            plugin: json!({"allow_on_headers_stop_iteration": shows_bodies}),
            config: json!({"request_bodies": shows_bodies}),
            manager: json!({"request_timeout": "0.5s", "stream_idle_timeout": "0.5s"}),
            ..Setup::default()
        })
        .await;
        let key = world.ledger.account("acme", "100").await;
        world.ledger.process.signal("STOP");
        for headers in
            [vec![("x-api-key", key.as_str())], vec![("x-api-key", &key), WITH_BODY], vec![WITH_BODY]]
        {
            let rest = b"content-length: 100\r\n\r\n{";
            let status = h1(world.gate().port, "POST /", &post(&headers), rest).status();
            assert!([0, 401, 408, 503, 504].contains(&status), "{status}");
            let status = h2(world.gate().port, &post(&headers), &[frame(DATA, 0, 1, b"{")]).status();
            assert!([0, 401, 408, 503, 504].contains(&status), "{status}");
        }
        world.ledger.process.signal("CONT");
        eventually("every wait is over", LONG, async || {
            world.gate().envoy_stat("http.gate.downstream_rq_active").await == 0
        })
        .await;
        assert_eq!(world.upstream.served(), 0);
        eventually("the ledger is asked again", LONG, async || {
            get(world.gate(), "/", &[("x-api-key", &key)]).await.status == 200
        })
        .await;
        world.ledger.nothing_is_held().await;
        assert_eq!(world.ledger.balance("acme", "spent").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_3_trailers_do_not_bypass_the_gate() {
    let Some(clients) = Clients::installed() else { return };
    for shows_bodies in [true, false] {
        let world = World::start(Setup {
            http3: true,
            plugin: json!({"allow_on_headers_stop_iteration": shows_bodies}),
            config: json!({"request_bodies": shows_bodies}),
            ..Setup::default()
        })
        .await;
        let broke = world.ledger.account("broke", "0").await;
        let rich = world.ledger.account("rich", "5").await;
        let authority = world.dir().join("authority.pem");
        let more = [("PATHS", "trailers:/a trailers:/b"), ("AUTHORITY", authority.to_str().expect("a path"))];
        let said = |key: &str| -> Value {
            clients.run("http3_client.py", world.gate(), key, &more)["statuses"].clone()
        };
        assert_eq!(said("no key"), json!([401, 401]));
        assert_eq!(said(&broke), json!([402, 402]));
        assert_eq!(world.upstream.served(), 0, "bodies {shows_bodies}");
        assert_eq!(said(&rich), json!([200, 200]));
        world.ledger.nothing_is_held().await;
        assert_eq!(world.ledger.balance("rich", "spent").await, "2");
    }
}
