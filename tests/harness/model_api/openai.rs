//! OpenAI's chat, responses and embeddings, and Mistral's chat, which has the same path and says its usage unasked.
//!
//! What must hold: what is cached, written or reasoning lies inside the totals. A stream of chat says its usage only if the request
//! asks for it.

use super::reply::{Asked, Piece, Reply, event, typed};
use super::steering::{Steering, forged};
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};
use std::iter::once;

const KNOWN: [UsageClass; 5] = [
    UsageClass::Input,
    UsageClass::CacheRead,
    UsageClass::CacheWrite,
    UsageClass::Output,
    UsageClass::Reasoning,
];

/// Of a steered usage: what the request brought, what was put out, and the reasoning in it.
fn totals(usage: &Quantities) -> (u64, u64, u64) {
    let reasoning = usage.get(UsageClass::Reasoning);
    (usage.input(), usage.get(UsageClass::Output) + reasoning, reasoning)
}

/// The tokens of an input by where they come from.
fn cached(usage: &Quantities) -> Value {
    json!({
        "cached_tokens": usage.get(UsageClass::CacheRead), "cache_write_tokens": usage.get(UsageClass::CacheWrite),
        "audio_tokens": 0
    })
}

fn chat_usage(usage: &Quantities) -> Value {
    let (input, output, reasoning) = totals(usage);
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": cached(usage),
        "completion_tokens_details": {
            "reasoning_tokens": reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
        }
    })
}

/// Chat names the model by its date, as OpenAI does; Mistral repeats what was asked.
fn answering(asked: &Asked) -> (bool, String) {
    let is_mistral = asked.model().starts_with("mistral");
    let model = if is_mistral { asked.model().to_owned() } else { format!("{}-2026-08-07", asked.model()) };
    (is_mistral, model)
}

/// `/chat/completions`.
pub(super) fn chat(asked: &Asked, steering: &Steering) -> Reply {
    let (is_mistral, model) = answering(asked);
    let usage = steering.usage(&KNOWN);
    let words = steering.text();
    let call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "report", "arguments": forged().to_string()}});
    let head = |object: &str| {
        let mut head = json!({"id": "chatcmpl-1", "object": object, "created": 1_796_000_000, "model": model, "system_fingerprint": null});
        if !is_mistral {
            head["service_tier"] = json!(steering.tier);
        }
        head
    };
    if asked.stream != Some(true) {
        let mut message = json!({"role": "assistant", "content": words.concat(), "refusal": null});
        if steering.forged {
            message["tool_calls"] = json!([call]);
        }
        let mut whole = head("chat.completion");
        whole["choices"] =
            json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}]);
        if let Some(usage) = &usage {
            whole["usage"] = chat_usage(usage);
        }
        return Reply::document(&whole, words.concat().len() as u64, usage);
    }
    let is_asked = asked.body["stream_options"]["include_usage"] == true;
    let chunk = |choices: Value, usage: Option<&Quantities>| {
        let mut chunk = head("chat.completion.chunk");
        chunk["choices"] = choices;
        if is_asked || usage.is_some() {
            chunk["usage"] = usage.map(chat_usage).into();
        }
        event(None, &chunk)
    };
    let delta = |delta: Value, end: Option<&str>| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": end}]);
    let mut pieces = vec![Piece::of(chunk(
        delta(json!({"role": "assistant", "content": "", "refusal": null}), None),
        None,
    ))];
    pieces.extend(
        words.iter().map(|word| Piece::of(chunk(delta(json!({"content": word}), None), None)).text(word)),
    );
    if steering.forged {
        pieces.push(Piece::of(chunk(delta(json!({"tool_calls": [call]}), None), None)));
    }
    let last = usage.filter(|_| is_mistral);
    pieces.push(Piece::of(chunk(delta(json!({}), Some("stop")), last.as_ref())).usage(last));
    if let Some(usage) = usage.filter(|_| is_asked && !is_mistral) {
        pieces.push(Piece::of(chunk(json!([]), Some(&usage))).usage(Some(usage)));
    }
    pieces.push(Piece::of(b"data: [DONE]\n\n".to_vec()));
    let error = json!({"error": {"message": "The server had an error", "type": "server_error", "param": null, "code": null}});
    Reply::events(pieces, event(None, &error))
}

