//! How much the ledger takes, on SQLite and on PostgreSQL: a durable operation is one entry of a message, that
//! is, one payer's counters merged, its movements of money booked, and all of it committed before the answer.

use crate::figures::percentile_ms;
use crate::report::keep;
use crate::speaker::Speaker;
use crate::stocked::Stocked;
use crate::table::{Case, Figures, table};
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Entries in a message.
const BATCHES: [u32; 4] = [1, 10, 100, 500];
/// Messages that are under way at once, each from a gateway of its own.
const MESSAGES: [u32; 3] = [1, 8, 64];
/// A gateway has at least so many payers, so that small messages don't always name the same ones.
const PAYERS: u32 = 16;

const NOTE: &str = "operations are entries, each committed before its answer. More at once share commits; what bounds \
it is the one writer's time per entry (SQLite), or a handful of statements per transaction (PostgreSQL).";

/// Measures both stores, in so many rounds of so many seconds per case, on so many accounts.
pub fn run(rounds: u32, seconds: u32, accounts: u32) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let mut opened = Vec::new();
    let mut measured = Vec::new();
    for name in ["SQLite", "PostgreSQL"] {
        let place = dir.path().join(name);
        let Some(mut ledger) = services.block_on(async {
            if name == "SQLite" {
                Some(Stocked::sqlite(&place).await)
            } else {
                Stocked::postgres(&place).await
            }
        }) else {
            continue;
        };
        let start = services.block_on(ledger.grow(accounts));
        let at_first = ledger.memory_mb();
        let cases = store(&services, &ledger, rounds, seconds);
        opened.push(Case::once(
            name.to_owned(),
            vec![
                ("accounts", f64::from(ledger.accounts())),
                ("start s", start.as_secs_f64()),
                ("MB", at_first),
                ("MB after", ledger.memory_mb()),
                ("audit s", ledger.audit().as_secs_f64()),
            ],
        ));
        measured.push(table(&format!("Exchanges on {name}"), NOTE, &cases));
    }
    let note = "the start reads no account; memory is bounded by the caches of the database's connections.";
    measured.insert(0, table("Start and memory", note, &opened));
    keep("ledger", &json!(measured));
}

/// All cases on one store: they take turns, each with gateways and payers of its own.
fn store(services: &Runtime, ledger: &Stocked, rounds: u32, seconds: u32) -> Vec<Case> {
    let mut payers = 0..ledger.accounts();
    let mut cases = Vec::new();
    for messages in MESSAGES {
        for batch in BATCHES {
            let each = batch.max(PAYERS) as usize;
            let mut speakers: Vec<Speaker> = (0..messages)
                .map(|number| {
                    let gateway = format!("bench-{messages}-{batch}-{number}");
                    let own: Vec<u32> = payers.by_ref().take(each).collect();
                    assert_eq!(own.len(), each, "{} accounts are too few", ledger.accounts());
                    Speaker::new(ledger.bank.gateway_port, gateway, own.into_iter(), batch as usize)
                })
                .collect();
            speakers.iter_mut().for_each(Speaker::meet_all);
            let name = format!("{messages:>2} at once, {batch:>3} entries");
            cases.push((Case { name, runs: Vec::new() }, speakers, batch));
        }
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (case, speakers, batch) in &mut cases {
            case.runs.push(measure(services, ledger, speakers, *batch, seconds));
        }
    }
    cases.into_iter().map(|(case, ..)| case).collect()
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn measure(
    services: &Runtime,
    ledger: &Stocked,
    speakers: &mut [Speaker],
    batch: u32,
    seconds: u32,
) -> Figures {
    let commits = || services.block_on(ledger.bank.metric("faregate_commits_total"));
    let (before, cpu, began) = (commits(), ledger.bank.process.cpu_nanos(), Instant::now());
    let end = began + Duration::from_secs(seconds.into());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let speaking: Vec<_> =
            speakers.iter_mut().map(|speaker| scope.spawn(move || speaker.speak_until(end))).collect();
        speaking.into_iter().flat_map(|thread| thread.join().expect("a gateway that is answered")).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let cpu = ledger.bank.process.cpu_nanos() - cpu;
    let commits = commits() - before;
    let messages = times.len() as f64;
    let operations = messages * f64::from(batch);
    vec![
        ("messages/s", messages / took),
        ("operations/s", operations / took),
        ("p50 ms", percentile_ms(&mut times, 50)),
        ("p99 ms", percentile_ms(&mut times, 99)),
        ("commits/s", commits / took),
        ("CPU µs/op", cpu as f64 / 1e3 / operations),
    ]
}
