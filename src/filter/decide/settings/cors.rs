//! CORS: which pages may read the gate's answers, and how preflights are handled.

use super::reader::{Field, Object};
use crate::decide::base::bytes::all_are;

/// How many origins there may be.
const MAX_ORIGINS: usize = 32;

/// How a browser's preflight (`OPTIONS`) on a paid route is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preflight {
    /// The gate answers those of pages of `cors_origins`, and refuses those of others.
    Answer,
    /// It reaches the API, and isn't charged.
    Pass,
    /// It is an ordinary request.
    Charge,
    /// The gate refuses it.
    Refuse,
}

#[inline(never)]
pub(super) fn read(top: &Object<'_>) -> (Vec<String>, Preflight) {
    let origins = match top.optional("cors_origins") {
        Some(field) => field.texts(MAX_ORIGINS, read_origin),
        None => Vec::new(),
    };
    let preflight = match top.optional("preflight") {
        Some(field) => read_preflight(&field, &origins),
        None if origins.is_empty() => Preflight::Pass,
        None => Preflight::Answer,
    };
    (origins, preflight)
}

fn read_origin(field: Field<'_>) -> String {
    let origin = field.header_value();
    let sent = is_origin(origin.as_bytes()) && all_are(origin.as_bytes(), |byte| !byte.is_ascii_uppercase());
    if origin != "*" && !sent {
        field.wrong_text(
            &origin,
            "\"*\", or an origin in lower case and without a path, such as \"https://app.example.com\"",
        );
    }
    origin
}

fn read_preflight(field: &Field<'_>, origins: &[String]) -> Preflight {
    match field.as_str() {
        Some("answer") if !origins.is_empty() => return Preflight::Answer,
        Some("answer") => field.wrong(
            "\"answer\" without cors_origins",
            "\"pass\", \"charge\" or \"refuse\", or cors_origins beside it",
        ),
        Some("pass") => return Preflight::Pass,
        Some("charge") => return Preflight::Charge,
        Some("refuse") => return Preflight::Refuse,
        _ => field.wrong_value("\"answer\", \"pass\", \"charge\" or \"refuse\""),
    }
    Preflight::Refuse
}

/// Whether a browser could send this as the origin of a page: a scheme and a host, perhaps with a port, or `null`. Old web
/// views send `file://`.
#[inline(never)]
pub fn is_origin(origin: &[u8]) -> bool {
    if matches!(origin, b"null" | b"file://") {
        return true;
    }
    let at = origin.iter().position(|byte| *byte == b':').unwrap_or_default();
    let (scheme, rest) = origin.split_at_checked(at).unwrap_or_default();
    let host = rest.strip_prefix(b"://").unwrap_or_default();
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && all_are(scheme, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !host.is_empty()
        // Enough to rule out lists, full addresses and line ends.
        && all_are(host, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::settings::Settings;
    use serde_json::{Value, json};

    #[test]
    fn only_origins_as_browsers_send_them_are_valid() {
        for origin in [
            "https://app.example.com",
            "http://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "http://[2001:db8::1]:8443",
            "chrome-extension://abcdefghijklmnop",
            "https://xn--bcher-kva.example",
            "https://a_b.example",
            "capacitor://localhost",
            "file://",
            "null",
        ] {
            assert!(is_origin(origin.as_bytes()), "{origin}");
        }
        for other in [
            "",
            " ",
            "*",
            "Null",
            "app.example.com",
            "https:app.example.com",
            "https://",
            "://app.example.com",
            "1https://app.example.com",
            "https://app.example.com/",
            "https://user@app.example.com",
            "https://a.example https://b.example",
            "https://a.example,https://b.example",
            "https://a.example, null",
            "https://[::1]/",
            "https://b\u{fc}cher.example",
            "https://a.example\r\nset-cookie: a=b",
        ] {
            assert!(!is_origin(other.as_bytes()), "{other}");
        }
    }

    fn read(overrides: &Value) -> Result<Preflight, String> {
        let mut config = json!({
            "ledger": {"cluster": "ledger", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": "free"
        });
        for (name, value) in overrides.as_object().unwrap() {
            config[name] = value.clone();
        }
        Settings::from_value(&config).map(|settings| settings.preflight).map_err(|why| why.to_string())
    }

    #[test]
    fn preflights_are_answered_by_default_if_origins_are_configured() {
        let origins = json!(["https://app.example.com", "*", "http://localhost:3000", "null"]);
        assert_eq!(read(&json!({})), Ok(Preflight::Pass));
        assert_eq!(read(&json!({"cors_origins": []})), Ok(Preflight::Pass));
        assert_eq!(read(&json!({"cors_origins": origins})), Ok(Preflight::Answer));
        for (name, meant) in [
            ("answer", Preflight::Answer),
            ("pass", Preflight::Pass),
            ("charge", Preflight::Charge),
            ("refuse", Preflight::Refuse),
        ] {
            assert_eq!(read(&json!({"cors_origins": origins, "preflight": name})), Ok(meant));
        }
        let why = read(&json!({"preflight": "answer"})).unwrap_err();
        assert!(why.starts_with("preflight: found \"answer\" without cors_origins; allowed is "), "{why}");
        let why = read(&json!({"preflight": true})).unwrap_err();
        assert!(why.starts_with("preflight: found boolean true; allowed is \"answer\", "), "{why}");
    }

    #[test]
    fn an_origin_that_no_browser_sends_is_rejected() {
        for origin in [
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://*.example.com",
        ] {
            let why = read(&json!({"cors_origins": ["*", origin]})).unwrap_err();
            assert!(
                why.starts_with(&format!(
                    "cors_origins[1]: found {origin:?}; allowed is \"*\", or an origin"
                )),
                "{why}"
            );
        }
    }
}
