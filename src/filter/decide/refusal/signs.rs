//! Picks a refusal's format from the request itself, where no rule sets one.

use crate::decide::base::head::Head;
use crate::decide::settings::dialect::Dialect;

/// What a request's head reveals about its sender, read in one pass: refusals come in floods.
#[derive(Clone, Copy, Debug, Default)]
pub struct FormatSignals<'a> {
    /// Envoy's `x-request-id`.
    pub request_id: Option<&'a [u8]>,
    /// The page that asks.
    pub origin: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    accept: Option<&'a [u8]>,
    mcp: Option<&'a [u8]>,
    anthropic: Option<&'a [u8]>,
    google: Option<&'a [u8]>,
    stainless: Option<&'a [u8]>,
}

impl<'a> FormatSignals<'a> {
    /// The first of duplicate headers counts.
    pub fn read(head: &Head<'a>) -> Self {
        let mut signs = Self::default();
        for (name, value) in head.beginning(Self::begin) {
            let sign = match name {
                b"x-request-id" => Some(&mut signs.request_id),
                b"accept" => Some(&mut signs.accept),
                other => signs.rare(other),
            };
            if let Some(sign) = sign {
                sign.get_or_insert(value);
            }
        }
        signs
    }

    /// Whether the name of one of them begins with these four bytes.
    fn begin(four: [u8; 4]) -> bool {
        matches!(&four, b"x-re" | b"acce" | b"orig" | b"cont" | b"mcp-" | b"anth" | b"x-go" | b"x-st")
    }

    /// The place of a header that few requests have.
    fn rare(&mut self, name: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        // No two of these names have both in common, and few others have both.
        let (known, sign) = match (name.len(), name.first()) {
            (6, Some(b'o')) => ("origin", &mut self.origin),
            (12, Some(b'c')) => ("content-type", &mut self.kind),
            (20, Some(b'm')) => ("mcp-protocol-version", &mut self.mcp),
            (14, Some(b'm')) => ("mcp-session-id", &mut self.mcp),
            (10, Some(b'm')) => ("mcp-method", &mut self.mcp),
            (17, Some(b'a')) => ("anthropic-version", &mut self.anthropic),
            (14, Some(b'x')) => ("x-goog-api-key", &mut self.google),
            (16, Some(b'x')) => ("x-stainless-lang", &mut self.stainless),
            _ => return None,
        };
        (known.as_bytes() == name).then_some(sign)
    }

    /// The format that the sender of a request to this path understands.
    pub fn dialect(&self, path: &[u8]) -> Dialect {
        let kind = self.kind.unwrap_or_default();
        let accept = self.accept.unwrap_or_default();
        if kind.starts_with(b"application/grpc-web") {
            return Dialect::GrpcWeb;
        }
        if kind.starts_with(b"application/grpc") {
            return Dialect::Grpc;
        }
        // Both in one is how MCP's streamable HTTP begins, before there is a session or a version.
        if self.mcp.is_some() || (holds(accept, b"text/event-stream") && holds(accept, b"application/json")) {
            return Dialect::Mcp;
        }
        if self.anthropic.is_some() {
            return Dialect::Anthropic;
        }
        if self.google.is_some() || holds(path, b":generateContent") || holds(path, b":streamGenerateContent")
        {
            return Dialect::Gemini;
        }
        let openai: [&[u8]; 5] =
            [b"/chat/completions", b"/completions", b"/responses", b"/embeddings", b"/models"];
        if self.stainless.is_some() || openai.iter().any(|end| path.ends_with(end)) {
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
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    let first = part.first();
    text.windows(part.len()).any(|window| window.first() == first && window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_format_follows_the_clients_headers_and_path() {
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
            ("/mcp", vec![("mcp-session-id", "1")], Dialect::Mcp),
            ("/mcp", vec![("mcp-method", "tools/list")], Dialect::Mcp),
            ("/", vec![("x-goog-api-key", "")], Dialect::Gemini),
            ("/", vec![("accept", "text/plain"), ("accept", "text/html")], Dialect::Text),
            (
                "/",
                vec![("xxgoog-api-key", ""), ("accent", "text/html"), ("acceptt", "text/html")],
                Dialect::Problem,
            ),
            ("/p.S/M", vec![("content-type", "application/grpc+proto")], Dialect::Grpc),
            ("/p.S/M", vec![("content-type", "application/grpc-web+proto")], Dialect::GrpcWeb),
        ] {
            let all: Vec<(String, Vec<u8>)> = [(":path", path)]
                .into_iter()
                .chain(headers)
                .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .collect();
            assert_eq!(FormatSignals::read(&Head::new(&all)).dialect(path.as_bytes()), dialect, "{all:?}");
        }
    }
}
