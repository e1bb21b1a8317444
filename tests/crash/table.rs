//! What is printed about a run.

use crate::reckoning::MICROS;
use crate::run::{Plan, Report};

/// The most findings that are printed.
const FINDINGS: usize = 20;

/// Prints a table, and whatever is wrong.
pub fn print(plan: &Plan, report: &Report) {
    let database = if plan.postgres { "two ledgers on PostgreSQL" } else { "one ledger on SQLite" };
    println!("{} seconds, seed {}, {database}", plan.seconds, plan.seed);
    let row = |what: &str, count: String| println!("{what:<42} {count:>9}");
    for (what, count) in &report.log.counts {
        row(what, count.to_string());
    }
    row("requests", report.sums.statuses.values().sum::<u64>().to_string());
    for (status, count) in &report.sums.statuses {
        match status {
            0 => row("  without an answer", count.to_string()),
            _ => row(&format!("  answered {status}"), count.to_string()),
        }
    }
    row("served by the upstream", report.sums.served.to_string());
    row("credits charged", credits(report.sums.charged));
    let lost = i128::from(report.sums.served) * MICROS - report.sums.charged;
    row("credits lost with Envoys that were killed", credits(lost));
    row("  shown at risk before", credits(report.log.at_risk));
    row("verdict", if report.verdict.is_empty() { "good" } else { "BAD" }.to_owned());
    for wrong in report.verdict.iter().take(FINDINGS) {
        println!("  {wrong}");
    }
    if let Some(more @ 1..) = report.verdict.len().checked_sub(FINDINGS) {
        println!("  and {more} more");
    }
}

fn credits(micros: i128) -> String {
    let (whole, part) = (micros / MICROS, (micros % MICROS).abs());
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:06}") }
}
