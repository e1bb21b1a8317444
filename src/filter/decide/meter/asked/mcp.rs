//! Calls of tools by MCP: which are free, whether headers say the same as the body, which price is meant, and what of an answer
//! decides whether the call is charged.
//!
//! What must hold: the body decides what is called, never a header; a header that differs is an error.

use super::rpc::{Call, Calls};

/// The first version in which headers are required and batches are gone. Versions are dates.
const FIRST_WITH_HEADERS: &str = "2026-07-28";

/// The names of the headers, in lower case.
pub const VERSION_HEADER: &str = "mcp-protocol-version";
/// See [`VERSION_HEADER`].
pub const METHOD_HEADER: &str = "mcp-method";
/// See [`VERSION_HEADER`].
pub const NAME_HEADER: &str = "mcp-name";

/// The JSON-RPC error of a request whose headers differ from its body; its status is 400.
pub const HEADER_MISMATCH: i32 = -32_020;

/// What of an answer must be known to charge for the call: `error`, `result.isError`, `result.resultType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallAnswer {
    /// Whether there is an `error` member: the call failed.
    pub is_rpc_error: bool,
    /// Whether `result.isError` is `true`: the tool says that it failed. By A2A: whether the task has failed or was rejected.
    pub is_tool_error: bool,
    /// Whether `result.resultType` is [`CallAnswer::INPUT_REQUIRED`]: the client will send the same call again.
    pub is_input_required: bool,
}

impl CallAnswer {
    /// The result type of a call that isn't done yet.
    pub const INPUT_REQUIRED: &'static str = "input_required";

    /// Whether something was delivered. A result that says that the tool failed may be charged nevertheless: the rule decides.
    pub fn is_delivered(self) -> bool {
        !self.is_rpc_error && !self.is_input_required
    }
}

/// A header of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header<'a> {
    /// It isn't there.
    #[default]
    Absent,
    /// Its value.
    One(&'a str),
    /// It is there several times.
    Several,
}

/// The headers that say what the body says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// [`VERSION_HEADER`].
    pub version: Header<'a>,
    /// [`METHOD_HEADER`].
    pub method: Header<'a>,
    /// [`NAME_HEADER`].
    pub name: Header<'a>,
}

