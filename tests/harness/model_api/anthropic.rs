//! Anthropic's messages.
//!
//! What must hold: the cache lies beside the input, reasoning inside the output. `message_start` has the input, and the split of what
//! was written by lifetime, which `message_delta` leaves out; the numbers of `message_delta` are totals, not differences.

use super::reply::{Asked, Piece, Reply, typed};
use super::steering::{Steering, forged};
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};

const KNOWN: [UsageClass; 7] = [
    UsageClass::Input,
    UsageClass::CacheRead,
    UsageClass::CacheWrite,
    UsageClass::CacheWrite1h,
    UsageClass::Output,
    UsageClass::Reasoning,
    UsageClass::Search,
];

/// What both events and answers have.
fn totals(usage: &Quantities) -> Value {
    let of = |class| usage.get(class);
    json!({
        "input_tokens": of(UsageClass::Input),
        "cache_read_input_tokens": of(UsageClass::CacheRead),
        "cache_creation_input_tokens": of(UsageClass::CacheWrite) + of(UsageClass::CacheWrite1h),
        "output_tokens": of(UsageClass::Output) + of(UsageClass::Reasoning),
        "output_tokens_details": {"thinking_tokens": of(UsageClass::Reasoning)},
        "server_tool_use": {"web_search_requests": of(UsageClass::Search), "web_fetch_requests": 0}
    })
}

/// With the split of what was written, and the service.
fn whole(usage: &Quantities, tier: Option<&str>) -> Value {
    let mut whole = totals(usage);
    whole["cache_creation"] = json!({
        "ephemeral_5m_input_tokens": usage.get(UsageClass::CacheWrite),
        "ephemeral_1h_input_tokens": usage.get(UsageClass::CacheWrite1h)
    });
    whole["service_tier"] = json!(tier);
    whole
}

/// What is known when the answer begins: the input, and one token.
fn beginning(usage: &Quantities) -> Quantities {
    let mut begun = *usage;
    for class in [UsageClass::Reasoning, UsageClass::Search] {
        begun.set(class, 0);
    }
    begun.set(UsageClass::Output, usage.get(UsageClass::Output).min(1));
    begun
}

/// `/v1/messages`.
pub(super) fn messages(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&KNOWN);
    let tier = steering.tier.as_deref();
    let words = steering.text();
    let text = words.concat();
    let mut message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": asked.model(), "content": [],
        "stop_reason": null, "stop_sequence": null
    });
    if asked.stream != Some(true) {
        message["content"] = json!([{"type": "text", "text": text}]);
        if steering.forged {
            let call = json!({"type": "tool_use", "id": "toolu_1", "name": "report", "input": forged()});
            message["content"] = json!([call, {"type": "text", "text": text}]);
        }
        message["stop_reason"] = json!("end_turn");
        if let Some(usage) = &usage {
            message["usage"] = whole(usage, tier);
        }
        return Reply::document(&message, text.len() as u64, usage);
    }
    let begun = usage.as_ref().map(beginning);
    if let Some(begun) = &begun {
        message["usage"] = whole(begun, tier);
    }
    let block = |index: u64, block: Value| {
        Piece::of(typed(&json!({"type": "content_block_start", "index": index, "content_block": block})))
    };
    let delta = |index: u64, delta: Value| {
        Piece::of(typed(&json!({"type": "content_block_delta", "index": index, "delta": delta})))
    };
    let stop = |index: u64| Piece::of(typed(&json!({"type": "content_block_stop", "index": index})));
    let mut pieces = vec![
        Piece::of(typed(&json!({"type": "message_start", "message": message}))).usage(begun),
        block(0, json!({"type": "text", "text": ""})),
        Piece::of(typed(&json!({"type": "ping"}))),
    ];
    pieces.extend(words.iter().map(|word| delta(0, json!({"type": "text_delta", "text": word})).text(word)));
    pieces.push(stop(0));
    if steering.forged {
        pieces.push(block(1, json!({"type": "tool_use", "id": "toolu_1", "name": "report", "input": {}})));
        let arguments = forged().to_string();
        pieces.push(delta(1, json!({"type": "input_json_delta", "partial_json": arguments})));
        pieces.push(stop(1));
    }
    let mut end =
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}});
    if let Some(usage) = &usage {
        end["usage"] = totals(usage);
    }
    pieces.push(Piece::of(typed(&end)).usage(usage));
    pieces.push(Piece::of(typed(&json!({"type": "message_stop"}))));
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    Reply::events(pieces, typed(&error))
}
