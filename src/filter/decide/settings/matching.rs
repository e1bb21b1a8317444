//! Reads which requests a rule matches.
//!
//! What must hold: a condition that no request can ever meet is rejected, with the fix, because its route would fall under
//! another rule, or be free. Envoy normalises paths before the filter sees them, so there are many such conditions.

use super::reader::Field;
use super::{HeaderMatch, Match, PathMatch};
use crate::decide::base::spelling;
use crate::decide::base::text::joined;

/// IANA's registry of methods, and those that Envoy also accepts over HTTP/1.1.
const METHODS: &str = "GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY \
     LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH REBIND \
     REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL M-SEARCH NOTIFY PURGE SOURCE \
     SUBSCRIBE UNSUBSCRIBE";

#[inline(never)]
pub(super) fn read(field: &Field<'_>) -> Match {
    let object = field.object(&["host", "path", "methods", "headers"]);
    let mut matches =
        Match { host: object.optional("host").map(|field| read_host(&field)), ..Match::default() };
    let (methods, headers) = (object.optional("methods"), object.optional("headers"));
    // How long both lists are comes before what is in them.
    for field in [methods, headers].iter().flatten() {
        field.items(32);
    }
    matches.path = object.optional("path").and_then(|field| read_path(&field));
    if let Some(field) = methods {
        matches.methods = read_methods(&field);
    }
    if let Some(field) = headers {
        for item in field.list(32) {
            let header = read_header(&item);
            if matches.headers.iter().any(|other| other.name == header.name) {
                item.wrong_text(&header.name, "one item for each header");
            }
            matches.headers.push(header);
        }
    }
    matches
}

fn read_host(field: &Field<'_>) -> String {
    let mut host = field.text(1_024);
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let sound = match host.as_bytes() {
        [b'[', address @ .., b']'] => {
            address.contains(&b':')
                && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        name => name.split(|byte| *byte == b'.').all(|label| !label.is_empty() && label.iter().all(letters)),
    };
    if !sound {
        field.wrong_value(
            "a host alone, such as \"api.example.com\" or \"[2001:db8::1]\": without a scheme, a port, a user, a path, * or a dot at its end, and with xn--… for letters beyond ASCII",
        );
    }
    host.make_ascii_lowercase();
    host
}

#[inline(never)]
fn read_methods(field: &Field<'_>) -> Vec<String> {
    let mut methods = field.texts(32, |item| {
        let method = item.text(32);
        if !METHODS.as_bytes().split(|byte| *byte == b' ').any(|known| known == method.as_bytes()) {
            item.wrong_value(
                "a method in capital letters: \"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\", \"OPTIONS\", \"CONNECT\", \"TRACE\", \"QUERY\", or another one that is registered; without methods a rule is for all",
            );
        }
        method
    });
    let has = |wanted: &str| methods.iter().any(|method| method == wanted);
    if has("GET") && !has("HEAD") {
        methods.push("HEAD".to_owned());
    }
    methods
}

#[inline(never)]
fn read_path(field: &Field<'_>) -> Option<PathMatch> {
    let allowed = "{\"exact\": PATH}, {\"prefix\": PATH} or {\"template\": PATH with {} for any one segment}";
    if !field.is_object() {
        field.wrong_value(allowed);
        return None;
    }
    let object = field.object(&["exact", "prefix", "template"]);
    let value = object.single(allowed)?;
    let path = value.text(2_048);
    let kind = value.name();
    if let Some(allowed) = path_fault(&path, kind) {
        value.wrong_value(&allowed);
    }
    Some(match kind {
        "exact" => PathMatch::Exact(canonical(path.as_bytes())),
        "prefix" => PathMatch::Prefix(canonical(path.as_bytes())),
        _ => PathMatch::Template(
            path.as_bytes().split(|byte| *byte == b'/').map(|text| read_segment(&value, text)).collect(),
        ),
    })
}

/// What would be right, if no request can have such a path.
#[inline(never)]
fn path_fault(path: &str, kind: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let form = canonical(bytes);
    let has = |byte: u8| bytes.contains(&byte);
    let escapes = |good: fn(Option<u8>) -> bool| {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if *byte == b'%' && !good(spelling::escape(behind)) {
                return false;
            }
            rest = behind;
        }
        true
    };
    let (mut dots, mut empty) = (false, false);
    let mut segments = form.as_bytes().split(|byte| *byte == b'/').skip(1);
    let mut next = segments.next();
    while let Some(segment) = next {
        next = segments.next();
        // What a prefix ends with may go on: `/.` with `/.well-known`.
        dots |= (segment == b"." || segment == b"..") && (next.is_some() || kind != "prefix");
        empty |= segment.is_empty() && next.is_some();
    }
    let allowed = if bytes.first() != Some(&b'/') || has(b'?') || has(b'#') {
        "a path that starts with / and has no query and no fragment (%3F stands for ?, %23 for #)"
    } else if !escapes(|byte| byte.is_some()) {
        "two hexadecimal digits behind each % (%25 stands for % itself)"
    } else if !escapes(|byte| byte != Some(0)) {
        "a path without %00, which Envoy refuses"
    } else if !bytes.iter().all(u8::is_ascii_graphic) {
        return Some(joined(&["the path as clients send it: ", &form]));
    } else if has(b'\\') {
        "a path with / for \\, as Envoy hands it over"
    } else if has(b'*') {
        "a path without *: {\"prefix\": PATH} is for all that begins so, {} in a template for any one segment (%2A stands for * itself)"
    } else if kind != "template" && (has(b'{') || has(b'}')) {
        "a path without braces: {\"template\": PATH} has {} for any one segment (%7B and %7D stand for braces themselves)"
    } else if dots {
        "a path without the segments . and .., which Envoy resolves before"
    } else if empty {
        "a path without //, which Envoy makes one / before"
    } else {
        return None;
    };
    Some(allowed.to_owned())
}

