//! Which ledgers are measured: the one that was built (FAREGATE_BIN), and, where FAREGATE_BEFORE names another
//! `faregate`, both of them in one run. They take turns, so that a machine that is slow for a while is slow for both.

use crate::table::{Case, Figures, table};
use harness::binary;
use serde_json::Value;
use std::path::PathBuf;

/// A ledger's program.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: &'static str,
    pub program: PathBuf,
}

/// What one version has measured, case by case.
pub type Measured = Vec<Case>;

/// All versions, the older one first.
pub fn versions() -> Vec<Version> {
    let before = std::env::var_os("FAREGATE_BEFORE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let before = before.map(|program| {
        assert!(program.exists(), "FAREGATE_BEFORE={} is no program", program.display());
        Version { name: "before", program }
    });
    before.into_iter().chain([Version { name: "after", program: binary() }]).collect()
}

/// The order in which so many versions take their turns in this round: who was last is first in the next one.
pub fn turns(count: usize, round: u32) -> impl Iterator<Item = usize> {
    let shift = usize::try_from(round).unwrap_or(0) % count;
    (0..count).map(move |place| (place + shift) % count)
}

/// As [`table`] where there is one version. Else each case has three rows: before, after, and after ÷ before, which is
/// the median of the rounds' own ratios.
pub fn compare(title: &str, note: &str, versions: &[Measured]) -> Value {
    let [before, after] = versions else {
        return table(title, note, versions.first().map_or(&[], Vec::as_slice));
    };
    let mut rows = Vec::new();
    for (before, after) in before.iter().zip(after) {
        let ratios =
            before.runs.iter().zip(&after.runs).map(|(before, after)| ratio(before, after)).collect();
        rows.push(Case { name: format!("{}, before", before.name), runs: before.runs.clone() });
        rows.push(Case { name: format!("{}, after", after.name), runs: after.runs.clone() });
        rows.push(Case { name: "  after ÷ before".to_owned(), runs: ratios });
    }
    table(title, note, &rows)
}

fn ratio(before: &Figures, after: &Figures) -> Figures {
    before.iter().zip(after).map(|((name, before), (_, after))| (*name, after / before)).collect()
}
