//! Many seeds on all cores, one seed with its trace, and the hunt for mutants.

use crate::mutant::Mutant;
use crate::trace::Trace;
use crate::world::{Outcome, World};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Each mutant must be found within so many seeds.
const FOUND_WITHIN: u64 = 2_000;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Found {
    pub seeds: u64,
    pub steps: u64,
    pub counts: BTreeMap<&'static str, u64>,
    /// By seed: the first thing that must not have happened.
    pub violations: BTreeMap<u64, String>,
}

fn live_one(seed: u64, mutant: Option<Mutant>, trace: impl FnOnce() -> Trace) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| World::run(seed, mutant, trace())));
    run.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Outcome { steps: 0, trace: Trace::silent(), violation: Some(format!("it panicked: {said}")) }
    })
}

/// Lives through these seeds, one thread per core; `all` of them, or until the first violation.
pub fn live(seeds: Range<u64>, mutant: Option<Mutant>, all: bool) -> Found {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Found::default());
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || (!all && !lock().violations.is_empty()) {
                        return;
                    }
                    let outcome = live_one(seed, mutant, Trace::silent);
                    let mut found = lock();
                    found.seeds += 1;
                    found.steps += outcome.steps;
                    for (what, count) in outcome.trace.counts {
                        *found.counts.entry(what).or_default() += count;
                    }
                    if let Some(violation) = outcome.violation {
                        found.violations.insert(seed, violation);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Lives through so many seeds and prints what came of them, with the end of the first that failed. Tells
/// whether all went well.
pub fn seeds(count: u64) -> bool {
    let began = Instant::now();
    let found = live(0..count, None, true);
    println!("{} seeds, {} steps, {:.1} s", found.seeds, found.steps, began.elapsed().as_secs_f64());
    for (what, count) in &found.counts {
        println!("{count:>12}  {what}");
    }
    println!("{:>12}  violations", found.violations.len());
    for (seed, what) in found.violations.iter().take(20) {
        println!("seed {seed}: {what}");
    }
    if let Some(seed) = found.violations.keys().next() {
        let outcome = live_one(*seed, None, || Trace::talking(false));
        println!("\nthe end of seed {seed}; all of it: make sim SEED={seed}\n{}", outcome.trace.text());
    }
    found.violations.is_empty()
}

/// Lives through one seed and prints everything that happens. Tells whether all went well.
pub fn one(seed: u64, mutant: Option<Mutant>) -> bool {
    let outcome = live_one(seed, mutant, || Trace::talking(true));
    print!("{}", outcome.trace.text());
    match &outcome.violation {
        Some(what) => println!("seed {seed}, {} steps: {what}", outcome.steps),
        None => println!("seed {seed}, {} steps: nothing wrong", outcome.steps),
    }
    outcome.violation.is_none()
}

/// Looks for every mutant, and prints at which seed it was found. Tells whether all were.
pub fn mutants() -> bool {
    // A broken variant may well panic; that is a way to be found, not news.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = 0;
    for mutant in Mutant::ALL {
        let found = live(0..FOUND_WITHIN, Some(mutant), false);
        match found.violations.first_key_value() {
            Some((seed, what)) => {
                let what: String = what.chars().take(100).collect();
                println!("{:<34} seed {seed:>4}: {what}", format!("{mutant:?}"));
            }
            None => {
                missed += 1;
                println!("{:<34} NOT FOUND within {FOUND_WITHIN} seeds", format!("{mutant:?}"));
            }
        }
    }
    println!("{} mutants, {missed} not found within {FOUND_WITHIN} seeds", Mutant::ALL.len());
    missed == 0
}
