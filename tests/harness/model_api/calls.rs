//! A request to each of the APIs, streamed and not.

use serde_json::{Value, json};

/// A request to a model.
#[derive(Clone, Debug)]
pub struct ModelCall {
    /// Which API, and whether it is streamed.
    pub name: &'static str,
    /// The path with its query.
    pub path: &'static str,
    /// The model, by the path or by the body.
    pub model: &'static str,
    /// The body.
    pub body: Value,
}

impl ModelCall {
    /// The one of this name.
    pub fn named(name: &str) -> Self {
        let found = model_calls().into_iter().find(|call| call.name == name);
        found.unwrap_or_else(|| panic!("no call is named {name}"))
    }

    /// With these members in the body besides.
    pub fn with(mut self, members: &Value) -> Self {
        for (name, value) in members.as_object().expect("an object of members") {
            self.body[name] = value.clone();
        }
        self
    }
}

/// All of them.
pub fn model_calls() -> Vec<ModelCall> {
    let messages = json!([{"role": "user", "content": "Why is the sky blue? Gr\u{fc}\u{df}e!"}]);
    let chat = |model: &str, stream: bool| json!({"model": model, "messages": messages, "stream": stream});
    let claude = |stream: bool| json!({"messages": messages, "max_tokens": 1_000, "stream": stream, "model": "claude-opus-5"});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Why is the sky blue?"}]}]});
    let converse = json!({
        "messages": [{"role": "user", "content": [{"text": "Why is the sky blue?"}]}],
        "inferenceConfig": {"maxTokens": 1_000}
    });
    let responses =
        |stream: bool| json!({"model": "gpt-5", "input": "Why is the sky blue?", "stream": stream});
    [
        ("chat", "/v1/chat/completions", "gpt-5", chat("gpt-5", false)),
        ("chat, streamed", "/v1/chat/completions", "gpt-5", chat("gpt-5", true)),
        ("responses", "/v1/responses", "gpt-5", responses(false)),
        ("responses, streamed", "/v1/responses", "gpt-5", responses(true)),
        (
            "embeddings",
            "/v1/embeddings",
            "text-embedding-4",
            json!({"model": "text-embedding-4", "input": "Why is the sky blue?"}),
        ),
        ("messages", "/v1/messages", "claude-opus-5", claude(false)),
        ("messages, streamed", "/v1/messages", "claude-opus-5", claude(true)),
        ("gemini", "/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro", gemini.clone()),
        (
            "gemini, events",
            "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
            "gemini-3-pro",
            gemini.clone(),
        ),
        ("gemini, list", "/v1beta/models/gemini-3-pro:streamGenerateContent", "gemini-3-pro", gemini),
        ("ollama", "/api/chat", "llama4", chat("llama4", false)),
        ("ollama, streamed", "/api/chat", "llama4", json!({"model": "llama4", "messages": messages})),
        ("mistral", "/v1/chat/completions", "mistral-large", chat("mistral-large", false)),
        ("mistral, streamed", "/v1/chat/completions", "mistral-large", chat("mistral-large", true)),
        ("cohere", "/v2/chat", "command-a", chat("command-a", false)),
        ("cohere, streamed", "/v2/chat", "command-a", chat("command-a", true)),
        (
            "bedrock",
            "/model/anthropic.claude-opus-5-v1%3A0/converse",
            "anthropic.claude-opus-5-v1:0",
            converse.clone(),
        ),
        (
            "bedrock, streamed",
            "/model/anthropic.claude-opus-5-v1%3A0/converse-stream",
            "anthropic.claude-opus-5-v1:0",
            converse,
        ),
    ]
    .map(|(name, path, model, body)| ModelCall { name, path, model, body })
    .into()
}
