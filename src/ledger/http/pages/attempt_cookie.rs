//! The cookie in which a browser remembers a sign-in at a provider that is under way, and where it wanted to go.
//!
//! A provider sends browsers back from its own site, so this one comes along from there.

use super::session_value::cookie;
use super::show::encoded;
use crate::oidc::{Attempt, MAX_AGE};
use axum::http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

/// The longest path that is remembered, in bytes.
pub const MAX_NEXT_BYTES: usize = 1_024;

/// What such a cookie is called, and where it is sent.
#[derive(Clone, Copy, Debug)]
pub struct AttemptCookie {
    /// Its name in the clear.
    pub name: &'static str,
    /// Its name over TLS.
    pub name_tls: &'static str,
    /// The path of the pages that get it in the clear.
    pub path: &'static str,
}

impl AttemptCookie {
    /// Has a browser remember a sign-in, and where to go then.
    pub fn keep(&self, attempt: &Attempt, next: &str, is_tls: bool) -> Option<HeaderValue> {
        self.set(&format!("{}.{}", attempt.value(), encoded(next)), is_tls, MAX_AGE.as_secs())
    }

    /// Has it forget that.
    pub fn forget(&self, is_tls: bool) -> Option<HeaderValue> {
        self.set("", is_tls, 0)
    }

    /// What a browser remembers: the sign-in, if it is one, and where it wanted to go, which is still to be checked.
    pub fn read(&self, headers: &HeaderMap, is_tls: bool) -> (Option<Attempt>, String) {
        let remembered = cookie(headers, if is_tls { self.name_tls } else { self.name });
        let (value, next) = remembered.unwrap_or_default().split_once('.').unwrap_or_default();
        (Attempt::remembered(value), percent_decode_str(next).decode_utf8_lossy().into_owned())
    }

    fn set(&self, value: &str, is_tls: bool, seconds: u64) -> Option<HeaderValue> {
        let (name, path, secure) =
            if is_tls { (self.name_tls, "/", "; Secure") } else { (self.name, self.path, "") };
        let cookie =
            format!("{name}={value}; Path={path}{secure}; HttpOnly; SameSite=Lax; Max-Age={seconds}");
        HeaderValue::from_str(&cookie).ok()
    }
}
