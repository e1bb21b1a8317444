//! A token that must not show up in any log.

use std::fmt;
use subtle::ConstantTimeEq as _;

/// A bearer token. Its `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for code that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this token, in a time that tells nothing but the token's length.
    pub fn is(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_debug_output() {
        let secret = Secret::new("correct horse");
        assert!(!format!("{secret:?}").contains("horse"));
        assert!(secret.is(b"correct horse"));
        assert!(!secret.is(b"correct horsf"));
        assert!(!secret.is(b""));
    }
}
