//! Streams that break at random points, on the client's side and on the upstream's, many at a time: no hold is left, each is charged
//! for what was delivered, and everything adds up. And streams whose gateway is killed.
//!
//! `FAREGATE_CUT_STREAMS=1000,200,20` has that many clients hang up, that many streams cut by the upstream, and a gateway killed that
//! often, in place of the numbers below; `FAREGATE_CUT_SEED=7` has streams break elsewhere.

use crate::models::{Scene, bounds, config, cost, text_in};
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
/// How often a gateway is killed.
const KILLS: usize = 2;
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

/// How many clients hang up, how many streams the upstream cuts, and how often a gateway is killed.
fn counts() -> [usize; 3] {
    let said = std::env::var("FAREGATE_CUT_STREAMS").unwrap_or_default();
    let mut said = said.split(',').map(|number| number.trim().parse().ok());
    [CLIENTS, UPSTREAM, KILLS].map(|usual| said.next().flatten().unwrap_or(usual))
}

fn streams() -> Vec<Stream> {
    let seed = std::env::var("FAREGATE_CUT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let mut random = Random::new(seed);
    let [clients, upstream, _] = counts();
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
    let [clients, upstream, _] = counts();
    assert!(ends(End::ClientLeft) > clients / 2 && ends(End::Cut) == upstream, "they do break");

    let spent = scene.spent("acme").await;
    assert!(least <= spent && spent <= most, "{least} <= {spent} <= {most}");
    assert_eq!(scene.world.ledger.balance("acme", "held").await, "0");
    assert_eq!(scene.world.gate().envoy_stat("http.gate.downstream_rq_active").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_a_killed_gateway_leave_no_hold_and_cost_at_most_what_was_delivered() {
    let [_, _, kills] = counts();
    let serve = ["--lease-ttl", "2s", "--lease-grace", "1s"];
    let mut scene = Scene::serving(config(&json!({})), &serve).await;
    let key = scene.world.ledger.account("acme", "10000").await;
    for round in 1..=kills {
        let all = (0..AT_ONCE).map(|number| {
            let call = ModelCall::named(["chat, streamed", "messages, streamed"][number % 2]);
            // A part of them ends before the gateway does, and some of those are reported.
            let pause = if number % 3 == 0 { 0 } else { 1_000 };
            let steer = json!({"usage": {"input": 100, "output": 900}, "words": WORDS, "pause_ms": pause});
            tokio::spawn(got_or_not(scene.request(&key, &call, &steer)))
        });
        let all: Vec<_> = all.collect();
        eventually("all have begun", Duration::from_secs(30), async || {
            let sent = scene.api.sent();
            sent.len() == round * AT_ONCE && sent.iter().all(|sent| sent.status == 200)
        })
        .await;
        // At any time within the second between two reports.
        tokio::time::sleep(Duration::from_millis(53 * round as u64 % 1_100)).await;
        scene.world.gateways[0].process.kill();
        for stream in join_all(all).await {
            stream.expect("no panic");
        }
        scene.world.gateways[0].restart().await;
    }
    eventually("every stream has ended", Duration::from_secs(60), async || {
        scene.api.sent().iter().all(|sent| sent.end != End::Running)
    })
    .await;
    let spent = scene.spent("acme").await;
    let sent = scene.api.sent();
    let finished: Vec<_> = sent.iter().filter(|sent| sent.end == End::Finished).collect();
    let most = Credits::from_micros(finished.iter().map(|sent| cost(sent).micros()).sum());
    eprintln!(
        "{kills} kills: {} of {} streams finished, {spent} of {most} charged",
        finished.len(),
        sent.len()
    );
    assert!(finished.len() < sent.len() && spent <= most, "{spent} of {most}");
    assert_eq!(scene.world.ledger.balance("acme", "held").await, "0");
}

/// Reads an answer to its end, or until its gateway is killed.
async fn got_or_not(request: reqwest::RequestBuilder) {
    if let Ok(mut answer) = request.send().await {
        while let Ok(Some(_)) = answer.chunk().await {}
    }
}
