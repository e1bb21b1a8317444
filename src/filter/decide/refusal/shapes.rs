//! The same refusal in the formats of those who read it.

use super::dialect::Dialect;
use super::link::encoded;
use super::words::Words;
use super::{Answer, Surroundings, html};
use faregate_protocol::RefusalCode;

// Bodies with blanks: `%c` is the code, `%r` the code in capitals, `%d` the detail as a JSON string, `%i` the number of the
// request, `%k` the kind of error, `%n` the status, `%p` the problem, `%m` the problem's members and its closing brace.
const OPENAI: &str = r#"{"error":{"message":%d,"type":"%k","code":"%c","param":null},%m"#;
const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"%k","message":%d},"code":"%c","problem":%p}"#;
const GEMINI: &str = r#"{"error":{"code":%n,"message":%d,"status":"%k","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%r","domain":"faregate"}]},"problem":%p}"#;
const MCP: &str = r#"{"jsonrpc":"2.0","id":%i,"error":{"code":%n,"message":%d,"data":%p}}"#;
/// Newer clients insist on a type, older ones overlook it.
const MCP_RESULT: &str = r#"{"jsonrpc":"2.0","id":%i,"result":{"resultType":"complete","isError":true,"content":[{"type":"text","text":%d}],"structuredContent":%p}}"#;

/// A refusal in this dialect. `problem` is the whole problem document, which most dialects carry somewhere.
#[inline(never)]
pub(super) fn answer(
    around: &Surroundings<'_>,
    code: RefusalCode,
    status: u16,
    words: &Words<'_>,
    problem: &str,
    mut headers: Vec<(&'static str, String)>,
) -> Answer {
    let dialect = around.dialect;
    let parts = Parts { id: around.rpc_id.unwrap_or("null"), code, status, words, problem };
    let (kind, body) = match dialect {
        Dialect::Problem => ("application/problem+json", problem.to_owned()),
        Dialect::Html => ("text/html; charset=utf-8", html::page(status, code, words)),
        Dialect::Text => ("text/plain; charset=utf-8", text(status, words)),
        Dialect::OpenAi => ("application/problem+json", filled(OPENAI, openai(status), &parts)),
        Dialect::Anthropic => ("application/json", filled(ANTHROPIC, anthropic(status), &parts)),
        Dialect::Gemini => ("application/json", filled(GEMINI, gemini(status), &parts)),
        Dialect::Mcp => ("application/json", filled(MCP, "", &parts)),
        Dialect::McpResult => ("application/json", filled(MCP_RESULT, "", &parts)),
        Dialect::Grpc => {
            headers.retain(|(name, _)| !name.starts_with("access-control"));
            headers.push(("faregate-code", code.as_str().to_owned()));
            return Answer { status: 200, headers, body: words.detail.clone(), grpc: Some(grpc(status)) };
        }
        Dialect::GrpcWeb => {
            headers.push(("grpc-status", grpc(status).to_string()));
            headers.push(("grpc-message", encoded(&words.detail)));
            headers.push(("faregate-code", code.as_str().to_owned()));
            ("application/grpc-web+proto", String::new())
        }
    };
    headers.push(("content-type", kind.to_owned()));
    let ok = matches!(dialect, Dialect::McpResult | Dialect::GrpcWeb);
    Answer { status: if ok { 200 } else { status }, headers, body, grpc: None }
}

/// What stands in the blanks of a body.
struct Parts<'a> {
    id: &'a str,
    code: RefusalCode,
    status: u16,
    words: &'a Words<'a>,
    problem: &'a str,
}

/// A body whose blanks are filled in, each a `%` and a letter.
#[inline(never)]
fn filled(body: &str, kind: &str, parts: &Parts<'_>) -> String {
    let detail = quoted(&parts.words.detail);
    let reason = parts.code.as_str().to_ascii_uppercase();
    let number = parts.status.to_string();
    let mut out = String::new();
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        out.push_str(match characters.next() {
            Some('c') => parts.code.as_str(),
            Some('d') => &detail,
            Some('i') => parts.id,
            Some('k') => kind,
            Some('m') => parts.problem.strip_prefix('{').unwrap_or_default(),
            Some('p') => parts.problem,
            Some('r') => &reason,
            _ => &number,
        });
    }
    out
}

/// As a JSON string.
#[inline(never)]
pub(in crate::decide) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[inline(never)]
fn text(status: u16, words: &Words<'_>) -> String {
    let mut text = format!("{status} {}\n\n{}\n", words.title, words.detail);
    for remedy in &words.remedies {
        let (label, url) = remedy.label(&words.own);
        text.push_str("- ");
        text.push_str(&label);
        if let Some(url) = url {
            text.push_str(": ");
            text.push_str(url);
        }
        text.push('\n');
    }
    text
}

fn openai(status: u16) -> &'static str {
    match status {
        402 => "insufficient_quota",
        429 => "rate_limit_error",
        503 => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        410 => "not_found_error",
        429 => "rate_limit_error",
        _ => "api_error",
    }
}

/// A status of `google.rpc.Code` by name.
fn gemini(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        410 => "NOT_FOUND",
        503 => "UNAVAILABLE",
        _ => "RESOURCE_EXHAUSTED",
    }
}

/// A status of gRPC.
fn grpc(status: u16) -> u8 {
    match status {
        401 => 16,
        403 => 7,
        410 => 12,
        503 => 14,
        _ => 8,
    }
}
