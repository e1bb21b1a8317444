//! What a browser remembers from the beginning of a sign-in to its end: one random value. State, nonce and the code verifier follow
//! from it, so the ledger keeps nothing, and any of several ledgers can finish.
//!
//! What must hold: none of the three says anything of the others or of the value; each is for one address alone, so that an answer
//! that was meant for another place fits nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// How long a sign-in may take.
pub const MAX_AGE: Duration = Duration::from_mins(10);
/// How many random bytes the value has.
const VALUE_BYTES: usize = 32;
/// How many characters they are in the browser.
const VALUE_CHARS: usize = 43;

/// One sign-in of one browser.
#[derive(Clone)]
pub struct Attempt(String);

impl Attempt {
    /// A fresh one.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; VALUE_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random)))
    }

    /// The one that a browser remembers.
    pub fn remembered(value: &str) -> Option<Self> {
        let is_value = value.len() == VALUE_CHARS
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_value.then(|| Self(value.to_owned()))
    }

    /// What the browser must remember, and show to none but the ledger.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// What comes back with the answer.
    pub fn state(&self, back_to: &str) -> String {
        self.derived("state", back_to)
    }

    /// What the ID token must hold.
    pub fn nonce(&self, back_to: &str) -> String {
        self.derived("nonce", back_to)
    }

    /// What proves to the provider who began (RFC 7636).
    pub fn code_verifier(&self, back_to: &str) -> String {
        self.derived("verifier", back_to)
    }

    /// What the provider is shown of it at the beginning.
    pub fn code_challenge(&self, back_to: &str) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.code_verifier(back_to)))
    }

    fn derived(&self, what: &str, back_to: &str) -> String {
        let parts = ["faregate oidc ", what, "\0", &self.0, "\0", back_to];
        let hash = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        URL_SAFE_NO_PAD.encode(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_value_differs_by_purpose_and_address() {
        let attempt = Attempt::fresh().unwrap();
        let all = [
            attempt.state("a"),
            attempt.state("b"),
            attempt.nonce("a"),
            attempt.code_verifier("a"),
            attempt.code_challenge("a"),
            attempt.value().to_owned(),
        ];
        for (nth, one) in all.iter().enumerate() {
            assert_eq!(one.len(), VALUE_CHARS);
            assert!(all.iter().skip(nth + 1).all(|other| other != one));
        }
        let again = Attempt::remembered(attempt.value()).unwrap();
        assert_eq!(again.state("a"), attempt.state("a"));
        for other in ["", "x", &"\u{e4}".repeat(22), &"a".repeat(44), &";".repeat(43)] {
            assert!(Attempt::remembered(other).is_none(), "{other}");
        }
    }

    /// The example of RFC 7636, appendix B, by its hash.
    #[test]
    fn a_challenge_is_the_verifiers_hash() {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
