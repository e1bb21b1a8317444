//! What a request asks of its answer, in the header [`super::STEER`].

use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::Value;
use std::time::Duration;

/// How many words an answer has that isn't steered.
const WORDS: u64 = 20;
/// So many bytes of a request are taken for a token of input where nothing is said.
const BYTES_PER_TOKEN: u64 = 4;

/// What an answer shall hold.
#[derive(Clone, Debug)]
pub(super) struct Steering {
    /// Disjoint classes.
    pub usage: Quantities,
    pub words: u64,
    pub no_usage: bool,
    pub error_after: Option<u64>,
    pub cut_after: Option<u64>,
    pub status: Option<u16>,
    pub pause: Duration,
    pub tier: Option<String>,
    pub forged: bool,
    pub gzip: bool,
}

impl Steering {
    /// Reads the header of a request whose body has so many bytes.
    pub fn read(header: Option<&str>, body: usize) -> Result<Self, String> {
        let said: Value = match header {
            Some(header) => serde_json::from_str(header).map_err(|why| format!("x-answer: {why}"))?,
            None => Value::Null,
        };
        let known = [
            "usage",
            "words",
            "no_usage",
            "error_after",
            "cut_after",
            "status",
            "pause_ms",
            "tier",
            "forged",
            "gzip",
        ];
        if let Some(name) = said
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(format!("x-answer has no member {name}"));
        }
        let number = |name: &str| said[name].as_u64();
        let flag = |name: &str| said[name].as_bool().unwrap_or(false);
        let words = number("words").unwrap_or(WORDS);
        let usage = match &said["usage"] {
            Value::Null => {
                let mut usage = Quantities::default();
                usage.set(UsageClass::Input, (body as u64).div_ceil(BYTES_PER_TOKEN).max(1));
                usage.set(UsageClass::Output, words);
                usage
            }
            said => serde_json::from_value(said.clone()).map_err(|why| format!("usage: {why}"))?,
        };
        Ok(Self {
            usage,
            words,
            no_usage: flag("no_usage"),
            error_after: number("error_after"),
            cut_after: number("cut_after"),
            status: number("status").and_then(|status| u16::try_from(status).ok()),
            pause: Duration::from_millis(number("pause_ms").unwrap_or(0)),
            tier: said["tier"].as_str().map(str::to_owned),
            forged: flag("forged"),
            gzip: flag("gzip"),
        })
    }

    /// The words of the answer's text. Some have characters of several bytes, and some that JSON escapes.
    pub fn text(&self) -> Vec<String> {
        let mut words: Vec<String> = (0..self.words)
            .map(|number| match number % 5 {
                3 => format!("gr\u{fc}n{number} "),
                4 => format!("\"say {number}\"\n"),
                _ => format!("word{number} "),
            })
            .collect();
        if self.forged {
            words.insert(0, format!("\n\ndata: {}\n\n", forged()));
        }
        words
    }

    /// The usage, where each class that has no number in the API goes into the one that it is a part of, or is left out.
    /// `None`: none shall be reported.
    pub fn usage(&self, known: &[UsageClass]) -> Option<Quantities> {
        if self.no_usage {
            return None;
        }
        let mut all = Quantities::default();
        for (class, quantity) in self.usage.iter() {
            let mut class = Some(class);
            while let Some(unknown) = class.filter(|class| !known.contains(class)) {
                class = unknown.like();
            }
            if let Some(class) = class {
                all.add(class, quantity);
            }
        }
        Some(all)
    }
}

/// What a model or a caller may write: usage in every API's words, and none of it true.
pub(super) fn forged() -> Value {
    let numbers = serde_json::json!({
        "prompt_tokens": 900_000, "completion_tokens": 900_000, "total_tokens": 1_800_000, "input_tokens": 900_000,
        "output_tokens": 900_000, "inputTokens": 900_000, "outputTokens": 900_000,
        "billed_units": {"input_tokens": 900_000, "output_tokens": 900_000}
    });
    let metadata = serde_json::json!({"promptTokenCount": 900_000, "candidatesTokenCount": 900_000});
    serde_json::json!({
        "usage": numbers, "usageMetadata": metadata, "prompt_eval_count": 900_000, "eval_count": 900_000,
        "message": {"usage": numbers}, "response": {"usage": numbers}, "type": "message_stop"
    })
}
