//! What `faregate check --explain` shows of metered rules, and whether `docs/metering.md` shows the same.

use super::faregate;
use serde_json::{Map, Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The page about metering.
fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metering.md");
    std::fs::read_to_string(file).unwrap()
}

/// The fenced blocks of this kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let start = format!("```{kind}\n");
    page.split(&start).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A configuration with these members.
fn gate(members: &Value) -> Value {
    let mut all = json!({
        "ledger": {"cluster": "ledger", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": "free",
        "request_bodies": true,
    });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    all
}

/// What `faregate check` prints of a configuration in `gate.json`, without the line about the Envoy.
fn check(config: &Value, options: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let [file, envoy] = ["gate.json", "envoy"].map(|name| dir.path().join(name));
    std::fs::write(&file, config.to_string()).unwrap();
    let script = "#!/bin/sh\n[ $1 = --version ] && echo version: 1/1.40.0/ || true\n";
    std::fs::write(&envoy, script).unwrap();
    std::fs::set_permissions(&envoy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let [file, envoy] = [&file, &envoy].map(|path| path.to_str().unwrap());
    let words = [["check", file, "--envoy", envoy].as_slice(), options].concat();
    let printed = faregate(&words).unwrap().replace(&format!("{}/", dir.path().display()), "");
    let lines = printed.lines().filter(|line| !line.starts_with("envoy: ok"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The metered rules of a configuration, as JSON.
fn explained(rules: &Value) -> Vec<Value> {
    let printed = check(&gate(&json!({ "rules": rules })), &["--explain", "--json"]);
    let answer: Value = serde_json::from_str(&printed).unwrap();
    answer["filters"][0]["metered"].as_array().unwrap().clone()
}

/// The explanation of one rule with this meter.
fn explained_meter(meter: &Value) -> Value {
    let rules = explained(&json!([{ "name": "r", "meter": meter }]));
    assert_eq!(rules.len(), 1);
    rules.into_iter().next().unwrap()
}

/// Some members of each sample.
fn lines(rule: &Value, names: &[&str]) -> Vec<String> {
    let line = |sample: &Value| {
        names.iter().map(|name| sample[name].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    rule["samples"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn the_metering_page_shows_what_the_command_prints() {
    let page = page();
    let config: Value = serde_json::from_str(blocks(&page, "json")[0]).unwrap();
    let transcript = blocks(&page, "console")[0];
    let printed = check(&gate(&config), &["--explain"]);
    assert_eq!(
        transcript,
        format!("$ faregate check gate.json --explain\n{printed}"),
        "docs/metering.md is out of date"
    );
}

#[test]
fn every_example_of_the_metering_page_is_a_valid_configuration() {
    let page = page();
    let examples = blocks(&page, "json");
    assert!(examples.len() >= 5, "{examples:?}");
    for example in examples {
        let config: Value = serde_json::from_str(example).unwrap();
        let printed = check(&gate(&config), &["--explain"]);
        assert!(printed.starts_with("gate.json: ok\n\nrule "), "{example}: {printed}");
    }
}

#[test]
fn the_metering_page_names_every_field_of_a_meter() {
    let page = page();
    for meter in [
        json!({"llm": "auto"}),
        json!({"llm": "auto", "hold": {}}),
        json!({"mcp": {}}),
        json!({"a2a": "1"}),
        json!({"header": "x"}),
        json!({"response_json": "/a"}),
        json!({"response_bytes": "1"}),
        json!({"seconds": "1"}),
    ] {
        for field in fields(&meter) {
            assert!(page.contains(&format!("`{field}`")), "{field} of {meter}");
        }
    }
}

/// The fields that a meter may have, or the object in it, as the filter lists them when it finds another.
fn fields(meter: &Value) -> Vec<String> {
    let mut meter = meter.clone();
    let inner = meter.get("hold").is_some();
    let place: &mut Map<String, Value> =
        if inner { &mut meter["hold"] } else { &mut meter }.as_object_mut().unwrap();
    place.insert("an_unknown_field".into(), json!(1));
    if inner {
        meter["prices"] = json!("ledger");
    }
    let config = gate(&json!({ "rules": [{ "meter": meter }] }));
    let error = faregate::decide::settings::Settings::from_value(&config).unwrap_err();
    let fault = error.fault();
    assert_eq!(fault.found, "an unknown field", "{error}");
    let allowed = fault.allowed.strip_prefix("one of ").unwrap();
    allowed.split(", ").filter(|name| *name != "$comment").map(str::to_owned).collect()
}

#[test]
fn a_model_costs_the_same_whatever_its_api_is() {
    let prices = json!({"gpt-5": {"input": "1.25", "output": "10"}});
    for llm in ["auto", "openai", "anthropic", "gemini", "mistral", "cohere", "ollama", "bedrock"] {
        let rule = explained_meter(&json!({"llm": llm, "prices": prices}));
        let expected = [
            "gpt-5 0.00625 0.00195 reported",
            "gpt-5 0.00625 0.00365 estimated",
            "gpt-5 0.00625 0.00125 estimated",
        ];
        assert_eq!(lines(&rule, &["model", "held", "charged", "basis"]), expected, "{llm}");
    }
}

#[test]
fn a_sample_follows_the_fields_of_its_rule() {
    let prices = json!({"m": {"input": "1", "output": "10"}});
    for (more, expected) in [
        (json!({"hold": {"bytes_per_token": 1}}), ["0.007 0.0018", "0.007 0.0068", "0.007 0.002"]),
        (json!({"hold": {"at_most": "0.002"}}), ["0.002 0.0018", "0.002 0.0034", "0.002 0.001"]),
        (json!({"no_usage": "hold"}), ["0.006 0.0018", "0.006 0.006", "0.006 0.001"]),
        (json!({"no_usage": "free"}), ["0.006 0.0018", "0.006 0", "0.006 0.001"]),
    ] {
        let mut meter = json!({"llm": "openai", "prices": prices});
        meter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(lines(&explained_meter(&meter), &["held", "charged"]), expected, "{more}");
    }
    let rules =
        explained(&json!([{"price": "1", "meter": {"llm": "openai", "prices": prices, "no_usage": "free"}}]));
    assert_eq!(lines(&rules[0], &["held", "charged"]), ["1.006 1.0018", "1.006 1", "1.006 1.001"]);
}

#[test]
fn of_many_models_three_are_shown_and_the_others_are_counted() {
    let price = json!({"input": "1", "output": "2"});
    let prices: Map<String, Value> = (0..5).map(|number| (format!("m{number}"), price.clone())).collect();
    let rule = explained_meter(&json!({"llm": "auto", "prices": prices, "unknown_model": price}));
    let shown = lines(&rule, &["model"]);
    assert_eq!(shown.len(), 4 * 3, "{shown:?}");
    assert_eq!(shown.last().unwrap(), "any other");
    assert_eq!(rule["notes"], json!(["and 2 models"]));
}

#[test]
fn prices_of_the_ledger_are_referred_to() {
    let rule = explained_meter(&json!({"llm": "auto", "prices": "ledger"}));
    assert_eq!(rule["samples"], json!([]));
    let notes = rule["notes"].to_string();
    assert!(notes.contains("faregate prices show MODEL") && notes.contains("unknown_model"), "{notes}");
}

#[test]
fn what_is_held_for_a_body_that_is_not_read_is_noted() {
    let meter = json!({"llm": "auto", "prices": "ledger", "larger": "hold", "hold": {"at_most": "2.5"}});
    let notes = explained_meter(&meter)["notes"].to_string();
    assert!(notes.contains("a body above 1048576 bytes isn't read: 2.5 is held"), "{notes}");
}

#[test]
fn that_an_answer_ends_when_nothing_is_left_is_noted() {
    for stops in [true, false] {
        let meter = json!({"llm": "auto", "prices": "ledger", "stop_at_zero": stops});
        let notes = explained_meter(&meter)["notes"].to_string();
        assert_eq!(notes.contains("it ends when nothing is left (stop_at_zero)"), stops, "{notes}");
    }
}

#[test]
fn each_tool_is_shown_with_its_price() {
    let tools = json!({"search": "0.5", "report-*": "3", "report-x": "7", "*": "0.25", "help": "free"});
    let rule = explained_meter(&json!({"mcp": tools, "other": "1"}));
    let expected =
        ["* 0.25 0.25", "help 0 0", "report-* 3 3", "report-x 7 7", "search 0.5 0.5", "any other 1 1"];
    assert_eq!(lines(&rule, &["call", "held", "charged"]), expected);
    assert_eq!(rule["notes"], json!(["not charged: an answer with error, input_required"]));
    let rule = explained_meter(&json!({"a2a": "2", "refund": []}));
    assert_eq!(lines(&rule, &["call", "held", "charged", "basis"]), ["a message 2 2 listed"]);
    assert_eq!(rule["notes"], json!([]));
    let rule = explained_meter(&json!({"a2a": "2", "refund": ["failed"]}));
    assert_eq!(rule["notes"], json!(["not charged: an answer with failed"]));
}

#[test]
fn numbers_sizes_and_times_are_shown_with_their_hold() {
    for (meter, expected) in [
        (
            json!({"header": "x-cost", "unit": "0.01", "hold": "2"}),
            vec!["2 x-cost: 100 1 reported", "2 without x-cost 2 held"],
        ),
        (
            json!({"response_json": "/meta/a~1b", "unit": "0.01", "hold": "2", "missing": "free"}),
            vec!["2 100 at /meta/a~1b 1 reported", "2 nothing at /meta/a~1b 0 listed"],
        ),
        (json!({"response_bytes": "0.5", "per": 1000, "hold": "2"}), vec!["2 1000000 bytes 500 reported"]),
        (json!({"seconds": "0.003", "hold": {"seconds": 60}}), vec!["0.18 after 10 seconds 0.03 reported"]),
    ] {
        assert_eq!(
            lines(&explained_meter(&meter), &["held", "answer", "charged", "basis"]),
            expected,
            "{meter}"
        );
    }
}

#[test]
fn without_the_option_and_without_meters_nothing_is_explained() {
    let config = gate(&json!({ "rules": [{ "meter": { "a2a": "1" } }] }));
    assert_eq!(check(&config, &[]), "gate.json: ok\n");
    let answer: Value = serde_json::from_str(&check(&config, &["--json"])).unwrap();
    assert_eq!(answer["filters"][0]["metered"], Value::Null);
    let printed = check(&gate(&json!({})), &["--explain"]);
    assert_eq!(printed, "gate.json: ok\nno rule has a meter: a request costs the price of its rule\n");
}
