use super::*;
use UsageClass::{
    AudioCacheRead, AudioInput, AudioOutput, CacheRead, CacheWrite, CacheWrite1h, CacheWrite12h, ImageInput,
    ImageOutput, Input, Output, Page, Reasoning, Search, Second,
};

#[test]
fn what_lies_inside_a_total_is_taken_out_of_it() {
    for (dialect, body, expected) in [
        (
            Dialect::OpenAi,
            r#"{"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,
                "prompt_tokens_details":{"cached_tokens":300,"cache_write_tokens":100,"audio_tokens":50,"image_tokens":20},
                "completion_tokens_details":{"reasoning_tokens":200,"audio_tokens":30}}}"#,
            &[
                (Input, 530),
                (CacheRead, 300),
                (CacheWrite, 100),
                (AudioInput, 50),
                (ImageInput, 20),
                (Output, 270),
                (Reasoning, 200),
                (AudioOutput, 30),
            ][..],
        ),
        (
            Dialect::OpenAi,
            r#"{"usage":{"input_tokens":1000,"output_tokens":10,"input_tokens_details":{"cached_tokens":300,
                "cache_write_tokens":200,"cache_write_tokens_details":{"ttl_30m_tokens":50,"ttl_12h_tokens":150}}}}"#,
            &[(Input, 500), (CacheRead, 300), (CacheWrite, 50), (CacheWrite12h, 150), (Output, 10)],
        ),
        // Only the parts of what was written.
        (
            Dialect::OpenAi,
            r#"{"usage":{"input_tokens":1000,"input_tokens_details":{
                "cache_write_tokens_details":{"ttl_30m_tokens":50,"ttl_12h_tokens":150}}}}"#,
            &[(Input, 800), (CacheWrite, 50), (CacheWrite12h, 150)],
        ),
        // Realtime: cached audio is audio, and cached.
        (
            Dialect::OpenAi,
            r#"{"response":{"usage":{"input_tokens":132,"output_tokens":121,"total_tokens":253,
                "input_token_details":{"text_tokens":92,"audio_tokens":30,"image_tokens":10,"cached_tokens":64,
                  "cached_tokens_details":{"text_tokens":40,"audio_tokens":20,"image_tokens":4}},
                "output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#,
            &[
                (Input, 52),
                (CacheRead, 44),
                (AudioCacheRead, 20),
                (AudioInput, 10),
                (ImageInput, 6),
                (Output, 30),
                (AudioOutput, 91),
            ],
        ),
        (
            Dialect::Anthropic,
            r#"{"usage":{"input_tokens":10,"output_tokens":100,"cache_read_input_tokens":2000,
                "cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,
                "ephemeral_1h_input_tokens":200},"output_tokens_details":{"thinking_tokens":40},
                "server_tool_use":{"web_search_requests":3,"web_fetch_requests":2}}}"#,
            &[
                (Input, 10),
                (CacheRead, 2000),
                (CacheWrite, 100),
                (CacheWrite1h, 200),
                (Output, 60),
                (Reasoning, 40),
                (Search, 3),
            ],
        ),
        (
            Dialect::Gemini,
            r#"{"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":50,"thoughtsTokenCount":70,
                "toolUsePromptTokenCount":30,"cachedContentTokenCount":400,"totalTokenCount":1150,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":700},{"modality":"AUDIO","tokenCount":200},
                  {"modality":"IMAGE","tokenCount":100}],
                "cacheTokensDetails":[{"modality":"TEXT","tokenCount":300},{"tokenCount":100,"modality":"AUDIO"}],
                "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":20}]}}"#,
            &[
                (Input, 430),
                (CacheRead, 300),
                (AudioCacheRead, 100),
                (AudioInput, 100),
                (ImageInput, 100),
                (Output, 30),
                (ImageOutput, 20),
                (Reasoning, 70),
            ],
        ),
        (
            Dialect::Bedrock,
            r#"{"usage":{"inputTokens":10,"outputTokens":20,"totalTokens":330,"cacheReadInputTokens":100,
                "cacheWriteInputTokens":200,"cacheDetails":[{"ttl":"1h","inputTokens":150},{"inputTokens":50,"ttl":"5m"}]}}"#,
            &[(Input, 10), (CacheRead, 100), (CacheWrite, 50), (CacheWrite1h, 150), (Output, 20)],
        ),
    ] {
        assert_eq!(usage(dialect, body), used(expected), "{body}");
        assert_eq!(usage(Dialect::Auto, body), used(expected), "auto: {body}");
    }
}

