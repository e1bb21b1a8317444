//! What becomes of the ledger's throughput when more is offered than it can take: 200 synthetic gateways of 500 payers
//! each, first one message after the other to find the peak, then at fixed rates below and above it.
//!
//! What must hold in a run: gateways behave as the filter does. What is offered doesn't wait for what is answered.

mod asker;
mod fleet;
mod gateway;
mod tally;
mod visitors;

use crate::populated_ledger::{Database, PopulatedLedger};
use crate::report::keep;
use crate::table::{Case, Figures};
use crate::versions::{Measured, compare, turns, versions};
use fleet::{CLOSED, Fleet};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How much is offered, as a share of the peak.
const LOADS: [f64; 4] = [0.5, 1.0, 2.0, 3.0];

const NOTE: &str = "offered and committed are entries per second; the peak is the most that was committed of messages \
sent one after the other (again: at the end, so that it is seen whether the machine has become slower). heeded: gateways come when the answers say (heartbeat_ms, retry-after), and then name all who \
have spent since; ignored: once a second, whatever is answered. no answer: they hung up after 500 ms. ask: a \
gateway beside them, whose callers wait for credits, 20 messages a second. gate: a real Envoy with the filter beside them, 500 callers \
that come in turn, 200 requests a second.";

/// Measures both databases, in so many rounds of so many seconds per case.
pub fn run(rounds: u32, seconds: u32, on: &[Database]) {
    let services = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let services = services.expect("a runtime");
    let dir = TempDir::with_prefix("faregate-bench-").expect("a temporary folder");
    let mut tables: Vec<Value> = Vec::new();
    let versions = versions();
    for database in on {
        let ledgers = PopulatedLedger::each(&versions, *database, dir.path(), fleet::ACCOUNTS);
        let ledgers = services.block_on(ledgers);
        let Some(ledgers) = ledgers else { continue };
        let mut fleets: Vec<Fleet> = ledgers
            .into_iter()
            .zip(&versions)
            .map(|((ledger, _), version)| {
                let name = format!("{}-{}", database.name(), version.name);
                services.block_on(Fleet::new(dir.path(), &name, ledger))
            })
            .collect();
        let measured = measure(&services, &mut fleets, rounds, seconds);
        fleets.iter().for_each(Fleet::audit);
        tables.push(compare(&format!("Overload on {}", database.name()), NOTE, &measured));
    }
    keep("overload", &json!(tables));
}

/// All cases; in each the versions take turns.
fn measure(services: &Runtime, fleets: &mut [Fleet], rounds: u32, seconds: u32) -> Vec<Measured> {
    let length = Duration::from_secs(seconds.into());
    let mut measured: Vec<Measured> = vec![Vec::new(); fleets.len()];
    for round in 0..rounds {
        for shape in CLOSED {
            for at in turns(fleets.len(), round) {
                services.block_on(fleets[at].try_for_peak(shape, length));
            }
        }
        for (fleet, measured) in fleets.iter().zip(&mut measured) {
            note(measured, 0, "peak", fleet.at_peak(length));
        }
        let cases = LOADS.iter().flat_map(|load| [(*load, true), (*load, false)]);
        for (row, (load, heeds)) in cases.enumerate() {
            let name = format!("{load} x peak, {}", if heeds { "heeded" } else { "ignored" });
            for at in turns(fleets.len(), round) {
                eprintln!("round {} of {rounds}: {name}", round + 1);
                let figures = services.block_on(fleets[at].offer(load, heeds, length));
                note(&mut measured[at], row + 1, &name, figures);
            }
        }
        for at in turns(fleets.len(), round) {
            let figures = services.block_on(fleets[at].peak_again(length));
            note(&mut measured[at], LOADS.len() * 2 + 1, "peak, again", figures);
        }
    }
    measured
}

fn note(cases: &mut Measured, row: usize, name: &str, figures: Figures) {
    if cases.len() == row {
        cases.push(Case { name: name.to_owned(), runs: Vec::new() });
    }
    cases[row].runs.push(figures);
}
