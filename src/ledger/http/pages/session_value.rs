//! A session's value: what the cookie holds, and what follows from it.
//!
//! What must hold: of the value only a hash leaves this process; and what forms must show can't be guessed from outside.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::marker::PhantomData;
use subtle::ConstantTimeEq as _;

/// How many random bytes a session's value has.
const VALUE_BYTES: usize = 32;

/// Sessions of which pages.
pub trait SessionKind: 'static {
    /// Their name, in which they differ from others.
    const NAME: &str;
    /// The name of the session's cookie in the clear.
    const COOKIE: &str;
    /// Its name where TLS is spoken: browsers take it only for this host, and only over TLS.
    const COOKIE_TLS: &str;
    /// The path of the pages.
    const PATH: &str;
    /// Whether a browser sends it when another site leads here.
    const SAME_SITE: &str;
}

/// A session's value.
pub struct SessionValue<K>(String, PhantomData<K>);

impl<K> Clone for SessionValue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<K: SessionKind> SessionValue<K> {
    /// A fresh one.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; VALUE_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self(hex(&random), PhantomData))
    }

    /// The value that this text is.
    pub fn parse(text: &str) -> Option<Self> {
        let is_value = text.len() == VALUE_BYTES * 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_value.then(|| Self(text.to_owned(), PhantomData))
    }

    /// That of a request's cookie.
    pub fn of(headers: &HeaderMap, is_tls: bool) -> Option<Self> {
        cookie(headers, if is_tls { K::COOKIE_TLS } else { K::COOKIE }).and_then(Self::parse)
    }

    /// The value itself, which is secret.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// By what the ledger finds it.
    pub fn hash(&self) -> [u8; 32] {
        self.digest("session", "")
    }

    /// What its forms must show.
    pub fn form_token(&self) -> String {
        hex(&self.digest("form", ""))
    }

    /// Whether a form shows it, in a time that says nothing of where it differs.
    pub fn is_form_token(&self, shown: &str) -> bool {
        self.form_token().as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// A hash for one purpose.
    pub fn digest(&self, what: &str, more: &str) -> [u8; 32] {
        let parts = ["faregate ", K::NAME, " ", what, "\0", &self.0, "\0", more];
        parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
    }

    /// The header that gives it to a browser.
    pub fn cookie(&self, is_tls: bool) -> Option<HeaderValue> {
        set::<K>(&self.0, is_tls, "")
    }

    /// The header that takes it away again.
    pub fn forgotten(is_tls: bool) -> Option<HeaderValue> {
        set::<K>("", is_tls, "; Max-Age=0")
    }
}

fn set<K: SessionKind>(value: &str, is_tls: bool, more: &str) -> Option<HeaderValue> {
    let (name, path, secure) =
        if is_tls { (K::COOKIE_TLS, "/", " Secure;") } else { (K::COOKIE, K::PATH, "") };
    let same_site = K::SAME_SITE;
    HeaderValue::from_str(&format!(
        "{name}={value}; Path={path};{secure} HttpOnly; SameSite={same_site}{more}"
    ))
    .ok()
}

/// Bytes as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The value of the cookie of this name, if it is there once.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OfTest;

    impl SessionKind for OfTest {
        const NAME: &str = "test";
        const COOKIE: &str = "faregate_test";
        const COOKIE_TLS: &str = "__Host-faregate_test";
        const PATH: &str = "/test";
        const SAME_SITE: &str = "Strict";
    }

    type Value = SessionValue<OfTest>;

    #[test]
    fn a_cookie_names_one_value_and_is_bound_to_its_host_under_tls() {
        let value = Value::fresh().unwrap();
        for is_tls in [false, true] {
            let set = value.cookie(is_tls).unwrap();
            let set = set.to_str().unwrap();
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
            assert_eq!(
                set.starts_with("__Host-") && set.contains("Secure; ") && set.contains("Path=/;"),
                is_tls
            );
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, set.split(';').next().unwrap().parse().unwrap());
            assert_eq!(Value::of(&headers, is_tls).unwrap().0, value.0);
            assert!(Value::of(&headers, !is_tls).is_none(), "the other name's");
            headers.append(COOKIE, set.split(';').next().unwrap().parse().unwrap());
            assert!(Value::of(&headers, is_tls).is_none(), "twice");
        }
    }

    #[test]
    fn the_hash_is_no_form_token() {
        let value = Value::fresh().unwrap();
        assert!(value.is_form_token(&value.form_token()) && !value.is_form_token(&hex(&value.hash())));
    }
}
