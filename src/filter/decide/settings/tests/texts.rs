//! The operator's own words, as they are written.

use super::*;

fn read(texts: &Value) -> Result<Texts, String> {
    let mut config = good();
    config["texts"] = texts.clone();
    Settings::from_value(&config).map(|settings| settings.wording.texts).map_err(|error| error.to_string())
}

#[test]
fn texts_are_accepted_for_every_code_and_every_action() {
    let mut german = json!({});
    for code in faregate_protocol::RefusalCode::ALL {
        german[code.as_str()] =
            json!({"title": format!("Titel {code}"), "detail": "{needed} und {wait_seconds}"});
    }
    for action in actions::ACTIONS {
        german[action] = json!(format!("Aktion {action}"));
    }
    let texts = read(&json!({"de": german, "*": {"top_up": "Pay"}})).unwrap();
    assert!(!texts.is_empty());
    assert_eq!(texts.at("texts.de.missing_key.title"), Some("Titel missing_key"));
    assert_eq!(texts.at("texts.de.rate_limited.detail"), Some("{needed} und {wait_seconds}"));
    assert_eq!(texts.at("texts.de.contact_operator"), Some("Aktion contact_operator"));
    assert_eq!(texts.at("texts.*.top_up"), Some("Pay"));
    assert_eq!(texts.at("texts.*.retry"), None);
    assert_eq!(texts.tags(), ["*", "de"], "whatever comes first");
    assert!(read(&json!({})).unwrap().is_empty());
}

#[test]
fn an_invalid_text_is_reported_with_its_location() {
    let long = |bytes: usize| json!({"de": {"top_up": "x".repeat(bytes)}});
    assert!(read(&long(500)).is_ok());
    assert!(read(&json!({"de": {"invalid_key": {"detail": "ü".repeat(1_000)}}})).is_ok());
    assert!(read(&json!({"a".repeat(35): {"top_up": "x"}})).is_ok());
    let many: serde_json::Map<String, Value> =
        (0..33).map(|number| (format!("x{number}"), json!({"top_up": "x"}))).collect();
    let blanks = "allowed is a text without control characters, with no braces but {account}, {plan}, {key}, {code}, {needed}, {available}, {resets_at} and {wait_seconds}";
    for (texts, message) in [
        (
            json!("de"),
            "texts: found string \"de\"; allowed is an object from language tags to texts".to_owned(),
        ),
        (json!({"de_DE": {}}), "texts.de_DE: found no language tag".into()),
        (json!({"": {}}), "texts.: found no language tag".into()),
        (json!({"-de": {}}), "texts.-de: found no language tag".into()),
        (json!({"de-": {}}), "texts.de-: found no language tag".into()),
        (json!({"a".repeat(36): {}}), format!("texts.{}: found no language tag", "a".repeat(36))),
        (json!({"DE": {}, "de": {}}), "texts.de: found no language tag, or one that is there already".into()),
        (Value::Object(many), "texts: found too many languages; allowed is at most 32".into()),
        (
            json!({"de": "Hallo"}),
            "texts.de: found string \"Hallo\"; allowed is an object with missing_key,".into(),
        ),
        (
            json!({"de": {"no_money": {}}}),
            "texts.de.no_money: found an unknown field; allowed is one of missing_key,".into(),
        ),
        (
            json!({"de": {"invalid_key": {}}}),
            "texts.de.invalid_key: found nothing; allowed is title, detail, or both".into(),
        ),
        (
            json!({"de": {"invalid_key": "x"}}),
            "texts.de.invalid_key: found string \"x\"; allowed is an object with title, detail".into(),
        ),
        (
            json!({"de": {"invalid_key": {"text": "x"}}}),
            "texts.de.invalid_key.text: found an unknown field; allowed is one of title, detail".into(),
        ),
        (
            json!({"de": {"retry": {"title": "x"}}}),
            "texts.de.retry: found object; allowed is a string of 1 to 500 bytes".into(),
        ),
        (
            json!({"de": {"retry": ""}}),
            "texts.de.retry: found string \"\"; allowed is a string of 1 to 500 bytes".into(),
        ),
        (long(501), "texts.de.top_up: found string \"xxx".into()),
        (
            json!({"*": {"invalid_key": {"title": "x".repeat(501)}}}),
            "texts.*.invalid_key.title: found string \"xxx".into(),
        ),
        (
            json!({"*": {"invalid_key": {"detail": "x".repeat(2_001)}}}),
            "texts.*.invalid_key.detail: found string \"xxx".into(),
        ),
        (
            json!({"de": {"retry": "{konto}"}}),
            format!("texts.de.retry: found string \"{{konto}}\"; {blanks}"),
        ),
        (json!({"de": {"retry": "a\nb"}}), format!("texts.de.retry: found string \"a\\nb\"; {blanks}")),
        (
            json!({"de": {"retry": "a\u{85}b"}}),
            format!("texts.de.retry: found string \"a\\u0085b\"; {blanks}"),
        ),
    ] {
        let error = read(&texts).unwrap_err();
        assert!(error.starts_with(&message), "{error}\nshould begin with\n{message}");
    }
    for lone in
        ["{", "}", "a}", "{account", "{{account}}", "{account}}", "}{", "{}", "{ account }", "{account{key}}"]
    {
        let error = read(&json!({"de": {"invalid_key": {"detail": lone}}})).unwrap_err();
        assert!(
            error.starts_with("texts.de.invalid_key.detail: found string") && error.ends_with(blanks),
            "{error}"
        );
    }
}

#[test]
fn urls_allow_fewer_placeholders_than_texts() {
    let mut config = good();
    for (url, is_good) in [
        ("https://example.com/{account}?{key}", true),
        ("https://example.com/{needed}", false),
        ("https://example.com/{account", false),
        ("https://example.com/account}", false),
    ] {
        config["top_up_url"] = json!(url);
        assert_eq!(Settings::from_value(&config).is_ok(), is_good, "{url}");
    }
}
