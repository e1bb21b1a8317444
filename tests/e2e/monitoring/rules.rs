//! The alerts: Prometheus' own tool runs their tests, and each has one in which it fires, one in which it is silent, and a section in
//! `docs/monitoring.md` that says what to do.

use crate::docs::page;
use crate::metrics::promtool;
use harness::{out_of, project};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// A file of `docs/monitoring/` in YAML.
pub fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&page(&format!("docs/monitoring/{name}")))
        .unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Every alert.
pub fn alerts() -> Vec<Value> {
    let rules = yaml("rules.yaml");
    let groups = rules["groups"].as_array().expect("groups");
    let alerts: Vec<Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).cloned().collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    alerts
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

#[test]
fn prometheus_own_tool_accepts_the_rules_and_their_tests_pass() {
    let Some(promtool) = promtool() else { return };
    let folder = project().join("docs/monitoring");
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]] {
        let (done, said) = out_of(Command::new(&promtool).args(arguments).current_dir(&folder));
        assert!(done, "{said}");
    }
}

#[test]
fn every_alert_fires_in_a_test_and_is_silent_where_all_is_well() {
    let tests = yaml("rules_test.yaml");
    let tests = tests["tests"].as_array().expect("tests");
    let checks = |test: &Value, alert: &str, fires: bool| {
        let checks = test["alert_rule_test"].as_array().expect("checks");
        let about = checks.iter().filter(|check| check["alertname"] == alert);
        let fired = |check: &Value| check["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        about.filter(|check| fired(check) == fires).count()
    };
    for alert in alerts() {
        let name = text(&alert, "alert");
        assert!(checks(&tests[0], name, false) > 0, "{name} is not checked where all is well");
        assert_eq!(checks(&tests[0], name, true), 0, "{name}");
        let firing = tests[1..].iter().find(|test| checks(test, name, true) > 0);
        let firing = firing.unwrap_or_else(|| panic!("{name} fires in no test"));
        assert!(checks(firing, name, false) > 0, "{name} is silent before");
    }
}

#[test]
fn every_alert_has_a_section_that_says_what_to_do() {
    let page = page("docs/monitoring.md");
    let mut named = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert, "alert").to_owned();
        let severity = text(&alert["labels"], "severity").to_owned();
        for member in ["summary", "description"] {
            assert!(text(&alert["annotations"], member).len() > 20, "{name}: {member}");
        }
        let link = format!("docs/monitoring.md#{}", name.to_lowercase());
        assert!(text(&alert["annotations"], "runbook_url").ends_with(&link), "{name}: {alert}");
        let row = format!("| [`{name}`](#{}) | {severity} | ", name.to_lowercase());
        assert!(page.contains(&row), "no {row}");
        let section =
            page.split_once(&format!("\n### {name}\n")).unwrap_or_else(|| panic!("no section {name}")).1;
        let section = section.split("\n#").next().unwrap_or_default();
        let steps = section.lines().filter(|line| line.starts_with("1. ") || line.starts_with("- ")).count();
        assert!(steps > 0, "{name} says what it means, and not what to do: {section}");
        named.insert(name);
    }
    let headings = page.lines().filter_map(|line| line.strip_prefix("### Faregate"));
    let headings: BTreeSet<String> = headings.map(|rest| format!("Faregate{rest}")).collect();
    assert_eq!(headings, named, "the page has a section for each alert, and for no other");
}