#[test]
fn nothing_falls_below_zero() {
    for (dialect, body, expected) in [
        (
            Dialect::OpenAi,
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":40},
                "completion_tokens_details":{"reasoning_tokens":50,"audio_tokens":1}}}"#,
            &[(CacheRead, 40), (Reasoning, 50), (AudioOutput, 1)][..],
        ),
        (
            Dialect::Anthropic,
            r#"{"usage":{"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_1h_input_tokens":40}}}"#,
            &[(CacheWrite1h, 10)],
        ),
        (
            Dialect::Gemini,
            r#"{"usageMetadata":{"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":9}],
                "promptTokensDetails":[{"modality":"IMAGE","tokenCount":4}]}}"#,
            &[(ImageInput, 4)],
        ),
    ] {
        assert_eq!(usage(dialect, body), used(expected), "{body}");
    }
}

#[test]
fn output_that_only_the_total_has_is_reasoning() {
    for (usage_object, expected) in [
        // xAI.
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,
                "completion_tokens_details":{"reasoning_tokens":30}}"#,
            &[(Input, 10), (Output, 5), (Reasoning, 30)][..],
        ),
        // Gemini's compatible endpoint.
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45}"#,
            &[(Input, 10), (Output, 5), (Reasoning, 30)],
        ),
        (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#, &[(Input, 10), (Output, 5)]),
        (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":0}"#, &[(Input, 10), (Output, 5)]),
        // Embeddings and rerankers.
        (r#"{"prompt_tokens":10,"total_tokens":10}"#, &[(Input, 10)]),
        (r#"{"total_tokens":10}"#, &[(Input, 10)]),
        // Mistral's audio: the total has it in tokens, its price is by the second.
        (
            r#"{"prompt_audio_seconds":203,"prompt_tokens":4,"completion_tokens":635,"total_tokens":3264}"#,
            &[(Input, 4), (Output, 635), (Second, 203)],
        ),
    ] {
        let body = format!("{{\"usage\":{usage_object}}}");
        assert_eq!(usage(Dialect::OpenAi, &body), used(expected), "{body}");
    }
}

#[test]
fn names_of_two_dialects_in_one_answer_count_once() {
    let body = r#"{"usage":{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":
        {"cached_tokens":80},"cache_read_input_tokens":80,"cache_creation_input_tokens":0}}"#;
    for dialect in [Dialect::OpenAi, Dialect::Auto] {
        assert_eq!(usage(dialect, body), used(&[(Input, 20), (CacheRead, 80), (Output, 5)]), "{dialect:?}");
    }
}

#[test]
fn a_name_that_a_proxy_does_not_mean_takes_nothing_away() {
    let usages = [
        r#"{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_tokens_details":{"cached_tokens":80},
            "input_tokens":0,"output_tokens":0,"input_tokens_details":null}"#,
        r#"{"input_tokens":null,"output_tokens":0,"input_tokens_details":null,"prompt_tokens":100,
            "completion_tokens":5,"prompt_tokens_details":{"cached_tokens":80}}"#,
        r#"{"input_tokens":100,"output_tokens":5,"input_tokens_details":{"cached_tokens":80},"prompt_tokens":0,
            "completion_tokens":0,"total_tokens":105}"#,
    ];
    for found in usages.map(|found| usage(Dialect::OpenAi, &format!("{{\"usage\":{found}}}"))) {
        assert_eq!(found, used(&[(Input, 20), (CacheRead, 80), (Output, 5)]));
    }
}

#[test]
fn steps_that_the_totals_leave_out_are_added() {
    let body = r#"{"usage":{"input_tokens":10,"output_tokens":20,"cache_read_input_tokens":5,"iterations":[
        {"type":"message","input_tokens":10,"output_tokens":20,"cache_read_input_tokens":5,"cache_creation_input_tokens":0},
        {"type":"compaction","input_tokens":1000,"output_tokens":300,"cache_read_input_tokens":7,
         "cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":40}},
        {"input_tokens":100,"output_tokens":30,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,
         "model":"claude-x","type":"advisor_message"},
        {"type":"fallback_message","model":"claude-y","input_tokens":9999,"output_tokens":9999},
        {"type":"unheard_of","input_tokens":9999},{"input_tokens":9999},{}]}}"#;
    let expected =
        used(&[(Input, 1110), (Output, 350), (CacheRead, 12), (CacheWrite, 10), (CacheWrite1h, 40)]);
    assert_eq!(usage(Dialect::Anthropic, body), expected);
    // Cumulative: the newest list replaces the one before.
    let event = format!("data: {}\n\n", body.replace('\n', " "));
    let report = read(Dialect::Anthropic, Framing::Sse, event.repeat(3).as_bytes());
    assert_eq!(report.quantities, expected);
}

