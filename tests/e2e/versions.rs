//! A gateway and a ledger of different releases. Those next to each other work together, whichever is upgraded first:
//! nothing that was paid is refused, and what was served is what was charged. Those further apart say so, and the gate stays
//! closed. Between the two is a relay that plays the other release.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use faregate_protocol::exchange::{MARKER_HEADER, OLDEST, PATH, VERSION};
use harness::{GATEWAY_TOKEN, Gateway, Setup, Steady, World, eventually, get};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All names of members in messages and answers of version 2, as it was released.
const NAMES_OF_2: &str = "protocol gateway seen entries usage payer ended lease ask on_credit key subject id epoch spent returned \
    held demand least need want broker seq lines shadow rule requests credits refunds code heartbeat_ms changes usage_seq facts \
    refused status available quota limits warn_below size window_s resets_at resets_in_s account plan products key_products \
    name pricing times fixed rate concurrent milli_per_s burst granted ttl_ms recall reset top_up retry_ms at in_s brings \
    models prices holds carried kept released item basis used";

/// Which release the relay plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plays {
    /// A ledger of version 2: it refuses any other, in the words of that release.
    OldLedger,
    /// The ledger behind it.
    Nobody,
    /// A ledger that gets messages in a version of the far future.
    FutureGate,
    /// One that answers in it.
    FutureLedger,
}

/// A relay in front of a ledger.
#[derive(Clone)]
struct Relay {
    ledger: String,
    client: reqwest::Client,
    plays: Arc<Mutex<Plays>>,
    /// How many messages came, by version and status of the answer.
    came: Arc<Mutex<BTreeMap<(u64, u16), u64>>>,
}

fn in_the_future(text: &str) -> String {
    [OLDEST, VERSION].iter().fold(text.to_owned(), |text, version| {
        text.replace(&format!("\"protocol\":{version}"), "\"protocol\":99")
    })
}

/// Version 2 refuses unknown members, so none may be in a message of it; and none is in an answer.
fn is_of_version_2(value: &Value) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            assert!(NAMES_OF_2.split_whitespace().any(|known| known == name), "version 2 has no {name:?}");
            is_of_version_2(value);
        }),
        Value::Array(items) => items.iter().for_each(is_of_version_2),
        _ => {}
    }
}

impl Relay {
    async fn start(ledger: u16, plays: Plays) -> (Self, u16) {
        let relay = Self {
            ledger: format!("http://127.0.0.1:{ledger}{PATH}"),
            client: reqwest::Client::new(),
            plays: Arc::new(Mutex::new(plays)),
            came: Arc::default(),
        };
        let own = relay.clone();
        let pass = async move |headers: HeaderMap, body: Bytes| own.pass(&headers, &body).await;
        let router = Router::new().route(PATH, axum::routing::post(pass));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (relay, port)
    }

    fn now_plays(&self, plays: Plays) {
        *self.plays.lock().expect("not poisoned") = plays;
    }

    /// How many messages came in this version that were answered with this status.
    fn came(&self, version: u32, status: u16) -> u64 {
        self.came.lock().expect("not poisoned").get(&(u64::from(version), status)).copied().unwrap_or(0)
    }

    async fn pass(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        assert!(headers.contains_key("authorization"));
        let plays = *self.plays.lock().expect("not poisoned");
        let message: Value = serde_json::from_slice(body).expect("a message");
        let version = message["protocol"].as_u64().expect("a version");
        let (status, marker, answer) = self.answer(plays, &message, version).await;
        *self.came.lock().expect("not poisoned").entry((version, status.as_u16())).or_default() += 1;
        (status, [(MARKER_HEADER, marker)], answer).into_response()
    }

