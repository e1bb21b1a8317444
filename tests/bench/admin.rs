//! How many commands of operators the ledger takes: accounts, keys and grants over the admin API, each committed
//! before its answer.

use crate::figures::percentile_ms;
use crate::populated_ledger::{Database, PopulatedLedger};
use crate::report::keep;
use crate::table::{Case, Figures};
use crate::versions::{Measured, compare, turns, versions};
use crate::wire::{Connection, NoAnswer, post};
use harness::ADMIN_TOKEN;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Accounts that are there before.
const ACCOUNTS: u32 = 10_000;
/// Commands under way at once.
const CLIENTS: [u32; 2] = [1, 64];
const ROUNDS: u32 = 3;
/// The longest that a command may take.
const PATIENCE: Duration = Duration::from_secs(30);

const NOTE: &str = "each client creates an account, a key for it, and grants it credits, one command after the other over \
one connection. failed: answers that are no success, and those that didn't come.";

/// Measures both databases, for so many seconds per case and round.
pub fn run(seconds: u32, on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let mut tables: Vec<Value> = Vec::new();
    for database in on {
        let ledgers = services.block_on(PopulatedLedger::each(&versions(), *database, dir.path(), ACCOUNTS));
        let Some(ledgers) = ledgers else { continue };
        let case = |clients: &u32| Case { name: format!("{clients:>2} at once"), runs: Vec::new() };
        let mut measured: Vec<Measured> = vec![CLIENTS.iter().map(case).collect(); ledgers.len()];
        for round in 0..ROUNDS {
            for (row, clients) in CLIENTS.into_iter().enumerate() {
                for at in turns(ledgers.len(), round) {
                    let length = Duration::from_secs(seconds.into());
                    let figures = services.block_on(measure(&ledgers[at].0, round, clients, length));
                    measured[at][row].runs.push(figures);
                }
            }
        }
        for (ledger, _) in &ledgers {
            ledger.audit();
        }
        tables.push(compare(&format!("Admin commands on {}", database.name()), NOTE, &measured));
    }
    keep("admin", &json!(tables));
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
async fn measure(ledger: &PopulatedLedger, round: u32, clients: u32, length: Duration) -> Figures {
    let commits = ledger.ledger.metric("faregate_commits_total").await;
    let (cpu, began) = (ledger.ledger.process.cpu_nanos(), Instant::now());
    let mut under_way = JoinSet::new();
    for number in 0..clients {
        let name = format!("{round}-{clients}-{number}");
        under_way.spawn(command_until(ledger.ledger.admin_port, name, began + length));
    }
    let (mut times, mut failed) = (Vec::new(), 0_u32);
    for (done, not_done) in under_way.join_all().await {
        times.extend(done);
        failed += not_done;
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = ledger.ledger.process.cpu_nanos() - cpu;
    let commits = ledger.ledger.metric("faregate_commits_total").await - commits;
    let done = times.len() as f64;
    vec![
        ("commands/s", done / took),
        ("p50 ms", percentile_ms(&mut times, 50)),
        ("p99 ms", percentile_ms(&mut times, 99)),
        ("commits/s", commits / took),
        ("CPU µs/command", cpu as f64 / 1e3 / done),
        ("failed", f64::from(failed)),
    ]
}

/// One client's commands: how long each took that was done, and how many were not.
async fn command_until(port: u16, name: String, end: Instant) -> (Vec<Duration>, u32) {
    let mut connection = Connection::to(port);
    let (mut times, mut failed) = (Vec::new(), 0);
    for number in 0.. {
        let account = format!("made-{name}-{number}");
        let at = format!("/admin/v1/accounts/{account}");
        let commands = [
            ("/admin/v1/accounts".to_owned(), json!({"id": account})),
            (format!("{at}/keys"), json!({})),
            (format!("{at}/grants"), json!({"amount": "5"})),
        ];
        for (step, (path, body)) in commands.into_iter().enumerate() {
            if Instant::now() >= end {
                return (times, failed);
            }
            let more = format!("idempotency-key: {account}-{step}\r\n");
            let body = body.to_string();
            let message = format!("{}{}\r\n\r\n{body}", post(&path, ADMIN_TOKEN, &more), body.len());
            match connection.send(message.as_bytes(), PATIENCE).await {
                Ok(reply) if (200..300).contains(&reply.status) => times.push(reply.took),
                Ok(_) | Err(NoAnswer) => failed += 1,
            }
        }
    }
    (times, failed)
}
