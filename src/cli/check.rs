//! `faregate check FILE`: would the filter take this configuration?
//!
//! It runs the filter's own reader of settings, so it says exactly what Envoy would log. What is a
//! filter's configuration inside a larger file is found in `find`.

mod find;

use clap::Args;
use faregate::decide::settings::{Fault, Settings, SettingsError};
use faregate_client::{Failure, Screen};
use find::Found;
use serde_json::{Value, json};
use std::{io::Read, path::PathBuf};

/// Larger files are refused: none of ours comes near.
const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Args)]
pub struct Check {
    /// A filter configuration (JSON or YAML), or an Envoy, Istio or Envoy Gateway configuration with one inside
    file: PathBuf,
}

impl Check {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let mut text = String::new();
        let file = std::fs::File::open(&self.file)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
        let size = file.map_err(|error| Failure::new("file", format!("can't read {name}: {error}")))?;
        if u64::try_from(size).is_ok_and(|size| size > MAX_FILE_BYTES) {
            return Err(Failure::new("file", format!("{name} is larger than {MAX_FILE_BYTES} bytes")));
        }
        report(&name, &check(&name, &text)?, screen)
    }
}

/// What was found in one place.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where the filter's configuration stands; empty when it is the whole file.
    place: String,
    problems: Vec<SettingsError>,
}

/// Checks every filter configuration in `text`.
pub fn check(name: &str, text: &str) -> Result<Vec<Finding>, Failure> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Failure::new("syntax", format!("{name} is neither JSON nor YAML: {error}")))?;
    let findings: Vec<Finding> = find::configurations(&documents).into_iter().map(judge).collect();
    if findings.is_empty() {
        return Err(Failure::new("nothing_found", format!("{name} holds no configuration of the Faregate filter")).cure(
            "it is an object with the members ledger, identities, rules, otherwise; in an Envoy configuration it is the \
             `configuration` (a Struct or StringValue) of an envoy.filters.http.wasm filter",
        ));
    }
    Ok(findings)
}

fn judge(found: Found) -> Finding {
    let Found { place, configuration, flaws } = found;
    let problem = configuration.and_then(|configuration| Settings::from_value(&configuration)).err();
    Finding { place, problems: problem.into_iter().chain(flaws).collect() }
}

/// Shows the findings; problems are a failure.
fn report(name: &str, findings: &[Finding], screen: &mut Screen<'_>) -> Result<(), Failure> {
    let count: usize = findings.iter().map(|finding| finding.problems.len()).sum();
    let problem = |problem: &SettingsError| {
        let Fault { path, found, allowed } = problem.fault();
        json!({ "path": path, "found": found, "allowed": allowed })
    };
    let filters: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "place": finding.place, "problems": finding.problems.iter().map(problem).collect::<Vec<_>>() }))
        .collect();
    screen.show(&json!({ "file": name, "ok": count == 0, "filters": filters }), |screen, _| {
        for finding in findings {
            let place =
                if finding.place.is_empty() { name.to_owned() } else { format!("{name}: {}", finding.place) };
            if finding.problems.is_empty() {
                screen.line(format_args!("{place}: ok"))?;
            }
            for problem in &finding.problems {
                screen.line(format_args!(
                    "{place}\n  {}\n    found    {}\n    allowed  {}",
                    problem.fault().path,
                    problem.fault().found,
                    problem.fault().allowed
                ))?;
            }
        }
        Ok(())
    })?;
    match count {
        0 => Ok(()),
        _ => {
            Err(Failure::new("invalid_configuration", format!("{name}: Envoy would refuse this, or should")))
        }
    }
}
