//! A request whose body decides its price, while its headers are held back: what of its head is needed once the body is here.

use crate::decide::base::head::Head;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::credential::Credential;
use crate::decide::meter::asked::form;
use crate::decide::meter::asked::mcp::{Header, Headers, METHOD_HEADER, NAME_HEADER, VERSION_HEADER};
use crate::decide::meter::framing::is_compressed;

/// The credential that a request is tried with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The credential.
    pub credential: Credential,
    /// The name of its lease.
    pub lease: String,
    /// The place of its cached refusal, if it has one.
    pub refused: Handle,
    /// The credential to try if the ledger doesn't know this one.
    pub fallback: Option<Credential>,
}

/// A request whose headers are held back until its body is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The number of its rule.
    pub rule: usize,
    /// What is known of its head.
    pub request: HeldRequest,
    /// Who sends it.
    pub chosen: Chosen,
}

/// What is known of its head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldRequest {
    /// Whether its method only reads or deletes, as far as HTTP is concerned: then it has no body that could be priced.
    pub is_read: bool,
    /// Its path, with its query.
    pub path: Vec<u8>,
    /// Whether it asks for a WebSocket.
    pub is_upgrade: bool,
    /// Whether its body is compressed.
    pub is_compressed: bool,
    /// How large its body is, if its head says so (bytes).
    pub length: Option<usize>,
    /// The boundary of its body, if that is a form.
    pub boundary: Option<String>,
    /// Its headers about an MCP call: version, method and name, as often as each was sent.
    mcp: [Vec<String>; 3],
}

impl HeldRequest {
    /// Takes from a head what is needed. `calls` says whether headers about MCP calls are.
    pub fn of(head: &Head<'_>, calls: bool) -> Self {
        let mcp = if calls {
            [VERSION_HEADER, METHOD_HEADER, NAME_HEADER].map(|name| {
                // Two are enough to know that there are several.
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                head.values(name).take(2).map(text).collect()
            })
        } else {
            <[Vec<String>; 3]>::default()
        };
        let mut types = head.values("content-type");
        let boundary = match (types.next(), types.next()) {
            (Some(one), None) => form::boundary(one).map(str::to_owned),
            _ => None,
        };
        Self {
            is_read: matches!(head.method(), b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS"),
            path: head.path_and_query().to_vec(),
            is_upgrade: head.values("upgrade").any(|value| value.eq_ignore_ascii_case(b"websocket")),
            is_compressed: head.values("content-encoding").any(|value| is_compressed(Some(value))),
            length: head
                .value("content-length")
                .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()),
            boundary,
            mcp,
        }
    }

    /// The headers about an MCP call.
    pub fn mcp(&self) -> Headers<'_> {
        let [version, method, name] = self.mcp.each_ref().map(|values| match values.as_slice() {
            [] => Header::Absent,
            [value] => Header::One(value),
            _ => Header::Several,
        });
        Headers { version, method, name }
    }

    /// The path as text, for what reads it so.
    pub fn path_text(&self) -> &str {
        std::str::from_utf8(&self.path).unwrap_or_default()
    }
}
