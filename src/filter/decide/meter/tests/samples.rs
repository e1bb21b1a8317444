//! A body for each API, streamed and not, written by hand after the providers' SDKs of November 2026.

use super::frames::{bedrock, frame};
use super::*;
use UsageClass::{
    AudioInput, CacheRead, CacheWrite, CacheWrite1h, ImageInput, ImageOutput, Input, Output, Page, Reasoning,
    Search, Second,
};

/// A body, and what it says.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) framing: Framing,
    pub(super) body: Vec<u8>,
    report: Report,
}

fn sample(
    name: &'static str,
    dialect: Dialect,
    framing: Framing,
    body: impl Into<Vec<u8>>,
    output_bytes: u64,
    classes: &[(UsageClass, u64)],
) -> Sample {
    let adds = framing == Framing::WebSocket;
    let report =
        Report { quantities: used(classes), complete: true, output_bytes, adds, ..Report::default() };
    Sample { name, dialect, framing, body: body.into(), report }
}

impl Sample {
    fn model(mut self, model: &str) -> Self {
        self.report.model = Some(model.to_owned());
        self
    }

    fn tier(mut self, tier: &str) -> Self {
        self.report.service_tier = Some(tier.to_owned());
        self
    }
}

/// Events with their names, as Anthropic and OpenAI's responses send them.
fn named(events: &[&'static str]) -> String {
    let name = |event: &'static str| event.split('"').nth(3).unwrap();
    events.iter().flat_map(|event| ["event: ", name(event), "\ndata: ", event, "\n\n"]).collect()
}

pub(super) fn all() -> Vec<Sample> {
    let mut all = openai();
    all.extend(openai_without_chat());
    all.extend(responses());
    all.extend(anthropic());
    all.extend(gemini());
    all.extend(others());
    all
}

fn openai() -> Vec<Sample> {
    vec![
        sample(
            "chat",
            Dialect::OpenAi,
            Framing::Json,
            r#"{
  "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
  "object": "chat.completion",
  "created": 1741569952,
  "model": "gpt-5.4-2026-08-01",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "Hello! How can I \"help\"?",
        "refusal": null,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get", "arguments": "{\"usage\":{\"prompt_tokens\":9}}"}}],
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 1117,
    "completion_tokens": 46,
    "total_tokens": 1163,
    "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
      "reasoning_tokens": 20, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": null
}
"#,
            24 + 3 + 29,
            &[(Input, 93), (CacheRead, 1024), (Output, 26), (Reasoning, 20)],
        )
        .model("gpt-5.4-2026-08-01")
        .tier("default"),
        sample(
            "chat, streamed",
            Dialect::OpenAi,
            Framing::Sse,
            events([
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5.4","service_tier":"priority","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a1"}"#,
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5.4","service_tier":"priority","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Grüße"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a1"}"#,
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5.4","service_tier":"priority","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a1"}"#,
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5.4","service_tier":"priority","system_fingerprint":"fp_1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"obfuscation":"a1"}"#,
                "[DONE]",
            ]),
            7 + 3,
            &[(Input, 14), (AudioInput, 5), (Output, 10)],
        )
        .model("gpt-5.4")
        .tier("priority"),
        sample(
            "llama.cpp, usage beside a choice",
            Dialect::OpenAi,
            Framing::Sse,
            events([
                r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1,"model":"llama","object":"chat.completion.chunk"}"#,
                r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1,"model":"llama","usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11},"timings":{"predicted_n":2}}"#,
                "[DONE]",
            ]),
            2,
            &[(Input, 9), (Output, 2)],
        )
        .model("llama"),
        sample(
            "completions",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"id":"cmpl-1","object":"text_completion","model":"instruct","choices":[{"text":"\n\nabc","index":0}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
            5,
            &[(Input, 5), (Output, 7)],
        )
        .model("instruct"),
    ]
}