    async fn answer(&self, plays: Plays, message: &Value, version: u64) -> (StatusCode, String, String) {
        if plays == Plays::OldLedger && version != 2 {
            let detail = format!(
                "protocol: found {version}, this ledger speaks 2; use the same release on both sides"
            );
            let error = json!({"code": "unsupported_protocol", "detail": detail});
            return (StatusCode::BAD_REQUEST, "2".to_owned(), error.to_string());
        }
        let text = message.to_string();
        let text = if plays == Plays::FutureGate { in_the_future(&text) } else { text };
        let answer = self.client.post(&self.ledger).bearer_auth(GATEWAY_TOKEN).body(text).send().await;
        let answer = answer.expect("an answer");
        let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
        let marker = answer.headers()[MARKER_HEADER].to_str().expect("a number").to_owned();
        let text = answer.text().await.expect("a text");
        match plays {
            Plays::OldLedger => {
                is_of_version_2(message);
                is_of_version_2(&serde_json::from_str(&text).expect("an answer"));
                (status, "2".to_owned(), text)
            }
            Plays::FutureLedger => (status, "99".to_owned(), in_the_future(&text)),
            Plays::Nobody | Plays::FutureGate => (status, marker, text),
        }
    }
}

/// A ledger, an upstream, and an Envoy that asks the ledger through a relay.
async fn world(plays: Plays) -> (World, Relay, Gateway) {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    let (relay, port) = Relay::start(world.ledger.gateway_port, plays).await;
    let ports = (harness::free_port(), harness::free_port());
    let ledgers = [port];
    let behind = (ledgers.as_slice(), world.upstream.port);
    let config = harness::envoy_config(world.dir(), "gate", ports, behind, &Setup::default().filter_config());
    let gate = Gateway::start(world.dir(), "gate", &config, ports, &[]).await;
    (world, relay, gate)
}

async fn keys(world: &World) -> [String; 2] {
    [world.ledger.account("a", "1000000").await, world.ledger.account("b", "1000000").await]
}

