//! Examples of configurations are taken by `faregate check`, and the tables of fields are complete.

use super::{blocks, first_cells, page};
use faregate_protocol::RefusalCode;
use harness::{binary, out_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// What `faregate check --json` says of a configuration.
fn check(text: &str) -> (bool, String) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("configuration");
    std::fs::write(&file, text).expect("a file");
    out_of(Command::new(binary()).args(["check", "--json"]).arg(file))
}

/// The pages that have the fields of the configuration; the first one begins with a whole example.
fn reference() -> [String; 3] {
    ["docs/configuration.md", "docs/pricing.md", "docs/cors.md"].map(page)
}

#[test]
fn the_readmes_example_is_a_valid_configuration() {
    let examples = blocks(&page("README.md"), "yaml");
    assert_eq!(examples.len(), 1);
    let (good, said) = check(&examples[0]);
    assert!(good, "{said}");
}

#[test]
fn every_example_of_the_reference_is_a_valid_configuration() {
    let mut examples = reference()
        .into_iter()
        .chain([page("docs/metering.md")])
        .flat_map(|page| blocks(&page, "json"))
        .map(|text| serde_json::from_str::<Value>(&text).unwrap_or_else(|why| panic!("{why}: {text}")));
    let whole = examples.next().expect("a whole example");
    let (good, said) = check(&whole.to_string());
    assert!(good, "{said}");
    let mut count = 0;
    for part in examples {
        // Each further example shows some members; the rest is as in the first.
        let mut config = whole.clone();
        for (name, value) in part.as_object().expect("an object") {
            config[name] = value.clone();
        }
        let (good, said) = check(&config.to_string());
        assert!(good, "{part}: {said}");
        count += 1;
    }
    assert!(count >= 8, "{count} examples");
}

#[test]
fn the_reference_names_every_field_and_no_other() {
    let documented: BTreeSet<String> = reference().iter().flat_map(|page| first_cells(page)).collect();

    let mut fields = BTreeSet::new();
    for object in [
        "",
        "ledger",
        "ledger.token",
        "identities[]",
        "rules[]",
        "rules[].match",
        "rules[].match.path",
        "rules[].match.headers[]",
        "rules[].deprecated",
        "rules[].on_ledger_error",
        "default",
        "default.deprecated",
        "default.on_ledger_error",
        "on_ledger_error",
    ] {
        for field in fields_of(object) {
            fields.insert(if object.is_empty() { field } else { format!("{object}.{field}") });
        }
    }
    // Texts have names of the operator's, and the same members for every code.
    fields.extend(["texts.TAG", "texts.TAG.CODE", "texts.TAG.ACTION"].map(str::to_owned));
    fields.extend(fields_of("texts.de.missing_key").iter().map(|field| format!("texts.TAG.CODE.{field}")));

    assert_eq!(documented, fields);
}

#[test]
fn custom_texts_cover_only_documented_codes_and_actions() {
    let refusals = page("docs/refusals.md");
    let settings = page("docs/configuration.md");
    let actions = settings.lines().find(|line| line.starts_with("| `texts.TAG.ACTION` |")).expect("a row");
    for field in fields_of("texts.de") {
        let is_code = RefusalCode::named(&field).is_some();
        assert!(is_code || actions.contains(&format!("`{field}`")), "{field} in {actions}");
        assert!(refusals.contains(&format!("`{field}`")), "{field}");
    }
}

/// The fields that an object may have, as the filter itself lists them when it finds another.
fn fields_of(object: &str) -> Vec<String> {
    let mut config = json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}},
        "identities": [{"bearer": true}],
        "rules": [],
        "default": {"price": "1"}
    });
    let parts: Vec<&str> = object.split('.').filter(|part| !part.is_empty()).collect();
    let mut place = &mut config;
    for (number, part) in parts.iter().enumerate() {
        let is_list = part.ends_with("[]");
        let last = number + 1 == parts.len();
        let fresh = || if last { json!({}) } else { json!({"price": "1"}) };
        let member = &mut place[part.trim_end_matches("[]")];
        let keep = member.is_object() && !is_list && !last;
        if !keep {
            *member = if is_list { json!([fresh()]) } else { fresh() };
        }
        place = if is_list { &mut member[0] } else { member };
        if !last && *part != "rules[]" && *part != "default" && !keep {
            *place = json!({});
        }
    }
    place["an_unknown_field"] = json!(1);

    let (good, said) = check(&config.to_string());
    assert!(!good, "{config}");
    let said: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).expect("JSON");
    let problem = &said["filters"][0]["problems"][0];
    assert_eq!(problem["found"], "an unknown field", "{object}: {problem}");
    let allowed = problem["allowed"].as_str().and_then(|allowed| allowed.strip_prefix("one of "));
    allowed.expect("a list of fields").split(", ").map(str::to_owned).collect()
}