fn openai_without_chat() -> Vec<Sample> {
    vec![
        sample(
            "embeddings",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.0069, 5e-05, 0.25]}],"model":"text-embedding-4","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            0,
            &[(Input, 8)],
        )
        .model("text-embedding-4"),
        sample(
            "images",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}],"usage":{"total_tokens":4296,"input_tokens":136,"output_tokens":4160,"input_tokens_details":{"text_tokens":36,"image_tokens":100},"output_tokens_details":{"image_tokens":4160,"text_tokens":0}}}"#,
            0,
            &[(Input, 36), (ImageInput, 100), (ImageOutput, 4160)],
        ),
        sample(
            "images, streamed",
            Dialect::OpenAi,
            Framing::Sse,
            named(&[
                r#"{"type":"image_generation.partial_image","b64_json":"AAAA","partial_image_index":0}"#,
                r#"{"type":"image_generation.completed","b64_json":"BBBB","usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#,
            ]),
            0,
            &[(Input, 10), (ImageInput, 40), (Output, 50)],
        ),
        sample(
            "transcription",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"text":"Imagine.","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}}"#,
            8,
            &[(Input, 4), (AudioInput, 10), (Output, 45)],
        ),
        sample(
            "transcription by the second",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"task":"transcribe","language":"english","duration":8.47,"text":"The beach.","segments":[{"text":"The beach."}],"usage":{"type":"duration","seconds":9}}"#,
            10,
            &[(Second, 9)],
        ),
        sample(
            "transcription, streamed",
            Dialect::OpenAi,
            Framing::Sse,
            events([
                r#"{"type":"transcript.text.delta","delta":"I see","logprobs":[]}"#,
                r#"{"type":"transcript.text.done","text":"I see","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}}"#,
            ]),
            5,
            &[(AudioInput, 14), (Output, 45)],
        ),
    ]
}

fn responses() -> Vec<Sample> {
    let realtime = [
        r#"{"type":"session.created","event_id":"e","session":{"model":"gpt-realtime"}}"#,
        r#"{"type":"response.output_audio_transcript.delta","delta":"Hello"}"#,
        r#"{"type":"response.done","response":{"object":"realtime.response","status":"completed","output":[{"content":[{"transcript":"Hello"}]}],"usage":{"total_tokens":30,"input_tokens":20,"output_tokens":10,"input_token_details":{"text_tokens":15,"audio_tokens":5,"image_tokens":0,"cached_tokens":10,"cached_tokens_details":{"text_tokens":10,"audio_tokens":0,"image_tokens":0}},"output_token_details":{"text_tokens":10,"audio_tokens":0}}}}"#,
        r#"{"type":"response.done","response":{"usage":{"total_tokens":3,"input_tokens":2,"output_tokens":1}}}"#,
    ];
    let mut socket: Vec<u8> = realtime.iter().flat_map(|event| frame(0x81, event.as_bytes())).collect();
    socket.extend(frame(0x88, &[3, 232]));
    vec![
        sample(
            "responses",
            Dialect::OpenAi,
            Framing::Json,
            r#"{"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-5.4","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"So"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"In a peaceful grove","annotations":[]}]},{"type":"function_call","arguments":"{}","name":"f"}],"service_tier":"flex","text":{"format":{"type":"text"}},"usage":{"input_tokens":3600,"input_tokens_details":{"cached_tokens":600,"cache_write_tokens":1000},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":3687},"tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0,"total_tokens":0},"web_search":{"num_requests":2}},"metadata":{"usage":"x"}}"#,
            2 + 19 + 2,
            &[(Input, 2000), (CacheRead, 600), (CacheWrite, 1000), (Output, 80), (Reasoning, 7), (Search, 2)],
        )
        .model("gpt-5.4")
        .tier("flex"),
        sample(
            "responses, streamed",
            Dialect::OpenAi,
            Framing::Sse,
            named(&[
                r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress","error":null,"model":"gpt-5.4","output":[],"service_tier":"auto","usage":null}}"#,
                r#"{"type":"response.output_item.added","item":{"content":[]}}"#,
                r#"{"type":"response.output_text.delta","item_id":"msg_1","delta":"Hi","logprobs":[]}"#,
                r#"{"type":"response.web_search_call.completed","item_id":"ws_1"}"#,
                r#"{"type":"response.function_call_arguments.delta","delta":"{\"a\":1}"}"#,
                r#"{"type":"response.output_text.done","text":"Hi"}"#,
                r#"{"type":"response.output_item.done","item":{"content":[{"text":"Hi"}],"usage":{"input_tokens":666}}}"#,
                r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","error":null,"model":"gpt-5.4","output":[{"content":[{"type":"output_text","text":"Hi"}]}],"service_tier":"default","usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":48}}}"#,
            ]),
            2 + 7,
            &[(Input, 37), (Output, 11)],
        )
        .model("gpt-5.4")
        .tier("default"),
        sample(
            "realtime",
            Dialect::OpenAi,
            Framing::WebSocket,
            socket,
            0,
            &[(Input, 7), (CacheRead, 10), (AudioInput, 5), (Output, 11)],
        ),
    ]
}

