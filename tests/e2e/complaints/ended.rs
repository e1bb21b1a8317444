//! Answers that don't say what they used, or not as usual: what was delivered isn't free, what failed is.

use super::desk::{Desk, chunk, completion, estimated, message};
use crate::models::{BYTES_PER_TOKEN, prices_of};
use faregate_protocol::Credits;
use harness::{Answering, ModelCall};
use serde_json::{Value, json};

fn chat() -> ModelCall {
    ModelCall::named("chat")
}

fn stream() -> ModelCall {
    ModelCall::named("chat, streamed")
}

fn texts(chunks: &[String]) -> impl Iterator<Item = &str> {
    chunks.iter().map(String::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn null_usage_is_no_usage_and_not_free() {
    let mut desk = Desk::start().await;
    let text = "twelve bytes";
    let null = json!(null);
    desk.ask(&chat(), Answering::json(&completion(text, &null)), estimated(&chat(), 12)).await;
    desk.ask(&chat(), Answering::json(&completion(text, &json!({}))), estimated(&chat(), 12)).await;
    let chunks = [chunk("twelve ", &null), chunk("bytes", &null), "[DONE]".to_owned()];
    let got = desk.ask(&stream(), Answering::events(texts(&chunks)), estimated(&stream(), 12)).await;
    assert_eq!(got.events(), chunks);

    let responses = ModelCall::named("responses, streamed");
    let delta = json!({"type": "response.output_text.delta", "delta": text});
    let done = json!({"type": "response.completed", "response": {"model": "gpt-5", "usage": null}});
    desk.ask(&responses, Answering::typed(&[delta, done]), estimated(&responses, 12)).await;

    let messages = ModelCall::named("messages, streamed");
    let events = message(&null, std::slice::from_ref(&null));
    desk.ask(&messages, Answering::typed(&events), estimated(&messages, 2)).await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_text_with_status_200_is_no_output() {
    let mut desk = Desk::start().await;
    let error =
        json!({"error": {"message": "no capacity ".repeat(100), "type": "server_error", "code": null}});
    let typed =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded ".repeat(100)}});
    let failed = json!({"type": "response.failed", "response": {"model": "gpt-5", "error": {"message": "x".repeat(999)}, "usage": null}});
    for (name, answer) in [
        ("chat", Answering::json(&error)),
        ("chat, streamed", Answering::events([error.to_string().as_str(), "[DONE]"])),
        ("messages", Answering::json(&typed)),
        ("messages, streamed", Answering::typed(std::slice::from_ref(&typed))),
        ("responses, streamed", Answering::typed(&[failed])),
        ("gemini", Answering::json(&error)),
        ("ollama, streamed", Answering::of("application/x-ndjson", format!("{error}\n"))),
    ] {
        desk.costs(&ModelCall::named(name), answer, "0").await;
    }
    // Behind text: the text is charged, the error isn't.
    let chunks = [chunk("twelve bytes", &json!(null)), error.to_string()];
    desk.ask(&stream(), Answering::events(texts(&chunks)), estimated(&stream(), 12)).await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_compressed_all_the_same_costs_what_was_held() {
    let mut desk = Desk::start().await;
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    let call = chat().with(&json!({"max_completion_tokens": 100}));
    let input = (call.body.to_string().len() as u64).div_ceil(BYTES_PER_TOKEN);
    let held = prices_of(call.model).hold(input, 100, None, Credits::ZERO);
    for encoding in ["gzip", "br"] {
        let answer = Answering::json(&completion("hello", &usage)).header("content-encoding", encoding);
        desk.ask(&call, answer, held).await;
    }
    let plain = Answering::json(&completion("hello", &usage)).header("content-encoding", "identity");
    desk.costs(&call, plain, "0.000225").await;
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_event_may_have_any_size() {
    let mut desk = Desk::start().await;
    // Responses repeat all of the answer in their last event, the usage behind it or before it.
    let output = json!([{"type": "message", "content": [{"type": "output_text", "text": "word \"}] ".repeat(300_000)}]}]);
    let usage = json!({"input_tokens": 100, "output_tokens": 10});
    for members in [["output", "usage"], ["usage", "output"]] {
        let member = |name: &str| format!("\"{name}\":{}", if name == "usage" { &usage } else { &output });
        let whole = format!("{{\"model\":\"gpt-5\",{},{}}}", member(members[0]), member(members[1]));
        let event = format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{whole}}}\n\n"
        );
        let size = event.len();
        let answer = Answering::of("text/event-stream", event).in_pieces_of(60_000);
        let got = desk.costs(&ModelCall::named("responses, streamed"), answer, "0.000225").await;
        assert_eq!(got.body.len(), size);
    }
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_may_be_written_and_split_in_any_way() {
    let mut desk = Desk::start().await;
    let first = chunk("hi", &json!(null));
    let last = json!({"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 100, "completion_tokens": 10}});
    let pretty = serde_json::to_string_pretty(&last).expect("JSON").replace('\n', "\ndata: ");
    for body in [
        format!("data:{first}\n\ndata:{last}\n\ndata:[DONE]\n\n"),
        format!("data: {first}\r\n\r\ndata: {last}\r\n\r\ndata: [DONE]\r\n\r\n"),
        format!("data: {first}\r\rdata: {last}\r\rdata: [DONE]\r\r"),
        format!(
            ": a comment\n\nevent: chunk\nid: 7\nretry: 10\ndata: {first}\n\n: ping\n\ndata: {last}\n\ndata: [DONE]\n\n"
        ),
        format!("\u{feff}data: {first}\n\ndata: {pretty}\n\ndata: [DONE]\n\n"),
        format!("data: {first}\n\ndata: {last}\n\n"),
    ] {
        for pieces in [1, 2, 13, 100_000] {
            let answer = Answering::of("text/event-stream; charset=utf-8", body.clone()).in_pieces_of(pieces);
            let got = desk.costs(&stream(), answer, "0.000225").await;
            assert_eq!(got.text(), body, "what a client gets is what the API sent");
        }
    }
    desk.settles().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_without_usage_is_not_free_and_tool_calls_are_output() {
    let mut desk = Desk::start().await;
    let arguments = "{\"city\":\"Oslo\"}";
    let call =
        json!({"index": 0, "type": "function", "function": {"name": "forecast", "arguments": arguments}});
    let delta = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string();
    let thought =
        json!({"choices": [{"index": 0, "delta": {"reasoning_content": "hmm ".repeat(50)}}]}).to_string();
    let empty: Value = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let end = [empty.to_string(), "[DONE]".to_owned()];
    for (chunk, bytes) in [(delta, "forecast".len() + arguments.len()), (thought, 200)] {
        let chunks: Vec<String> = std::iter::once(chunk).chain(end.clone()).collect();
        let answer = Answering::events(texts(&chunks));
        desk.ask(&stream(), answer.clone(), estimated(&stream(), bytes as u64)).await;
        // Cut, it costs the same.
        desk.ask(&stream(), answer.cut(), estimated(&stream(), bytes as u64)).await;
    }
    desk.settles().await;
}
