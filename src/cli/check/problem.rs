//! Something that `faregate check` finds: an error, with which the gate doesn't start or doesn't work, or a warning, with
//! which it works otherwise than is usually meant.

use super::document::{Lines, join};
use faregate::decide::settings::{Fault, SettingsError};
use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Envoy refuses it, requests fail, or requests pass unpaid.
    Error,
    /// It works, but probably not as it is meant.
    Warning,
}

impl Severity {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    fault: Fault,
    /// The path in the document.
    place: String,
}

/// Where something is: the name of a field, and the path of the object that has it or should have it.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// In the plugin, or the object that a mesh has in its place.
    Plugin(&'a str, &'a str),
    /// In Envoy's HTTP connection manager.
    Manager(&'a str, &'a str),
    /// In the filter's configuration.
    Configuration(&'a str, &'a str),
}

impl Problem {
    /// The gate doesn't work.
    pub fn error(place: Place<'_>, found: &str, allowed: &str) -> Self {
        Self::new(Severity::Error, place, found, allowed)
    }

    /// It may not be meant so.
    pub fn warning(place: Place<'_>, found: &str, allowed: &str) -> Self {
        Self::new(Severity::Warning, place, found, allowed)
    }

    fn new(severity: Severity, place: Place<'_>, found: &str, allowed: &str) -> Self {
        let (path, place) = match place {
            Place::Plugin(name, place) => (format!("(plugin) {name}"), join(place, name)),
            Place::Manager(name, place) => (format!("(connection manager) {name}"), join(place, name)),
            Place::Configuration(name, place) => (name.to_owned(), join(place, name)),
        };
        let fault = Fault { path, found: found.to_owned(), allowed: allowed.to_owned() };
        Self { severity, fault, place }
    }

    /// What the filter's own reader says of a configuration at this place.
    pub fn of(error: &SettingsError, place: &str) -> Self {
        let fault = error.fault().clone();
        let inner = if fault.path.starts_with('(') { "" } else { fault.path.as_str() };
        let place = if inner.is_empty() { place.to_owned() } else { join(place, inner) };
        Self { severity: Severity::Error, fault, place }
    }

    /// For programs.
    pub fn json(&self, lines: &Lines) -> Value {
        let Fault { path, found, allowed } = &self.fault;
        json!({
            "path": path, "found": found, "allowed": allowed, "place": self.place, "line": lines.find(&self.place),
        })
    }

    /// For people, in the form that editors and CI systems can follow.
    pub fn text(&self, file: &str, lines: &Lines) -> String {
        let Fault { path, found, allowed } = &self.fault;
        let line = lines.find(&self.place).map(|line| format!(":{line}")).unwrap_or_default();
        let severity = self.severity.as_str();
        format!("{file}{line}: {severity}: {path}\n    found    {found}\n    allowed  {allowed}")
    }
}
