//! In which format a refusal is told: what the rule says, or what the request itself shows its sender to be.

use crate::decide::request::Head;

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `application/problem+json`, RFC 9457.
    #[default]
    Problem,
    /// A page for a browser.
    Html,
    /// Text for a terminal.
    Text,
    /// The problem with the `error` member of the OpenAI API.
    OpenAi,
    /// The error of the Anthropic API.
    Anthropic,
    /// The error of the Gemini API.
    Gemini,
    /// A JSON-RPC error, as MCP has it.
    Mcp,
    /// The result of an MCP tool call that failed, which the model itself sees; what calls no tool gets the error.
    McpResult,
    /// gRPC: a status and a message.
    Grpc,
    /// The same for gRPC-web.
    GrpcWeb,
}

impl Dialect {
    /// Whether an answer repeats something of the request's body.
    pub fn wants_body(self) -> bool {
        matches!(self, Self::Mcp | Self::McpResult)
    }
}

/// The names in the configuration; `auto` stands beside them.
pub const NAMES: [(&str, Dialect); 9] = [
    ("problem", Dialect::Problem),
    ("html", Dialect::Html),
    ("text", Dialect::Text),
    ("openai", Dialect::OpenAi),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
    ("mcp", Dialect::Mcp),
    ("mcp_result", Dialect::McpResult),
    ("grpc", Dialect::Grpc),
];

/// What the sender of a request understands, to judge by its head.
pub fn of(head: &Head<'_>) -> Dialect {
    let value = |name| head.value(name).unwrap_or_default();
    let has = |name| head.value(name).is_some();
    let kind = value("content-type");
    let accept = value("accept");
    let path = head.path();
    if kind.starts_with(b"application/grpc-web") {
        return Dialect::GrpcWeb;
    }
    if kind.starts_with(b"application/grpc") {
        return Dialect::Grpc;
    }
    // Both in one is how MCP's streamable HTTP begins, before there is a session or a version.
    let streamable = holds(accept, b"text/event-stream") && holds(accept, b"application/json");
    if has("mcp-protocol-version") || has("mcp-session-id") || has("mcp-method") || streamable {
        return Dialect::Mcp;
    }
    if has("anthropic-version") {
        return Dialect::Anthropic;
    }
    if has("x-goog-api-key") || holds(path, b":generateContent") || holds(path, b":streamGenerateContent") {
        return Dialect::Gemini;
    }
    let openai: [&[u8]; 5] =
        [b"/chat/completions", b"/completions", b"/responses", b"/embeddings", b"/models"];
    if has("x-stainless-lang") || openai.iter().any(|end| path.ends_with(end)) {
        return Dialect::OpenAi;
    }
    if holds(accept, b"text/html") {
        return Dialect::Html;
    }
    if accept.starts_with(b"text/plain") {
        return Dialect::Text;
    }
    Dialect::Problem
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_answered_in_the_format_that_it_shows_to_understand() {
        for (path, headers, dialect) in [
            ("/", vec![], Dialect::Problem),
            ("/", vec![("accept", "*/*")], Dialect::Problem),
            ("/", vec![("accept", "application/json")], Dialect::Problem),
            ("/", vec![("accept", "text/html,application/xhtml+xml;q=0.9")], Dialect::Html),
            ("/", vec![("accept", "text/plain")], Dialect::Text),
            ("/v1/chat/completions", vec![("accept", "text/html")], Dialect::OpenAi),
            ("/anything", vec![("x-stainless-lang", "python")], Dialect::OpenAi),
            (
                "/v1/messages",
                vec![("x-stainless-lang", "js"), ("anthropic-version", "1")],
                Dialect::Anthropic,
            ),
            ("/v1beta/models/m:generateContent", vec![], Dialect::Gemini),
            ("/mcp", vec![("accept", "application/json, text/event-stream")], Dialect::Mcp),
            ("/mcp", vec![("mcp-protocol-version", "2025-11-25")], Dialect::Mcp),
            ("/p.S/M", vec![("content-type", "application/grpc+proto")], Dialect::Grpc),
            ("/p.S/M", vec![("content-type", "application/grpc-web+proto")], Dialect::GrpcWeb),
        ] {
            let all: Vec<(String, Vec<u8>)> = [(":path", path)]
                .into_iter()
                .chain(headers)
                .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .collect();
            assert_eq!(of(&Head::new(&all)), dialect, "{all:?}");
        }
    }
}
