//! Authentication: a request needs the listener's token, which is compared in constant time.

use crate::Secret;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// Whether a request shows this token as `Authorization: Bearer …`, exactly once.
pub fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else {
        return false;
    };
    match value.as_bytes().split_at_checked(7) {
        Some((scheme, shown)) => scheme.eq_ignore_ascii_case(b"bearer ") && token.is(shown),
        None => false,
    }
}
