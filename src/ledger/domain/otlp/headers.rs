//! Headers that a collector asks for, such as a token: `name=value`, as in OTEL_EXPORTER_OTLP_HEADERS of OpenTelemetry's specification.
//!
//! What must hold: no error repeats a value.

use percent_encoding::percent_decode_str;

/// The longest text of headers, in bytes.
pub const MAX_HEADERS_BYTES: usize = 8 << 10;
/// The most headers.
const MAX_HEADERS: usize = 32;
/// Those that a request has anyway.
const OWN: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// The headers in a text: separated by commas or line breaks, values with % where a character isn't allowed. What is wrong, and the
/// cure, if something is.
pub fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.len() > MAX_HEADERS_BYTES {
        return Err(format!("has more than {MAX_HEADERS_BYTES} bytes; name the file that has only headers"));
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let pairs = text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty());
    for (n, pair) in (1..).zip(pairs) {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            format!("has no = in header {n}; write it as name=value, with %2C for a comma in a value")
        })?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("has no name that a header can have in header {n}; write it as name=value"));
        }
        if OWN.contains(&name.as_str()) {
            return Err(format!("sets {name}, which the ledger sets; leave it out"));
        }
        let value = percent_decode_str(value.trim()).decode_utf8();
        let value = value.map_err(|_| format!("has a value of {name} that is no UTF-8; encode it with %"))?;
        if value.is_empty() || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(format!(
                "has a value of {name} that is empty, or that no header can carry; copy it again"
            ));
        }
        if found.iter().any(|(other, _)| *other == name) {
            return Err(format!("sets {name} twice; keep one of them"));
        }
        found.push((name, value.into_owned()));
    }
    match found.len() {
        0 => Err("has no header; write one as name=value".to_owned()),
        count if count > MAX_HEADERS => Err(format!("has {count} headers; the most is {MAX_HEADERS}")),
        _ => Ok(found),
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        headers(text).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_are_read_as_the_specification_writes_them() {
        assert_eq!(read("api-key=abc=="), pairs(&[("api-key", "abc==")]));
        assert_eq!(
            read("Authorization=Bearer%20x, X-Scope-OrgID = acme\n"),
            pairs(&[("authorization", "Bearer x"), ("x-scope-orgid", "acme")])
        );
        assert_eq!(read("a=1%2C2\n\nb=Basic xyz\n"), pairs(&[("a", "1,2"), ("b", "Basic xyz")]));
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        let many: Vec<String> = (0..33).map(|n| format!("a{n}=hunter2")).collect();
        for (text, why) in [
            ("hunter2", "name=value"),
            ("=hunter2", "no name"),
            ("a b=hunter2", "no name"),
            ("a=hunter2%0A", "no header can carry"),
            ("a=hunter2%ff", "UTF-8"),
            ("a=", "empty"),
            ("a=hunter2,A=x", "twice"),
            ("host=hunter2", "leave it out"),
            (" \n", "no header"),
            (&["a=", &"hunter2".repeat(2_000)].concat(), "8192"),
            (&many.join(","), "33 headers"),
        ] {
            let said = headers(text).unwrap_err();
            assert!(said.contains(why) && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
