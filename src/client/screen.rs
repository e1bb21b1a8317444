//! What a command prints: the API's JSON as it came, or aligned text for people.

use crate::Failure;
use crate::table::{Table, label};
use serde_json::Value;
use std::{fmt::Display, io::Write};

/// Where a command's answer goes.
pub struct Screen<'a> {
    json: bool,
    out: &'a mut dyn Write,
    width: Option<usize>,
}

impl<'a> Screen<'a> {
    /// Prints JSON or text to `out`.
    pub fn new(json: bool, out: &'a mut dyn Write) -> Self {
        Self { json, out, width: None }
    }

    /// The same on a terminal with so many columns; none where it isn't one.
    pub fn fitting(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// How many columns there are, on a terminal.
    pub const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether JSON is asked for.
    pub const fn is_json(&self) -> bool {
        self.json
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
        let mut table = Table::new(columns);
        self.rows(&mut table, list(rows))?;
        if table.is_empty() { self.line("(none)") } else { Ok(()) }
    }

    /// More rows of a table.
    pub fn rows(&mut self, table: &mut Table<'_>, rows: &[Value]) -> Result<(), Failure> {
        let row = |row: &Value| table.columns().iter().map(|name| text(row, name)).collect();
        let cells: Vec<Vec<String>> = rows.iter().map(row).collect();
        table.lines(&cells, self.width).into_iter().try_for_each(|line| self.line(line))
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
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            let items = items.iter().filter_map(Value::as_str).map(printable);
            items.collect::<Vec<_>>().join(",")
        }
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
