//! Gemini's generateContent, and streamGenerateContent as events (`alt=sse`) or as a list.
//!
//! What must hold: the cache lies inside the prompt, thoughts beside the candidates. Each part of a stream has the usage so far.

use super::reply::{Asked, Piece, Reply, event};
use super::steering::{Steering, forged};
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};

const KNOWN: [UsageClass; 4] =
    [UsageClass::Input, UsageClass::CacheRead, UsageClass::Output, UsageClass::Reasoning];

fn metadata(usage: &Quantities, tier: Option<&str>) -> Value {
    let (prompt, output) = (usage.input(), usage.get(UsageClass::Output));
    let thoughts = usage.get(UsageClass::Reasoning);
    let mut metadata = json!({
        "promptTokenCount": prompt, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt + output + thoughts, "cachedContentTokenCount": usage.get(UsageClass::CacheRead),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]
    });
    if let Some(tier) = tier {
        metadata["serviceTier"] = json!(tier);
    }
    metadata
}

/// `models/{model}:generateContent` and `:streamGenerateContent`.
pub(super) fn generate(asked: &Asked, steering: &Steering) -> Reply {
    let usage = steering.usage(&KNOWN);
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let model = path.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default();
    let words = steering.text();
    let call = json!({"functionCall": {"name": "report", "args": forged()}});
    let part = |mut parts: Vec<Value>, is_last: bool, usage: Option<&Quantities>| {
        if steering.forged && is_last {
            parts.insert(0, call.clone());
        }
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if is_last {
            candidate["finishReason"] = json!("STOP");
        }
        let mut whole = json!({"candidates": [candidate], "modelVersion": model, "responseId": "response-1"});
        if let Some(usage) = usage {
            whole["usageMetadata"] = metadata(usage, steering.tier.as_deref());
        }
        whole
    };
    let text = |word: &str| vec![json!({"text": word})];
    if path.ends_with(":generateContent") {
        let all = words.concat();
        return Reply::document(&part(text(&all), true, usage.as_ref()), all.len() as u64, usage);
    }
    let so_far = usage.map(|usage| {
        let mut so_far = usage;
        so_far.set(UsageClass::Output, 0);
        so_far.set(UsageClass::Reasoning, 0);
        so_far
    });
    let mut parts: Vec<_> =
        words.iter().map(|word| (word.as_str(), part(text(word), false, so_far.as_ref()), so_far)).collect();
    parts.push(("", part(text(""), true, usage.as_ref()), usage));
    let error =
        json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    if query.split('&').any(|member| member == "alt=sse") {
        let pieces =
            parts.iter().map(|(word, data, usage)| Piece::of(event(None, data)).text(word).usage(*usage));
        return Reply::events(pieces.collect(), event(None, &error));
    }
    let count = parts.len();
    let pieces = parts.iter().enumerate().map(|(number, (word, data, usage))| {
        let before = if number == 0 { "[" } else { ",\r\n" };
        let behind = if number + 1 == count { "]" } else { "" };
        Piece::of(format!("{before}{data}{behind}").into_bytes()).text(word).usage(*usage)
    });
    let error = format!(",\r\n{error}]").into_bytes();
    Reply { kind: "application/json", ..Reply::events(pieces.collect(), error) }
}
