//! Clients who know HTTP too well. After each of their tricks: nothing was served that wasn't charged, nothing
//! charged that was refused, the filter runs as before, Envoy has not grown, and others are served at once.

mod head;
pub mod wire;

use harness::{Setup, World, get};
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use wire::{CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE};

/// How much an Envoy may grow under attack and keep, in kilobytes.
const GROWTH: u64 = 150_000;
/// How soon others are served, on a busy machine.
const SHORT_TIMEOUT: Duration = Duration::from_secs(3);

/// What the quickstart sets against such clients, as [`the_quickstart_has_the_same_strict_settings`] checks.
fn strict() -> Value {
    json!({
        "path_with_escaped_slashes_action": "REJECT_REQUEST", "request_headers_timeout": "2s",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100, "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576
        }
    })
}

/// A world under attack, and what was before.
struct HostileScenario {
    world: World,
    key: String,
    vms: u64,
    memory: u64,
}

impl HostileScenario {
    async fn begin(config: Value) -> Self {
        let world = World::start(Setup { config, manager: strict(), ..Setup::default() }).await;
        let key = world.ledger.account("acme", "100000").await;
        assert_eq!(get(world.gate(), "/paid", &[("x-api-key", &key)]).await.status, 200);
        let vms = world.gate().envoy_stat("wasm.envoy.wasm.runtime.v8.created").await;
        let memory = world.gate().process.memory_kb();
        assert!(vms > 0 && memory > 0);
        Self { world, key, vms, memory }
    }

    fn port(&self) -> u16 {
        self.world.gate().port
    }

    /// The gate is what it was, and others don't notice.
    async fn is_withstood(&self, what: &str) {
        let start = Instant::now();
        let answer = get(self.world.gate(), "/paid", &[("x-api-key", &self.key)]).await;
        assert_eq!(answer.status, 200, "after {what}");
        assert!(start.elapsed() < SHORT_TIMEOUT, "after {what}: {:?}", start.elapsed());
        let gate = self.world.gate();
        let output = gate.process.output();
        assert!(!output.contains("panicked") && !output.contains("Wasm VM failed"), "after {what}: {output}");
        assert_eq!(gate.envoy_stat("wasm.envoy.wasm.runtime.v8.created").await, self.vms, "after {what}");
        assert_eq!(gate.envoy_stat("wasm.faregate.vm_reload").await, 0, "after {what}");
        let grown = gate.process.memory_kb().saturating_sub(self.memory);
        assert!(grown < GROWTH, "Envoy grew by {grown} kB after {what}");
    }

    /// At the end all that was served was paid; `cut` requests may have been charged without being served,
    /// because their clients left when the API had been asked.
    async fn books_agree(self, cut: u64) {
        self.world.ledger.nothing_is_held().await;
        let spent: u64 = self.world.ledger.balance("acme", "spent").await.parse().expect("whole credits");
        let served = self.world.upstream.served();
        assert!((served..=served + cut).contains(&spent), "{served} served, {spent} spent, {cut} cut");
        self.world.ledger.audit().await;
    }
}

