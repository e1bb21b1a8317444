//! The expressions of dashboards and alerts: which there are, which metrics they name, and how they read with the variables filled in.

use super::{DASHBOARDS, dashboard};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every expression of the dashboards, with the place where it is, as Grafana asks Prometheus when a reader has chosen nothing.
pub fn of_dashboards() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = target["expr"].as_str().expect("an expression");
                let place = format!("{name}: {}", panel["title"]);
                found.push((place, filled_in(&dashboard, expression)));
            }
        }
        for variable in variables(&dashboard).filter(|variable| variable["type"] == "query") {
            // label_values(METRIC, LABEL) lists what this groups by.
            let query = variable["query"].as_str().expect("a query");
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) =
                inner.and_then(|inner| inner.rsplit_once(", ")).expect("a metric and a label");
            let expression = format!("group by ({label}) ({metric})");
            found.push((format!("{name}: ${}", variable["name"]), filled_in(&dashboard, &expression)));
        }
    }
    assert!(found.len() > 60, "{found:?}");
    found
}

fn variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["templating"]["list"].as_array().expect("variables").iter()
}

/// An expression with the values that its variables have at first.
fn filled_in(dashboard: &Value, expression: &str) -> String {
    let mut text = expression.replace("$__rate_interval", "10s");
    // The longest names first: one may begin with another.
    let mut all: Vec<&Value> = variables(dashboard).collect();
    all.sort_by_key(|variable| std::cmp::Reverse(variable["name"].as_str().map(str::len)));
    for variable in all {
        let first = if variable["type"] == "textbox" { &variable["query"] } else { &variable["allValue"] };
        if let Some(first) = first.as_str() {
            text = text.replace(&format!("${}", variable["name"].as_str().expect("a name")), first);
        }
    }
    assert!(!text.contains('$'), "{text}");
    text
}

/// The metrics of ours and of Envoy that an expression names.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    // Without what is in braces, which names labels.
    let bare: String = expression
        .split('{')
        .enumerate()
        .map(|(n, part)| if n == 0 { part } else { part.split_once('}').expect("a closing brace").1 })
        .collect::<Vec<_>>()
        .join(" ");
    let words = bare.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("faregate_") || word.starts_with("envoy_"));
    // What a grouping names is a label.
    ours.filter(|word| !word.starts_with("envoy_http_conn_manager") && *word != "envoy_cluster_name")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_metrics_of_an_expression_are_found() {
    let named = metrics(
        "sum by (le) (rate(faregate_a_total{job=~\"x\", code=\"b\"}[2m])) / faregate_c > 0 or envoy_d",
    );
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(named, ["envoy_d", "faregate_a_total", "faregate_c"]);
}
