//! Plays one target within a budget: cases until they are enough or the time is over, each one on the clock.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long to go on.
#[derive(Clone, Copy)]
pub enum Budget {
    /// At least so many cases.
    Cases(u64),
    /// For so long.
    Time(Duration),
}

/// What came of it.
pub struct Report {
    /// How many inputs were tried.
    pub cases: u64,
    /// How long the slowest took.
    pub slowest: Duration,
    /// What is wrong, and the smallest input that shows it.
    pub finding: Option<String>,
}

/// No single input may take longer than this, on a busy machine and in a debug build.
const MOST: Duration = Duration::from_secs(5);
/// How many cases are played between two looks at the budget.
const BATCH: u32 = 50;

/// Plays cases; `test` says what doesn't hold, or panics.
pub fn play<S: Strategy>(
    budget: Budget,
    seed: u64,
    inputs: &S,
    test: impl Fn(S::Value) -> TestCaseResult,
) -> Report {
    let config = Config {
        cases: BATCH,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 20_000,
        ..Config::default()
    };
    let (cases, slowest) = (Cell::new(0), Cell::new(Duration::ZERO));
    let timed = |input| {
        let start = Instant::now();
        let result = test(input);
        let took = start.elapsed();
        cases.set(cases.get() + 1);
        slowest.set(slowest.get().max(took));
        proptest::prop_assert!(took < MOST, "one input took {took:?}");
        result
    };
    let start = Instant::now();
    let mut finding = None;
    for batch in 0_u64.. {
        if finding.is_some() || over(budget, cases.get(), start) {
            break;
        }
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&batch.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        finding =
            TestRunner::new_with_rng(config.clone(), random).run(inputs, timed).err().map(
                |error| match error {
                    TestError::Fail(why, input) => shortened(&format!("  {why}\n  with {input:?}")),
                    TestError::Abort(why) => format!("  given up: {why}"),
                },
            );
    }
    Report { cases: cases.get(), slowest: slowest.get(), finding }
}

fn over(budget: Budget, cases: u64, start: Instant) -> bool {
    match budget {
        Budget::Cases(most) => cases >= most,
        Budget::Time(most) => start.elapsed() >= most,
    }
}

/// The beginning of a text that may be very long.
fn shortened(text: &str) -> String {
    let most = 4_000;
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{} … ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
