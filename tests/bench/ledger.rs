//! How much the ledger takes, on SQLite and on PostgreSQL: a durable operation is one entry of a message, that
//! is, one payer's counters merged, its movements of money booked, and all of it committed before the answer.

use crate::figures::percentile_ms;
use crate::populated_ledger::{Database, PopulatedLedger};
use crate::report::keep;
use crate::speaker::Speaker;
use crate::table::{Case, Figures};
use crate::versions::{Measured, compare, turns, versions};
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

/// Accounts of a quick run, and its cases: messages at once, and entries in each.
const QUICK_ACCOUNTS: u32 = 33_000;
const QUICK: [(u32, u32); 2] = [(8, 100), (64, 500)];

/// Measures both stores, in so many rounds of so many seconds per case, on so many accounts.
pub fn run(rounds: u32, seconds: u32, accounts: u32, on: &[Database]) {
    let cases: Vec<(u32, u32)> =
        MESSAGES.iter().flat_map(|messages| BATCHES.map(|batch| (*messages, batch))).collect();
    measure_all((rounds, seconds), accounts, &cases, on);
}

/// As [`run`], in a minute: two cases, and few accounts.
pub fn quick(rounds: u32, seconds: u32, on: &[Database]) {
    measure_all((rounds, seconds), QUICK_ACCOUNTS, &QUICK, on);
}

fn measure_all(length: (u32, u32), accounts: u32, cases: &[(u32, u32)], on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let versions = versions();
    let mut opened: Vec<Measured> = vec![Vec::new(); versions.len()];
    let mut tables = Vec::new();
    for database in on {
        let ledgers = services.block_on(PopulatedLedger::each(&versions, *database, dir.path(), accounts));
        let Some(ledgers) = ledgers else { continue };
        let at_first: Vec<f64> = ledgers.iter().map(|(ledger, _)| ledger.memory_mb()).collect();
        let measured = store(&services, &ledgers, length, cases);
        for (opened, ((ledger, start), at_first)) in opened.iter_mut().zip(ledgers.iter().zip(at_first)) {
            opened.push(Case::once(
                database.name().to_owned(),
                vec![
                    ("accounts", f64::from(ledger.accounts())),
                    ("start s", start.as_secs_f64()),
                    ("MB", at_first),
                    ("MB after", ledger.memory_mb()),
                    ("audit s", ledger.audit().as_secs_f64()),
                ],
            ));
        }
        tables.push(compare(&format!("Exchanges on {}", database.name()), NOTE, &measured));
    }
    let note = "the start reads no account; memory is bounded by the caches of the database's connections.";
    tables.insert(0, compare("Start and memory", note, &opened));
    keep("ledger", &json!(tables));
}

/// All cases on one store: they take turns, and in each the versions, each with gateways and payers of its own.
fn store(
    services: &Runtime,
    ledgers: &[(PopulatedLedger, Duration)],
    (rounds, seconds): (u32, u32),
    cases: &[(u32, u32)],
) -> Vec<Measured> {
    let mut speakers: Vec<Vec<Vec<Speaker>>> =
        ledgers.iter().map(|(ledger, _)| speakers(ledger, cases)).collect();
    let case = |(messages, batch): &(u32, u32)| Case {
        name: format!("{messages:>2} at once, {batch:>3} entries"),
        runs: Vec::new(),
    };
    let mut measured: Vec<Measured> = vec![cases.iter().map(case).collect(); ledgers.len()];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (row, (_, batch)) in cases.iter().enumerate() {
            for at in turns(ledgers.len(), round) {
                let figures = measure(services, &ledgers[at].0, &mut speakers[at][row], *batch, seconds);
                measured[at][row].runs.push(figures);
            }
        }
    }
    measured
}

/// The gateways of each case.
fn speakers(ledger: &PopulatedLedger, cases: &[(u32, u32)]) -> Vec<Vec<Speaker>> {
    let mut payers = 0..ledger.accounts();
    let case = |(messages, batch): &(u32, u32)| {
        let each = (*batch).max(PAYERS) as usize;
        let speaker = |number| {
            let gateway = format!("bench-{messages}-{batch}-{number}");
            let own: Vec<u32> = payers.by_ref().take(each).collect();
            assert_eq!(own.len(), each, "{} accounts are too few", ledger.accounts());
            let mut speaker =
                Speaker::new(ledger.ledger.gateway_port, gateway, own.into_iter(), *batch as usize);
            speaker.meet_all();
            speaker
        };
        (0..*messages).map(speaker).collect()
    };
    cases.iter().map(case).collect()
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn measure(
    services: &Runtime,
    ledger: &PopulatedLedger,
    speakers: &mut [Speaker],
    batch: u32,
    seconds: u32,
) -> Figures {
    let commits = || services.block_on(ledger.ledger.metric("faregate_commits_total"));
    let (before, cpu, began) = (commits(), ledger.ledger.process.cpu_nanos(), Instant::now());
    let end = began + Duration::from_secs(seconds.into());
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let speaking: Vec<_> =
            speakers.iter_mut().map(|speaker| scope.spawn(move || speaker.speak_until(end))).collect();
        speaking.into_iter().flat_map(|thread| thread.join().expect("a gateway that is answered")).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let cpu = ledger.ledger.process.cpu_nanos() - cpu;
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
