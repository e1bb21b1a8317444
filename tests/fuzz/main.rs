//! The fuzzer: throws what no client should send at every reader of the product, and checks what must hold.
//!
//! Each target makes its inputs with proptest: documents that are nearly right, their bytes bent, and bytes
//! that were never right. A finding is made as small as possible before it is shown, and comes again under
//! the seed that is printed with it.
//!
//! - `make fuzz` gives every target ten seconds; `SECONDS=60`, `CASES=100000`, `ONLY=heads`, `SEED=7` change that.
//! - The tests below give each of them a small budget under a fixed seed.
//!
//! Where to look: [`play`] holds the budget and the clock; [`odd`] makes the inputs; each other module is one
//! target or two: what goes in, and what must hold afterwards. To add one, write such a module and name it in
//! [`TARGETS`].

mod answers;
mod heads;
mod ledger;
mod memory;
mod odd;
mod play;
mod records;
mod settings;
mod texts;

use play::{Budget, Report};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// One reader of the product.
struct Target {
    name: &'static str,
    what: &'static str,
    play: fn(Budget, u64) -> Report,
}

const TARGETS: [Target; 10] = [
    Target { name: "json", what: "the filter's configuration as JSON", play: settings::json },
    Target {
        name: "struct",
        what: "the filter's configuration as a protobuf Struct",
        play: settings::structs,
    },
    Target { name: "heads", what: "request heads at the gate", play: heads::requests },
    Target { name: "answers", what: "the ledger's answers at the gate", play: answers::conversations },
    Target { name: "records", what: "leases in shared memory", play: records::leases },
    Target { name: "keys", what: "API keys", play: texts::keys },
    Target { name: "credits", what: "amounts", play: texts::credits },
    Target { name: "exchange", what: "a gateway's messages at the ledger", play: ledger::exchange },
    Target { name: "calls", what: "a gateway's records of requests at the ledger", play: ledger::calls },
    Target { name: "admin", what: "the ledger's admin API", play: ledger::admin },
];

const USAGE: &str = "usage: fuzz [cases COUNT | seconds COUNT] [target NAME] [seed NUMBER]";
/// How long each target is played when nothing is said.
const SECONDS: u64 = 10;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut budget = Budget::Time(Duration::from_secs(SECONDS));
    let mut seed = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |age| age.as_secs());
    let mut only = None;
    for pair in words.chunks(2) {
        match pair {
            [what, count] if what == "cases" && count.parse::<u64>().is_ok() => {
                budget = Budget::Cases(count.parse().unwrap_or(1));
            }
            [what, count] if what == "seconds" && count.parse::<u64>().is_ok() => {
                budget = Budget::Time(Duration::from_secs(count.parse().unwrap_or(1)));
            }
            [what, number] if what == "seed" && number.parse::<u64>().is_ok() => {
                seed = number.parse().unwrap_or(1);
            }
            [what, name] if what == "target" && TARGETS.iter().any(|target| target.name == name) => {
                only = Some(name.as_str());
            }
            _ => {
                let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
                eprintln!("{USAGE}\ntargets: {}", names.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let mut found = false;
    for target in TARGETS.iter().filter(|target| only.is_none_or(|name| name == target.name)) {
        let Report { cases, slowest, finding } = (target.play)(budget, seed);
        let verdict = if finding.is_some() { "FOUND" } else { "ok" };
        println!(
            "{:<9} {cases:>9} cases, slowest {:>6.1} ms, {verdict}: {}",
            target.name,
            slowest.as_secs_f64() * 1e3,
            target.what
        );
        if let Some(finding) = finding {
            println!("{finding}\n  again: make fuzz ONLY={} SEED={seed}", target.name);
            found = true;
        }
    }
    if found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_nothing(name: &str, cases: u64) {
        let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
        let report = (target.play)(Budget::Cases(cases), 7);
        assert_eq!(report.finding, None, "{}", target.what);
        assert!(report.cases >= cases);
    }

    #[test]
    fn no_json_breaks_the_filters_configuration() {
        finds_nothing("json", 3_000);
    }

    #[test]
    fn no_protobuf_breaks_the_filters_configuration() {
        finds_nothing("struct", 3_000);
    }

    #[test]
    fn no_request_head_breaks_the_gate() {
        finds_nothing("heads", 2_000);
    }

    #[test]
    fn no_ledger_response_makes_the_gate_sell_credits_that_were_not_granted() {
        finds_nothing("answers", 2_000);
    }

    #[test]
    fn corrupt_shared_memory_is_never_sold() {
        finds_nothing("records", 4_000);
    }

    #[test]
    fn near_misses_of_a_key_are_rejected() {
        finds_nothing("keys", 500);
    }

    #[test]
    fn amounts_round_trip_and_nothing_else_parses() {
        finds_nothing("credits", 10_000);
    }

    #[test]
    fn no_message_breaks_the_ledger() {
        finds_nothing("exchange", 2_000);
    }

    #[test]
    fn no_request_breaks_the_admin_api() {
        finds_nothing("admin", 2_000);
    }
}
