//! How prices are shown: many as a table, all of one model line by line.

use faregate_client::{
    Failure, Screen,
    screen::{count, list, text},
};
use serde_json::{Map, Value};

/// What a list shows of each.
pub const COLUMNS: [&str; 7] =
    ["model", "input", "cache_read", "cache_write", "output", "more", "valid_from"];
/// The classes that have columns of their own.
const SHOWN: [&str; 4] = ["input", "cache_read", "cache_write", "output"];

/// Entries as rows of a table: prices in columns, and what else there is in words.
pub fn rows(entries: &[Value]) -> Vec<Value> {
    let row = |entry: &Value| {
        let mut row = Map::new();
        let prices = entry.get("prices").and_then(Value::as_object).cloned().unwrap_or_default();
        let member = |name: &str| entry.get(name).cloned().unwrap_or_default();
        let mut more = Vec::new();
        for (name, price) in prices {
            match (name.as_str(), &price) {
                (name, _) if SHOWN.contains(&name) => drop(row.insert(name.to_owned(), price)),
                ("above", tiers) => more.push(count(list(tiers).len() as u64, "tier", "tiers")),
                ("service", services) => {
                    let services = services.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
                    more.push(services.collect::<Vec<_>>().join(", "));
                }
                (name, price) => more.push(format!("{name} {}", price.as_str().unwrap_or_default())),
            }
        }
        if !more.is_empty() {
            row.insert("more".into(), more.join(", ").into());
        }
        row.insert("model".into(), member("model"));
        row.insert("valid_from".into(), member("valid_from"));
        Value::Object(row)
    };
    entries.iter().map(row).collect()
}

/// Prices, one per line, those of tiers and services below their heads.
pub fn lines(screen: &mut Screen<'_>, prices: &Value, depth: usize) -> Result<(), Failure> {
    let indent = "  ".repeat(depth);
    for (name, price) in prices.as_object().into_iter().flatten() {
        match name.as_str() {
            "above" => {
                for tier in list(price) {
                    screen.line(format_args!("{indent}above {} input tokens", text(tier, "input_tokens")))?;
                    lines(screen, tier, depth.saturating_add(1))?;
                }
            }
            "service" => {
                for (name, prices) in price.as_object().into_iter().flatten() {
                    screen.line(format_args!("{indent}service {name}"))?;
                    lines(screen, prices, depth.saturating_add(1))?;
                }
            }
            "input_tokens" => {}
            name => screen.line(format_args!("{indent}{name}  {}", text(prices, name)))?,
        }
    }
    Ok(())
}