/// `/responses`.
pub(super) fn responses(asked: &Asked, steering: &Steering) -> Reply {
    let known: Vec<UsageClass> = KNOWN.into_iter().chain(once(UsageClass::Search)).collect();
    let usage = steering.usage(&known);
    let words = steering.text();
    let text = words.concat();
    let message = json!({
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    });
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "report", "arguments": forged().to_string(), "status": "completed"});
    let output: Vec<Value> = once(message.clone()).chain(steering.forged.then_some(call)).collect();
    let whole = |status: &str, output: &[Value], usage: Option<&Quantities>| {
        let mut whole = json!({
            "id": "resp_1", "object": "response", "created_at": 1_796_000_000, "status": status, "error": null,
            "incomplete_details": null, "instructions": null, "metadata": {"usage": "none"}, "model": asked.model(),
            "output": output, "parallel_tool_calls": true, "temperature": 1, "tool_choice": "auto", "tools": [], "top_p": 1,
            "service_tier": steering.tier, "text": {"format": {"type": "text"}}, "usage": null
        });
        if let Some(usage) = usage {
            let (input, output, reasoning) = totals(usage);
            whole["usage"] = json!({
                "input_tokens": input, "input_tokens_details": cached(usage), "output_tokens": output,
                "output_tokens_details": {"reasoning_tokens": reasoning}, "total_tokens": input + output
            });
            whole["tool_usage"] = json!({"web_search": {"num_requests": usage.get(UsageClass::Search)}});
        }
        whole
    };
    if asked.stream != Some(true) {
        return Reply::document(&whole("completed", &output, usage.as_ref()), text.len() as u64, usage);
    }
    let mut number = 0;
    let mut next = |mut data: Value| {
        data["sequence_number"] = json!(number);
        number += 1;
        Piece::of(typed(&data))
    };
    let place = |mut data: Value| {
        data["item_id"] = json!("msg_1");
        data["output_index"] = json!(0);
        data["content_index"] = json!(0);
        data
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let empty = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []});
    let mut pieces = vec![
        next(json!({"type": "response.created", "response": whole("in_progress", &[], None)})),
        next(json!({"type": "response.output_item.added", "output_index": 0, "item": empty})),
        next(place(json!({"type": "response.content_part.added", "part": part("")}))),
    ];
    for word in &words {
        let delta = json!({"type": "response.output_text.delta", "delta": word, "logprobs": []});
        pieces.push(next(place(delta)).text(word));
    }
    pieces.push(next(place(json!({"type": "response.output_text.done", "text": text, "logprobs": []}))));
    pieces.push(next(place(json!({"type": "response.content_part.done", "part": part(&text)}))));
    pieces.push(next(json!({"type": "response.output_item.done", "output_index": 0, "item": message})));
    let end = json!({"type": "response.completed", "response": whole("completed", &output, usage.as_ref())});
    pieces.push(next(end).usage(usage));
    let error = json!({"type": "error", "code": "server_error", "message": "steered", "param": null, "sequence_number": 99});
    Reply::events(pieces, typed(&error))
}

/// `/embeddings`.
pub(super) fn embeddings(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&[UsageClass::Input]);
    // Four zeros. The SDKs ask for base64.
    let vector = match asked.body["encoding_format"].as_str() {
        Some("base64") => json!("AAAAAAAAAAAAAAAAAAAAAA=="),
        _ => json!([0.0, 0.0, 0.0, 0.0]),
    };
    let mut whole = json!({
        "object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}], "model": asked.model()
    });
    if let Some(usage) = &usage {
        whole["usage"] = json!({"prompt_tokens": usage.input(), "total_tokens": usage.input()});
    }
    Reply::document(&whole, 0, usage)
}
