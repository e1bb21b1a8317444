//! Tables for people, files for programs.

use crate::figures::{Run, median, median_of};
use crate::paths::Memory;
use crate::variant::Variant;
use harness::project;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Prints the comparison, and keeps it in a file.
pub fn paths(runs: &BTreeMap<Variant, Vec<Run>>, memory: &BTreeMap<Variant, Memory>) {
    let of = |variant: Variant, figure: fn(&Run) -> f64| {
        runs.get(&variant).map_or(f64::NAN, |runs| median(runs, figure))
    };
    let at_most = |variant: &Variant| memory.get(variant).copied().unwrap_or_default();
    println!(
        "{:<18}{:>10}{:>8}{:>12}{:>9}{:>8}{:>8}{:>8}{:>8}{:>10}{:>11}{:>8}{:>8}",
        "variant",
        "req/s",
        "share",
        "in rounds",
        "CPU µs",
        "÷ bare",
        "p50",
        "p99",
        "p99.9",
        "alone p50",
        "exch/1000",
        "MB",
        "private"
    );
    for variant in runs.keys() {
        let [per_second, cpu] = [of(*variant, |run| run.per_second), of(*variant, |run| run.cpu_micros)];
        let shares = ratios(runs, *variant, |run| run.per_second);
        let per_thousand = of(*variant, |run| run.exchanges * 1000.0 / run.requests);
        println!(
            "{:<18}{per_second:>10.0}{:>8.2}{:>12}{cpu:>9.1}{:>8.2}{:>8.0}{:>8.0}{:>8.0}{:>10.0}{per_thousand:>11.3}{:>8}{:>8}",
            variant.name(),
            median_of(shares.clone()),
            range(&shares),
            median_of(ratios(runs, *variant, |run| run.cpu_micros)),
            of(*variant, |run| run.p50),
            of(*variant, |run| run.p99),
            of(*variant, |run| run.p999),
            of(*variant, |run| run.alone_p50),
            at_most(variant).resident / 1024,
            at_most(variant).private / 1024,
        );
    }
    let all: Value = runs
        .iter()
        .map(|(variant, runs)| {
            let Memory { resident, private } = at_most(variant);
            let runs: Vec<Value> = runs.iter().map(Run::json).collect();
            (variant.name().to_owned(), json!({"memory_kb": resident, "private_kb": private, "runs": runs}))
        })
        .collect();
    keep("paths", &all);
}

/// A figure as a ratio to bare Envoy's in the same round: what slows the machine for a while slows both.
fn ratios(runs: &BTreeMap<Variant, Vec<Run>>, variant: Variant, figure: fn(&Run) -> f64) -> Vec<f64> {
    let of = |variant| runs.get(&variant).map(Vec::as_slice).unwrap_or_default();
    of(variant).iter().zip(of(Variant::Bare)).map(|(run, bare)| figure(run) / figure(bare)).collect()
}

/// The least and the most.
fn range(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::NAN, f64::min);
    let most = values.iter().copied().fold(f64::NAN, f64::max);
    format!("{least:.2}-{most:.2}")
}

/// Keeps what was measured.
pub fn keep(name: &str, what: &Value) {
    let dir = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| project().join("target"), Into::into)
        .join("bench");
    let file = dir.join(format!("{name}.json"));
    std::fs::create_dir_all(&dir).expect("a folder");
    std::fs::write(&file, serde_json::to_string_pretty(what).expect("JSON")).expect("a file");
    println!("all runs: {}", file.display());
}
