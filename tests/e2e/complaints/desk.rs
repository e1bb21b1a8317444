//! What the complaints have in common: an upstream that answers to the byte, and accounts that are compared in the end.

use crate::models::{BYTES_PER_TOKEN, Got, config, got, prices_of, setup};
use faregate_protocol::Credits;
use faregate_protocol::metering::{Quantities, UsageClass};
use harness::{Answering, ModelCall, Scripted, World};
use serde_json::{Value, json};

/// A gate with the prices of [`crate::models::prices`] before an API that answers to the byte as a story says.
pub struct Desk {
    pub world: World,
    pub api: Scripted,
    expected: Vec<(String, Credits)>,
}

impl Desk {
    pub async fn start() -> Self {
        Self::with(config(&json!({}))).await
    }

    pub async fn with(config: Value) -> Self {
        let api = Scripted::start().await;
        let world = World::start(setup(config, api.port)).await;
        Self { world, api, expected: Vec::new() }
    }

    /// A request on an account of its own. Returns what its client got.
    pub async fn ask(&mut self, call: &ModelCall, answer: Answering, spent: Credits) -> Got {
        let account = format!("account-{}", self.expected.len());
        let key = self.world.ledger.account(&account, "10").await;
        self.api.answers(answer);
        let got = got(self.request(&key, call)).await;
        self.expected.push((account, spent));
        got
    }

    /// As [`Desk::ask`], where the answer must arrive whole.
    pub async fn costs(&mut self, call: &ModelCall, answer: Answering, spent: &str) -> Got {
        let got = self.ask(call, answer, spent.parse().expect("an amount")).await;
        assert_eq!((got.status, got.whole), (200, true), "{}: {}", call.name, got.text());
        got
    }

    pub fn request(&self, key: &str, call: &ModelCall) -> reqwest::RequestBuilder {
        let request = reqwest::Client::new().post(self.world.gate().url(call.path)).header("x-api-key", key);
        request.header("content-type", "application/json").body(call.body.to_string())
    }

    /// Waits until nothing is held, and asserts what each account was charged.
    pub async fn settles(self) {
        self.world.ledger.nothing_is_held().await;
        self.world.ledger.audit().await;
        let mut wrong = Vec::new();
        for (account, expected) in &self.expected {
            let spent = self.world.ledger.balance(account, "spent").await;
            if spent != expected.to_string() {
                wrong.push(format!("{account} has spent {spent} instead of {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// What a request costs whose answer has so many bytes of text and doesn't say what it used.
pub fn estimated(call: &ModelCall, output_bytes: u64) -> Credits {
    let mut used = Quantities::default();
    used.set(UsageClass::Input, (call.body.to_string().len() as u64).div_ceil(BYTES_PER_TOKEN));
    used.set(UsageClass::Output, output_bytes.div_ceil(BYTES_PER_TOKEN));
    prices_of(call.model).cost(&used, None, Credits::ZERO)
}

/// A chunk of a stream of chat, with this text and this usage.
pub fn chunk(text: &str, usage: &Value) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    json!({"object": "chat.completion.chunk", "model": "gpt-5", "choices": [choice], "usage": usage})
        .to_string()
}

/// A chat completion with this usage.
pub fn completion(text: &str, usage: &Value) -> Value {
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    json!({"object": "chat.completion", "model": "gpt-5", "choices": [choice], "usage": usage})
}

/// The events of a message of Anthropic's that says this at its beginning and that at its end.
pub fn message(start: &Value, ends: &[Value]) -> Vec<Value> {
    let begun = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "content": [], "usage": start});
    let text =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}});
    let mut events = vec![json!({"type": "message_start", "message": begun}), json!({"type": "ping"}), text];
    let delta = |usage: &Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
    events.extend(ends.iter().map(delta));
    events.push(json!({"type": "message_stop"}));
    events
}
