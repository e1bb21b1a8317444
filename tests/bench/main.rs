//! The bench: what charging costs, beside what people would use instead, in one run on one machine.
//!
//! One Envoy per variant and round, each with one worker, one after the other, in front of one plain upstream (nginx where it is
//! installed). Each round begins with another variant. What is compared is the median of each variant, as a ratio to bare Envoy in
//! the same round. CPU comes from the process's own accounting.
//!
//! `bench paths` compares the ways of charging, `bench instructions` counts what they have Envoy do, `bench streams` the same of each event of a
//! streamed answer, `bench growth` shows what grows with what, and
//! the others what the ledger takes: `bench ledger` exchanges, `bench overload` more of them than it can take, `bench renewals` many
//! subscriptions that are due at once, `bench admin` operators' commands, `bench console` the pages of a large ledger, `bench records` call records beside exchanges. With FAREGATE_BEFORE the
//! first four of them compare two ledgers. All that is measured is in `target/bench/<name>.json`.

mod admin;
mod client;
mod console;
mod envoy;
mod figures;
mod growth;
mod instructions;
mod ledger;
mod limitador;
mod load;
mod nginx;
mod overload;
mod paths;
mod populated_ledger;
mod population;
mod processors;
mod records;
mod renewals;
mod report;
mod speaker;
mod streams;
mod table;
mod upstream;
mod variant;
mod versions;
mod wire;

use populated_ledger::Database;
use std::process::ExitCode;

const USAGE: &str = "usage: bench paths [ROUNDS SECONDS [VARIANT …]]
       bench instructions [REQUESTS [VARIANT …]]
       bench streams [EVENTS [VARIANT …]]
       bench growth [ROUNDS SECONDS [ACCOUNTS]]
       bench ledger [ROUNDS SECONDS [ACCOUNTS|quick]]
       bench overload [ROUNDS SECONDS]
       bench renewals [SUBSCRIPTIONS]
       bench admin [SECONDS]
       bench console [ACCOUNTS]
       bench records [SECONDS]
       the last six: … on sqlite, … on postgres";

/// How many accounts there are at most, unless it is said otherwise.
const ACCOUNTS: u32 = 1_000_000;
/// How many subscriptions are due at once, unless it is said otherwise.
const SUBSCRIPTIONS: u32 = 100_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs what these words say; `None` when they say nothing that makes sense.
fn run(words: &[&str]) -> Option<()> {
    let (what, rest) = words.split_first()?;
    if let [rest @ .., "on", database] = rest {
        return ledger_part(what, rest, &[Database::named(database)?]);
    }
    if let Some(()) = ledger_part(what, rest, &Database::ALL) {
        return Some(());
    }
    if *what == "instructions" {
        match rest {
            [] => instructions::run(2_000, rest),
            [requests, only @ ..] => instructions::run(number(requests)?, only),
        }
        return Some(());
    }
    if *what == "streams" {
        match rest {
            [] => streams::run(400, rest),
            [events, only @ ..] => streams::run(number(events)?, only),
        }
        return Some(());
    }
    let (rounds, seconds, rest) = match rest {
        [] => (None, None, rest),
        [rounds, seconds, rest @ ..] => (Some(number(rounds)?), Some(number(seconds)?), rest),
        [_] => return None,
    };
    match (*what, rest) {
        ("paths", only) => paths::run(rounds.unwrap_or(9), seconds.unwrap_or(3), only),
        ("growth", []) => growth::run(rounds.unwrap_or(3), seconds.unwrap_or(3), ACCOUNTS),
        ("growth", [accounts]) => growth::run(rounds?, seconds?, number(accounts)?),
        _ => return None,
    }
    Some(())
}

/// Runs a part that measures the ledger, on these databases.
fn ledger_part(what: &str, rest: &[&str], on: &[Database]) -> Option<()> {
    match (what, rest) {
        ("ledger", []) => ledger::run(3, 2, ACCOUNTS, on),
        ("ledger", [rounds, seconds]) => ledger::run(number(rounds)?, number(seconds)?, ACCOUNTS, on),
        ("ledger", [rounds, seconds, "quick"]) => ledger::quick(number(rounds)?, number(seconds)?, on),
        ("ledger", [rounds, seconds, accounts]) => {
            ledger::run(number(rounds)?, number(seconds)?, number(accounts)?, on);
        }
        ("overload", []) => overload::run(1, 5, on),
        ("overload", [rounds, seconds]) => overload::run(number(rounds)?, number(seconds)?, on),
        ("renewals", []) => renewals::run(SUBSCRIPTIONS, on),
        ("renewals", [subscriptions]) => renewals::run(number(subscriptions)?, on),
        ("console", []) => console::run(ACCOUNTS, on),
        ("console", [accounts]) => console::run(number(accounts)?, on),
        ("records", []) => records::run(10, on),
        ("records", [seconds]) => records::run(number(seconds)?, on),
        ("admin", []) => admin::run(3, on),
        ("admin", [seconds]) => admin::run(number(seconds)?, on),
        _ => return None,
    }
    Some(())
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}
