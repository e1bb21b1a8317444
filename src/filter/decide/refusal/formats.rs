//! The formats of a refusal.

use super::html;
use super::messages::Messages;
use super::template::{Headers, Placeholder, ResponseTemplate, Text};
use crate::decide::base::text::{cut, encoded, joined};
use crate::decide::meter::asked::mcp::HEADER_MISMATCH;
use crate::decide::settings::dialect::Dialect;
use faregate_protocol::RefusalCode;

// Bodies with blanks: `%c` is the code, `%r` the code in capitals, `%d` the detail as a JSON string, `%i` the number of the
// request, `%j` the code in JSON-RPC, `%k` the kind of error, `%n` the status, `%m` the problem's members and its closing brace.
const PROBLEM: &str = "{%m";
const OPENAI: &str = r#"{"error":{"message":%d,"type":"%k","code":"%c","param":null},%m"#;
const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"%k","message":%d},"code":"%c","problem":{%m}"#;
const GEMINI: &str = r#"{"error":{"code":%n,"message":%d,"status":"%k","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"%r","domain":"faregate"}]},"problem":{%m}"#;
const MCP: &str = r#"{"jsonrpc":"2.0","id":%i,"error":{"code":%j,"message":%d,"data":{%m}}"#;
/// Newer clients insist on a type, older ones overlook it.
const MCP_RESULT: &str = r#"{"jsonrpc":"2.0","id":%i,"result":{"resultType":"complete","isError":true,"content":[{"type":"text","text":%d}],"structuredContent":{%m}}"#;

/// A refusal in this dialect. `problem` writes the members of the problem document, which most dialects carry somewhere, and
/// its closing brace.
#[inline(never)]
pub(super) fn form(
    dialect: Dialect,
    code: RefusalCode,
    status: u16,
    messages: &Messages<'_>,
    problem: &dyn Fn(&mut Text),
    mut headers: Headers,
) -> ResponseTemplate {
    let mut text = Text::default();
    let parts = Parts { code, status, messages, problem };
    // MCP has an error of its own for it, whatever is called.
    let mismatch = code == RefusalCode::HeaderMismatch;
    let dialect = if dialect == Dialect::McpResult && mismatch { Dialect::Mcp } else { dialect };
    let (kind, template, error) = match dialect {
        Dialect::Problem => ("application/problem+json", PROBLEM, ""),
        Dialect::Html => {
            text = html::page(status, code, messages).into();
            ("text/html; charset=utf-8", "", "")
        }
        Dialect::Text => {
            text = plain(status, messages).into();
            ("text/plain; charset=utf-8", "", "")
        }
        Dialect::OpenAi => ("application/problem+json", OPENAI, openai(status)),
        Dialect::Anthropic => ("application/json", ANTHROPIC, anthropic(status)),
        Dialect::Gemini => ("application/json", GEMINI, gemini(status)),
        Dialect::Mcp => ("application/json", MCP, ""),
        Dialect::McpResult => ("application/json", MCP_RESULT, ""),
        Dialect::Grpc => {
            headers.add("faregate-code", &[code.as_str()]);
            let text = messages.detail.clone().into();
            return ResponseTemplate {
                status: 200,
                grpc: Some(grpc(status)),
                headers: headers.written(),
                text,
            };
        }
        Dialect::GrpcWeb => {
            headers.add("grpc-status", &[&grpc(status).to_string()]);
            headers.add("grpc-message", &[&encoded(&messages.detail)]);
            headers.add("faregate-code", &[code.as_str()]);
            ("application/grpc-web+proto", "", "")
        }
    };
    fill(&mut text, template, error, &parts);
    headers.add("content-type", &[kind]);
    let ok = matches!(dialect, Dialect::McpResult | Dialect::GrpcWeb);
    ResponseTemplate { status: if ok { 200 } else { status }, grpc: None, headers: headers.written(), text }
}

/// The values for the blanks of a body.
struct Parts<'a> {
    code: RefusalCode,
    status: u16,
    messages: &'a Messages<'a>,
    problem: &'a dyn Fn(&mut Text),
}

/// Writes a body whose blanks are filled in, each a `%` and a letter.
#[inline(never)]
fn fill(out: &mut Text, body: &str, error: &str, parts: &Parts<'_>) {
    let (plain, mut rest) = cut(body, b'%');
    out.push(plain);
    while let Some(text) = rest {
        let (plain, behind) = cut(text.get(1..).unwrap_or_default(), b'%');
        rest = behind;
        match text.as_bytes().first() {
            Some(b'c') => out.push(parts.code.as_str()),
            Some(b'd') => out.quote(&parts.messages.detail),
            Some(b'j') if parts.code == RefusalCode::HeaderMismatch => out.push(&HEADER_MISMATCH.to_string()),
            Some(b'i') => out.placeholder(Placeholder::Number),
            Some(b'k') => out.push(error),
            Some(b'm') => (parts.problem)(out),
            Some(b'r') => out.push(&parts.code.as_str().to_ascii_uppercase()),
            _ => out.push(&parts.status.to_string()),
        }
        out.push(plain);
    }
}

#[inline(never)]
fn plain(status: u16, messages: &Messages<'_>) -> String {
    let mut text = joined(&[&status.to_string(), " ", &messages.title, "\n\n", &messages.detail, "\n"]);
    for remedy in &messages.remedies {
        let (label, url) = remedy.label(&messages.custom);
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
        400 | 415 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 | 410 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        _ => "api_error",
    }
}

/// A status of `google.rpc.Code` by name.
fn gemini(status: u16) -> &'static str {
    match status {
        400 | 413 | 415 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 410 => "NOT_FOUND",
        503 => "UNAVAILABLE",
        _ => "RESOURCE_EXHAUSTED",
    }
}

/// A status of gRPC.
fn grpc(status: u16) -> u8 {
    match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        410 | 415 => 12,
        503 => 14,
        _ => 8,
    }
}
