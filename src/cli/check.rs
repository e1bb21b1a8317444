//! `faregate check FILE`: would Envoy and the filter take this configuration, and would it do what is meant?
//!
//! It runs the filter's own reader of settings, so it says exactly what Envoy would log, but all of it at once. What is a
//! filter's configuration inside a larger file is found in `find`, and `envoy` judges what is around it. Where there is an
//! Envoy, it is examined as well. `explained` shows what metered rules make of sample requests.
//!
//! What must hold: it ends with 0 if there are no errors, warnings or not; with 1 if there are, or if `--strict` is given and
//! there are warnings; and with 2 if the command line is wrong.

mod document;
mod envoy;
mod explained;
mod find;
mod problem;

use clap::Args;
use document::{Document, Lines, join};
use faregate::decide::settings::{Rule, Settings, SettingsError};
use faregate_client::{Failure, Screen, process::runtime, screen::count};
use faregate_demo::fit::{self, Fit};
use find::{Configuration, Found};
use problem::{Place, Problem, Severity};
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
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
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
        let documents = document::read(&self.file, &name, &text)?;
        let findings = check(&name, &documents)?;
        let named = fit::named(self.envoy.as_ref());
        let examined = fit::find(named.as_deref())?.map(|program| Examined::new(program, named.is_some()));
        report(&name, &findings, examined.transpose()?.as_ref(), (self.explain, self.strict), screen)
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
struct Finding<'a> {
    /// Where the filter's configuration is in the file; empty when it is the whole file.
    place: String,
    problems: Vec<Problem>,
    /// What the filter reads, if it takes it.
    settings: Option<Settings>,
    /// Whether the configuration is in another file.
    elsewhere: bool,
    lines: &'a Lines,
}

impl Finding<'_> {
    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    fn json(&self, severity: Severity) -> Vec<Value> {
        let problems = self.problems.iter().filter(|problem| problem.severity == severity);
        problems.map(|problem| problem.json(self.lines)).collect()
    }

    /// In a few words.
    fn verdict(&self) -> String {
        let part = |severity, one, many| {
            let number = self.count(severity);
            (number > 0).then(|| count(u64::try_from(number).unwrap_or(u64::MAX), one, many))
        };
        let counts =
            [part(Severity::Error, "error", "errors"), part(Severity::Warning, "warning", "warnings")];
        let counts = counts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        match (counts.as_str(), self.elsewhere) {
            ("", false) => "ok".to_owned(),
            ("", true) => "ok; Envoy discovers the gate's own configuration: check that, too".to_owned(),
            (counts, _) if self.count(Severity::Error) == 0 => format!("ok, with {counts}"),
            (counts, _) => counts.to_owned(),
        }
    }
}

/// Checks every filter configuration in the documents.
fn check<'a>(name: &str, documents: &'a [Document]) -> Result<Vec<Finding<'a>>, Failure> {
    let mut findings = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        for found in find::configurations(&document.value) {
            let mut finding = judge(found, &document.lines);
            if documents.len() > 1 {
                finding.place = join(&format!("document[{number}]"), &finding.place);
            }
            findings.push(finding);
        }
    }
    if findings.is_empty() {
        return Err(Failure::new("nothing_found", format!("{name} holds no configuration of the Faregate filter")).cure(
            "it is an object with the members ledger, identities, rules, default; in an Envoy configuration it is the \
             `configuration` (a Struct or StringValue) of an envoy.filters.http.wasm filter",
        ));
    }
    Ok(findings)
}