fn anthropic() -> Vec<Sample> {
    vec![
        sample(
            "messages",
            Dialect::Anthropic,
            Framing::Json,
            r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"Hi!"},{"type":"tool_use","id":"t","name":"f","input":{"q":"{\"usage\":1}"}},{"type":"web_search_tool_result","content":[{"url":"x"}]}],"stop_reason":"end_turn","usage":{"input_tokens":2095,"cache_creation_input_tokens":300,"cache_read_input_tokens":51,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":503,"output_tokens_details":{"thinking_tokens":3},"server_tool_use":{"web_search_requests":1,"web_fetch_requests":0},"service_tier":"standard","speed":"standard"},"model":"claude-opus-5"}"#,
            2 + 3 + 21,
            &[
                (Input, 2095),
                (CacheRead, 51),
                (CacheWrite, 100),
                (CacheWrite1h, 200),
                (Output, 500),
                (Reasoning, 3),
                (Search, 1),
            ],
        )
        .model("claude-opus-5")
        .tier("standard"),
        sample(
            "messages, streamed",
            Dialect::Anthropic,
            Framing::Sse,
            named(&[
                r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[],"stop_reason":null,"usage":{"input_tokens":472,"cache_creation_input_tokens":20,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":20},"output_tokens":2,"service_tier":"standard"}}}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Okay\n"}}"#,
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"location\":"}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":472,"cache_creation_input_tokens":20,"cache_read_input_tokens":7,"output_tokens":89}}"#,
                r#"{"type":"message_stop"}"#,
            ]),
            2 + 5 + 12,
            &[(Input, 472), (CacheRead, 7), (CacheWrite1h, 20), (Output, 89)],
        )
        .model("claude-opus-5")
        .tier("standard"),
    ]
}

fn gemini() -> Vec<Sample> {
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"gemini-3.5-pro","responseId":"x"}"#;
    let last = r#"{"candidates":[{"content":{"parts":[{"text":"lo"},{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":11,"thoughtsTokenCount":20,"totalTokenCount":39,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}],"serviceTier":"standard"},"modelVersion":"gemini-3.5-pro","responseId":"x"}"#;
    let classes = [(Input, 8), (Output, 11), (Reasoning, 20)];
    let generate = |name, framing, body: String| {
        sample(name, Dialect::Gemini, framing, body, 13, &classes).model("gemini-3.5-pro").tier("standard")
    };
    vec![
        sample(
            "generateContent",
            Dialect::Gemini,
            Framing::Json,
            r#"{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Hello"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":264,"candidatesTokenCount":80,"totalTokenCount":344,"cachedContentTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":6},{"modality":"IMAGE","tokenCount":258}]},"modelVersion":"gemini-3.5-pro"}"#,
            7,
            &[(Input, 2), (CacheRead, 4), (ImageInput, 258), (Output, 80)],
        )
        .model("gemini-3.5-pro"),
        generate("streamGenerateContent as events", Framing::Sse, events([first, last])),
        generate("streamGenerateContent as a list", Framing::Json, format!("[{first}\n,\r\n{last}]\n")),
        sample(
            "interactions",
            Dialect::Gemini,
            Framing::Json,
            r#"{"id":"v1_x","model":"gemini-3.5-pro","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"Why"}]},{"type":"function_call","name":"f","arguments":{"a":1}}],"usage":{"total_input_tokens":20,"input_tokens_by_modality":[{"modality":"text","tokens":15},{"modality":"audio","tokens":5}],"total_cached_tokens":10,"total_output_tokens":9,"total_thought_tokens":30,"total_tool_use_tokens":2,"total_tokens":61,"grounding_tool_count":[{"type":"google_search","count":2}]}}"#,
            3 + 1 + 7,
            &[
                (Input, 7),
                (AudioInput, 5),
                (CacheRead, 10),
                (Output, 9),
                (Reasoning, 30),
                (Search, 2),
            ],
        )
        .model("gemini-3.5-pro"),
        sample(
            "interactions, streamed",
            Dialect::Gemini,
            Framing::Sse,
            events([
                r#"{"event_type":"interaction.created","interaction":{"id":"v1_x","model":"gemini-3.5-pro","status":"in_progress"}}"#,
                r#"{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hello"},"metadata":{"total_usage":{"total_input_tokens":666}}}"#,
                r#"{"event_type":"step.stop","index":0,"usage":{"total_input_tokens":4,"total_output_tokens":2}}"#,
                r#"{"event_type":"interaction.completed","interaction":{"id":"v1_x","status":"completed","service_tier":"flex","usage":{"total_input_tokens":4,"total_output_tokens":9,"total_thought_tokens":0,"total_tokens":13}}}"#,
                "[DONE]",
            ]),
            5,
            &[(Input, 4), (Output, 9)],
        )
        .model("gemini-3.5-pro")
        .tier("flex"),
    ]
}

