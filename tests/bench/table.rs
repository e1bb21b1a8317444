//! Tables of cases: what was measured in each, run by run; printed as medians.

use crate::figures::median_of;
use serde_json::{Value, json};

/// What one run has measured: names with their units and values, in the order of the table's columns.
pub type Figures = Vec<(&'static str, f64)>;

/// One row.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub runs: Vec<Figures>,
}

impl Case {
    /// A row that was measured once.
    pub fn once(name: String, figures: Figures) -> Self {
        Self { name, runs: vec![figures] }
    }
}

/// Prints the medians of these cases, and what they show; gives all runs as JSON.
pub fn table(title: &str, note: &str, cases: &[Case]) -> Value {
    let columns = cases.iter().find_map(|case| case.runs.first()).cloned().unwrap_or_default();
    let width = |name: &str| name.chars().count().max(8) + 2;
    let first = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max(24) + 2;
    println!("\n{title}");
    print!("{:<first$}", "");
    for (name, _) in &columns {
        print!("{name:>width$}", width = width(name));
    }
    println!();
    for case in cases {
        print!("{:<first$}", case.name);
        for (column, (name, _)) in columns.iter().enumerate() {
            let values = case.runs.iter().filter_map(|run| Some(run.get(column)?.1)).collect();
            print!("{:>width$}", shown(median_of(values)), width = width(name));
        }
        println!();
    }
    println!("{note}");
    let all: Vec<Value> = cases
        .iter()
        .map(|case| {
            let run =
                |run: &Figures| run.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            let runs: Vec<Value> = case.runs.iter().map(run).collect();
            json!({"case": case.name, "runs": runs})
        })
        .collect();
    json!({"title": title, "note": note, "cases": all})
}

/// With as many digits as mean something.
fn shown(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "-".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
