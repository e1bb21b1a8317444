//! The formats of a refusal.

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
    /// Whether an answer repeats a part of the request's body.
    pub fn wants_body(self) -> bool {
        matches!(self, Self::Mcp | Self::McpResult)
    }
}

/// The names in the configuration, besides `auto`.
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
