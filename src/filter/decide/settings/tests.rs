mod matching;
mod texts;

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "ledger": {"cluster": "ledger", "token": {"env": "FAREGATE_GATEWAY_TOKEN"}},
        "identities": [{"header": "X-Api-Key"}, {"bearer": true}, {"query": "api_key"}, {"cookie": "fg"},
                       {"property": ["connection", "uri_san_peer_certificate"]}],
        "rules": [
            {"name": "health", "match": {"path": {"exact": "/healthz"}}, "price": "free"},
            {"match": {"host": "API.example.com", "path": {"template": "/v1/items/{}"}, "methods": ["GET"],
                       "headers": [{"name": "x-tier", "exact": "gold"}]},
             "price": "0.5", "refund_on": ["5xx", 404], "max_wait_ms": 50.0, "shadow": true,
             "on_ledger_error": {"allow_up_to": "10"}}
        ],
        "default": {"price": "1"}
    })
}

#[test]
fn a_full_configuration_is_read() {
    let settings = Settings::from_value(&good()).unwrap();
    assert_eq!(settings.ledger.authority, "ledger");
    assert_eq!(settings.ledger.timeout_ms, 500);
    assert_eq!(settings.identities[0], Identity::Header("x-api-key".into()));
    let rule = &settings.rules[1];
    assert_eq!((rule.name.as_str(), rule.price), ("rule-2", Some(Credits::from_micros(500_000))));
    assert!(
        rule.refund_on.has_status(404) && rule.refund_on.has_status(599) && !rule.refund_on.has_status(403)
    );
    assert_eq!(rule.on_ledger_error, OnLedgerError::AllowUpTo(Credits::from_micros(10_000_000)));
    assert_eq!((rule.max_wait_ms, rule.shadow), (50, true));
    let usual = settings.default.refund_on;
    assert!(usual.has_status(503) && !usual.has_status(500) && usual.has_unserved());
    assert!(usual.has_grpc(14) && !usual.has_grpc(13));
    assert!(settings.forward.account && !settings.forward.charge);
}

#[test]
fn errors_name_the_location_what_was_found_and_what_is_allowed() {
    let long = "x".repeat(300);
    for (at, bad, message) in [
        (
            "/rules/1/price",
            json!(3),
            "rules[1].price: found number 3; allowed is a decimal string such as \"1\" or \"0.5\", or \"free\"",
        ),
        ("/rules/1/price", json!(0.5), "rules[1].price: found number 0.5; allowed is a decimal string"),
        ("/rules/1/price", json!("1e9"), "rules[1].price: found \"1e9\", which is not a decimal number"),
        ("/rules/1/price", json!("-1"), "rules[1].price: found \"-1\", which is negative"),
        (
            "/rules/1/price",
            json!("0"),
            "rules[1].price: found \"0\"; allowed is an amount above zero, or \"free\"",
        ),
        (
            "/rules/1/pricee",
            json!("1"),
            "rules[1].pricee: found an unknown field; allowed is one of name, match, price",
        ),
        ("/default", json!("fre"), "default: found string \"fre\"; allowed is \"free\", or an object"),
        (
            "/identities/0",
            json!({"headr": "x"}),
            "identities[0].headr: found an unknown field; allowed is one of header, bearer",
        ),
        (
            "/identities/1/bearer",
            json!("yes"),
            "identities[1].bearer: found string \"yes\"; allowed is true or false",
        ),
        ("/identities", json!([]), "identities: found an empty list"),
        ("/rules/0/name", json!("rule-2"), "rules[1]: found the name \"rule-2\" a second time"),
        (
            "/rules/1/refund_on",
            json!([600]),
            "rules[1].refund_on[0]: found number 600; allowed is a status from 100 to 599",
        ),
        (
            "/rules/1/match/path",
            json!({"exact": "v1"}),
            "rules[1].match.path.exact: found string \"v1\"; allowed is a path that starts with /",
        ),
        (
            "/rules/1/match/path",
            json!({"template": "/a{}"}),
            "rules[1].match.path.template: found string \"/a{}\"; allowed is {} as a whole segment",
        ),
        (
            "/rules/1/match/path",
            json!("/v1"),
            "rules[1].match.path: found string \"/v1\"; allowed is {\"exact\": PATH}",
        ),
        (
            "/ledger/timeout_ms",
            json!(0),
            "ledger.timeout_ms: found number 0; allowed is a whole number from 1 to 60000",
        ),
        (
            "/rules/1/on_ledger_error",
            json!({"allow_up_to": "1000000000.000001"}),
            "rules[1].on_ledger_error.allow_up_to: found string \"1000000000.000001\"; allowed is at most \"1000000000\"",
        ),
        ("/ledger/cluster", json!(long), "ledger.cluster: found string \"xxx"),
        ("/forward", json!(["acount"]), "forward[0]: found \"acount\"; allowed is \"account\", \"key\""),
        (
            "/top_up_url",
            json!("javascript:alert(1)"),
            "top_up_url: found \"javascript:alert(1)\"; allowed is an absolute URL",
        ),
    ] {
        let mut config = good();
        let (parent, name) = at.rsplit_once('/').unwrap();
        match config.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.insert(name.to_owned(), bad)),
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = bad,
            other => panic!("{at} leads to {other}"),
        }
        let error = Settings::from_value(&config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}\nshould begin with\n{message}");
    }
}

