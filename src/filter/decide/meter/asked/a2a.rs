//! Calls of agents by A2A: only messages to an agent are priced, by JSON-RPC, REST or gRPC.
//!
//! What must hold: a body that can't be read is an error and never free, where the path doesn't say what is called. Where it does,
//! the body needn't be read.

use super::rpc::parse;
use super::shape::ends_with;
use super::walk::BodyError;

/// The methods that are priced: 0.3 has the first two.
const PRICED: [&str; 4] = ["message/send", "message/stream", "SendMessage", "SendStreamingMessage"];
/// The paths of REST and gRPC that are priced.
const PRICED_PATHS: [&str; 4] =
    ["/message:send", "/message:stream", "A2AService/SendMessage", "A2AService/SendStreamingMessage"];

/// Whether a request to this path sends a message, whatever its body is.
pub fn is_message(path: &[u8]) -> bool {
    ends_with(path, &PRICED_PATHS)
}

/// How many messages a request sends. An empty body sends none unless its path says so.
pub fn messages(path: &[u8], body: &[u8]) -> Result<usize, BodyError> {
    if is_message(path) {
        return Ok(1);
    }
    if body.is_empty() {
        return Ok(0);
    }
    let calls = parse(body)?.calls;
    Ok(calls
        .iter()
        .filter_map(|call| call.method.as_deref())
        .filter(|method| PRICED.contains(method))
        .count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_are_counted() {
        for (path, body, expected) in [
            (
                "/",
                r#"{"jsonrpc":"2.0","id":"1","method":"message/send","params":{"message":{"parts":[]}}}"#,
                1,
            ),
            ("/a2a", r#"{"method":"message\/stream","id":1}"#, 1),
            ("/a2a", r#"{"method":"SendMessage"}"#, 1),
            ("/a2a", r#"{"method":"SendStreamingMessage","id":1}"#, 1),
            ("/a2a", r#"{"method":"GetTask","id":1,"params":{"method":"SendMessage"}}"#, 0),
            ("/a2a", r#"{"method":"tasks/get","id":1}"#, 0),
            ("/a2a", r#"{"method":"sendmessage","id":1}"#, 0),
            ("/a2a", r#"[{"method":"SendMessage"},{"method":"tasks/get"},{"method":"message/send"}]"#, 2),
            ("/v1/message:send", "{", 1),
            ("/tenant/message%3Astream?x", "{}", 1),
            ("/lf.a2a.v1.A2AService/SendMessage", "\0\0", 1),
            ("/a2a.v1.A2AService/SendStreamingMessage", "\0\0", 1),
            ("/tasks/1:cancel", "{}", 0),
            ("/.well-known/agent-card.json", "", 0),
        ] {
            assert_eq!(messages(path.as_bytes(), body.as_bytes()), Ok(expected), "{path} {body}");
        }
        assert_eq!(messages(b"/a2a", b"{"), Err(BodyError::Malformed { at: 1 }));
    }
}
