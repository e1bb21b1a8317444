//! A renewal storm: subscriptions by the hundred thousand whose period ends in the same second, while gateways ask for
//! credits for their accounts.
//!
//! What must hold: a caller whose period has begun is not refused, and the audit agrees afterwards.

mod asks;
mod population;

use crate::populated_ledger::{Database, PopulatedLedger};
use crate::report::keep;
use crate::table::{Case, Figures};
use crate::versions::{Measured, compare, turns, versions};
use asks::Asks;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Gateways that ask at the same time.
const GATEWAYS: u32 = 8;
/// How often it is looked how many are renewed.
const LOOK: Duration = Duration::from_millis(50);
/// The longest that the renewals may take.
const MOST: Duration = Duration::from_secs(1_800);
const RENEWALS: &str = "faregate_renewals_total";

const NOTE: &str = "all are due at the same second; 8 gateways ask for 20 of their accounts each, ten times a second, all \
of them in turn. exhausted: asks that were answered quota_exhausted although the period had begun, and when \
the last one was. no answer: messages that were turned away, or not answered within 500 ms.";

/// Measures both databases, with so many subscriptions.
pub fn run(subscriptions: u32, on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let mut tables: Vec<Value> = Vec::new();
    for (round, database) in (0..).zip(on) {
        let versions = versions();
        let mut measured: Vec<Measured> = vec![Vec::new(); versions.len()];
        let mut is_there = true;
        for at in turns(versions.len(), round) {
            let began = Instant::now();
            let one = &versions[at..=at];
            let ledger = services.block_on(PopulatedLedger::each(one, *database, dir.path(), subscriptions));
            let Some((mut ledger, _)) = ledger.and_then(|mut ledgers| ledgers.pop()) else {
                is_there = false;
                break;
            };
            // To subscribe them takes about as long as to write them.
            let spare = Duration::from_secs(5) + began.elapsed() * 2;
            let figures = services.block_on(storm(&mut ledger, spare));
            let name = format!("{subscriptions} due");
            measured[at].push(Case::once(name, figures));
        }
        if is_there {
            tables.push(compare(&format!("Renewals on {}", database.name()), NOTE, &measured));
        }
    }
    keep("renewals", &json!(tables));
}

async fn storm(ledger: &mut PopulatedLedger, spare: Duration) -> Figures {
    let due = population::subscribe(ledger, spare).await;
    let accounts = f64::from(ledger.accounts());
    let before = ledger.ledger.metric(RENEWALS).await;
    let until = Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default();
    let begin = Instant::now() + until;
    // They know their payers' ledger before the storm begins.
    tokio::time::sleep_until(begin - Duration::from_secs(1).min(until)).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut gateways = JoinSet::new();
    for number in 0..GATEWAYS {
        let (port, over) = (ledger.ledger.gateway_port, over.clone());
        let payers = (number..ledger.accounts()).step_by(GATEWAYS as usize).collect();
        gateways.spawn(asks::ask_until(port, format!("bench-{number}"), payers, due, over));
    }
    tokio::time::sleep_until(begin).await;
    let cpu = ledger.ledger.process.cpu_nanos();
    let mut said = 0_u64;
    let took = loop {
        let renewed = ledger.ledger.metric(RENEWALS).await - before;
        let took = begin.elapsed();
        if renewed >= accounts {
            break took;
        }
        if took.as_secs() >= said + 10 {
            said = took.as_secs();
            eprintln!("{renewed} of {accounts} renewed after {said} s");
        }
        assert!(took < MOST, "{renewed} of {accounts} are renewed after {MOST:?}");
        tokio::time::sleep(LOOK).await;
    };
    let cpu = ledger.ledger.process.cpu_nanos() - cpu;
    over.store(true, Ordering::Relaxed);
    let mut asks = Asks::default();
    gateways.join_all().await.into_iter().for_each(|more| asks.add(more));
    ledger.audit();
    figures(took, accounts, cpu, asks)
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^53")]
fn figures(took: Duration, accounts: f64, cpu: u64, mut asks: Asks) -> Figures {
    vec![
        ("all s", took.as_secs_f64()),
        ("renewals/s", accounts / took.as_secs_f64()),
        ("CPU µs each", cpu as f64 / 1e3 / accounts),
        ("ask p50 ms", asks.answer_ms(50)),
        ("ask p99 ms", asks.answer_ms(99)),
        ("asks", f64::from(asks.answered)),
        ("exhausted", f64::from(asks.exhausted)),
        ("until s", asks.last_exhausted.as_secs_f64()),
        ("no answer %", 100.0 * f64::from(asks.silent) / f64::from(asks.messages.max(1))),
    ]
}

/// How long after the period's begin it is.
fn since(due: Timestamp) -> SignedDuration {
    Timestamp::now().duration_since(due)
}
