//! A wrong configuration never becomes an open gate: Envoy refuses to start and says where it is wrong.

use harness::{Setup, envoy, envoy_config, filter, out_of};
use serde_json::{Value, json};
use std::process::Command;

fn what_envoy_says(config: Value) -> (bool, String) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let filter_config = Setup { config, ..Setup::default() }.filter_config();
    let envoy_config = envoy_config(dir.path(), "wrong", (1, 2), (&[3], 4), &filter_config);
    let file = dir.path().join("envoy.json");
    std::fs::write(&file, envoy_config.to_string()).expect("a file");
    out_of(Command::new(envoy()).args(["--mode", "validate", "-c"]).arg(file))
}

#[test]
fn a_valid_configuration_is_accepted() {
    let (good, said) = what_envoy_says(json!({}));
    assert!(good, "{said}");
}

#[test]
fn a_configuration_may_be_a_protobuf_struct() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let validate = |filter_config: Value| {
        let mut config = envoy_config(dir.path(), "struct", (1, 2), (&[3], 4), &json!({}));
        let plugin = config
            .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config")
            .expect("the filter");
        plugin["configuration"] =
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": filter_config});
        let file = dir.path().join("envoy.json");
        std::fs::write(&file, config.to_string()).expect("a file");
        out_of(Command::new(envoy()).args(["--mode", "validate", "-c"]).arg(file))
    };
    let (good, said) = validate(Setup::default().filter_config());
    assert!(good, "{said}");
    let (good, said) =
        validate(Setup { config: json!({"max_wait_ms": 0.5}), ..Setup::default() }.filter_config());
    let message = "max_wait_ms: found number 0.5; allowed is a whole number from 0 to 60000";
    assert!(!good && said.contains(message), "{said}");
}

#[test]
fn a_configuration_error_stops_envoy_and_names_its_location() {
    for (config, message) in [
        (
            json!({"default": {"price": 1}}),
            "default.price: found number 1; allowed is a decimal string such as",
        ),
        (
            json!({"rules": [{"price": "1", "metod": "GET"}]}),
            "rules[0].metod: found an unknown field; allowed is one of name, match,",
        ),
        (
            json!({"ledger": {"cluster": "ledger", "token": {"env": "NOT_SET"}}}),
            "ledger.token.env: found no environment variable \"NOT_SET\" in the VM",
        ),
        (
            json!({"rules": [{"match": {"path": {"exact": "/größe"}}, "price": "1"}]}),
            "rules[0].match.path.exact: found string \"/größe\"; allowed is the path as clients send it: /gr%C3%B6%C3%9Fe",
        ),
        (json!({"identities": [{"headr": "x"}]}), "identities[0].headr: found an unknown field"),
        (
            json!({"texts": {"de": {"invalid_key": {"detail": "{konto} ist unbekannt"}}}}),
            "texts.de.invalid_key.detail: found string \"{konto} ist unbekannt\"; allowed is a text without control characters, \
             with no braces but {account}, {plan}, {key}, {code}, {needed}, {available}, {resets_at} and {wait_seconds}",
        ),
    ] {
        let (good, said) = what_envoy_says(config);
        assert!(!good && said.contains(message), "{said}\nshould hold\n{message}");
    }
}

#[test]
fn the_filter_is_small() {
    let size = std::fs::metadata(filter()).expect("the filter").len();
    assert!(size <= 412_000, "{size} bytes");
}

/// What V8 compiles in one piece costs Envoy memory by the megabyte: 5 MB for a function of 10 kB.
#[test]
fn no_function_of_the_filter_is_large() {
    let wasm = std::fs::read(filter()).expect("the filter");
    let bodies = wasmparser::Parser::new(0).parse_all(&wasm).filter_map(|part| match part {
        Ok(wasmparser::Payload::CodeSectionEntry(body)) => Some(body.range().len()),
        _ => None,
    });
    let mut sizes: Vec<usize> = bodies.collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    // The largest is the C library's `malloc`, which every filter has.
    assert!(sizes[0] <= 5_000, "a function of {} bytes", sizes[0]);
    assert!(sizes[1] <= 3_500, "a second function of {} bytes", sizes[1]);
}
