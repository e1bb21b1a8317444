//! Requests as the SDKs of November 2026 send them, and tricks.

use super::*;
use crate::decide::base::json::samples::any_json_with;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A base64 image of 24 bytes.
const PIXELS: &str = "iVBORw0KGgoAAAANSUhEUgAA";

fn asked(shape: RequestShape, path: &str, body: &str) -> Asked {
    let asked =
        read(shape, path.as_bytes(), body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"));
    assert_eq!(asked.text_bytes + asked.image_bytes, body.len() as u64);
    asked
}

fn of(path: &str, body: &str) -> Asked {
    asked(RequestShape::of(path.as_bytes()).unwrap(), path, body)
}

fn error(path: &str, body: &str) -> BodyError {
    read(RequestShape::of(path.as_bytes()).unwrap(), path.as_bytes(), body.as_bytes()).unwrap_err()
}

/// Without the places, which `edit` tests.
fn plain(asked: Asked) -> Asked {
    Asked { places: Places::default(), text_bytes: 0, image_bytes: 0, ..asked }
}

fn model(name: &str) -> Asked {
    Asked { model: Some(name.to_owned()), choices: 1, ..Asked::default() }
}

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const ANTHROPIC: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-3-pro:generateContent";
const INTERACTIONS: &str = "/v1beta/interactions";
const BEDROCK: &str = "/model/us.amazon.nova-pro-v1%3A0/converse";

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn each_api_says_what_it_wants_in_its_own_fields() {
    for (path, body, expected) in [
        (
            CHAT,
            r#"{"messages":[{"role":"user","content":"hi"}],"model":"gpt-6","max_completion_tokens":100,"n":2,"stream":true,"stream_options":{"include_usage":true},"service_tier":"flex"}"#,
            Asked {
                cap: Some(100),
                choices: 2,
                stream: true,
                include_usage: IncludeUsage::True,
                tier: Some("flex".to_owned()),
                ..model("gpt-6")
            },
        ),
        (
            CHAT,
            r#"{"model":"gpt-6","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"max_tokens":7,"n":null,"stream":false,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}"#,
            Asked { cap: Some(7), ..model("gpt-6") },
        ),
        (
            "/openai/deployments/mine/chat/completions?api-version=2024-10-21",
            r#"{"model":"other","messages":[]}"#,
            model("mine"),
        ),
        (
            "/v1/completions",
            r#"{"model":"gpt-3.5-turbo-instruct","prompt":["a","b"],"n":2,"best_of":3,"max_tokens":5}"#,
            Asked { cap: Some(5), choices: 6, ..model("gpt-3.5-turbo-instruct") },
        ),
        ("/v1/completions", r#"{"model":"m","prompt":[1,2,3]}"#, model("m")),
        ("/v1/completions", r#"{"model":"m","prompt":[[1,2],[3]]}"#, Asked { choices: 2, ..model("m") }),
        (
            RESPONSES,
            r#"{"model":"gpt-6","input":[{"role":"user","content":"hi"}],"max_output_tokens":9,"stream":true,"service_tier":"priority","tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]}"#,
            Asked { cap: Some(9), stream: true, tier: Some("priority".to_owned()), ..model("gpt-6") },
        ),
        (
            RESPONSES,
            r#"{"model":"gpt-6","input":"hi","background":true}"#,
            Asked { background: true, ..model("gpt-6") },
        ),
        (
            "/v1/embeddings",
            r#"{"input":["a"],"model":"text-embedding-4","encoding_format":"base64"}"#,
            model("text-embedding-4"),
        ),
        (
            "/v1/images/generations",
            r#"{"prompt":"a cat","background":"transparent","model":"gpt-image-2","n":4,"stream":true}"#,
            Asked { choices: 4, ..model("gpt-image-2") },
        ),
        (
            ANTHROPIC,
            r#"{"max_tokens":1024,"messages":[{"role":"user","content":"hi"}],"model":"claude-opus-5","speed":"fast","service_tier":"auto","stream":true,"tools":[{"name":"f","input_schema":{"type":"object"}}]}"#,
            Asked {
                cap: Some(1_024),
                stream: true,
                tier: Some("auto".to_owned()),
                speed: Some("fast".to_owned()),
                ..model("claude-opus-5")
            },
        ),
        (
            GEMINI,
            r#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"serviceTier":"flex","generationConfig":{"temperature":1,"maxOutputTokens":50,"candidateCount":2,"responseModalities":["TEXT"]}}"#,
            Asked { cap: Some(50), choices: 2, tier: Some("flex".to_owned()), ..model("gemini-3-pro") },
        ),
        (
            "/v1beta/models/g:streamGenerateContent?alt=sse",
            r#"{"contents":[],"generation_config":{"max_output_tokens":50}}"#,
            Asked { cap: Some(50), stream: true, ..model("g") },
        ),
        (
            INTERACTIONS,
            r#"{"model":"gemini-3-pro","input":"hi","generation_config":{"max_output_tokens":8},"stream":true,"tools":[{"type":"function","name":"f"}],"service_tier":"flex"}"#,
            Asked { cap: Some(8), stream: true, tier: Some("flex".to_owned()), ..model("gemini-3-pro") },
        ),
        (
            "/v1/fim/completions",
            r#"{"model":"codestral","prompt":"a","max_tokens":3}"#,
            Asked { cap: Some(3), ..model("codestral") },
        ),
        (
            "/v2/chat",
            r#"{"model":"command-a","messages":[{"role":"user","content":"hi"}],"max_tokens":4,"stream":true,"documents":["a"]}"#,
            Asked { cap: Some(4), stream: true, ..model("command-a") },
        ),
        (
            "/v2/rerank",
            r#"{"model":"rerank-v4","query":"q","documents":["a","b","c"],"top_n":1}"#,
            Asked { documents: 3, ..model("rerank-v4") },
        ),
        ("/v2/embed", r#"{"model":"embed-v5","input_type":"search_query","texts":["a"]}"#, model("embed-v5")),
        (
            "/api/chat",
            r#"{"model":"llama4","messages":[],"options":{"num_predict":6}}"#,
            Asked { cap: Some(6), stream: true, ..model("llama4") },
        ),
        (
            "/api/generate",
            r#"{"model":"llama4","prompt":"a","stream":false,"options":{"num_predict":-1}}"#,
            model("llama4"),
        ),
        (
            BEDROCK,
            r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":11},"serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"},"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"cachePoint":{"type":"default"}}]}}"#,
            Asked {
                cap: Some(11),
                tier: Some("flex".to_owned()),
                speed: Some("optimized".to_owned()),
                ..model("us.amazon.nova-pro-v1:0")
            },
        ),
        ("/model/m/converse-stream", "{}", Asked { stream: true, ..model("m") }),
    ] {
        assert_eq!(plain(of(path, body)), expected, "{path} {body}");
    }
}

