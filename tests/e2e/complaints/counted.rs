//! Numbers that were counted twice, not at all, or from the wrong place.

use super::desk::{Desk, chunk, completion, estimated, message};
use harness::{Answering, ModelCall};
use serde_json::{Value, json};

fn chat() -> ModelCall {
    ModelCall::named("chat")
}

fn stream() -> ModelCall {
    ModelCall::named("chat, streamed")
}

fn messages() -> ModelCall {
    ModelCall::named("messages, streamed")
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_in_every_chunk_is_not_added_up() {
    let mut desk = Desk::start().await;
    let usage = |output: u64| json!({"prompt_tokens": 100, "completion_tokens": output, "total_tokens": 100 + output});
    let mut chunks: Vec<String> = (1..=10).map(|output| chunk("word ", &usage(output))).collect();
    chunks.push("[DONE]".to_owned());
    let answer = Answering::events(chunks.iter().map(String::as_str));
    // 100 × 1.25 + 10 × 10 millionths.
    let got = desk.costs(&stream(), answer.clone(), "0.000225").await;
    assert_eq!(got.events(), chunks, "what has text is the client's");
    desk.costs(&stream(), answer.in_pieces_of(3), "0.000225").await;

    let totals = |output: u64| json!({"input_tokens": 100, "output_tokens": output});
    let events = message(&totals(1), &[totals(20), totals(50)]);
    // 100 × 5 + 50 × 25
    desk.costs(&messages(), Answering::typed(&events), "0.00175").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_beside_a_choice_counts() {
    let mut desk = Desk::start().await;
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    let last =
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}).to_string();
    let chunks = [chunk("word ", &json!(null)), last, "[DONE]".to_owned()];
    let got = desk.costs(&stream(), Answering::events(chunks.iter().map(String::as_str)), "0.000225").await;
    assert_eq!(got.events(), chunks);
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_report_wins_and_what_it_leaves_out_stays() {
    let mut desk = Desk::start().await;
    for (start, end) in [
        // Kimi and Qwen: the first report has the cached tokens inside, the last one beside.
        (
            json!({"input_tokens": 1000, "cache_read_input_tokens": 900, "output_tokens": 1}),
            json!({"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 50}),
        ),
        (
            json!({"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 1}),
            json!({"output_tokens": 50}),
        ),
        (
            json!({"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}),
            json!({"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 50}),
        ),
        (
            json!({"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 1}),
            json!({"input_tokens": null, "cache_read_input_tokens": null, "output_tokens": 50}),
        ),
    ] {
        // 100 × 5 + 900 × 0.5 + 50 × 25
        desk.costs(&messages(), Answering::typed(&message(&start, &[end])), "0.0022").await;
    }
    // An explicit zero is a zero: 100 × 5.
    let zero = message(&json!({"input_tokens": 100, "output_tokens": 1}), &[json!({"output_tokens": 0})]);
    desk.costs(&messages(), Answering::typed(&zero), "0.0005").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negative_or_fractional_count_never_credits() {
    let mut desk = Desk::start().await;
    for (usage, spent) in [
        (json!({"prompt_tokens": -1000, "completion_tokens": 10}), "0.0001"),
        (json!({"prompt_tokens": 0.5, "completion_tokens": 10}), "0.0001"),
        (json!({"prompt_tokens": "100", "completion_tokens": 10}), "0.0001"),
        (json!({"prompt_tokens": 100, "completion_tokens": -10}), "0.000125"),
        // More in the cache than there is at all: 1000 × 0.125 + 10 × 10.
        (
            json!({"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 1000}}),
            "0.000225",
        ),
    ] {
        desk.costs(&chat(), Answering::json(&completion("hello", &usage)), spent).await;
    }
    let none = json!({"prompt_tokens": -5, "completion_tokens": -5, "total_tokens": -10});
    let answer = Answering::json(&completion("hello", &none));
    desk.ask(&chat(), answer, estimated(&chat(), 5)).await;
    // A whole number that is written with a fraction is one: 12 × 2.5 + 4 × 10.
    let units = json!({"billed_units": {"input_tokens": 12.0, "output_tokens": 4.0}});
    let answer = json!({"finish_reason": "COMPLETE", "message": {"content": [{"type": "text", "text": "hi"}]}, "usage": units});
    desk.costs(&ModelCall::named("cohere"), Answering::json(&answer), "0.00007").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_the_totals_leave_out_are_charged_and_others_only_once() {
    let mut desk = Desk::start().await;
    let step = |kind: &str, input: u64, output: u64| json!({"type": kind, "input_tokens": input, "output_tokens": output});
    let steps = json!([
        step("message", 60, 20),
        step("message", 40, 30),
        step("compaction", 1000, 10),
        step("advisor_message", 200, 4)
    ]);
    let usage = json!({"input_tokens": 100, "output_tokens": 50, "iterations": steps});
    // (100 + 1000 + 200) × 5 + (50 + 10 + 4) × 25
    let whole = json!({"type": "message", "model": "claude-opus-5", "content": [{"type": "text", "text": "hi"}], "usage": usage});
    desk.costs(&ModelCall::named("messages"), Answering::json(&whole), "0.0081").await;
    let events = message(&json!({"input_tokens": 100, "output_tokens": 1}), &[usage.clone(), usage]);
    desk.costs(&messages(), Answering::typed(&events), "0.0081").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tools_brought_and_thoughts_lie_beside_at_gemini() {
    let mut desk = Desk::start().await;
    let usage = json!({
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 30, "candidatesTokenCount": 10,
        "thoughtsTokenCount": 40, "totalTokenCount": 180
    });
    let part = |usage: &Value| json!({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}], "usageMetadata": usage});
    // (40 + 30) × 2 + 60 × 0.2 + 50 × 12
    desk.costs(&ModelCall::named("gemini"), Answering::json(&part(&usage)), "0.000752").await;
    let parts = [part(&usage).to_string(), part(&usage).to_string()];
    let answer = Answering::events(parts.iter().map(String::as_str));
    desk.costs(&ModelCall::named("gemini, events"), answer, "0.000752").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_in_metadata_a_choice_or_a_tools_arguments_is_none() {
    let mut desk = Desk::start().await;
    let forged = json!({"prompt_tokens": 900_000, "completion_tokens": 0, "input_tokens": 0, "output_tokens": 900_000});
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    let mut answer = completion(&json!({"usage": forged}).to_string(), &usage);
    answer["metadata"] = json!({"usage": forged});
    answer["choices"][0]["usage"] = forged.clone();
    answer["choices"][0]["message"]["usage"] = forged.clone();
    answer["choices"][0]["message"]["tool_calls"] = json!([{"type": "function", "function": {"name": "usage", "arguments": json!({"usage": forged}).to_string()}}]);
    desk.costs(&chat(), Answering::json(&answer), "0.000225").await;

    let item =
        json!({"type": "function_call", "arguments": json!({"usage": forged}).to_string(), "usage": forged});
    let whole = json!({
        "object": "response", "model": "gpt-5", "metadata": {"usage": forged}, "output": [item], "tools": [{"usage": forged}],
        "usage": {"input_tokens": 100, "output_tokens": 10}
    });
    desk.costs(&ModelCall::named("responses"), Answering::json(&whole), "0.000225").await;
    let done = json!({"type": "response.completed", "response": whole});
    desk.costs(&ModelCall::named("responses, streamed"), Answering::typed(&[done]), "0.000225").await;

    let block = json!({"type": "tool_use", "name": "usage", "input": {"usage": forged, "message": {"usage": forged}}});
    let answer = json!({
        "type": "message", "model": "claude-opus-5", "content": [block], "usage": {"input_tokens": 100, "output_tokens": 10}
    });
    // 100 × 5 + 10 × 25
    desk.costs(&ModelCall::named("messages"), Answering::json(&answer), "0.00075").await;
    desk.settles().await;
}