/// What is wrong with the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The version requires it.
    Missing(&'static str),
    /// It is there several times.
    Repeated(&'static str),
    /// It says something else than the body.
    Mismatch(&'static str),
    /// The version has no batches.
    Batch,
}

impl Call {
    /// What is called or read; `None`: the method has no such thing, or the body doesn't name it.
    pub fn target(&self) -> Option<&str> {
        match self.method.as_deref() {
            Some("tools/call" | "prompts/get") => self.name.as_deref(),
            Some("resources/read") => self.uri.as_deref(),
            _ => None,
        }
    }

    /// Whether it costs nothing. A call without `id` costs what it costs with one, because some servers carry it out.
    pub fn is_free(&self) -> bool {
        let Some(method) = self.method.as_deref() else { return true };
        matches!(method, "initialize" | "ping" | "server/discover" | "subscriptions/listen")
            || method.ends_with("/list")
            || ["tasks/", "notifications/"].iter().any(|begin| method.starts_with(begin))
    }
}

/// Compares the headers with the body.
pub fn check(calls: &Calls, headers: &Headers<'_>) -> Result<(), HeaderError> {
    let named =
        [(headers.version, VERSION_HEADER), (headers.method, METHOD_HEADER), (headers.name, NAME_HEADER)];
    if let Some((_, name)) = named.iter().find(|(header, _)| *header == Header::Several) {
        return Err(HeaderError::Repeated(name));
    }
    let mut versions = calls.calls.iter().filter_map(|call| call.version.as_deref());
    let is_new = matches!(headers.version, Header::One(version) if version >= FIRST_WITH_HEADERS)
        || versions.any(|version| version >= FIRST_WITH_HEADERS);
    if is_new && calls.is_batch {
        return Err(HeaderError::Batch);
    }
    for call in &calls.calls {
        let required = is_new && call.has_id && call.method.is_some();
        let said = [call.version.as_deref(), call.method.as_deref(), call.target()];
        for ((header, name), said) in named.iter().zip(said) {
            match (header, said) {
                // Before, the body names no version; then the header can't differ from it.
                (Header::One(_), None) if *name == VERSION_HEADER => {}
                (Header::One(value), said) if says(value, said) => {}
                (Header::One(_), _) => return Err(HeaderError::Mismatch(name)),
                (_, None) if *name != VERSION_HEADER => {}
                _ if required => return Err(HeaderError::Missing(name)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a header's value is this text, as it is or as Base64.
fn says(value: &str, text: Option<&str>) -> bool {
    let Some(text) = text else { return false };
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(code) => is_base64_of(code.as_bytes(), text.as_bytes()),
        None => value == text,
    }
}

/// Whether this is the Base64 of those bytes, with padding (RFC 4648, 4).
fn is_base64_of(code: &[u8], bytes: &[u8]) -> bool {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if code.len() != bytes.len().div_ceil(3).saturating_mul(4) {
        return false;
    }
    code.chunks(4).zip(bytes.chunks(3)).all(|(code, bytes)| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | bytes.get(at).copied().map_or(0, usize::from));
        code.iter().enumerate().all(|(at, digit)| {
            let shift = 18_usize.saturating_sub(at.saturating_mul(6));
            let wanted = if at > bytes.len() { Some(&b'=') } else { DIGITS.get(bits >> shift & 63) };
            wanted == Some(digit)
        })
    })
}

/// Of patterns, some of which end in `*`, the place of the one that fits best: the name itself, or else the longest.
pub fn best<'a>(patterns: impl Iterator<Item = &'a str>, name: &str) -> Option<usize> {
    let mut best = None;
    for (at, pattern) in patterns.enumerate() {
        let length = match pattern.strip_suffix('*') {
            Some(begin) if name.starts_with(begin) => begin.len(),
            _ if pattern == name => usize::MAX,
            _ => continue,
        };
        if best.is_none_or(|(longest, _)| length > longest) {
            best = Some((length, at));
        }
    }
    best.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::super::rpc::parse;
    use super::*;
    use proptest::prelude::*;

    fn call(method: &str) -> Call {
        Call { method: Some(method.to_owned()), has_id: true, ..Call::default() }
    }

    #[test]
    fn what_does_no_work_is_free() {
        for method in [
            "initialize",
            "ping",
            "tools/list",
            "resources/templates/list",
            "server/discover",
            "tasks/get",
            "tasks/result",
            "notifications/initialized",
            "notifications/cancelled",
            "subscriptions/listen",
        ] {
            assert!(call(method).is_free(), "{method}");
        }
        for method in [
            "tools/call",
            "prompts/get",
            "resources/read",
            "completion/complete",
            "Initialize",
            "tools/list/",
            "tools/listing",
            "x/notifications/y",
            "task",
            "",
            "list",
            "pings",
        ] {
            assert!(!call(method).is_free(), "{method}");
        }
        assert!(Call::default().is_free(), "an answer to the server");
        assert!(!Call { has_id: false, ..call("tools/call") }.is_free());
    }

    #[test]
    fn headers_must_say_what_the_body_says() {
        use HeaderError::{Batch, Mismatch, Missing, Repeated};
        let new = r#"{"id":1,"method":"tools/call","params":{"name":"été","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let old = r#"{"id":1,"method":"tools/call","params":{"name":"a"}}"#;
        let read = r#"{"id":1,"method":"resources/read","params":{"uri":"file:///a","name":"b"}}"#;
        let list = r#"{"id":1,"method":"tools/list","params":{"name":"a"}}"#;
        let note = r#"{"method":"notifications/x"}"#;
        let (code, date) = ("=?base64?w6l0w6k=?=", "2026-07-28");
        for (body, version, method, name, expected) in [
            (new, date, "tools/call", code, Ok(())),
            (new, "", "tools/call", code, Err(Missing(VERSION_HEADER))),
            (new, date, "", code, Err(Missing(METHOD_HEADER))),
            (new, date, "tools/call", "", Err(Missing(NAME_HEADER))),
            (new, "2026-07-29", "tools/call", code, Err(Mismatch(VERSION_HEADER))),
            (new, "2025-11-25", "tools/call", code, Err(Mismatch(VERSION_HEADER))),
            (new, date, "tools/list", code, Err(Mismatch(METHOD_HEADER))),
            (new, date, "Tools/call", code, Err(Mismatch(METHOD_HEADER))),
            (new, date, "tools/call", "cheap", Err(Mismatch(NAME_HEADER))),
            (new, date, "tools/call", "=?base64?w6l0w6k?=", Err(Mismatch(NAME_HEADER))),
            (new, date, "tools/call", "=?base64?w6l0w6l=?=", Err(Mismatch(NAME_HEADER))),
            (new, date, "tools/call", "=?base64?w6l0w6k=", Err(Mismatch(NAME_HEADER))),
            (new, date, "+", code, Err(Repeated(METHOD_HEADER))),
            (old, "2025-11-25", "", "", Ok(())),
            (old, "", "", "", Ok(())),
            (old, "2025-11-25", "tools/call", "a", Ok(())),
            (old, "2025-11-25", "tools/call", "b", Err(Mismatch(NAME_HEADER))),
            (old, date, "", "", Err(Missing(METHOD_HEADER))),
            (old, "2027-01-01", "tools/call", "", Err(Missing(NAME_HEADER))),
            (read, date, "resources/read", "file:///a", Ok(())),
            (read, date, "resources/read", "b", Err(Mismatch(NAME_HEADER))),
            (list, date, "tools/list", "", Ok(())),
            (list, date, "tools/list", "a", Err(Mismatch(NAME_HEADER))),
            (note, date, "", "", Ok(())),
            (note, date, "notifications/y", "", Err(Mismatch(METHOD_HEADER))),
            ("[{\"method\":\"ping\",\"id\":1}]", date, "ping", "", Err(Batch)),
            ("[{\"method\":\"ping\",\"id\":1}]", "2025-03-26", "", "", Ok(())),
        ] {
            let header = |value| match value {
                "" => Header::Absent,
                "+" => Header::Several,
                value => Header::One(value),
            };
            let headers = Headers { version: header(version), method: header(method), name: header(name) };
            assert_eq!(
                check(&parse(body.as_bytes()).unwrap(), &headers),
                expected,
                "{body} {version} {method} {name}"
            );
        }
    }

    #[test]
    fn the_longest_pattern_counts_and_the_name_itself_before_it() {
        let patterns = ["*", "report-*", "report-a*", "report-a", "other", "report-*"];
        for (name, best) in [
            ("report-a", 3),
            ("report-ab", 2),
            ("report-", 1),
            ("report", 0),
            ("other", 4),
            ("others", 0),
            ("", 0),
        ] {
            assert_eq!(super::best(patterns.into_iter(), name), Some(best), "{name}");
        }
        assert_eq!(best(["a*b", "a"].into_iter(), "ab"), None);
        assert_eq!(best(["Report-*"].into_iter(), "report-a"), None);
    }

    #[test]
    fn a_call_that_will_be_sent_again_delivered_nothing() {
        let answer = CallAnswer::default();
        assert!(answer.is_delivered());
        assert!(CallAnswer { is_tool_error: true, ..answer }.is_delivered());
        assert!(!CallAnswer { is_rpc_error: true, ..answer }.is_delivered());
        assert!(!CallAnswer { is_input_required: true, ..answer }.is_delivered());
    }

    proptest! {
        #[test]
        fn only_the_code_of_a_text_says_it(text in ".{0,12}", other in "[A-Za-z0-9+/=]{0,8}") {
            let bytes = text.as_bytes();
            let digit = |value: u32| match u8::try_from(value & 63).unwrap() {
                value @ 0..26 => b'A' + value,
                value @ 26..52 => b'a' + value - 26,
                value @ 52..62 => b'0' + value - 52,
                62 => b'+',
                _ => b'/',
            };
            let mut code = String::new();
            for chunk in bytes.chunks(3) {
                let bits = chunk.iter().chain(&[0, 0]).take(3).fold(0, |bits, byte| bits << 8 | u32::from(*byte));
                for at in 0..4 {
                    code.push(if at <= chunk.len() { digit(bits >> (18 - 6 * at)).into() } else { '=' });
                }
            }
            let encoded = format!("=?base64?{code}?=");
            prop_assert!(says(&encoded, Some(&text)));
            prop_assert!(says(&text, Some(&text)));
            prop_assert_eq!(is_base64_of(other.as_bytes(), bytes), other == code);
        }
    }
}