#[test]
fn of_two_limits_the_larger_counts_and_none_counts_as_more() {
    for (members, cap) in [
        (r#""max_tokens":5,"max_completion_tokens":9"#, Some(9)),
        (r#""max_completion_tokens":5,"max_tokens":9"#, Some(9)),
        (r#""max_completion_tokens":5,"max_tokens":null"#, Some(5)),
        (r#""max_completion_tokens":5,"max_tokens":-1"#, None),
        (r#""max_tokens":99999999999999999999999"#, Some(u64::MAX)),
        (r#""max_tokens":0"#, Some(0)),
        (r#""x":{"max_tokens":5}"#, None),
    ] {
        let body = format!("{{{members}}}");
        let asked = of(CHAT, &body);
        assert_eq!(asked.cap, cap, "{members}");
        let numbers: Vec<_> =
            asked.cap_at().map(|at| body.get(at).unwrap().parse::<f64>().unwrap()).collect();
        assert_eq!(
            numbers.len(),
            members.matches("tokens\":").count()
                - members.matches("null").count()
                - members.matches("x\"").count()
        );
    }
}

#[test]
fn whether_usage_is_asked_for_is_known() {
    use IncludeUsage::{Absent, False, OptionsWithoutIt, True};
    for (options, expected) in [
        ("", Absent),
        (r#","stream_options":null"#, Absent),
        (r#","stream_options":{}"#, OptionsWithoutIt),
        (r#","stream_options":{"include_obfuscation":false}"#, OptionsWithoutIt),
        (r#","stream_options":{"include_usage":false}"#, False),
        (r#","stream_options":{"include_usage":null}"#, False),
        (r#","stream_options":{"include_usage":true}"#, True),
        (r#","include_usage":true"#, Absent),
    ] {
        assert_eq!(of(CHAT, &format!(r#"{{"stream":true{options}}}"#)).include_usage, expected, "{options}");
    }
}

#[test]
fn what_readers_may_take_for_two_things_is_refused() {
    use BodyError::{Duplicate, Spelling, TooLong, WrongType};
    for (path, body, expected) in [
        (CHAT, r#"{"model":"cheap","model":"dear"}"#.to_owned(), Duplicate { name: "model" }),
        (CHAT, r#"{"model":"cheap","mod\u0065l":"dear"}"#.to_owned(), Duplicate { name: "model" }),
        (CHAT, r#"{"model":"cheap","Model":"dear"}"#.to_owned(), Spelling { name: "model" }),
        (CHAT, r#"{"ſtream":true}"#.to_owned(), Spelling { name: "stream" }),
        (CHAT, r#"{"maxTokens":5}"#.to_owned(), Spelling { name: "max_tokens" }),
        (CHAT, r#"{"n":1,"n":1}"#.to_owned(), Duplicate { name: "n" }),
        (
            CHAT,
            r#"{"stream_options":{},"stream_options":{}}"#.to_owned(),
            Duplicate { name: "stream_options" },
        ),
        (
            CHAT,
            r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#.to_owned(),
            Duplicate { name: "include_usage" },
        ),
        (
            CHAT,
            r#"{"service_tier":"flex","service_tier":"priority"}"#.to_owned(),
            Duplicate { name: "service_tier" },
        ),
        (
            GEMINI,
            r#"{"generationConfig":{},"generation_config":{}}"#.to_owned(),
            Duplicate { name: "generation_config" },
        ),
        (
            GEMINI,
            r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#.to_owned(),
            Duplicate { name: "max_output_tokens" },
        ),
        (GEMINI, r#"{"GenerationConfig":{}}"#.to_owned(), Spelling { name: "generation_config" }),
        (INTERACTIONS, r#"{"generationConfig":{}}"#.to_owned(), Spelling { name: "generation_config" }),
        (CHAT, r#"{"model":1}"#.to_owned(), WrongType { name: "model" }),
        (CHAT, r#"{"max_tokens":"5"}"#.to_owned(), WrongType { name: "max_tokens" }),
        (CHAT, r#"{"max_tokens":5.5}"#.to_owned(), WrongType { name: "max_tokens" }),
        (CHAT, r#"{"max_tokens":1e9}"#.to_owned(), WrongType { name: "max_tokens" }),
        (CHAT, r#"{"max_tokens":[5]}"#.to_owned(), WrongType { name: "max_tokens" }),
        (CHAT, r#"{"stream":"true"}"#.to_owned(), WrongType { name: "stream" }),
        (CHAT, r#"{"stream_options":[]}"#.to_owned(), WrongType { name: "stream_options" }),
        (CHAT, r#"{"stream_options":{"include_usage":1}}"#.to_owned(), WrongType { name: "include_usage" }),
        (BEDROCK, r#"{"inferenceConfig":5}"#.to_owned(), WrongType { name: "inferenceConfig" }),
        (CHAT, "[]".to_owned(), WrongType { name: "body" }),
        (CHAT, "1".to_owned(), WrongType { name: "body" }),
        (CHAT, format!(r#"{{"model":"{}"}}"#, "a".repeat(257)), TooLong { name: "model" }),
        (CHAT, format!(r#"{{"service_tier":"{}"}}"#, "a".repeat(65)), TooLong { name: "service_tier" }),
        (CHAT, String::new(), BodyError::Malformed { at: 0 }),
        (CHAT, r#"{"model":"a"} x"#.to_owned(), BodyError::Malformed { at: 14 }),
        (CHAT, r#"{"model":"a""#.to_owned(), BodyError::Malformed { at: 12 }),
    ] {
        assert_eq!(error(path, &body), expected, "{body}");
    }
    assert_eq!(of(CHAT, &format!(r#"{{"model":"{}"}}"#, "a".repeat(256))).model.unwrap().len(), 256);
}

#[test]
fn the_same_names_elsewhere_mean_nothing() {
    for body in [
        r#"{"model":"m","metadata":{"model":"x","max_tokens":1,"n":9,"stream":true}}"#,
        r#"{"model":"m","messages":[{"model":"x","content":"{\"model\":\"y\"}"},{"model":"z"}]}"#,
        r#"{"model":"m","tools":[{"type":"function","function":{"parameters":{"model":1,"type":"web_search","image_url":"https://a"}}}]}"#,
        r#"{"model":"m","messages":[{"content":[{"type":"text","text":"data:image/png;base64,AAAA"}]}]}"#,
        r#"{"model":"m","image_url":"https://a","file_id":"f","previous_response_id":"r"}"#,
    ] {
        assert_eq!(plain(of(CHAT, body)), model("m"), "{body}");
        assert_eq!(of(CHAT, body).image_bytes, 0, "{body}");
    }
}

#[test]
fn inline_images_are_counted_by_number_and_not_by_bytes() {
    let url = format!("data:image/png;base64,{PIXELS}");
    let cohere_url = json!({"type": "image_url", "image_url": {"url": url}});
    let source = json!({"type": "base64", "media_type": "image/png", "data": PIXELS});
    let image = json!({"type": "image", "source": source});
    let bedrock = json!({"image": {"format": "png", "source": {"bytes": PIXELS}}});
    let gemini = json!({"type": "image", "mime_type": "image/png", "data": PIXELS});
    for (path, body, length) in [
        (CHAT, json!({"messages": [{"content": [cohere_url]}]}), url.len()),
        (CHAT, json!({"messages": [{"content": [{"image_url": url}]}]}), url.len()),
        (
            RESPONSES,
            json!({"input": [{"content": [{"type": "input_image", "image_url": url, "file_id": null}]}]}),
            url.len(),
        ),
        (
            RESPONSES,
            json!({"input": [{"type": "function_call_output", "output": [{"image_url": url}]}]}),
            url.len(),
        ),
        (ANTHROPIC, json!({"messages": [{"content": [image]}]}), PIXELS.len()),
        (
            ANTHROPIC,
            json!({"messages": [{"content": [{"type": "tool_result", "content": [image]}]}]}),
            PIXELS.len(),
        ),
        (
            ANTHROPIC,
            json!({"messages": [{"content": [{"type": "document", "source": {"type": "content", "content": [image]}}]}]}),
            PIXELS.len(),
        ),
        (
            GEMINI,
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": PIXELS}}]}]}),
            PIXELS.len(),
        ),
        (
            GEMINI,
            json!({"contents": [{"parts": [{"inline_data": {"data": PIXELS, "mime_type": "image/png"}}]}]}),
            PIXELS.len(),
        ),
        (INTERACTIONS, json!({"input": gemini}), PIXELS.len()),
        (INTERACTIONS, json!({"input": [gemini]}), PIXELS.len()),
        (
            INTERACTIONS,
            json!({"input": [{"type": "user_input", "content": [gemini, {"type": "text", "text": "a"}]}]}),
            PIXELS.len(),
        ),
        (BEDROCK, json!({"messages": [{"content": [bedrock]}]}), PIXELS.len()),
        (BEDROCK, json!({"messages": [{"content": [{"toolResult": {"content": [bedrock]}}]}]}), PIXELS.len()),
        ("/v2/chat", json!({"messages": [{"content": [cohere_url]}]}), url.len()),
        ("/v2/embed", json!({"images": [url]}), url.len()),
        ("/v2/embed", json!({"inputs": [{"content": [cohere_url]}]}), url.len()),
        ("/api/chat", json!({"messages": [{"images": [PIXELS]}]}), PIXELS.len()),
        ("/api/generate", json!({"images": [PIXELS]}), PIXELS.len()),
    ] {
        let asked = of(path, &body.to_string());
        assert_eq!(
            (asked.images, asked.image_bytes, asked.opaque),
            (1, length as u64, false),
            "{path} {body}"
        );
    }
    let escaped =
        of(CHAT, r#"{"messages":[{"content":[{"image_url":{"url":"data:image\/png;base64,AA\/\/"}}]}]}"#);
    assert_eq!((escaped.images, escaped.image_bytes), (1, 29), "as PHP writes it");
}

#[test]
fn text_in_the_clothes_of_an_image_counts_as_text() {
    let source = |members: &str| format!(r#"{{"messages":[{{"content":[{{"source":{{{members}}}}}]}}]}}"#);
    for (members, opaque) in [
        (r#""type":"text","media_type":"text/plain","data":"hi""#, false),
        (r#""type":"text","media_type":"image/png","data":"hi""#, false),
        (r#""data":"hi","media_type":"image/png","type":"text""#, false),
        (r#""type":"base64","media_type":"application/pdf","data":"hi""#, true),
        (r#""type":"base64","type":"text","media_type":"image/png","data":"hi""#, true),
        (r#""type":"base64","Type":"text","media_type":"image/png","data":"hi""#, true),
        (r#""type":"base64","media_type":"image/png","data":"hi","data":"ho""#, true),
        (r#""type":"base64","media_type":"image/png","media_type":"text/plain","data":"hi""#, true),
        (r#""type":"base64","media_type":"image/png""#, false),
    ] {
        let asked = of(ANTHROPIC, &source(members));
        assert_eq!((asked.images, asked.image_bytes, asked.opaque), (0, 0, opaque), "{members}");
    }
    for body in [
        r#"{"messages":[{"content":[{"type":"tool_use","input":{"source":{"type":"base64","media_type":"image/png","data":"hi"}}}]}]}"#,
        r#"{"tools":[{"name":"f","input_schema":{"source":{"type":"base64","media_type":"image/png","data":"hi"}}}]}"#,
        r#"{"system":[{"source":{"type":"base64","media_type":"image/png","data":"hi"}}]}"#,
    ] {
        assert_eq!(of(ANTHROPIC, body).image_bytes, 0, "{body}");
    }
}

#[test]
fn what_the_body_cannot_tell_is_marked() {
    for (path, body) in [
        (RESPONSES, r#"{"previous_response_id":"resp_1"}"#),
        (RESPONSES, r#"{"conversation":{"id":"c"}}"#),
        (RESPONSES, r#"{"prompt":{"id":"pmpt_1"}}"#),
        (RESPONSES, r#"{"tools":[{"type":"function"},{"type":"web_search"}]}"#),
        (RESPONSES, r#"{"tools":[{"type":"mcp"}]}"#),
        (RESPONSES, r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#),
        (RESPONSES, r#"{"input":[{"id":"msg_1"}]}"#),
        (RESPONSES, r#"{"input":[{"content":[{"type":"input_file","file_id":"f"}]}]}"#),
        (RESPONSES, r#"{"input":[{"content":[{"type":"input_file","file_url":"https://a"}]}]}"#),
        (RESPONSES, r#"{"input":[{"content":[{"type":"input_image","image_url":"https://a"}]}]}"#),
        (CHAT, r#"{"messages":[{"content":[{"image_url":{"url":"https://a"}}]}]}"#),
        (CHAT, r#"{"messages":[{"content":[{"image_url":{"url":"data:application/pdf;base64,AA"}}]}]}"#),
        (CHAT, r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]}"#),
        (
            CHAT,
            r#"{"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]}"#,
        ),
        (CHAT, r#"{"web_search_options":{}}"#),
        (CHAT, r#"{"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}"#),
        (ANTHROPIC, r#"{"tools":[{"type":"web_search_20260318","name":"web_search"}]}"#),
        (
            ANTHROPIC,
            r#"{"messages":[{"content":[{"type":"image","source":{"type":"url","url":"https://a"}}]}]}"#,
        ),
        (
            ANTHROPIC,
            r#"{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}"#,
        ),
        (ANTHROPIC, r#"{"mcp_servers":[{"url":"https://a"}]}"#),
        (ANTHROPIC, r#"{"fallbacks":[{"model":"dear"}]}"#),
        (GEMINI, r#"{"cachedContent":"cachedContents/a"}"#),
        (GEMINI, r#"{"cached_content":"cachedContents/a"}"#),
        (GEMINI, r#"{"contents":[{"parts":[{"fileData":{"fileUri":"gs://a"}}]}]}"#),
        (GEMINI, r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"AA"}}]}]}"#),
        (GEMINI, r#"{"tools":[{"googleSearch":{}}]}"#),
        (GEMINI, r#"{"tools":[{"functionDeclarations":[],"codeExecution":{}}]}"#),
        (GEMINI, r#"{"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}"#),
        (INTERACTIONS, r#"{"previous_interaction_id":"i"}"#),
        (INTERACTIONS, r#"{"agent":"deep-research"}"#),
        (INTERACTIONS, r#"{"input":{"type":"image","uri":"https://a"}}"#),
        (INTERACTIONS, r#"{"input":[{"type":"audio","mime_type":"audio/wav","data":"AA"}]}"#),
        (INTERACTIONS, r#"{"tools":[{"type":"google_search"}]}"#),
        ("/v1/agents/completions", r#"{"agent_id":"a"}"#),
        (BEDROCK, r#"{"messages":[{"content":[{"image":{"source":{"s3Location":{"uri":"s3://a"}}}}]}]}"#),
        (BEDROCK, r#"{"messages":[{"content":[{"document":{"source":{"bytes":"AA"}}}]}]}"#),
        (BEDROCK, r#"{"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}}]}}"#),
        (BEDROCK, r#"{"promptVariables":{"a":{"text":"b"}}}"#),
    ] {
        assert!(of(path, body).opaque, "{path} {body}");
    }
    for (path, body) in [
        (RESPONSES, r#"{"previous_response_id":null,"conversation":null,"prompt":null}"#),
        (
            RESPONSES,
            r#"{"input":[{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"a"}]}]}"#,
        ),
        (RESPONSES, r#"{"tools":[{"type":"namespace","tools":[{"type":"function"}]}]}"#),
        (ANTHROPIC, r#"{"tools":[{"type":"custom","name":"a"},{"name":"b"}]}"#),
    ] {
        assert!(!of(path, body).opaque, "{path} {body}");
    }
}

const SHAPES: [RequestShape; 15] = [
    RequestShape::Chat,
    RequestShape::Completions,
    RequestShape::Responses,
    RequestShape::Embeddings,
    RequestShape::Images,
    RequestShape::Anthropic,
    RequestShape::Gemini,
    RequestShape::Interactions,
    RequestShape::Mistral,
    RequestShape::CohereChat,
    RequestShape::CohereEmbed,
    RequestShape::Rerank,
    RequestShape::OllamaChat,
    RequestShape::OllamaGenerate,
    RequestShape::Bedrock,
];

/// Names that count somewhere.
const NAMES: &str = "model|max_tokens|n|stream|input|messages|content|contents|parts|image_url|url|source|type|data|media_type|mimeType|inlineData|tools|images|prompt|id|generationConfig|options|num_predict|documents|toolResult|image|bytes";

/// The same value, with an escape for each character of each string.
fn escaped(value: &Value, out: &mut String) {
    let text = |text: &str, out: &mut String| {
        out.push('"');
        out.extend(text.encode_utf16().map(|unit| format!("\\u{unit:04x}")));
        out.push('"');
    };
    match value {
        Value::String(string) => text(string, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                escaped(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, item)) in members.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                text(name, out);
                out.push(':');
                escaped(item, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..80), path in ".{0,20}") {
        for shape in SHAPES {
            let _ = RequestShape::of(path.as_bytes());
            prop_assert!(read(shape, path.as_bytes(), &body).is_err() || serde_json::from_slice::<Value>(&body).is_ok());
        }
    }

    #[test]
    fn what_is_json_is_only_refused_for_what_decides(value in any_json_with(NAMES), shape in prop::sample::select(&SHAPES[..])) {
        let body = value.to_string();
        match read(shape, b"/", body.as_bytes()) {
            Ok(asked) => {
                prop_assert!(value.is_object());
                prop_assert_eq!(asked.text_bytes + asked.image_bytes, body.len() as u64);
                prop_assert!(asked.choices > 0);
            }
            Err(BodyError::Malformed { .. } | BodyError::TooMuch { .. }) => prop_assert!(false, "{}", body),
            Err(_) => {}
        }
    }

    #[test]
    fn escapes_and_blanks_change_nothing(value in any_json_with(NAMES), shape in prop::sample::select(&SHAPES[..])) {
        let mut other = String::new();
        escaped(&value, &mut other);
        let read = |body: &str| read(shape, b"/", body.as_bytes()).map(plain);
        prop_assert_eq!(read(&other), read(&value.to_string()));
        prop_assert_eq!(read(&serde_json::to_string_pretty(&value).unwrap()), read(&value.to_string()));
    }
}
