//! Streams that break at random points, on the client's side and on the upstream's, many at a time: no hold is left, each is charged
//! for what was delivered, and everything adds up.
//!
//! `FAREGATE_CUT_STREAMS=1000,200` has that many clients hang up and that many streams cut by the upstream, in place of those below;
//! `FAREGATE_CUT_SEED=7` has them break elsewhere.

use crate::models::{Scene, bounds, cost, text_in};
use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use futures_util::future::join_all;
use harness::{End, ModelCall, NUMBER, Random, Sent, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many clients hang up.
const CLIENTS: usize = 200;
/// How many streams the upstream cuts.
const UPSTREAM: usize = 50;
/// How many streams run at a time.
const AT_ONCE: usize = 25;
/// How many words a stream has, an event each.
const WORDS: u64 = 40;
/// The time between two of them (ms).
const PAUSE_MS: u64 = 3;
const SEED: u64 = 20_261_130;

struct Stream {
    number: usize,
    call: ModelCall,
    steer: Value,
    /// The bytes of text at which the client hangs up, 0 as soon as the answer begins. `None`: the upstream breaks the connection.
    leaves_at: Option<u64>,
}

fn counts() -> (usize, usize) {
    let said = std::env::var("FAREGATE_CUT_STREAMS").unwrap_or_default();
    let parse = |text: &str| text.trim().parse().ok();
    said.split_once(',')
        .and_then(|(one, other)| Some((parse(one)?, parse(other)?)))
        .unwrap_or((CLIENTS, UPSTREAM))
}

fn streams() -> Vec<Stream> {
    let seed = std::env::var("FAREGATE_CUT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let mut random = Random::new(seed);
    let (clients, upstream) = counts();
    let mut all: Vec<Stream> = Vec::new();
    for number in 0..clients + upstream {
        let name = random.pick(&["chat, streamed", "messages, streamed"]);
        let (input, cached, output) =
            (random.between(1, 5_000), random.between(0, 500), random.between(1, 90_000));
        let usage = json!({"input": input, "cache_read": cached, "output": output});
        let mut steer = json!({"usage": usage, "words": WORDS, "pause_ms": PAUSE_MS});
        // A word has about seven bytes, so some read all of it and leave at the end.
        let leaves_at = (number < clients).then(|| random.between(0, WORDS * 8));
        if leaves_at.is_none() {
            steer["cut_after"] = json!(random.between(0, WORDS - 1));
        }
        all.push(Stream { number, call: ModelCall::named(name), steer, leaves_at });
    }
    all.sort_by_cached_key(|_| random.any());
    all
}

/// Runs a stream until it breaks, or ends before that. Returns what the client got.
async fn run(scene: &Scene, key: &str, stream: &Stream) -> Vec<u8> {
    let request = scene.request(key, &stream.call, &stream.steer).header(NUMBER, stream.number);
    let mut answer = request.send().await.unwrap_or_else(|why| panic!("stream {}: {why}", stream.number));
    assert_eq!(answer.status(), 200, "stream {}", stream.number);
    let most = stream.leaves_at.unwrap_or(u64::MAX);
    let mut body = Vec::new();
    while text_in(&body) < most {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    body
}

/// The least and the most that a stream may cost of which a client got this.
fn expected(stream: &Stream, sent: &Sent, got: &[u8]) -> (Credits, Credits) {
    let read = text_in(got);
    let all: Quantities = serde_json::from_value(stream.steer["usage"].clone()).expect("quantities");
    if sent.usage != Some(all) {
        return bounds(sent, read);
    }
    // Its end was sent. Whether that reached the gate before the client had left isn't known.
    let mut begun = all;
    begun.set(UsageClass::Output, 1);
    let usage = stream.call.name.starts_with("messages").then_some(begun);
    let (least, most) = bounds(&Sent { usage, ..sent.clone() }, read);
    (least.min(cost(sent)), most.max(cost(sent)))
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_break_anywhere_leave_no_hold_and_are_charged_for_what_was_delivered() {
    let scene = Scene::start().await;
    let key = scene.world.ledger.account("acme", "10000").await;
    let streams = streams();
    let mut read = BTreeMap::new();
    for some in streams.chunks(AT_ONCE) {
        let got = join_all(some.iter().map(|stream| run(&scene, &key, stream))).await;
        read.extend(some.iter().map(|stream| stream.number.to_string()).zip(got));
    }
    eventually("every stream has ended", Duration::from_secs(30), async || {
        scene.api.sent().iter().all(|sent| sent.end != End::Running)
    })
    .await;
    let sent = scene.api.sent();
    assert_eq!(sent.len(), streams.len(), "each reached the upstream once");
    let (mut least, mut most) = (Credits::ZERO, Credits::ZERO);
    for sent in &sent {
        let number = &sent.headers[NUMBER];
        let stream = streams.iter().find(|stream| stream.number.to_string() == *number).expect("a stream");
        let one = expected(stream, sent, &read[number]);
        (least, most) = (least.saturating_add(one.0), most.saturating_add(one.1));
    }
    let ends = |end: End| sent.iter().filter(|sent| sent.end == end).count();
    eprintln!("{} left, {} cut, {} finished", ends(End::ClientLeft), ends(End::Cut), ends(End::Finished));
    assert!(ends(End::ClientLeft) > counts().0 / 2 && ends(End::Cut) == counts().1, "they do break");

    let spent = scene.spent("acme").await;
    assert!(least <= spent && spent <= most, "{least} <= {spent} <= {most}");
    assert_eq!(scene.world.ledger.balance("acme", "held").await, "0");
    assert_eq!(scene.world.gate().envoy_stat("http.gate.downstream_rq_active").await, 0);
}