#[test]
fn the_quickstart_has_the_same_strict_settings() {
    let page =
        std::fs::read_to_string(harness::project().join("envoy/quickstart/envoy.yaml")).expect("a file");
    for line in [
        "normalize_path: true",
        "merge_slashes: true",
        "path_with_escaped_slashes_action: REJECT_REQUEST",
        "headers_with_underscores_action: REJECT_REQUEST",
        "request_headers_timeout: ",
        "max_concurrent_streams: 100",
    ] {
        assert!(page.contains(line), "the quickstart has no {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_http_1_trick_gets_anything_for_free() {
    let siege = HostileScenario::begin(json!({})).await;
    let (port, key) = (siege.port(), siege.key.clone());
    let served = siege.world.upstream.served();
    let mut paid = 0;
    let junk = |size: usize| "j".repeat(size);
    let tiny = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    for (said, expected) in [
        // Request lines.
        ("\r\n\r\n\r\n".to_owned(), vec![408]),
        ("GET\r\n\r\n".into(), vec![400]),
        ("GET /paid HTTP/9.9\r\nhost: a\r\n\r\n".into(), vec![426]),
        ("GET /paid\0 HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n\r\n".into(), vec![400]),
        ("GET /pa id HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n\r\n".into(), vec![400]),
        ("GET http://a/paid HTTP/1.1\r\nhost: b\r\n\r\n".into(), vec![401]),
        ("GET http://a/paid HTTP/1.1\r\nhost: b\r\nx-api-key: $\r\n\r\n".into(), vec![200]),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".into(), vec![401, 404]),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nx-api-key: $\r\n\r\n".into(), vec![403, 404]),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n".into(), vec![401, 403, 404]),
        ("TRACE /paid HTTP/1.1\r\nhost: a\r\n\r\n".into(), vec![401]),
        ("GET /paid HTTP/1.1\r\nx-api-key: $\r\n\r\n".into(), vec![400]),
        // Headers that end early, or hide others.
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\0\r\n\r\n".into(), vec![400]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-note: a\rx-api-key: $\r\n\r\n".into(), vec![400, 401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key : $\r\n\r\n".into(), vec![400, 401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\n x-api-key: $\r\n\r\n".into(), vec![400, 401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n x\r\n\r\n".into(), vec![400, 401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nX-Api-Key: $\r\nx-api-key: $\r\n\r\n".into(), vec![401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $,$\r\n\r\n".into(), vec![401]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nX-aPi-KeY: $\r\n\r\n".into(), vec![200]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx_faregate_account: boss\r\nx-api-key: $\r\n\r\n".into(), vec![400]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nX-FareGate-Account: boss\r\nx-api-key: $\r\n\r\n".into(), vec![200]),
        // Two requests in one, seen by only one of two readers.
        ("POST /paid HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde".into(), vec![400]),
        ("POST /paid HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /paid HTTP/1.1\r\nhost: a\r\n\r\n".into(), vec![400]),
        ("POST /paid HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n".into(), vec![501, 400]),
        ("POST /paid HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n".into(), vec![501, 400]),
        ("POST /paid HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".into(), vec![400]),
        ("POST /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi".into(), vec![200]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".into(), vec![401, 403]),
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\nconnection: x-api-key\r\n\r\n".into(), vec![401]),
        // One connection: a second request pays for itself.
        ("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n\r\nGET /paid HTTP/1.1\r\nhost: a\r\n\r\n".into(), vec![200, 401]),
        // Just below and above Envoy's limits (96 kB, 100 headers).
        (format!("GET /paid HTTP/1.1\r\nhost: a\r\nx-junk: {}\r\nx-api-key: $\r\n\r\n", junk(90_000)), vec![200]),
        (format!("GET /paid HTTP/1.1\r\nhost: a\r\nx-junk: {}\r\nx-api-key: $\r\n\r\n", junk(110_000)), vec![431]),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", junk(90_000)), vec![401]),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", junk(200_000)), vec![431]),
        (format!("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n{}\r\n", tiny(90)), vec![200]),
        (format!("GET /paid HTTP/1.1\r\nhost: a\r\nx-api-key: $\r\n{}\r\n", tiny(5_000)), vec![431]),
    ] {
        let statuses = wire::say(port, said.replace('$', &key).as_bytes());
        let what = format!("{:.120?}", said);
        let good = match expected.as_slice() {
            [200, 401] => statuses == expected,
            one_of => statuses.first().is_some_and(|status| one_of.contains(status)),
        };
        assert!(good, "{what}: {statuses:?} instead of {expected:?}");
        paid += statuses.iter().filter(|status| **status == 200).count() as u64;
        let forged = siege.world.upstream.last().get("x-faregate-account").cloned().unwrap_or_default();
        assert_eq!(forged, "acme", "{what}");
    }
    assert_eq!(siege.world.upstream.served(), served + paid, "what was refused didn't reach the API");
    // This one shows its fault when the API has been asked already.
    let broken = format!(
        "POST /paid HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n\r\n"
    );
    assert_eq!(wire::say(port, broken.as_bytes()), [400]);
    siege.is_withstood("tricks of HTTP/1").await;
    siege.books_agree(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_makes_a_priced_path_free() {
    let rules = json!([
        {"name": "exact", "match": {"path": {"exact": "/v1/paid"}}, "price": "1"},
        {"name": "items", "match": {"path": {"template": "/items/{}"}}, "price": "1"},
        {"name": "paid", "match": {"path": {"prefix": "/paid"}}, "price": "1"}
    ]);
    let siege = HostileScenario::begin(json!({"rules": rules, "default": "free"})).await;
    for path in [
        "/v1/paid",
        "//v1/paid",
        "/v1//paid",
        "/v1/./paid",
        "/./v1/paid",
        "/v1/x/../paid",
        "/v1/x/%2e%2e/paid",
        "/x/../v1/paid",
        "/v1/%2e/paid",
        "/v1/%70aid",
        "/%76%31/%70%61%69%64",
        "/v1%2fpaid",
        "/v1%2Fpaid",
        "/v1%5cpaid",
        "/v1\\paid",
        "\\v1\\paid",
        "/v1/paid?",
        "/v1/paid?x=/..",
        "/v1/paid#x",
        "http://a/v1/paid",
        "http://a//v1/x/../paid",
        "/items/7",
        "/items//7",
        "/items/%37",
        "/items/./7",
        "/%69tems/7",
        "/../v1/paid",
        "/v1/paid%00",
        "/v1/%00/../paid",
        "/v1/pai%64",
    ] {
        let served = siege.world.upstream.served();
        let statuses = wire::say(siege.port(), format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        let refused = matches!(statuses.as_slice(), [400 | 401]);
        assert!(
            refused,
            "{path}: {statuses:?}, and the API saw {:?}",
            siege.world.upstream.last().get(":path")
        );
        assert_eq!(siege.world.upstream.served(), served, "{path}");
    }
    // These are other paths, to Envoy and to the gate; an API that takes them for the same must not.
    for path in ["/V1/PAID", "/v1/paid/", "/v1/paid;x=1", "/v1/paid%20"] {
        let statuses = wire::say(siege.port(), format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        assert_eq!(statuses, [200], "{path}");
        assert_eq!(siege.world.upstream.last().get(":path").map(String::as_str), Some(path));
    }
    siege.is_withstood("spellings").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_http_2_trick_gets_anything_for_free() {
    let siege = HostileScenario::begin(json!({})).await;
    let (port, key) = (siege.port(), siege.key.clone());
    let mine = [("x-api-key", key.as_str())];
    let good = wire::get("/paid", &mine);

    let mut client = H2::connect(port);
    client.send(&wire::request(1, &good));
    client.send(&wire::request(3, &wire::get("/paid", &[])));
    client.read(2, SHORT_TIMEOUT);
    assert_eq!(
        (client.statuses.get(&1), client.statuses.get(&3)),
        (Some(&200), Some(&401)),
        "{:?}",
        client.statuses
    );

    // Heads that make no sense. Each with the key, so that only their shape can be the reason.
    let served = siege.world.upstream.served();
    let plain = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), mine[0]];
    for head in [
        plain.to_vec(),
        [good.clone(), vec![(":path", "/other")]].concat(),
        [good.clone(), vec![(":status", "200")]].concat(),
        [good.clone(), vec![(":admin", "yes")]].concat(),
        [vec![("x-first", "1")], good.clone()].concat(),
        [good.clone(), vec![("X-Upper", "1")]].concat(),
        [good.clone(), vec![("connection", "close")]].concat(),
        [good.clone(), vec![("transfer-encoding", "chunked")]].concat(),
        [good.clone(), vec![("x-note", "a\r\nx-api-key: b")]].concat(),
        [good.clone(), vec![("x-note", "a\0b")]].concat(),
        [good.clone(), vec![("x-api-key", key.as_str())]].concat(),
        wire::get("", &mine),
        wire::get("paid", &mine),
        wire::get("/pa id\r\n", &mine),
    ] {
        let mut client = H2::connect(port);
        client.send(&wire::request(1, &head));
        client.read(1, SHORT_TIMEOUT);
        let status = client.statuses.get(&1).copied().unwrap_or(0);
        assert!([0, 400, 401, 404].contains(&status), "{head:?}: {status}");
    }
    assert_eq!(siege.world.upstream.served(), served);
    siege.is_withstood("heads that make no sense").await;

    // Headers without end: in pieces, and in thousands.
    for piece in [Vec::new(), vec![0x10], wire::block(&[("x-junk", &"j".repeat(16_000))])] {
        let mut client = H2::connect(port);
        client.send(&wire::frame(HEADERS, END_STREAM, 1, &wire::block(&good)));
        for _ in 0..2_000 {
            client.send(&wire::frame(CONTINUATION, 0, 1, &piece));
            if client.gone {
                break;
            }
        }
        client.read(1, Duration::from_secs(20));
        assert!(
            client.gone || client.statuses.get(&1).is_some_and(|status| *status != 200),
            "{:?}",
            client.statuses
        );
    }
    assert_eq!(siege.world.upstream.served(), served + 1);
    siege.is_withstood("headers without end").await;

    // Windows and settings that make no sense, data for no stream, trailers with a key in them.
    for (what, frames) in [
        ("a window of nothing", wire::frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window beyond its limit", wire::frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)),
        (
            "a window for each stream that is too large",
            wire::frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("data for a stream that isn't there", wire::frame(DATA, 0, 7, b"x")),
        ("a stream of an even number", wire::request(2, &good)),
        ("settings in thousands", wire::frame(SETTINGS, 0, 0, &[]).repeat(20_000)),
        (
            "a key in the trailers",
            [
                wire::frame(HEADERS, END_HEADERS, 1, &wire::block(&wire::get("/paid", &[]))),
                wire::request(1, &mine),
            ]
            .concat(),
        ),
    ] {
        let mut client = H2::connect(port);
        client.send(&frames);
        client.read(1, Duration::from_millis(300));
        assert!(
            client.statuses.values().all(|status| [0, 400, 401].contains(status)),
            "{what}: {:?}",
            client.statuses
        );
    }
    assert_eq!(siege.world.upstream.served(), served + 2);
    siege.is_withstood("windows and settings that make no sense").await;

    // A client who reads nothing, with windows of nothing: answers wait, and go when it leaves.
    let mut client = H2::connect(port);
    client.send(&wire::frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    for number in 0..50 {
        client.send(&wire::request(number * 2 + 1, &good));
    }
    siege.is_withstood("a client who reads nothing").await;
    drop(client);

    // Requests that are taken back at once, again and again.
    let mut cut = 50;
    for _ in 0..5 {
        let mut client = H2::connect(port);
        for number in 0..2_000_u32 {
            let stream = number * 2 + 1;
            client.send(&wire::request(stream, &good));
            client.send(&wire::frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
            cut += 1;
            if client.gone {
                break;
            }
        }
    }
    siege.is_withstood("requests that are taken back at once").await;
    siege.books_agree(cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resource_exhausting_clients_are_withstood() {
    let siege = HostileScenario::begin(json!({"ledger": {
        "cluster": "ledger", "authority": "ledger.test", "token": {"env": "FAREGATE_GATEWAY_TOKEN"}, "timeout_ms": 3_000
    }}))
    .await;
    let port = siege.port();

    let mut idle: Vec<_> = (0..1_500).map(|_| wire::connect(port)).collect();
    for stream in idle.iter_mut().take(500) {
        let _ = stream.write_all(b"GET /paid HTTP/1.1\r\nhost: a\r\nx-slow: ");
    }
    siege.is_withstood("idle and slow connections").await;
    let first = idle.first_mut().expect("one");
    assert_eq!(wire::statuses(first, SHORT_TIMEOUT), [408], "headers that never end are given up");
    drop(idle);

    // Thousands wait in the filter at once for a ledger that doesn't answer, each with a long path, of unknown
    // keys; some bodies never end.
    siege.world.ledger.process.signal("STOP");
    let long = format!("/{}", "p".repeat(14_000));
    let mut clients: Vec<H2> = (0..30).map(|_| H2::connect(port)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let secret = [u8::try_from(number).expect("small"); faregate_protocol::api_key::SECRET_LEN];
        let unknown = faregate_protocol::api_key::compose(&secret).expect("a key");
        let key = [("x-api-key", unknown.as_str())];
        for stream in 0..80 {
            client.send(&wire::request(stream * 2 + 1, &wire::get(&long, &key)));
        }
    }
    let unknown = faregate_protocol::api_key::compose(&[99; 32]).expect("a key");
    let mut endless = wire::connect(port);
    let head =
        format!("POST / HTTP/1.1\r\nhost: a\r\nx-api-key: {unknown}\r\ntransfer-encoding: chunked\r\n\r\n");
    let _ = endless.write_all(head.as_bytes());
    let _ = endless.set_write_timeout(Some(Duration::from_millis(200)));
    let chunk = [b"10000\r\n".to_vec(), vec![b'b'; 0x1_0000], b"\r\n".to_vec()].concat();
    let taken = (0..1_000).take_while(|_| endless.write_all(&chunk).is_ok()).count();
    assert!(taken < 200, "Envoy took {taken} pieces of 64 kB for a request that waits");
    let grown = siege.world.gate().process.memory_kb().saturating_sub(siege.memory);
    assert!(grown < 2 * GROWTH, "Envoy grew by {grown} kB while thousands waited");
    siege.world.ledger.process.signal("CONT");
    for client in &mut clients {
        client.read(80, Duration::from_secs(8));
        assert_eq!(client.statuses.len(), 80, "everybody gets an answer");
        assert!(client.statuses.values().all(|status| [401, 503].contains(status)), "{:?}", client.statuses);
    }
    drop((clients, endless));
    siege.is_withstood("thousands who waited").await;
    siege.books_agree(0).await;
}
