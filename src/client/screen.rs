//! What a command prints: the API's JSON as it came, or aligned text for people.

use crate::Failure;
use serde_json::Value;
use std::{fmt::Display, io::Write};

/// Where a command's answer goes.
pub struct Screen<'a> {
    json: bool,
    out: &'a mut dyn Write,
}

impl<'a> Screen<'a> {
    /// Prints JSON or text to `out`.
    pub fn new(json: bool, out: &'a mut dyn Write) -> Self {
        Self { json, out }
    }

    /// Shows one answer: the JSON itself, or what `human` makes of it.
    pub fn show(
        &mut self,
        answer: &Value,
        human: impl FnOnce(&mut Self, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { self.line(answer) } else { human(self, answer) }
    }

    /// One line.
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// Text as it is.
    pub fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// The named members of an object, one per line; those that are absent or null are left out.
    pub fn members(&mut self, object: &Value, names: &[&str]) -> Result<(), Failure> {
        let present = || names.iter().filter(|name| object.get(**name).is_some_and(|value| !value.is_null()));
        let width = present().map(|name| name.len()).max().unwrap_or(0);
        for name in present() {
            self.line(format_args!("{:<width$}  {}", label(name), text(object, name)))?;
        }
        Ok(())
    }

    /// A list of objects as a table with the named members as columns.
    pub fn table(&mut self, rows: &Value, columns: &[&str]) -> Result<(), Failure> {
        let rows: Vec<Vec<String>> =
            list(rows).iter().map(|row| columns.iter().map(|name| text(row, name)).collect()).collect();
        if rows.is_empty() {
            return self.line("(none)");
        }
        let width = |at: usize, name: &str| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(name.len())
        };
        let widths: Vec<usize> = columns.iter().enumerate().map(|(at, name)| width(at, name)).collect();
        let header: Vec<String> = columns.iter().map(|name| label(name).to_uppercase()).collect();
        for row in std::iter::once(&header).chain(&rows) {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// How to see the next page, where there is one.
    pub fn next_page(&mut self, answer: &Value) -> Result<(), Failure> {
        match answer.get("next").filter(|next| !next.is_null()) {
            Some(_) => self.line(format_args!("(more: --after {})", text(answer, "next"))),
            None => Ok(()),
        }
    }
}

/// A member as text: strings bare, what is absent or null as a dash. Control characters, which a note
/// or a name may carry, are escaped, so that text from outside can't move the terminal's cursor.
pub fn text(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text),
        Some(other) => other.to_string(),
    }
}

/// The text with its control characters escaped.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// A value as a list; what is no list is empty.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// So many of something, in words.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn label(name: &str) -> String {
    name.replace('_', " ")
}
