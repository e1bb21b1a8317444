//! What a command prints: the API's JSON as it came, or aligned text for people, with times in the zone that they chose.

use crate::Failure;
use crate::table::{Table, label};
use crate::terminal::{printable_json, printable_lines, standard_output};
use crate::zone::Zone;
use serde_json::Value;
use std::{fmt::Display, io::Write};

pub use crate::terminal::printable;

/// Where a command's answer goes.
pub struct Screen<'a> {
    json: bool,
    zone: Zone,
    out: Box<dyn Write + 'a>,
    width: Option<usize>,
}

impl<'a> Screen<'a> {
    /// Prints JSON or text to `out`.
    pub fn new(json: bool, zone: Zone, out: impl Write + 'a) -> Self {
        Self { json, zone, out: Box::new(out), width: None }
    }

    /// Prints JSON or text to standard output.
    pub fn of_process(json: bool, zone: Zone) -> Self {
        Self::new(json, zone, standard_output())
    }

    /// The same on a terminal with so many columns; none where it isn't one.
    pub fn fitting(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// How many columns there are, on a terminal.
    pub const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether programs read it.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// The zone in which times are shown, and in which a date begins.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Shows one answer: the JSON itself, or what `human` makes of it.
    pub fn show(
        &mut self,
        answer: &Value,
        human: impl FnOnce(&mut Self, &Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { self.write(&printable_json(&answer.to_string())) } else { human(self, answer) }
    }

    /// One line; a line break that data brought along is shown as `\n`.
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        self.write(&printable(&line.to_string()))
    }

    /// A text of several lines, which must be the program's own or made printable.
    pub fn lines(&mut self, text: &str) -> Result<(), Failure> {
        self.write(&printable_lines(text))
    }

    /// A line of JSON.
    pub fn json(&mut self, line: &str) -> Result<(), Failure> {
        self.write(&printable_json(line))
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// A member as text, a time of it in the chosen zone with its name.
    pub fn text(&self, object: &Value, name: &str) -> String {
        let text = text(object, name);
        if is_time(name) { self.zone.with_name(&text) } else { text }
    }

    /// The named members of an object, one per line; those that are absent or null are left out.
    pub fn members(&mut self, object: &Value, names: &[&str]) -> Result<(), Failure> {
        let present = || names.iter().filter(|name| object.get(**name).is_some_and(|value| !value.is_null()));
        let width = present().map(|name| name.len()).max().unwrap_or(0);
        for name in present() {
            let text = self.text(object, name);
            self.line(format_args!("{:<width$}  {text}", label(name)))?;
        }
        Ok(())
    }

    /// A list of objects as a table with the named members as columns.
    pub fn table(&mut self, rows: &Value, columns: &[&str]) -> Result<(), Failure> {
        let mut table = Table::new(columns);
        self.rows(&mut table, list(rows))?;
        if table.is_empty() { self.line("(none)") } else { Ok(()) }
    }

    /// More rows of a table, times in the chosen zone.
    pub fn rows(&mut self, table: &mut Table<'_>, rows: &[Value]) -> Result<(), Failure> {
        let cell = |row: &Value, name: &str| {
            let text = text(row, name);
            if is_time(name) { self.zone.without_name(&text) } else { text }
        };
        // Not every `from` is a time.
        let has_times = |name: &str| rows.iter().any(|row| cell(row, name) != text(row, name));
        let title = |name: &&str| match self.zone.to_be_named().filter(|_| has_times(name)) {
            Some(zone) => format!("{} ({zone})", label(name).to_uppercase()),
            None => label(name).to_uppercase(),
        };
        let titles: Vec<String> = table.columns().iter().map(title).collect();
        let row = |row: &Value| table.columns().iter().map(|name| cell(row, name)).collect();
        let cells: Vec<Vec<String>> = rows.iter().map(row).collect();
        table.lines(&titles, &cells, self.width).into_iter().try_for_each(|line| self.line(line))
    }

    /// How to see the next page, where there is one.
    pub fn next_page(&mut self, answer: &Value) -> Result<(), Failure> {
        match answer.get("next").filter(|next| !next.is_null()) {
            Some(_) => self.line(format_args!("(more: --after {})", text(answer, "next"))),
            None => Ok(()),
        }
    }
}

/// Whether a member of this name is a point in time.
fn is_time(name: &str) -> bool {
    name.ends_with("_at")
        || matches!(
            name,
            "minute"
                | "at"
                | "time"
                | "from"
                | "until"
                | "since"
                | "pace_since"
                | "hour"
                | "day"
                | "valid_from"
                | "first_seen"
                | "last_seen"
                | "last_used"
                | "grace_until"
        )
}

/// A member as text: strings bare and printable, what is absent or null as a dash.
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

/// A value as a list; what is no list is empty.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// So many of something, in words.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
