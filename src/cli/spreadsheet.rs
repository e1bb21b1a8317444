//! Lists as comma-separated values (RFC 4180), for spreadsheets.

use faregate_client::{Failure, screen::list, terminal::printable};
use faregate_ledger::spreadsheet::defused;
use serde_json::Value;

/// The named members of each row, under a line with their names. A text that a spreadsheet would take for a formula gets an
/// apostrophe in front.
pub fn text(rows: &Value, columns: &[&str]) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new("not_written", error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(|error| wrong(&error))?;
    for row in list(rows) {
        writer
            .write_record(columns.iter().map(|name| cell(row.get(*name))))
            .map_err(|error| wrong(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
    String::from_utf8(bytes).map_err(|error| wrong(&error))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(&defused(text)),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_quoted_where_necessary_and_formulas_are_not_run() {
        let rows = json!([
            {"rule": "a, \"b\"", "credits": "-1.5", "requests": 3},
            {"rule": "=HYPERLINK(1)", "credits": null, "requests": 0}
        ]);
        let written = text(&rows, &["rule", "credits", "requests"]).unwrap();
        assert_eq!(written, "rule,credits,requests\n\"a, \"\"b\"\"\",-1.5,3\n'=HYPERLINK(1),,0\n");
    }
}
