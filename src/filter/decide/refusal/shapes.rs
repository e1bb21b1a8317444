//! The same refusal in the formats of those who read it.

use super::dialect::Dialect;
use super::link::encoded;
use super::words::Words;
use super::{Answer, Surroundings, html, joined};
use faregate_protocol::RefusalCode;

/// A refusal in this dialect. `problem` is the whole problem document, which most dialects carry somewhere.
pub(super) fn answer(
    around: &Surroundings<'_>,
    code: RefusalCode,
    status: u16,
    words: &Words<'_>,
    problem: &str,
    mut headers: Vec<(&'static str, String)>,
) -> Answer {
    let detail = quoted(&words.detail);
    let id = around.rpc_id.unwrap_or("null");
    let dialect = around.dialect;
    let number = status.to_string();
    let (kind, body) = match dialect {
        Dialect::Problem => ("application/problem+json", problem.to_owned()),
        Dialect::Html => ("text/html; charset=utf-8", html::page(status, code, words)),
        Dialect::Text => ("text/plain; charset=utf-8", text(status, words)),
        Dialect::OpenAi => {
            let rest = problem.strip_prefix('{').unwrap_or_default();
            let error =
                ["{\"error\":{\"message\":", &detail, ",\"type\":\"", openai(status), "\",\"code\":\""];
            (
                "application/problem+json",
                joined(&[&joined(&error), code.as_str(), "\",\"param\":null},", rest]),
            )
        }
        Dialect::Anthropic => {
            let kind =
                ["{\"type\":\"error\",\"error\":{\"type\":\"", anthropic(status), "\",\"message\":", &detail];
            let code = ["},\"code\":\"", code.as_str(), "\",\"problem\":", problem, "}"];
            ("application/json", joined(&[&joined(&kind), &joined(&code)]))
        }
        Dialect::Gemini => {
            let error = [
                "{\"error\":{\"code\":",
                &number,
                ",\"message\":",
                &detail,
                ",\"status\":\"",
                gemini(status),
            ];
            let reason = code.as_str().to_ascii_uppercase();
            let info = [
                "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"",
                &reason,
            ];
            let end = ["\",\"domain\":\"faregate\"}]},\"problem\":", problem, "}"];
            ("application/json", joined(&[&joined(&error), &joined(&info), &joined(&end)]))
        }
        Dialect::Mcp => {
            let error =
                [",\"error\":{\"code\":", &number, ",\"message\":", &detail, ",\"data\":", problem, "}}"];
            ("application/json", joined(&["{\"jsonrpc\":\"2.0\",\"id\":", id, &joined(&error)]))
        }
        Dialect::McpResult => {
            // Newer clients insist on a type, older ones overlook it.
            let content = ",\"result\":{\"resultType\":\"complete\",\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":";
            let result = [content, &detail, "}],\"structuredContent\":", problem, "}}"];
            ("application/json", joined(&["{\"jsonrpc\":\"2.0\",\"id\":", id, &joined(&result)]))
        }
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

/// As a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

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
        429 => "rate_limit_error",
        _ => "api_error",
    }
}

/// A status of `google.rpc.Code` by name.
fn gemini(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        503 => "UNAVAILABLE",
        _ => "RESOURCE_EXHAUSTED",
    }
}

/// A status of gRPC.
fn grpc(status: u16) -> u8 {
    match status {
        401 => 16,
        403 => 7,
        503 => 14,
        _ => 8,
    }
}