/// A segment of a template; `None` is any one.
fn read_segment(field: &Field<'_>, text: &[u8]) -> Option<String> {
    if text == b"{}" {
        return None;
    }
    if text.contains(&b'{') || text.contains(&b'}') {
        field.wrong_value(
            "{} as a whole segment, such as /items/{}/price (%7B and %7D stand for braces themselves)",
        );
    }
    Some(canonical(text))
}

fn canonical(text: &[u8]) -> String {
    // It is ASCII.
    String::from_utf8(spelling::canonical(text)).unwrap_or_default()
}

#[inline(never)]
fn read_header(field: &Field<'_>) -> HeaderMatch {
    let object = field.object(&["name", "exact"]);
    let name = object.required("name");
    if name.as_str().is_some_and(|name| name.starts_with(':') || name.eq_ignore_ascii_case("host")) {
        name.wrong_value("another header; a match has host, path and methods for these");
    }
    let header = HeaderMatch {
        name: name.header_name(),
        exact: object.optional("exact").map(|field| read_value(&field)),
    };
    if header.name.starts_with("x-faregate-") {
        name.wrong_value("another header; what clients send as x-faregate-… is removed");
    }
    header
}

fn read_value(field: &Field<'_>) -> String {
    let value = field.text(2_048);
    if value.as_bytes().trim_ascii() != value.as_bytes()
        || value.bytes().any(|byte| byte == b',' || byte.is_ascii_control())
    {
        field.wrong_value("one value: without commas, which part several, without blanks at its ends, and without control characters");
    }
    value
}

/// Whether an earlier rule matches everything that a rule matches.
#[inline(never)]
pub(super) fn covers(before: &Match, rule: &Match) -> bool {
    let path = match (&before.path, &rule.path) {
        (None, _) => true,
        (Some(before), Some(path)) => covers_path(before, path),
        (Some(_), None) => false,
    };
    let methods = || {
        before.methods.is_empty()
            || (!rule.methods.is_empty() && rule.methods.iter().all(|method| before.methods.contains(method)))
    };
    let headers = || {
        before.headers.iter().all(|before| {
            let covers = |one: &HeaderMatch| {
                one.name == before.name && (before.exact.is_none() || before.exact == one.exact)
            };
            rule.headers.iter().any(covers)
        })
    };
    path && (before.host.is_none() || before.host == rule.host) && methods() && headers()
}

fn covers_path(before: &PathMatch, path: &PathMatch) -> bool {
    match (before, path) {
        (_, PathMatch::Exact(exact)) => before.holds(exact.as_bytes()),
        (PathMatch::Prefix(before), PathMatch::Prefix(prefix)) => prefix.starts_with(before.as_str()),
        (PathMatch::Prefix(before), PathMatch::Template(segments)) => {
            let mut beginning = String::new();
            for segment in segments.iter().map_while(Option::as_deref) {
                beginning.push_str(segment);
                beginning.push('/');
            }
            beginning.starts_with(before.as_str())
        }
        (PathMatch::Template(before), PathMatch::Template(segments)) => {
            before.len() == segments.len()
                && before.iter().zip(segments).all(|(before, one)| before.is_none() || before == one)
        }
        _ => false,
    }
}
