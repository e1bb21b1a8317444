//! `faregate check FILE`: would the filter take this configuration?
//!
//! It runs the filter's own reader of settings, so it says exactly what Envoy would log. What is a
//! filter's configuration inside a larger file is found in `find`. Where there is an Envoy, it is examined as well.
//! `explained` shows what metered rules make of sample requests.

mod explained;
mod find;

use clap::Args;
use faregate::decide::settings::{Fault, Rule, Settings, SettingsError};
use faregate_client::{Failure, Screen, process::runtime};
use faregate_demo::fit::{self, Fit};
use find::Found;
use serde_json::{Value, json};
use std::{io::Read, path::PathBuf};

/// Larger files are refused: none of ours comes near.
const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Args)]
pub struct Check {
    /// A filter configuration (JSON or YAML), or an Envoy, Istio or Envoy Gateway configuration with one inside
    file: PathBuf,
    /// The Envoy that is to run it [env: ENVOY] [default: envoy on PATH, or what `make setup` fetched, if there is one]
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
    /// Show what each rule with a meter holds and charges for sample requests
    #[arg(long)]
    explain: bool,
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
        let findings = check(&name, &text)?;
        let named = fit::named(self.envoy.as_ref());
        let examined = fit::find(named.as_deref())?.map(|program| Examined::new(program, named.is_some()));
        report(&name, &findings, examined.transpose()?.as_ref(), self.explain, screen)
    }
}

/// What was found of an Envoy.
struct Examined {
    program: PathBuf,
    /// Whether it was named. One that merely lies here may not be the one that runs the configuration.
    named: bool,
    found: Result<Fit, Failure>,
}

impl Examined {
    fn new(program: PathBuf, named: bool) -> Result<Self, Failure> {
        let found = runtime()?.block_on(fit::examine(&program));
        Ok(Self { program, named, found })
    }

    fn json(&self) -> Value {
        let (version, note) = match &self.found {
            Ok(fit) => (Some(&fit.version), fit.note.as_ref()),
            Err(failure) => (None, Some(&failure.detail)),
        };
        json!({ "program": self.program, "ok": self.found.is_ok(), "version": version, "note": note })
    }

    fn text(&self) -> String {
        match &self.found {
            Ok(Fit { note: Some(note), .. }) => format!("{}: ok; {note}", self.program.display()),
            Ok(Fit { version, .. }) => format!("{}: ok, Envoy {version}", self.program.display()),
            Err(failure) => failure.detail.clone(),
        }
    }
}

/// What was found in one place.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where the filter's configuration is in the file; empty when it is the whole file.
    place: String,
    problems: Vec<SettingsError>,
    /// What the filter reads, if it takes it.
    settings: Option<Settings>,
}

/// Checks every filter configuration in `text`.
pub fn check(name: &str, text: &str) -> Result<Vec<Finding>, Failure> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Failure::new("syntax", format!("{name} is neither JSON nor YAML: {error}")))?;
    let findings: Vec<Finding> = find::configurations(&documents).into_iter().map(judge).collect();
    if findings.is_empty() {
        return Err(Failure::new("nothing_found", format!("{name} holds no configuration of the Faregate filter")).cure(
            "it is an object with the members ledger, identities, rules, default; in an Envoy configuration it is the \
             `configuration` (a Struct or StringValue) of an envoy.filters.http.wasm filter",
        ));
    }
    Ok(findings)
}

fn judge(found: Found) -> Finding {
    let Found { place, configuration, flaws, shows_bodies } = found;
    let (settings, problem) =
        match configuration.and_then(|configuration| Settings::from_value(&configuration)) {
            Ok(settings) => (Some(settings), None),
            Err(problem) => (None, Some(problem)),
        };
    let hidden = settings.as_ref().filter(|_| shows_bodies == Some(false)).and_then(hidden_bodies);
    Finding { place, problems: problem.into_iter().chain(flaws).chain(hidden).collect(), settings }
}

/// What is wrong with a plugin that has Envoy hide the bodies by which a rule prices requests; `None`: no rule does.
fn hidden_bodies(settings: &Settings) -> Option<SettingsError> {
    let reads = |rule: &&Rule| rule.meter.as_deref().is_some_and(|meter| meter.max_body().is_some());
    let rule = settings.rules.iter().chain([&settings.default]).find(reads)?;
    Some(SettingsError::new(
        "(plugin) allow_on_headers_stop_iteration",
        "nothing, or false",
        &format!(
            "true: rule {:?} prices requests by their body, and Envoy hides it from the filter",
            rule.name
        ),
    ))
}

/// Shows the findings; problems are a failure, and so is an unfit Envoy that was named.
fn report(
    name: &str,
    findings: &[Finding],
    examined: Option<&Examined>,
    explain: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let count: usize = findings.iter().map(|finding| finding.problems.len()).sum();
    let problem = |problem: &SettingsError| {
        let Fault { path, found, allowed } = problem.fault();
        json!({ "path": path, "found": found, "allowed": allowed })
    };
    let filter = |finding: &Finding| {
        let problems: Vec<Value> = finding.problems.iter().map(problem).collect();
        let mut filter = json!({ "place": finding.place, "problems": problems });
        if let (true, Some(settings), Some(filter)) = (explain, &finding.settings, filter.as_object_mut()) {
            filter.insert("metered".to_owned(), explained::explain(settings));
        }
        filter
    };
    let filters: Vec<Value> = findings.iter().map(filter).collect();
    let unfit = examined.filter(|examined| examined.named).and_then(|examined| examined.found.as_ref().err());
    let answer = json!({
        "file": name, "ok": count == 0 && unfit.is_none(), "filters": filters, "envoy": examined.map(Examined::json),
    });
    screen.show(&answer, |screen, _| {
        for (finding, filter) in findings.iter().zip(&filters) {
            let place =
                if finding.place.is_empty() { name.to_owned() } else { format!("{name}: {}", finding.place) };
            if finding.problems.is_empty() {
                screen.line(format_args!("{place}: ok"))?;
            }
            for problem in &finding.problems {
                let Fault { path, found, allowed } = problem.fault();
                screen.line(&place)?;
                screen.line(format_args!("  {path}"))?;
                screen.line(format_args!("    found    {found}"))?;
                screen.line(format_args!("    allowed  {allowed}"))?;
            }
            if let Some(metered) = filter.get("metered") {
                explained::show(screen, metered)?;
            }
        }
        examined.map_or(Ok(()), |examined| screen.line(examined.text()))
    })?;
    match (count, unfit) {
        (0, None) => Ok(()),
        (0, Some(unfit)) => {
            Err(Failure { detail: "the filter can't run in this Envoy".to_owned(), ..unfit.clone() })
        }
        _ => {
            Err(Failure::new("invalid_configuration", format!("{name}: Envoy would refuse this, or should")))
        }
    }
}
