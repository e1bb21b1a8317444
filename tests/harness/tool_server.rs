//! The part of an MCP server that a client needs in order to call a tool: with the handshake of protocols up to 2025, and
//! without it, as since 2026-07-28.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Answers a message.
pub(crate) fn answer(body: &[u8]) -> Response {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let about = json!({"name": "a story's server", "version": "1"});
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about
        }),
        Some("server/discover") => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "ttlMs": 0, "cacheScope": "public", "_meta": {"io.modelcontextprotocol/serverInfo": about}
        }),
        Some("tools/list") => json!({
            "resultType": "complete", "tools": [{"name": "forecast", "inputSchema": {"type": "object"}}],
            "ttlMs": 0, "cacheScope": "public"
        }),
        Some("tools/call") => {
            json!({"resultType": "complete", "content": [{"type": "text", "text": "sunny"}]})
        }
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}