fn others() -> Vec<Sample> {
    let converse = [
        bedrock("messageStart", r#"{"p":"abc","role":"assistant"}"#),
        bedrock("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcdef"}"#),
        bedrock("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\""}}}"#),
        bedrock("messageStop", r#"{"stopReason":"end_turn"}"#),
        bedrock(
            "metadata",
            r#"{"metrics":{"latencyMs":1130},"usage":{"inputTokens":30,"outputTokens":8,"totalTokens":138,"cacheReadInputTokens":40,"cacheWriteInputTokens":60,"cacheDetails":[{"inputTokens":60,"ttl":"1h"}]},"serviceTier":{"type":"priority"}}"#,
        ),
    ];
    vec![
        sample(
            "Mistral OCR",
            Dialect::Mistral,
            Framing::Json,
            r##"{"pages":[{"index":0,"markdown":"# usage"}],"model":"mistral-ocr","usage_info":{"pages_processed":29,"doc_size_bytes":null}}"##,
            0,
            &[(Page, 29)],
        )
        .model("mistral-ocr"),
        sample(
            "Mistral chat, streamed",
            Dialect::Mistral,
            Framing::Sse,
            events([
                r#"{"id":"x","object":"chat.completion.chunk","model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"Yes"}]},"finish_reason":null}]}"#,
                r#"{"id":"x","object":"chat.completion.chunk","model":"magistral","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"total_tokens":12,"completion_tokens":7,"prompt_audio_seconds":null}}"#,
                "[DONE]",
            ]),
            5,
            &[(Input, 5), (Output, 7)],
        )
        .model("magistral"),
        sample(
            "Cohere chat",
            Dialect::Cohere,
            Framing::Json,
            r#"{"id":"x","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"LLMs"}],"tool_plan":"I","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},"usage":{"billed_units":{"input_tokens":5.0,"output_tokens":418},"tokens":{"input_tokens":71,"output_tokens":418},"cached_tokens":32}}"#,
            4 + 1 + 3,
            &[(Input, 5), (Output, 418)],
        ),
        sample(
            "Cohere chat, streamed",
            Dialect::Cohere,
            Framing::Sse,
            named(&[
                r#"{"type":"message-start","id":"x","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
                r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}"#,
                r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\""}}}}}"#,
                r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":9},"tokens":{"input_tokens":69,"output_tokens":9}}}}"#,
            ]),
            5 + 2,
            &[(Input, 3), (Output, 9)],
        ),
        sample(
            "Cohere rerank",
            Dialect::Cohere,
            Framing::Json,
            r#"{"results":[{"index":3,"relevance_score":0.999071}],"id":"x","meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1.0}}}"#,
            0,
            &[(Search, 1)],
        ),
        sample(
            "Ollama",
            Dialect::Ollama,
            Framing::Json,
            r#"{"model":"llama4","created_at":"2026-11-29T10:00:00Z","message":{"role":"assistant","content":"","thinking":"Hm","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","total_duration":5191566416,"prompt_eval_count":26,"eval_count":298}"#,
            2 + 1 + 7,
            &[(Input, 26), (Output, 298)],
        )
        .model("llama4"),
        sample(
            "Ollama, streamed",
            Dialect::Ollama,
            Framing::Lines,
            "{\"model\":\"llama4\",\"response\":\"The\",\"done\":false}\n{\"model\":\"llama4\",\"response\":\" sky\",\"done\":false}\r\n\
             {\"model\":\"llama4\",\"response\":\"\",\"done\":true,\"context\":[1,2,3],\"prompt_eval_count\":26,\"eval_count\":259}\n",
            7,
            &[(Input, 26), (Output, 259)],
        )
        .model("llama4"),
        sample(
            "Bedrock converse",
            Dialect::Bedrock,
            Framing::Json,
            r#"{"metrics":{"latencyMs":551},"output":{"message":{"content":[{"text":"Hello"},{"toolUse":{"name":"f","input":{"a":1}}},{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"x"}}}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":8,"totalTokens":38,"cacheReadInputTokens":0,"cacheWriteInputTokens":0}}"#,
            5 + 7 + 2,
            &[(Input, 30), (Output, 8)],
        ),
        sample(
            "Bedrock converse, streamed",
            Dialect::Bedrock,
            Framing::EventStream,
            converse.concat(),
            5 + 4,
            &[(Input, 30), (CacheRead, 40), (CacheWrite1h, 60), (Output, 8)],
        )
        .tier("priority"),
    ]
}

#[test]
fn each_dialect_says_what_was_used() {
    for Sample { name, dialect, framing, body, report } in all() {
        assert_eq!(read(dialect, framing, &body), report, "{name}");
    }
}

#[test]
fn a_dialect_that_is_not_known_is_recognised_by_its_fields() {
    for Sample { name, framing, body, report, .. } in all() {
        assert_eq!(read(Dialect::Auto, framing, &body), report, "{name}");
    }
}
