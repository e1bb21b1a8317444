//! Changes as they are, and what they must leave alone.

use super::*;
use crate::decide::base::json::samples::any_json;
use crate::decide::meter::asked::reading::read;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn asked(shape: RequestShape, body: &str) -> Asked {
    read(shape, b"/", body.as_bytes()).unwrap()
}

fn changed(body: &str, changes: Vec<Change>) -> String {
    String::from_utf8(apply(body.as_bytes(), changes)).unwrap()
}

#[test]
fn a_stream_is_made_to_say_its_usage() {
    for (body, expected) in [
        (r#"{ "stream":true}"#, r#"{"stream_options":{"include_usage":true}, "stream":true}"#),
        (
            r#"{"stream":true,"stream_options":null}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{ }}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"a":1}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true,"a":1}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":null},"stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"stream":true}"#,
        ),
    ] {
        let change = ask_for_usage(RequestShape::Chat, &asked(RequestShape::Chat, body)).unwrap();
        assert_eq!(changed(body, vec![change]), expected);
        assert_eq!(ask_for_usage(RequestShape::Chat, &asked(RequestShape::Chat, expected)), None);
    }
    for (shape, body) in [
        (RequestShape::Chat, r#"{"stream":false}"#),
        (RequestShape::Chat, "{}"),
        (RequestShape::Chat, r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        (RequestShape::Mistral, r#"{"stream":true}"#),
        (RequestShape::Responses, r#"{"stream":true}"#),
    ] {
        assert_eq!(ask_for_usage(shape, &asked(shape, body)), None, "{body}");
    }
}

#[test]
fn a_limit_is_lowered_or_put_where_the_api_has_it() {
    for (shape, body, expected) in [
        (RequestShape::Chat, "{}", r#"{"max_completion_tokens":10}"#),
        (RequestShape::Chat, r#"{"model":"m"}"#, r#"{"max_completion_tokens":10,"model":"m"}"#),
        (RequestShape::Chat, r#"{"max_tokens":11}"#, r#"{"max_tokens":10}"#),
        (RequestShape::Chat, r#"{"max_tokens":10}"#, r#"{"max_tokens":10}"#),
        (RequestShape::Chat, r#"{"max_tokens":-1}"#, r#"{"max_tokens":10}"#),
        (RequestShape::Chat, r#"{"max_tokens":null}"#, r#"{"max_tokens":10}"#),
        (
            RequestShape::Chat,
            r#"{"max_tokens":99,"max_completion_tokens":5}"#,
            r#"{"max_tokens":10,"max_completion_tokens":5}"#,
        ),
        (
            RequestShape::Chat,
            r#"{"max_completion_tokens":99,"max_tokens":98}"#,
            r#"{"max_completion_tokens":10,"max_tokens":10}"#,
        ),
        (
            RequestShape::Chat,
            r#"{"max_completion_tokens":null,"max_tokens":98}"#,
            r#"{"max_completion_tokens":null,"max_tokens":10}"#,
        ),
        (RequestShape::Completions, r#"{"a":1}"#, r#"{"max_tokens":10,"a":1}"#),
        (RequestShape::Responses, r#"{"a":1}"#, r#"{"max_output_tokens":10,"a":1}"#),
        (RequestShape::Anthropic, r#"{"max_tokens":1024}"#, r#"{"max_tokens":10}"#),
        (RequestShape::Gemini, r#"{"a":1}"#, r#"{"generationConfig":{"maxOutputTokens":10},"a":1}"#),
        (
            RequestShape::Gemini,
            r#"{"generationConfig":{"topP":1}}"#,
            r#"{"generationConfig":{"maxOutputTokens":10,"topP":1}}"#,
        ),
        (
            RequestShape::Gemini,
            r#"{"generation_config":{"max_output_tokens":11}}"#,
            r#"{"generation_config":{"max_output_tokens":10}}"#,
        ),
        (
            RequestShape::Gemini,
            r#"{"generationConfig":null}"#,
            r#"{"generationConfig":{"maxOutputTokens":10}}"#,
        ),
        (RequestShape::Interactions, "{}", r#"{"generation_config":{"max_output_tokens":10}}"#),
        (RequestShape::OllamaChat, r#"{"options":{"num_predict":-2}}"#, r#"{"options":{"num_predict":10}}"#),
        (RequestShape::OllamaGenerate, r#"{"options":{}}"#, r#"{"options":{"num_predict":10}}"#),
        (RequestShape::Bedrock, "{}", r#"{"inferenceConfig":{"maxTokens":10}}"#),
        (RequestShape::Embeddings, r#"{"a":1}"#, r#"{"a":1}"#),
        (RequestShape::Images, r#"{"n":2}"#, r#"{"n":2}"#),
    ] {
        let changes = fit(shape, &asked(shape, body), 10);
        assert_eq!(changes.is_empty(), body == expected);
        assert_eq!(changed(body, changes), expected);
    }
}

/// Where each shape has its limits: the object and the members.
const CAPS: [(RequestShape, &str, &[&str]); 8] = [
    (RequestShape::Chat, "", &["max_tokens", "max_completion_tokens"]),
    (RequestShape::Completions, "", &["max_tokens"]),
    (RequestShape::Responses, "", &["max_output_tokens"]),
    (RequestShape::Anthropic, "", &["max_tokens"]),
    (RequestShape::Gemini, "generationConfig", &["maxOutputTokens"]),
    (RequestShape::Interactions, "generation_config", &["max_output_tokens"]),
    (RequestShape::OllamaChat, "options", &["num_predict"]),
    (RequestShape::Bedrock, "inferenceConfig", &["maxTokens"]),
];

/// A limit as a client may write it.
fn any_limit() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), (-2_i64..30).prop_map(Value::from), any::<u64>().prop_map(Value::from)]
}

/// A request with some of the members that are changed, besides any others.
fn any_request() -> impl Strategy<Value = (usize, Value)> {
    let options = prop_oneof![
        Just(Value::Null),
        prop::option::of(prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!(false))]).prop_map(
            |usage| match usage {
                Some(usage) => json!({"include_usage": usage}),
                None => json!({}),
            }
        ),
        Just(json!({"include_obfuscation": true})),
    ];
    let members = prop::collection::btree_map("[a-c]{1,3}", any_json(), 0..4);
    let limits = prop::collection::vec(prop::option::of(any_limit()), 2);
    let group =
        prop::option::of(prop::option::of(prop::collection::btree_map("[a-c]{1,3}", any_json(), 0..3)));
    (0..CAPS.len(), members, limits, group, prop::option::of(any::<bool>()), prop::option::of(options))
        .prop_map(|(at, members, limits, group, stream, options)| {
            let (_, object, names) = CAPS[at];
            let mut root = Map::from_iter(members);
            let written =
                names.iter().zip(limits).filter_map(|(name, limit)| Some(((*name).to_owned(), limit?)));
            if object.is_empty() {
                root.extend(written);
            } else if let Some(group) = group {
                let group =
                    group.map(|group| Value::from(group.into_iter().chain(written).collect::<Map<_, _>>()));
                root.insert(object.to_owned(), group.unwrap_or(Value::Null));
            }
            root.extend(stream.map(|stream| ("stream".to_owned(), stream.into())));
            root.extend(options.map(|options| ("stream_options".to_owned(), options)));
            (at, root.into())
        })
}

/// What `fit` must make of a value, said in values.
fn fitted(at: usize, value: &Value, cap: u64) -> Value {
    let (_, object, names) = CAPS[at];
    let mut fitted = value.clone();
    let mut place = fitted.as_object_mut().unwrap();
    if !object.is_empty() {
        let group = place.entry(object).or_insert(json!({}));
        if group.is_null() {
            *group = json!({});
        }
        place = group.as_object_mut().unwrap();
    }
    if !names.iter().any(|name| place.get(*name).is_some_and(Value::is_number)) {
        let fresh = if at == 0 { "max_completion_tokens" } else { names[0] };
        let null = names.iter().find(|name| place.contains_key(**name));
        place.insert((*null.unwrap_or(&fresh)).to_owned(), cap.into());
    }
    for name in names {
        if let Some(limit) = place.get_mut(*name)
            && (limit.as_i64().is_some_and(|limit| limit < 0)
                || limit.as_u64().is_some_and(|limit| limit > cap))
        {
            *limit = cap.into();
        }
    }
    fitted
}

/// What `ask_for_usage` must make of a value.
fn asking(at: usize, value: &Value) -> Value {
    let mut asking = value.clone();
    if at < 2 && value.get("stream") == Some(&json!(true)) {
        let options = asking.as_object_mut().unwrap().entry("stream_options").or_insert(json!({}));
        if options.is_null() {
            *options = json!({});
        }
        options["include_usage"] = json!(true);
    }
    asking
}

proptest! {
    #[test]
    fn a_change_changes_nothing_else((at, value) in any_request(), cap in 0_u64..40, pretty in any::<bool>()) {
        let shape = CAPS[at].0;
        let body = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let before = asked(shape, &body);
        let mut changes = fit(shape, &before, cap);
        let fits = changed(&body, changes.clone());
        prop_assert_eq!(serde_json::from_str::<Value>(&fits).unwrap(), fitted(at, &value, cap));
        let usage = ask_for_usage(shape, &before);
        let asks = changed(&body, usage.iter().cloned().collect());
        prop_assert_eq!(serde_json::from_str::<Value>(&asks).unwrap(), asking(at, &value));
        changes.extend(usage);

        // Both at once, and only scalars are replaced.
        let both = changed(&body, changes.clone());
        prop_assert_eq!(serde_json::from_str::<Value>(&both).unwrap(), asking(at, &fitted(at, &value, cap)));
        let replaced: usize = changes.iter().map(|change| change.at.len()).sum();
        let written: usize = changes.iter().map(|change| change.with.len()).sum();
        prop_assert_eq!(both.len(), body.len() - replaced + written);
        for change in &changes {
            let old = body.get(change.at.clone()).unwrap();
            prop_assert!(old.is_empty() || serde_json::from_str::<Value>(old).is_ok_and(|old| !old.is_object() && !old.is_array()));
        }

        // And once is enough.
        let after = asked(shape, &both);
        prop_assert!(after.cap.is_some_and(|limit| limit <= cap));
        prop_assert_eq!(fit(shape, &after, cap), []);
        prop_assert_eq!(ask_for_usage(shape, &after), None);
    }
}
