//! What call records cost those who pay: gateways exchange at a steady pace, in turns with and without others that send 10,000 records a
//! second to the same ledger.

use crate::client::Client;
use crate::figures::{median_of, percentile_ms};
use crate::populated_ledger::{Database, PopulatedLedger};
use crate::population::key_id;
use crate::report::keep;
use crate::speaker::Speaker;
use crate::table::{Case, Figures, table};
use crate::versions::versions;
use faregate_protocol::Credits;
use faregate_protocol::calls::{Call, CallBatch, Decision, PATH, VERSION};
use harness::GATEWAY_TOKEN;
use serde_json::json;
use std::borrow::Cow;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Gateways that exchange, payers of each, and how often each sends a message about all of them.
const GATEWAYS: u32 = 8;
const PAYERS: u32 = 100;
const EXCHANGE_EVERY: Duration = Duration::from_millis(100);
/// Workers that send records, batches of each in a second, and records in a batch: 10,000 a second.
const WORKERS: u32 = 8;
const BATCH_EVERY: Duration = Duration::from_millis(500);
const BATCH: u32 = 625;
/// In how many turns with and without records, of how many seconds each.
const TURNS: u32 = 5;

const NOTE: &str = "exchanges at a steady pace, in turns with and without 10,000 records a second beside them. beside: with ÷ without, \
the median of the turns' own ratios. The goal is 1.1 at p99.";

/// Measures these databases; each turn takes so many seconds.
pub fn run(seconds: u32, on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let turn = Duration::from_secs(u64::from(seconds));
    let mut tables = Vec::new();
    for database in on {
        let version = versions().pop().expect("the ledger that was built");
        let accounts = GATEWAYS * PAYERS;
        let ledgers = services.block_on(PopulatedLedger::each(&[version], *database, dir.path(), accounts));
        let Some((ledger, _)) = ledgers.and_then(|ledgers| ledgers.into_iter().next()) else { continue };
        let cases = beside_records(&services, &ledger, turn);
        tables.push(table(&format!("Exchanges beside call records on {}", database.name()), NOTE, &cases));
    }
    keep("records", &json!(tables));
}

fn beside_records(services: &tokio::runtime::Runtime, ledger: &PopulatedLedger, turn: Duration) -> Vec<Case> {
    let port = ledger.ledger.gateway_port;
    let mut speakers: Vec<Speaker> = (0..GATEWAYS)
        .map(|number| {
            let own = number * PAYERS..(number + 1) * PAYERS;
            let mut speaker = Speaker::new(port, format!("bench-records-{number}"), own, PAYERS as usize);
            speaker.meet_all();
            speaker
        })
        .collect();
    let mut workers: Vec<Worker> = (0..WORKERS).map(|number| Worker::new(port, number)).collect();
    let names = ["without records", "with records", "  beside"];
    let mut cases = names.map(|name| Case { name: name.to_owned(), runs: Vec::new() });
    for _ in 0..TURNS {
        let mut exchanges = |with_records: bool| {
            let end = Instant::now() + turn;
            let (mut times, sent) = std::thread::scope(|scope| {
                let speaking: Vec<_> = speakers
                    .iter_mut()
                    .map(|speaker| scope.spawn(move || speaker.speak_every(EXCHANGE_EVERY, end)))
                    .collect();
                let recording: Vec<_> = workers
                    .iter_mut()
                    .filter(|_| with_records)
                    .map(|worker| scope.spawn(move || worker.record_until(end)))
                    .collect();
                let times: Vec<Duration> =
                    speaking.into_iter().flat_map(|thread| thread.join().expect("a gateway")).collect();
                let sent: u32 = recording.into_iter().map(|thread| thread.join().expect("a worker")).sum();
                (times, sent)
            });
            let figures: Figures = vec![
                ("p50 ms", percentile_ms(&mut times, 50)),
                ("p99 ms", percentile_ms(&mut times, 99)),
                ("records/s", f64::from(sent) / turn.as_secs_f64()),
            ];
            figures
        };
        let (without, with) = (exchanges(false), exchanges(true));
        let beside = without.iter().zip(&with).map(|((name, without), (_, with))| (*name, with / without));
        cases[2].runs.push(beside.collect());
        cases[0].runs.push(without);
        cases[1].runs.push(with);
    }
    let sent: u64 = workers.iter().map(|worker| worker.records).sum();
    let (stored, lost) = services.block_on(async {
        let stored = ledger.ledger.metric("faregate_call_records_total").await;
        (stored, ledger.ledger.metric("faregate_lost_call_records_total").await)
    });
    let beside = median_of(cases[2].runs.iter().map(|run| run[1].1).collect());
    println!("records: {sent} sent, {stored} stored, {lost} lost; p99 beside them: {beside:.2} (goal 1.1)");
    cases.into()
}

/// One worker of an Envoy that records every call.
struct Worker {
    client: Client,
    number: u32,
    batches: u64,
    records: u64,
}

impl Worker {
    fn new(port: u16, number: u32) -> Self {
        Self { client: Client::connect(port), number, batches: 0, records: 0 }
    }

    /// Sends batches at its pace; how many records they had. What the ledger is too busy for is sent again, as a gateway does it.
    fn record_until(&mut self, end: Instant) -> u32 {
        let (mut next, mut sent) = (Instant::now() + BATCH_EVERY * self.number / WORKERS, 0);
        while next < end {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let body = self.batch();
            loop {
                match self.client.post(PATH, GATEWAY_TOKEN, &body).status {
                    200 | 204 => break,
                    503 => std::thread::sleep(BATCH_EVERY),
                    status => panic!("a batch of records got {status}"),
                }
            }
            self.records += u64::from(BATCH);
            sent += BATCH;
            next += BATCH_EVERY;
        }
        sent
    }

    fn batch(&mut self) -> Vec<u8> {
        self.batches += 1;
        let call = |nth: u32| {
            let account = (self.number * BATCH + nth) % (GATEWAYS * PAYERS);
            Call {
                at_ms: self.batches * 500,
                duration_ms: u64::from(nth % 300),
                account: Some(Cow::Owned(format!("bench-{account}"))),
                key: Some(Cow::Owned(key_id(account))),
                rule: Cow::Borrowed("chat"),
                item: Some(Cow::Borrowed("gpt-4o-mini")),
                decision: Decision::Admitted,
                code: None,
                charge: Credits::from_micros(1_000_000),
                hold: Credits::from_micros(2_000_000),
                basis: None,
                used: faregate_protocol::metering::Quantities::default(),
                status: Some(200),
                request_id: Some(Cow::Owned(format!(
                    "5b9f3c2e-0000-4000-8000-{:04}{:04}{nth:04}",
                    self.number,
                    self.batches % 10_000
                ))),
            }
        };
        let batch = CallBatch {
            protocol: VERSION,
            gateway: Cow::Owned(format!("bench-records-{}", self.number)),
            sender: Cow::Owned(format!("bench-records-worker-{}", self.number)),
            number: self.batches,
            now_ms: self.batches * 500,
            lost: 0,
            calls: (0..BATCH).map(call).collect(),
        };
        serde_json::to_vec(&batch).expect("JSON")
    }
}
