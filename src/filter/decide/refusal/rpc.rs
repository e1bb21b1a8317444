//! Reads from the body of a JSON-RPC request how it may be answered.
//!
//! What must hold: only a tool call gets a result. Any other request, and one that can't be parsed, gets
//! an error, which every client recognizes.

use crate::decide::base::json::{self, Json};
use crate::decide::base::text::quoted;
use crate::decide::settings::dialect::Dialect;

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 128 * 1_024;

/// The dialect of the answer to a request with this body, and its `id` as JSON, if it has one.
pub fn reply(dialect: Dialect, body: Option<&[u8]>) -> (Dialect, Option<String>) {
    let request = body.and_then(|body| json::parse(body).ok()).unwrap_or(Json::Null);
    let id = request.get("id").and_then(|id| match id.as_str() {
        Some(text) => Some(quoted(text)),
        // JSON-RPC has no use for fractions here.
        None => id.as_i64().map(|id| id.to_string()).or_else(|| id.as_u64().map(|id| id.to_string())),
    });
    let calls = id.is_some() && request.get("method").and_then(Json::as_str) == Some("tools/call");
    let dialect = if dialect == Dialect::McpResult && !calls { Dialect::Mcp } else { dialect };
    (dialect, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> (Dialect, Option<String>) {
        reply(Dialect::McpResult, Some(body.as_bytes()))
    }

    #[test]
    fn only_tool_calls_get_a_result() {
        let id = |text: &str| Some(text.to_owned());
        assert_eq!(of(r#"{"id":7,"method":"tools/call"}"#), (Dialect::McpResult, id("7")));
        assert_eq!(of(r#"{"id":"a\"","method":"tools/call"}"#), (Dialect::McpResult, id(r#""a\"""#)));
        for (body, id) in [
            (r#"{"id":7,"method":"initialize"}"#, id("7")),
            (r#"{"id":7,"method":"tools/list"}"#, id("7")),
            (r#"{"id":7,"method":"Tools/Call"}"#, id("7")),
            (r#"{"id":7,"method":["tools/call"]}"#, id("7")),
            (r#"{"id":7}"#, id("7")),
            // A notification has no result.
            (r#"{"method":"notifications/initialized"}"#, None),
            (r#"{"method":"tools/call"}"#, None),
            (r#"{"id":null,"method":"tools/call"}"#, None),
            (r#"{"id":1.5,"method":"tools/call"}"#, None),
            (r#"[{"id":7,"method":"tools/call"}]"#, None),
            ("\"tools/call\"", None),
            ("no json", None),
            ("", None),
        ] {
            assert_eq!(of(body), (Dialect::Mcp, id), "{body}");
        }
    }

    #[test]
    fn a_request_whose_body_was_not_read_gets_an_error() {
        assert_eq!(reply(Dialect::McpResult, None), (Dialect::Mcp, None));
    }

    #[test]
    fn the_mcp_error_format_never_gives_a_result() {
        for method in ["tools/call", "initialize"] {
            let body = format!(r#"{{"id":18446744073709551615,"method":"{method}"}}"#);
            let answer = reply(Dialect::Mcp, Some(body.as_bytes()));
            assert_eq!(answer, (Dialect::Mcp, Some("18446744073709551615".to_owned())));
        }
    }
}
