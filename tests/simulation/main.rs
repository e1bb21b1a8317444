//! The simulator: several gateways and ledgers in one thread, on a virtual clock, with everything that can go
//! wrong going wrong.
//!
//! It runs the filter's real `decide` code and the ledger's real operations, over its engine in memory. The rest
//! of the product (the filter's host, the network, the databases, the clocks) is simulated, and misbehaves as a seed says: messages are
//! lost, repeated, delayed and overtaken; gateways, workers and ledgers are killed, frozen, cut off and
//! started again; clocks run wrong and jump; commits fail with an unknown outcome; operators top up, void, adjust, suspend,
//! revoke and recall. After every step and at the end the invariants of the design are checked.
//!
//! - `make sim SEEDS=10000` lives through so many seeds, on all cores.
//! - `make sim SEED=7` lives through that one again and prints everything that happens.
//! - `make sim-mutants` shows that each of a list of broken variants is found.
//! - `sim mutant NAME SEED` prints how one of them is found.
//!
//! Where to look: [`world`] steps from [`event`] to event; [`gateway`], [`clients`], [`metered`] and [`network`] are the
//! filter's host and what is around it; [`model`] and [`ledger`] are the ledger's store and jobs; [`trouble`]
//! is what goes wrong, under the [`conditions`] of a seed; [`oracle`], [`refusals`], [`model::audit`] and
//! [`finale`] hold what must be true; [`mutant`] lists the broken variants.

mod clients;
mod clock;
mod conditions;
mod corrections;
mod event;
mod finale;
mod gateway;
mod ledger;
mod limits;
mod memory;
mod metered;
mod model;
mod mutant;
mod network;
mod operator;
mod oracle;
mod random;
mod refusals;
mod run;
mod trace;
mod trouble;
mod world;

use mutant::Mutant;
use std::process::ExitCode;

/// Seeds that `sim` runs by default.
const SEEDS: u64 = 1_000;

const USAGE: &str = "usage: sim [seeds COUNT | seed NUMBER | mutants | mutant NAME NUMBER]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    let good = match words.as_slice() {
        [] => run::seeds(SEEDS),
        ["seeds", count] if number(count).is_some() => run::seeds(number(count).unwrap_or(SEEDS)),
        ["seed", seed] if number(seed).is_some() => run::one(number(seed).unwrap_or(0), None),
        ["mutants"] => run::mutants(),
        ["mutant", name, seed] if number(seed).is_some() && Mutant::named(name).is_some() => {
            run::one(number(seed).unwrap_or(0), Mutant::named(name))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credit_is_oversold_or_stranded_in_two_hundred_worlds() {
        let found = run::live(0..200, None, true);
        assert!(found.violations.is_empty(), "{:?}; see `make sim SEED=…`", found.violations);
        for fault in
            ["messages lost", "gateways killed", "ledgers killed", "leases reclaimed", "requests served"]
        {
            assert!(found.counts.get(fault).is_some_and(|count| *count > 100), "{fault}: {:?}", found.counts);
        }
    }

    #[test]
    fn a_seed_replays_identically() {
        for seed in 0..5 {
            let [first, second] = [(), ()].map(|()| run::live(seed..seed + 1, None, true));
            assert_eq!((first.steps, first.counts), (second.steps, second.counts));
        }
    }

    #[test]
    fn a_mutant_is_detected() {
        let found = run::live(0..50, Some(Mutant::RefundedTwice), true);
        assert!(!found.violations.is_empty());
    }
}
