//! Ollama's chat, Cohere's chat (version 2) and Bedrock's Converse.
//!
//! What must hold: Ollama streams unless it is asked not to, and says its usage in the last line; Bedrock's cache lies beside the input.

use super::framing::frame;
use super::reply::{Asked, Piece, Reply, typed};
use super::steering::{Steering, forged};
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};

/// `/api/chat`.
pub(super) fn ollama(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&[UsageClass::Input, UsageClass::Output]);
    let words = steering.text();
    let call = json!([{"function": {"name": "report", "arguments": forged()}}]);
    let line = |content: &str, is_last: bool| {
        let mut line = json!({
            "model": asked.model(), "created_at": "2026-11-29T10:00:00Z",
            "message": {"role": "assistant", "content": content}, "done": is_last
        });
        if is_last {
            line["done_reason"] = json!("stop");
            line["total_duration"] = json!(5_191_566_416_u64);
            if steering.forged {
                line["message"]["tool_calls"] = call.clone();
            }
            if let Some(usage) = &usage {
                line["prompt_eval_count"] = json!(usage.get(UsageClass::Input));
                line["eval_count"] = json!(usage.get(UsageClass::Output));
            }
        }
        line
    };
    if asked.stream == Some(false) {
        let text = words.concat();
        return Reply::document(&line(&text, true), text.len() as u64, usage);
    }
    let bytes = |line: &Value| format!("{line}\n").into_bytes();
    let mut pieces: Vec<_> =
        words.iter().map(|word| Piece::of(bytes(&line(word, false))).text(word)).collect();
    pieces.push(Piece::of(bytes(&line("", true))).usage(usage));
    Reply { kind: "application/x-ndjson", ..Reply::events(pieces, bytes(&json!({"error": "steered"}))) }
}

/// `/v2/chat`.
pub(super) fn cohere(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&[UsageClass::Input, UsageClass::Output, UsageClass::Search]);
    let billed = |usage: &Quantities| {
        let (input, output) = (usage.get(UsageClass::Input), usage.get(UsageClass::Output));
        let mut units = json!({"input_tokens": input, "output_tokens": output});
        if usage.get(UsageClass::Search) > 0 {
            units["search_units"] = json!(usage.get(UsageClass::Search));
        }
        // What isn't billed is larger.
        json!({"billed_units": units, "tokens": {"input_tokens": input + 66, "output_tokens": output}, "cached_tokens": 0})
    };
    let words = steering.text();
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "report", "arguments": forged().to_string()}});
    if asked.stream != Some(true) {
        let text = words.concat();
        let mut message = json!({"role": "assistant", "content": [{"type": "text", "text": text}]});
        if steering.forged {
            message["tool_calls"] = json!([call]);
        }
        let mut whole = json!({"id": "answer-1", "finish_reason": "COMPLETE", "message": message});
        if let Some(usage) = &usage {
            whole["usage"] = billed(usage);
        }
        return Reply::document(&whole, text.len() as u64, usage);
    }
    let start =
        json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let one = |kind: &str, message: Value| {
        Piece::of(typed(&json!({"type": kind, "index": 0, "delta": {"message": message}})))
    };
    let mut pieces = vec![
        Piece::of(typed(&json!({"type": "message-start", "id": "answer-1", "delta": {"message": start}}))),
        one("content-start", json!({"content": {"type": "text", "text": ""}})),
    ];
    pieces
        .extend(words.iter().map(|word| one("content-delta", json!({"content": {"text": word}})).text(word)));
    pieces.push(Piece::of(typed(&json!({"type": "content-end", "index": 0}))));
    if steering.forged {
        pieces.push(one("tool-call-start", json!({"tool_calls": call})));
    }
    let mut end = json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}});
    if let Some(usage) = &usage {
        end["delta"]["usage"] = billed(usage);
    }
    pieces.push(Piece::of(typed(&end)).usage(usage));
    let error = json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "steered"}});
    Reply::events(pieces, typed(&error))
}

const CONVERSE: [UsageClass; 5] = [
    UsageClass::Input,
    UsageClass::CacheRead,
    UsageClass::CacheWrite,
    UsageClass::CacheWrite1h,
    UsageClass::Output,
];

fn converse_usage(usage: &Quantities) -> Value {
    let of = |class| usage.get(class);
    let (short, long) = (of(UsageClass::CacheWrite), of(UsageClass::CacheWrite1h));
    let (input, output) = (of(UsageClass::Input), of(UsageClass::Output));
    json!({
        "inputTokens": input, "outputTokens": output, "totalTokens": usage.input() + output,
        "cacheReadInputTokens": of(UsageClass::CacheRead), "cacheWriteInputTokens": short + long,
        "cacheDetails": [{"ttl": "5m", "inputTokens": short}, {"ttl": "1h", "inputTokens": long}]
    })
}

/// `/model/{model}/converse` and `/converse-stream`.
pub(super) fn converse(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&CONVERSE);
    let words = steering.text();
    let call = |input: Value| json!({"toolUse": {"toolUseId": "tool-1", "name": "report", "input": input}});
    let mut end = json!({"metrics": {"latencyMs": 1_130}});
    if let Some(usage) = &usage {
        end["usage"] = converse_usage(usage);
    }
    if let Some(tier) = &steering.tier {
        end["serviceTier"] = json!({"type": tier});
    }
    if asked.path.ends_with("/converse") {
        let text = words.concat();
        let content: Vec<_> =
            steering.forged.then(|| call(forged())).into_iter().chain([json!({"text": text})]).collect();
        end["output"] = json!({"message": {"role": "assistant", "content": content}});
        end["stopReason"] = json!("end_turn");
        return Reply::document(&end, text.len() as u64, usage);
    }
    let one = |kind: &str, data: &Value| Piece::of(frame(false, kind, data.to_string().as_bytes()));
    let delta = |index: u64, delta: Value| {
        one("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}))
    };
    let mut pieces = vec![one("messageStart", &json!({"role": "assistant", "p": "abcd"}))];
    pieces.extend(words.iter().map(|word| delta(0, json!({"text": word})).text(word)));
    pieces.push(one("contentBlockStop", &json!({"contentBlockIndex": 0})));
    if steering.forged {
        pieces.push(delta(1, json!({"toolUse": {"input": forged().to_string()}})));
        pieces.push(one("contentBlockStop", &json!({"contentBlockIndex": 1})));
    }
    pieces.push(one("messageStop", &json!({"stopReason": "end_turn"})));
    pieces.push(one("metadata", &end).usage(usage));
    let error = frame(true, "modelStreamErrorException", br#"{"message":"steered"}"#);
    Reply { kind: "application/vnd.amazon.eventstream", ..Reply::events(pieces, error) }
}
