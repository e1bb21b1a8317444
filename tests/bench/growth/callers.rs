//! Callers at one gateway, in turn: what each costs of Envoy's memory, and what many cost per request.

use super::{CONNECTIONS, Fixture};
use crate::client::Client;
use crate::envoy::Envoy;
use crate::populated_ledger::mb;
use crate::population::key;
use crate::table::{Case, Figures, table};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

const CALLERS: [u32; 4] = [1, 1_000, 100_000, 1_000_000];
/// Over how many connections unknown callers come.
const ARRIVALS: usize = 64;

const NOTE: &str = "met/s: unknown callers served per second, over 64 connections; B/caller: Envoy's memory, before and after \
they were met.
Grows with callers: a record in shared memory for each that the ledger knows (never for others), about the bytes shown; and \
exchanges, because a caller who comes more rarely than every 5 s hands its lease back in between. Then a request costs about \
three entries (asked, spent, handed back), which messages gather; how many the ledger takes bounds such callers.";

struct Crowd {
    size: u32,
    envoy: Envoy,
    keys: PathBuf,
    met_per_second: f64,
    before_mb: f64,
    after_mb: f64,
    sent: u64,
    case: Case,
}

pub fn measure(ground: &Fixture) -> Value {
    let sizes = CALLERS.into_iter().filter(|size| *size <= ground.ledger.accounts());
    let mut crowds: Vec<Crowd> = sizes.map(|size| meet(ground, size)).collect();
    for round in 0..ground.rounds {
        eprintln!("round {} of {}", round + 1, ground.rounds);
        for crowd in &mut crowds {
            let figures = load(ground, crowd);
            crowd.case.runs.push(figures);
        }
    }
    let cases: Vec<Case> = crowds.into_iter().map(|crowd| crowd.case).collect();
    table("Callers at one gateway", NOTE, &cases)
}

/// Starts a gateway, and has every caller come once.
fn meet(ground: &Fixture, size: u32) -> Crowd {
    eprintln!("{size} callers");
    let secrets: Vec<String> = (0..size).map(|number| key(number).secret).collect();
    let keys = ground.dir().join(format!("{size}.keys"));
    std::fs::write(&keys, secrets.join("\n")).expect("a file");
    let name = format!("{size} callers");
    let envoy = ground.gate(&format!("callers-{size}"), 1, &json!({}));
    // Whatever Envoy needs for a first request is there after it.
    let stranger = ground.services.block_on(ground.ledger.ledger.account(&format!("stranger-{size}"), "1"));
    assert_eq!(Client::connect(envoy.port).get(&stranger).status, 200);
    let before_mb = mb(envoy.process.memory_kb());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for few in secrets.chunks(secrets.len().div_ceil(ARRIVALS)) {
            let mut client = Client::connect(envoy.port);
            scope.spawn(move || few.iter().for_each(|key| assert_eq!(client.get(key).status, 200)));
        }
    });
    let met_per_second = f64::from(size) / began.elapsed().as_secs_f64();
    let after_mb = mb(envoy.process.memory_kb());
    let case = Case { name, runs: Vec::new() };
    Crowd { size, envoy, keys, met_per_second, before_mb, after_mb, sent: 0, case }
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn load(ground: &Fixture, crowd: &mut Crowd) -> Figures {
    let envoy = &crowd.envoy;
    let exchanges = || ground.services.block_on(envoy.stat("wasmcustom.faregate.exchanges_total"));
    let entries = || ground.counted("faregate_exchange_entries_total");
    let (cpu, asked, sent) = (envoy.process.cpu_nanos(), exchanges(), entries());
    let start = crowd.sent % u64::from(crowd.size);
    let load = ground.wrk.run_in_turn(envoy.port, &crowd.keys, start, CONNECTIONS, ground.seconds);
    crowd.sent += load.requests;
    let (cpu, asked, sent) = (envoy.process.cpu_nanos() - cpu, exchanges() - asked, entries() - sent);
    let requests = load.requests as f64;
    vec![
        ("req/s", requests / (load.duration as f64 / 1e6)),
        ("CPU µs", cpu as f64 / 1e3 / requests),
        ("p50 µs", load.p50 as f64),
        ("p99 µs", load.p99 as f64),
        ("refused", load.refused as f64),
        ("exch/1000", asked as f64 * 1e3 / requests),
        ("entries/1000", sent * 1e3 / requests),
        ("met/s", crowd.met_per_second),
        ("Envoy MB", crowd.after_mb),
        ("B/caller", (crowd.after_mb - crowd.before_mb) * f64::from(1 << 20) / f64::from(crowd.size)),
        ("ledger MB", ground.ledger.memory_mb()),
    ]
}
