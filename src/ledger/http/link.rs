//! The secret value of a link to the portal: what its address shows, and what is kept of it.

use super::pages::session_value::hex;
use axum::http::Uri;
use sha2::{Digest as _, Sha256};

/// How a value begins, so that secret scanners recognize it.
const PREFIX: &str = "fg_link_";
/// How many random bytes it has.
const VALUE_BYTES: usize = 32;

/// A link's value.
pub struct LinkValue(String);

impl LinkValue {
    /// A fresh one.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; VALUE_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self([PREFIX, &hex(&random)].concat()))
    }

    /// The value that this text is, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let is_value = rest.len() == VALUE_BYTES * 2 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_value.then(|| Self(text.to_owned()))
    }

    /// By what the ledger finds it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The link, for a portal at this address.
    pub fn url(&self, portal: &str) -> String {
        format!("{portal}/portal/enter?link={}", self.0)
    }
}

/// Whether a text is the address of a page: `https://` or `http://`, a host, and nothing that pages or headers would take for more.
pub fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\'));
    let uri = text.parse::<Uri>().ok();
    let has_host = uri.as_ref().and_then(Uri::authority).is_some_and(|host| !host.as_str().contains('@'));
    rest.is_some() && is_plain && has_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_again_by_its_hash() {
        let value = LinkValue::fresh().unwrap();
        let url = value.url("https://portal.test");
        let shown = url.strip_prefix("https://portal.test/portal/enter?link=").unwrap();
        assert_eq!(LinkValue::parse(shown).unwrap().hash(), value.hash());
        for other in [
            "",
            "fg_link_",
            shown.strip_prefix('f').unwrap(),
            &format!("{shown}0"),
            &shown.replace("fg_link_", "fg_live_"),
        ] {
            assert!(LinkValue::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn only_pages_of_the_web_are_addresses() {
        for good in ["https://example.com", "http://127.0.0.1:3000/account?a=b#c", "https://example.com/a,b"]
        {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "//evil.test",
            "https://",
            "https:/evil",
            "ftp://a",
            "https://a b",
            "https://a\u{202e}",
            "https://user@evil.test",
            "https://a\r\nset-cookie: b",
            "https://a\"b",
        ] {
            assert!(!is_web_address(bad), "{bad}");
        }
    }
}