/// All were served, and what was served is what was charged.
async fn all_agree(world: &World, callers: Steady) {
    let (status_counts, others) = callers.stop().await;
    assert_eq!(status_counts.keys().copied().collect::<Vec<_>>(), [200], "{status_counts:?} {others:?}");
    world.ledger.nothing_is_held().await;
    let mut spent = 0;
    for account in ["a", "b"] {
        spent += world.ledger.balance(account, "spent").await.parse::<u64>().expect("whole credits");
    }
    assert_eq!(
        (status_counts.get(&200), world.upstream.served()),
        (Some(&spent), spent),
        "charged is served"
    );
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_upgraded_first_speaks_the_old_ledgers_version_until_its_upgrade() {
    let (world, relay, gate) = world(Plays::OldLedger).await;
    let [a, b] = keys(&world).await;
    let callers = Steady::start(&gate.url("/"), &[&a, &a, &a, &b, &b]);
    callers.wait_for_progress(1_000).await;
    assert!(relay.came(VERSION, 400) > 0 && relay.came(OLDEST, 200) > 0, "{:?}", relay.came);
    assert_eq!(relay.came(VERSION, 200), 0);

    relay.now_plays(Plays::Nobody);
    eventually("the gate speaks its own version", Duration::from_secs(60), async || {
        callers.wait_for_progress(100).await;
        relay.came(VERSION, 200) > 3
    })
    .await;
    // Back to the old release, as in a rollback.
    relay.now_plays(Plays::OldLedger);
    let before = relay.came(OLDEST, 200);
    eventually("the gate speaks the older version", Duration::from_secs(60), async || {
        callers.wait_for_progress(100).await;
        relay.came(OLDEST, 200) > before + 3
    })
    .await;

    all_agree(&world, callers).await;
    let log = gate.process.output();
    assert!(log.contains("the ledger speaks an older protocol"), "{log}");
    assert!(!log.contains("the ledger can't be asked"), "{log}");
}

/// The release before: it says version 2, as that filter did, and reads only what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_upgraded_first_answers_the_old_filter_in_its_version() {
    let (world, relay, gate) = world(Plays::OldLedger).await;
    let keys = keys(&world).await;
    // A real gate that speaks version 2 for as long as this lasts; and beside it, word for word, what the old one said.
    let callers = Steady::start(&gate.url("/"), &[&keys[0], &keys[1]]);
    callers.wait_for_progress(200).await;
    let old = world.ledger.account("old", "5").await;
    let say = async |rest: Value| {
        let mut message = json!({"protocol": 2, "gateway": "old:1"});
        message.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        is_of_version_2(&message);
        let (status, answer) = world.ledger.exchange(&message).await.expect("an answer");
        assert_eq!((status.as_u16(), &answer["protocol"]), (200, &json!(2)), "{answer}");
        is_of_version_2(&answer);
        answer
    };

    let opened = say(json!({"entries": [{
        "payer": {"key": old}, "lease": {"epoch": 1, "spent": 0, "returned": 0, "held": 0},
        "ask": {"least": 1_000_000, "need": 2_000_000, "want": 3_000_000},
    }]}))
    .await;
    let id = opened["entries"][0]["facts"]["key"].clone();
    assert_eq!(opened["entries"][0]["lease"]["granted"], 3_000_000, "{opened}");
    let line = json!({"payer": id, "rule": "default", "requests": 2, "credits": 2_000_000, "refunds": 0});
    let reported = say(json!({
        "seen": 0,
        "entries": [{"payer": {"id": id}, "lease": {"epoch": 1, "spent": 2_000_000, "returned": 0, "held": 0}}],
        "usage": {"broker": "old:1", "seq": 1, "lines": [line]},
    }))
    .await;
    assert_eq!((&reported["usage_seq"], reported["seen"].is_u64()), (&json!(1), true), "{reported}");
    let ended =
        say(json!({"entries": [{"payer": {"id": id}, "ended": {"epoch": 1, "spent": 2_000_000}}]})).await;
    assert_eq!(ended["entries"][0]["ended"], 1, "{ended}");
    assert_eq!(world.ledger.balance("old", "spent").await, "2");

    // Then the filter is upgraded: it finds a ledger that speaks its own version.
    relay.now_plays(Plays::Nobody);
    eventually("the gate speaks its own version", Duration::from_secs(60), async || {
        callers.wait_for_progress(100).await;
        relay.came(VERSION, 200) > 3
    })
    .await;
    all_agree(&world, callers).await;
}

async fn a_mismatch(plays: Plays, says: &str) {
    let (world, _, gate) = world(plays).await;
    let key = world.ledger.account("acme", "10").await;

    let refused = get(&gate, "/", &[("x-api-key", &key)]).await;

    assert_eq!(
        (refused.status, refused.body["code"].as_str()),
        (503, Some("ledger_unavailable")),
        "{refused:?}"
    );
    eventually("the gate says why", Duration::from_secs(30), async || gate.process.output().contains(says))
        .await;
    assert_eq!(world.upstream.served(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_names_both_versions_when_it_does_not_speak_the_gates() {
    let says = "the ledger can't be asked: unsupported_protocol: protocol: found 99, this ledger speaks 2 to 3; upgrade the older side";
    a_mismatch(Plays::FutureGate, says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_names_both_versions_when_it_does_not_speak_the_ledgers() {
    let says = "the ledger can't be asked: it speaks protocol 99, this gate 2 to 3; upgrade the older side";
    a_mismatch(Plays::FutureLedger, says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsupported_version_is_reported_before_its_unknown_fields() {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    let message = json!({"protocol": 4, "gateway": "g", "entries": {"manifest": []}});
    let (status, answer) = world.ledger.exchange(&message).await.expect("an answer");
    assert_eq!((status.as_u16(), answer["code"].as_str()), (400, Some("unsupported_protocol")), "{answer}");
    let detail = answer["detail"].as_str().expect("words");
    assert!(detail.contains("found 4, this ledger speaks 2 to 3"), "{detail}");
}
