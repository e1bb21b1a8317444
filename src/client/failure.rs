//! How a command fails: a stable code for programs, a sentence for people, and what to do next.

use crate::passwords::without_passwords;
use serde::Serialize;
use std::{fmt::Display, io::Write, process::ExitCode};

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

    /// 2 for wrong usage, 1 for all else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.code == "usage" { 2 } else { 1 })
    }

    /// Prints it for people, or as one line of JSON.
    pub fn print(&self, json: bool, to: &mut dyn Write) {
        let text = if json {
            serde_json::to_string(self).unwrap_or_else(|_| self.detail.clone())
        } else {
            let cure = self.cure.as_ref().map(|cure| format!("\n  {cure}")).unwrap_or_default();
            format!("error: {}{cure}", self.detail)
        };
        // Nothing is left to do when stderr is gone.
        let _ = writeln!(to, "{}", without_passwords(&text));
    }
}

/// Output that can't be written: a closed pipe, a full disk.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("io", format!("can't write the output: {error}"))
    }
}
