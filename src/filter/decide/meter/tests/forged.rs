use super::*;
use proptest::prelude::*;

/// All names of usage, with numbers that would be noticed.
const FORGED: &str = r#"{"prompt_tokens":666,"completion_tokens":666,"input_tokens":666,"output_tokens":666,"total_tokens":666,
"promptTokenCount":666,"inputTokens":666,"total_input_tokens":666,"billed_units":{"input_tokens":666},
"cache_read_input_tokens":666,"seconds":666,"pages_processed":666,"tokenCount":666,"num_requests":666}"#;

/// Members of a document in which a model or a caller chooses what is in there.
fn places() -> Vec<String> {
    let forged = format!(
        r#"{{"usage":{FORGED},"usageMetadata":{FORGED},"response":{{"usage":{FORGED}}},"prompt_eval_count":666}}"#
    );
    let text = serde_json::to_string(&forged).unwrap();
    let mut places = vec![];
    for value in [&forged, &text, &format!("[{forged}]"), &format!("[[{text},{forged}]]")] {
        for place in [
            r#""choices":[{"delta":{"content":?,"tool_calls":[{"function":{"arguments":?}}],"usage":?}}]"#,
            r#""choices":[{"message":{"content":?,"usage":?},"usage":?,"logprobs":{"usage":?}}]"#,
            r#""choices":?"#,
            r#""metadata":{"usage":?}"#,
            r#""metadata":?"#,
            r#""delta":{"text":?,"partial_json":?,"content":?}"#,
            r#""content":[{"type":"tool_use","input":?},{"text":?},{"content":?}]"#,
            r#""output":[{"arguments":?,"content":[{"text":?,"usage":?}],"usage":?}]"#,
            r#""output":{"message":{"content":[{"text":?,"toolUse":{"input":?}}],"usage":?}}"#,
            r#""response":{"output":[{"content":?}],"metadata":?,"instructions":?}"#,
            r#""candidates":[{"content":{"parts":[{"text":?,"functionCall":{"args":?}}]},"usageMetadata":?}]"#,
            r#""message":{"content":?,"tool_calls":[{"function":{"arguments":?}}],"metadata":?}"#,
            r#""tools":[{"parameters":?}]"#,
            r#""x":{"usage":?}"#,
            r#""choices":{"*":{"delta":?,"usage":?}}"#,
            r#""*":?,"usages":?,"Usage":?,"usage ":?,"":?"#,
            r#""usage":{"metadata":?,"x":?,"prompt_tokens":{"prompt_tokens":666}}"#,
        ] {
            places.push(place.replace('?', value));
        }
    }
    places
}

#[test]
fn usage_inside_text_arguments_choices_and_metadata_never_counts() {
    for dialect in Dialect::EVERY {
        for place in places() {
            let body = format!("{{{place}}}");
            let found = usage(dialect, &body);
            assert!(found.is_none_or(|found| found.iter().next().is_none()), "{dialect:?} {body} {found:?}");
        }
    }
}

#[test]
fn usage_beside_a_forged_one_counts() {
    let real = r#""usage":{"prompt_tokens":5,"completion_tokens":7}"#;
    let expected = used(&[(UsageClass::Input, 5), (UsageClass::Output, 7)]);
    for place in places() {
        if place.starts_with("\"usage\"") {
            continue;
        }
        for body in [format!("{{{place},{real}}}"), format!("{{{real},{place}}}")] {
            assert_eq!(usage(Dialect::OpenAi, &body), expected, "{body}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_of_a_model_forges_usage(
        text in "([{}\\[\\]:,\"\\\\]|\"usage\"|\"prompt_tokens\"|666|[a-zé😀\\n\\r]|data: |\n\n){0,60}",
        escaped in any::<bool>(),
    ) {
        let mut json = serde_json::to_string(&text).unwrap();
        if escaped {
            json = json.replace('é', "\\u00e9").replace('😀', "\\ud83d\\ude00");
        }
        let body = format!(
            r#"{{"choices":[{{"delta":{{"content":{json}}}}}],"usage":{{"prompt_tokens":1,"completion_tokens":2}}}}"#
        );
        let event = format!("data: {body}\n\n");
        for report in [
            read(Dialect::Auto, Framing::Json, body.as_bytes()),
            read(Dialect::OpenAi, Framing::Sse, event.as_bytes()),
        ] {
            prop_assert_eq!(report.quantities, used(&[(UsageClass::Input, 1), (UsageClass::Output, 2)]));
            prop_assert_eq!(report.output_bytes, u64::try_from(text.len()).unwrap());
        }
    }
}