#[test]
fn the_newest_number_wins_field_by_field() {
    let found_in = |usages: &[&str]| {
        let documents: Vec<String> = usages.iter().map(|usage| format!("{{\"usage\":{usage}}}")).collect();
        let body = events(documents.iter().map(String::as_str));
        read(Dialect::Anthropic, Framing::Sse, body.as_bytes()).quantities
    };
    // Kimi and Qwen: with the cache at first, without it at last.
    let found = found_in(&[
        r#"{"input_tokens":1000,"output_tokens":1}"#,
        r#"{"input_tokens":200,"cache_read_input_tokens":800,"output_tokens":9}"#,
    ]);
    assert_eq!(found, used(&[(Input, 200), (CacheRead, 800), (Output, 9)]));
    // Anthropic: the last event has no split.
    let found = found_in(&[
        r#"{"input_tokens":5,"cache_creation_input_tokens":100,"output_tokens":1,
            "cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60}}"#
            .replace('\n', " ")
            .as_str(),
        r#"{"cache_creation_input_tokens":100,"output_tokens":9}"#,
    ]);
    assert_eq!(found, used(&[(Input, 5), (CacheWrite, 40), (CacheWrite1h, 60), (Output, 9)]));
}

#[test]
fn usage_in_every_chunk_is_not_added_up() {
    let chunk = |output: u64| {
        let usage =
            format!(r#"{{"prompt_tokens":7,"completion_tokens":{output},"total_tokens":{}}}"#, 7 + output);
        format!(r#"{{"choices":[{{"delta":{{"content":"x"}}}}],"usage":{usage}}}"#)
    };
    let chunks: Vec<String> = (1..=9).map(chunk).collect();
    let body = events(chunks.iter().map(String::as_str));
    let report = read(Dialect::OpenAi, Framing::Sse, body.as_bytes());
    let expected =
        Report { quantities: used(&[(Input, 7), (Output, 9)]), output_bytes: 9, ..Report::default() };
    assert_eq!(report, expected);
}

#[test]
fn what_else_is_sold_counts() {
    for (dialect, body, expected) in [
        (
            Dialect::OpenAi,
            r#"{"usage":{"input_tokens":10,"output_tokens":20},"tool_usage":{"web_search":{"num_requests":4},
                "image_gen":{"input_tokens":50,"output_tokens":4000,"total_tokens":4050}}}"#,
            &[(Input, 10), (Output, 20), (Search, 4), (ImageInput, 50), (ImageOutput, 4000)][..],
        ),
        (Dialect::OpenAi, r#"{"text":"hi","usage":{"type":"duration","seconds":9}}"#, &[(Second, 9)]),
        (Dialect::OpenAi, r#"{"text":"hi","usage":{"type":"duration","seconds":8.2}}"#, &[(Second, 9)]),
        (
            Dialect::Mistral,
            r#"{"pages":[{"markdown":"x"}],"usage_info":{"pages_processed":3,"doc_size_bytes":9}}"#,
            &[(Page, 3)],
        ),
        (Dialect::Cohere, r#"{"results":[],"meta":{"billed_units":{"search_units":1.0}}}"#, &[(Search, 1)]),
        (
            Dialect::Gemini,
            r#"{"usage":{"total_input_tokens":9,"grounding_tool_count":[{"type":"google_search","count":2},
                {"count":1,"type":"google_maps"}]}}"#,
            &[(Input, 9), (Search, 3)],
        ),
    ] {
        assert_eq!(usage(dialect, body), used(expected), "{body}");
    }
}

#[test]
fn each_answer_within_a_websocket_is_added() {
    let events = [
        r#"{"type":"response.created","response":{"usage":null}}"#,
        r#"{"type":"response.output_text.delta","delta":"hi"}"#,
        r#"{"type":"response.output_audio.delta","delta":"AAAAAAAAAAAAAAAA"}"#,
        r#"{"type":"response.output_text.done","text":"hi"}"#,
        r#"{"type":"response.done","response":{"usage":{"input_tokens":10,"output_tokens":2}}}"#,
        r#"{"response":{"usage":{"input_tokens":30,"output_tokens":4,"input_token_details":{"cached_tokens":10}}},"type":"response.done"}"#,
        r#"{"type":"response.in_progress","response":{"usage":{"input_tokens":999}}}"#,
        r#"{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"duration","seconds":1.5}}"#,
    ];
    let body: Vec<u8> = events.iter().flat_map(|event| frames::frame(0x81, event.as_bytes())).collect();
    let report = read(Dialect::OpenAi, Framing::WebSocket, &body);
    let expected = used(&[(Input, 30), (CacheRead, 10), (Output, 6), (Second, 2)]);
    assert_eq!(report, Report { quantities: expected, adds: true, ..Report::default() });
}

