//! How a command fails: a stable code for programs, a sentence for people, and what to do next.

use crate::passwords::without_passwords;
use crate::terminal::{print_to_stderr, printable, printable_json};
use serde::Serialize;
use std::{fmt::Display, process::ExitCode};

/// The code of a file that says something else than the ledger.
pub const DRIFT: &str = "drift";

/// Why a command didn't do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// Short and stable: the admin API's `code`, or one of our own (`unreachable`, `usage` …).
    pub code: String,
    /// What happened, to what.
    pub detail: String,
    /// The HTTP status, when the ledger refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The offending field, when the ledger named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Failure {
    /// A failure with a code and a sentence.
    pub fn new(code: &str, detail: impl Display) -> Self {
        Self { code: code.to_owned(), detail: detail.to_string(), status: None, field: None, cure: None }
    }

    /// The command line itself is wrong.
    pub fn usage(detail: impl Display) -> Self {
        Self::new("usage", detail)
    }

    /// Adds what to do next.
    pub fn cure(self, cure: impl Display) -> Self {
        Self { cure: Some(cure.to_string()), ..self }
    }

    /// Adds something else that helps.
    pub fn or_cure(self, other: &str) -> Self {
        let cure = self.cure.clone().map_or_else(|| other.to_owned(), |cure| format!("{cure}, {other}"));
        self.cure(cure)
    }

    /// What the program ends with; docs/command-line.md lists the codes.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self.code.as_str(), "usage" | DRIFT) { 2 } else { 1 })
    }

    /// Prints it on standard error, for people or as one line of JSON.
    pub fn print(&self, json: bool) {
        print_to_stderr(&without_passwords(&if json { self.json() } else { self.text() }));
    }

    fn json(&self) -> String {
        serde_json::to_string(self).map_or_else(|_| printable(&self.detail), |text| printable_json(&text))
    }

    /// For people. Further lines of what happened are indented more than what to do, so that what an error quotes is no advice.
    fn text(&self) -> String {
        let detail = self.detail.trim_end().lines().map(printable).collect::<Vec<_>>().join("\n    ");
        let cure = self.cure.as_ref().map(|cure| format!("\n  {}", printable(cure))).unwrap_or_default();
        format!("error: {detail}{cure}")
    }
}

/// Output that can't be written: a closed pipe, a full disk.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("io", format!("can't write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_neither_moves_the_cursor_nor_looks_like_advice() {
        let failure = Failure::new("x", "no account \"\u{1b}[2J\"\n  do this").cure("try\u{202e} again");
        assert_eq!(failure.text(), "error: no account \"\\u{1b}[2J\"\n      do this\n  try\\u{202e} again");
        let read: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        assert_eq!(
            (read["detail"].as_str(), read["cure"].as_str()),
            (Some(failure.detail.as_str()), failure.cure.as_deref())
        );
        assert!(failure.json().is_ascii());
    }
}