#[test]
fn missing_required_fields_are_reported() {
    for name in ["ledger", "identities", "default"] {
        let mut config = good();
        config.as_object_mut().unwrap().remove(name);
        let error = Settings::from_value(&config).unwrap_err().to_string();
        assert_eq!(error, format!("{name}: found nothing; allowed is this field; it is required"));
    }
}

#[test]
fn a_token_never_appears_in_errors_or_debug_output() {
    let mut config = good();
    config["ledger"]["token"] = json!("tops3cret");
    let error = Settings::from_value(&config).unwrap_err().to_string();
    assert!(error.starts_with("ledger.token: found string; allowed is {\"env\""), "{error}");
    config["ledger"]["token"] = json!({"value": "tops3cret"});
    let settings = Settings::from_value(&config).unwrap();
    assert!(!format!("{settings:?}").contains("tops3cret"));
    config["ledger"]["token"] = json!({"value": "tops3cret\r\n"});
    assert_eq!(Settings::from_value(&config).unwrap(), settings, "a line break at the end is no part of it");
    for wrong in ["tops3cret\n\n", " tops3cret", "tops3cret\t", "", "\n"] {
        config["ledger"]["token"] = json!({"value": wrong});
        let error = Settings::from_value(&config).unwrap_err().to_string();
        assert!(error.starts_with("ledger.token.value: found string; allowed is a string of 1"), "{error}");
    }
}

#[test]
fn invalid_json_is_an_error() {
    let error = Settings::from_slice(b"{").unwrap_err().to_string();
    assert!(error.starts_with("(configuration): found text that is no JSON"), "{error}");
    assert!(Settings::from_slice(b"[]").is_err());
}

#[test]
fn a_check_finds_all_faults_and_no_consequences_of_them() {
    let mut config = good();
    config["ledger"] = json!([]);
    config["identities"] = json!([{"header": "a b"}, {"bearer": false}]);
    config["rules"] = json!([
        {"name": "a", "match": {"path": {"exact": "x"}}, "price": 1},
        {"name": "b", "match": {"methods": ["GET"]}, "pice": "1", "price": "1"},
        {"name": "c", "match": {"methods": ["GET"]}, "price": "1"},
        {"name": "d", "match": {"methods": ["GET"]}, "price": "1"},
    ]);
    let faults = Settings::check(&config).unwrap_err();
    let paths: Vec<&str> = faults.iter().map(|fault| fault.fault().path.as_str()).collect();
    let mut expected = vec![
        "identities[0].header",
        "identities[1].bearer",
        "ledger",
        "rules[0].match.path.exact",
        "rules[0].price",
        "rules[1].pice",
        "rules[3]",
    ];
    let mut found = paths.clone();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(Settings::from_value(&config).unwrap_err().fault().path, paths[0]);
    let many: Vec<Value> = (0..200).map(|number| json!({"name": format!("r{number}"), "price": 1})).collect();
    config["rules"] = json!(many);
    assert_eq!(Settings::check(&config).unwrap_err().len(), 100);
    assert_eq!(Settings::check_slice(good().to_string().as_bytes()).ok(), Settings::from_value(&good()).ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(
                "ledger|rules|price|match|path|exact|default|identities|.{0,4}",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics_the_reader(at in 0_usize..9, value in any_json()) {
        let mut config = good();
        let path = ["", "/ledger", "/ledger/token", "/identities/0", "/rules", "/rules/1", "/rules/1/match", "/rules/1/match/path", "/default"][at];
        *config.pointer_mut(path).unwrap() = value;
        let first = Settings::from_value(&config).err();
        let all = Settings::check(&config).err();
        prop_assert_eq!(first, all.and_then(|all| all.into_iter().next()));
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Settings::from_slice(&bytes);
    }
}
