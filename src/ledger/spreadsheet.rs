//! Lists as comma-separated values (RFC 4180), for spreadsheets.
//!
//! What must hold: no cell begins like a formula, whatever its text is.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What spreadsheets take for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Columns that come first where they are there; the others follow by name.
const FIRST: [&str; 10] =
    ["id", "at", "minute", "from", "until", "account", "name", "model", "item", "state"];

/// A text, with an apostrophe in front where a spreadsheet would take it for a formula.
pub fn defused(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA) && text.parse::<f64>().is_err();
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

/// All members of rows, under a line with their names.
pub fn table(rows: &[Value]) -> String {
    let names: BTreeSet<&str> =
        rows.iter().filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let mut text = line(names.iter().map(|name| (*name).to_owned()));
    for row in rows {
        text.push_str(&line(names.iter().map(|name| cell(row.get(*name)))));
    }
    text
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => defused(text),
        Some(other) => other.to_string(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| {
        let is_plain = !cell.contains([',', '"', '\n', '\r']);
        if is_plain { cell } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_quoted_where_necessary_and_formulas_are_not_run() {
        let rows = [
            json!({"rule": "a, \"b\"", "credits": "-1.5", "id": 3, "more": {"x": 1}}),
            json!({"rule": "=HYPERLINK(1)", "credits": null, "id": 4, "more": null}),
        ];
        let written = table(&rows);
        let expected =
            "id,credits,more,rule\r\n3,-1.5,\"{\"\"x\"\":1}\",\"a, \"\"b\"\"\"\r\n4,,,'=HYPERLINK(1)\r\n";
        assert_eq!(written, expected);
        assert_eq!(["+1 is more", "@x", "-", "+1"].map(defused), ["'+1 is more", "'@x", "'-", "+1"]);
    }
}