fn judge<'a>(found: Found<'_>, lines: &'a Lines) -> Finding<'a> {
    let Found { place, configuration, flaws, shows_bodies, environment, chain } = found;
    let elsewhere = matches!(configuration, Configuration::Elsewhere);
    let at = match &configuration {
        Configuration::Object(_, at) => at.clone(),
        Configuration::Text(_) => join(&place, "value"),
        Configuration::Elsewhere | Configuration::Wrong(_) => place.clone(),
    };
    let read = match configuration {
        Configuration::Object(value, _) => Settings::check(value).map(Some),
        Configuration::Text(text) => Settings::check_slice(text.as_bytes()).map(Some),
        Configuration::Elsewhere => Ok(None),
        Configuration::Wrong(why) => Err(vec![*why]),
    };
    let of_reader = |errors: Vec<SettingsError>| errors.iter().map(|error| Problem::of(error, &at)).collect();
    let (settings, mut problems): (_, Vec<Problem>) =
        read.map_or_else(|errors| (None, of_reader(errors)), |settings| (settings, Vec::new()));
    problems.extend(flaws);
    if let Some(settings) = &settings {
        problems.extend(environment.and_then(|variables| envoy::missing_variable(settings, &variables, &at)));
        if shows_bodies == Some(false) {
            problems.extend(hidden_bodies(settings, &place));
        }
    }
    if let Some(chain) = &chain {
        problems.extend(envoy::around(chain, settings.as_ref().map(|settings| (settings, at.as_str()))));
    }
    problems.sort_by_key(|problem| problem.severity);
    Finding { place, problems, settings, elsewhere, lines }
}

/// What is wrong with a plugin that has Envoy hide the bodies by which a rule prices requests; `None`: no rule does.
/// `place` is that of the configuration in it.
fn hidden_bodies(settings: &Settings, place: &str) -> Option<Problem> {
    let reads = |rule: &&Rule| rule.meter.as_deref().is_some_and(|meter| meter.max_body().is_some());
    let rule = settings.rules.iter().chain([&settings.default]).find(reads)?;
    let plugin = place.rsplit_once('.').map_or("", |(plugin, _)| plugin);
    Some(Problem::error(
        Place::Plugin("allow_on_headers_stop_iteration", plugin),
        "nothing, or false",
        &format!(
            "true: rule {:?} prices requests by their body, and Envoy hides it from the filter",
            rule.name
        ),
    ))
}

/// Shows the findings; errors are a failure, so are warnings if asked for, and so is an unfit Envoy that was named.
fn report(
    name: &str,
    findings: &[Finding<'_>],
    examined: Option<&Examined>,
    (explain, strict): (bool, bool),
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let sum = |severity| findings.iter().map(|finding| finding.count(severity)).sum::<usize>();
    let (errors, warnings) = (sum(Severity::Error), sum(Severity::Warning));
    let filter = |finding: &Finding<'_>| {
        let mut filter = json!({
            "place": finding.place, "problems": finding.json(Severity::Error), "warnings": finding.json(Severity::Warning),
        });
        if let (true, Some(settings), Some(filter)) = (explain, &finding.settings, filter.as_object_mut()) {
            filter.insert("metered".to_owned(), explained::explain(settings));
        }
        filter
    };
    let filters: Vec<Value> = findings.iter().map(filter).collect();
    let unfit = examined.filter(|examined| examined.named).and_then(|examined| examined.found.as_ref().err());
    let fails = errors > 0 || (strict && warnings > 0);
    let answer = json!({
        "file": name, "ok": !fails && unfit.is_none(), "filters": filters, "envoy": examined.map(Examined::json),
    });
    screen.show(&answer, |screen, _| {
        for (finding, filter) in findings.iter().zip(&filters) {
            let place =
                if finding.place.is_empty() { name.to_owned() } else { format!("{name}: {}", finding.place) };
            screen.line(format_args!("{place}: {}", finding.verdict()))?;
            for problem in &finding.problems {
                screen.lines(&problem.text(name, finding.lines))?;
            }
            if let Some(metered) = filter.get("metered") {
                explained::show(screen, metered)?;
            }
        }
        examined.map_or(Ok(()), |examined| screen.line(examined.text()))
    })?;
    let failure = |what: &str| Err(Failure::new("invalid_configuration", format!("{name}: {what}")));
    match unfit {
        _ if errors > 0 => failure("Envoy would refuse this, or should"),
        _ if fails => failure("there are warnings, and --strict is given"),
        Some(unfit) => {
            Err(Failure { detail: "the filter can't run in this Envoy".to_owned(), ..unfit.clone() })
        }
        None => Ok(()),
    }
}
