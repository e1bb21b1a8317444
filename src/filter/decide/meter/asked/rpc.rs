//! The calls in a JSON-RPC body, of MCP and A2A.
//!
//! What must hold: two readers find the same method and the same name in a body that is accepted.

use super::places::{Node, RPC};
use super::reading::text;
use super::trail::Trail;
use super::walk::{BodyError, Token};

/// The most calls in one body.
pub const MAX_CALLS: usize = 64;
/// The longest method, name or URI, in bytes.
pub const MAX_NAME_BYTES: usize = 1_024;

/// A request, a notification, or a client's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The method; `None`: it is an answer to the server.
    pub method: Option<String>,
    /// `params.name`.
    pub name: Option<String>,
    /// `params.uri`.
    pub uri: Option<String>,
    /// Whether there is an `id` that isn't `null`. Without it a call is a notification.
    pub has_id: bool,
    /// The version of MCP in `params._meta`.
    pub version: Option<String>,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Whether it is a list.
    pub is_batch: bool,
    /// What is in it, at most [`MAX_CALLS`].
    pub calls: Vec<Call>,
}

/// Reads a body.
pub fn parse(body: &[u8]) -> Result<Calls, BodyError> {
    let mut trail = Trail::new(body, RPC)?;
    let mut found = Calls::default();
    while let Some(step) = trail.step()? {
        let (token, depth) = (step.event.token, step.event.depth);
        let wrong = Err(BodyError::WrongType { name: step.name });
        if step.node == Node::Root {
            match token {
                Token::End => {}
                Token::Array { .. } if depth == 0 => found.is_batch = true,
                Token::Object { .. } => {
                    if found.calls.len() >= MAX_CALLS {
                        return Err(BodyError::TooMuch { at: step.event.at.start });
                    }
                    trail.forget();
                    found.calls.push(Call::default());
                }
                _ => return wrong,
            }
        }
        let Some(call) = found.calls.last_mut() else { continue };
        match step.node {
            Node::Method => call.method = text(&step, MAX_NAME_BYTES)?,
            Node::Name => call.name = text(&step, MAX_NAME_BYTES)?,
            Node::Uri => call.uri = text(&step, MAX_NAME_BYTES)?,
            Node::Version => call.version = text(&step, MAX_NAME_BYTES)?,
            Node::Id => call.has_id |= token != Token::Null,
            Node::Params | Node::Meta
                if !matches!(token, Token::Object { .. } | Token::Null | Token::End) =>
            {
                return wrong;
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(body: &str) -> Call {
        let found = parse(body.as_bytes()).unwrap();
        assert!(!found.is_batch);
        assert_eq!(found.calls.len(), 1);
        found.calls.into_iter().next().unwrap()
    }

    #[test]
    fn a_call_is_found_whatever_the_order_of_its_members() {
        let call = Call {
            method: Some("tools/call".to_owned()),
            name: Some("report".to_owned()),
            has_id: true,
            version: Some("2026-07-28".to_owned()),
            uri: None,
        };
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"report","arguments":{"name":"x","uri":"y"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            r#"{"params":{"_meta":{"name":"x","io.modelcontextprotocol\/protocolVersion":"2026-07-28"},"arguments":[{"name":"x"}],"n\u0061me":"rep\u006frt"},"method":"tools\/call","id":"a"}"#,
        ] {
            assert_eq!(one(body), call, "{body}");
        }
    }

    #[test]
    fn what_has_no_id_is_a_notification_and_what_has_no_method_an_answer() {
        assert!(!one(r#"{"method":"notifications/progress"}"#).has_id);
        assert!(!one(r#"{"method":"tools/call","id":null}"#).has_id);
        assert_eq!(
            one(r#"{"id":1,"result":{"method":"tools/call"}}"#),
            Call { has_id: true, ..Call::default() }
        );
    }

    #[test]
    fn a_batch_has_calls_of_its_own_up_to_a_limit() {
        let found = parse(br#"[{"id":1,"method":"a","params":{"name":"x"}},{"method":"b"}]"#).unwrap();
        assert!(found.is_batch);
        assert_eq!(
            found.calls.iter().filter_map(|call| call.method.as_deref()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(found.calls[1].name, None);
        let many = |many| format!("[{}]", vec!["{}"; many].join(","));
        assert_eq!(parse(many(MAX_CALLS).as_bytes()).unwrap().calls.len(), MAX_CALLS);
        assert!(matches!(parse(many(MAX_CALLS + 1).as_bytes()), Err(BodyError::TooMuch { .. })));
        assert_eq!(parse(b"[]"), Ok(Calls { is_batch: true, calls: Vec::new() }));
    }

    #[test]
    fn a_body_that_readers_may_take_for_another_is_refused() {
        let wrong = |name| BodyError::WrongType { name };
        let twice = |name| BodyError::Duplicate { name };
        let spelling = |name| BodyError::Spelling { name };
        for (body, error) in [
            (r#"{"method":"a","method":"b"}"#, twice("method")),
            (r#"{"method":"a","meth\u006fd":"b"}"#, twice("method")),
            (r#"{"method":"a","Method":"b"}"#, spelling("method")),
            (r#"{"params":{"name":"a","name":"b"}}"#, twice("name")),
            (r#"{"params":{},"params":{}}"#, twice("params")),
            (r#"{"id":1,"id":1}"#, twice("id")),
            (r#"{"params":{"Name":"a"}}"#, spelling("name")),
            (r#"{"method":1}"#, wrong("method")),
            (r#"{"params":{"name":["a"]}}"#, wrong("name")),
            (r#"{"params":["a"]}"#, wrong("params")),
            (r#""tools/call""#, wrong("body")),
            ("[1]", wrong("[]")),
            (r#"[[{"method":"a"}]]"#, wrong("[]")),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(error), "{body}");
        }
        let long = format!(r#"{{"params":{{"name":"{}"}}}}"#, "a".repeat(MAX_NAME_BYTES + 1));
        assert_eq!(parse(long.as_bytes()), Err(BodyError::TooLong { name: "name" }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..60), json in r#"[\[\]{}":,1]{0,20}"#) {
            let _ = parse(&body);
            let _ = parse(json.as_bytes());
        }
    }
}