#[test]
fn of_a_session_only_output_that_no_usage_covers_yet_is_to_be_estimated() {
    let delta = r#"{"type":"response.output_text.delta","delta":"hello"}"#;
    let done = r#"{"type":"response.done","response":{"usage":{"output_tokens":2}}}"#;
    let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"duration","seconds":1}}"#;
    for (events, since) in [
        (&[delta][..], 5),
        (&[delta, done], 0),
        (&[delta, heard], 5),
        (&[delta, done, delta, delta], 10),
        (&[delta, done, delta, done], 0),
    ] {
        let body: Vec<u8> = events.iter().flat_map(|event| frames::frame(0x81, event.as_bytes())).collect();
        let report = read(Dialect::OpenAi, Framing::WebSocket, &body);
        assert_eq!((report.output_bytes, report.adds), (since, true), "{events:?}");
    }
}

#[test]
fn usage_of_a_session_so_far_is_not_added() {
    let events = [
        r#"{"type":"session.usage.updated","usage":{"seconds":5}}"#,
        r#"{"type":"session.usage.updated","usage":{"seconds":8}}"#,
    ];
    let body: Vec<u8> = events.iter().flat_map(|event| frames::frame(0x81, event.as_bytes())).collect();
    assert_eq!(read(Dialect::OpenAi, Framing::WebSocket, &body).quantities, used(&[(Second, 8)]));
}

#[test]
fn an_error_within_a_200_is_seen_and_is_no_output() {
    for (dialect, framing, body) in [
        (Dialect::OpenAi, Framing::Json, r#"{"error":{"message":"no","type":"server_error"}}"#),
        (Dialect::Gemini, Framing::Json, r#"[{"error":{"code":503,"message":"busy"}}]"#),
        (Dialect::Ollama, Framing::Lines, "{\"error\":\"gone\"}\n"),
        (Dialect::OpenAi, Framing::Sse, "data: {\"error\":{\"message\":\"no\"}}\n\n"),
        (Dialect::OpenAi, Framing::Sse, "event: error\ndata: it broke\n\n"),
        (
            Dialect::Anthropic,
            Framing::Sse,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
        ),
        (
            Dialect::OpenAi,
            Framing::Sse,
            "data: {\"type\":\"response.failed\",\"response\":{\"usage\":null}}\n\n",
        ),
        (
            Dialect::Cohere,
            Framing::Sse,
            "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"x\"}}\n\n",
        ),
    ] {
        let report = read(dialect, framing, body.as_bytes());
        assert!(report.error && report.output_bytes == 0 && report.quantities.is_none(), "{body} {report:?}");
    }
    for fine in [r#"{"error":null}"#, r#"{"error":false}"#, r#"{"choices":[{"error":{}}]}"#] {
        assert!(!read(Dialect::Auto, Framing::Json, fine.as_bytes()).error, "{fine}");
    }
}

#[test]
fn the_text_of_an_error_event_behind_output_is_not_counted() {
    let delta = r#"{"choices":[{"delta":{"content":"four"}}]}"#;
    for error in [
        r#"data: {"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#,
        r#"data: {"error":"it broke","choices":[]}"#,
        "event: error\ndata: {\"message\":\"it broke\",\"code\":500}",
        "event: error\ndata: {\"text\":\"it broke\",\"delta\":\"it broke\"}",
        r#"data: {"type":"error","code":"ERR","message":"it broke","param":null,"sequence_number":1}"#,
        r#"data: {"text":"it broke","type":"error"}"#,
        r#"data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"it broke"},"usage":null}}"#,
    ] {
        for end in ["", "\n\n", "\n\ndata: [DONE]\n\n"] {
            for dialect in [Dialect::OpenAi, Dialect::Auto] {
                let body = format!("data: {delta}\n\n{error}{end}");
                let report = read(dialect, Framing::Sse, body.as_bytes());
                assert!(report.error, "{body}");
                assert_eq!((report.output_bytes, report.quantities), (4, None), "{body}");
            }
        }
    }
}

#[test]
fn a_stream_of_anthropic_that_is_cut_reports_its_input_and_is_not_complete() {
    let samples = samples::all();
    let sample = samples.iter().find(|sample| sample.name == "messages, streamed").unwrap();
    let text = str::from_utf8(&sample.body).unwrap();
    let (first, last) = (text.find("\n\n").unwrap(), text.find("event: message_stop").unwrap());
    for at in first..=last {
        let report = read(Dialect::Anthropic, Framing::Sse, &sample.body[..at]);
        let found = report.quantities.unwrap();
        let input = [Input, CacheRead, CacheWrite1h].map(|class| found.get(class));
        assert_eq!(input, [472, 7, 20], "at {at}");
        assert!(matches!(found.get(Output), 2 | 89), "at {at}");
        assert!(!report.complete && !report.error, "at {at}");
    }
    assert!(read(Dialect::Anthropic, Framing::Sse, &sample.body).complete);
}
