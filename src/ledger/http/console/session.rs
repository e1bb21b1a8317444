//! A session's value: what the cookie holds, and what follows from it.
//!
//! What must hold: of the value only a hash leaves this process; a session ends when the ledger no longer has what it began with: the
//! token of the environment, the provider, or the rule about claims; and what forms must show can't be guessed from outside.

use super::state::Console;
use crate::Secret;
use crate::command::sessions::is_over;
use crate::domain::claim_rule::ClaimRule;
use crate::http::auth::{Caller, Person};
use crate::http::codes::Code;
use crate::http::problem::Failure;
use crate::store::StoreError;
use crate::store::rows::SessionRow;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// The name of the session's cookie in the clear.
const COOKIE_NAME: &str = "faregate_console";
/// Its name where TLS is spoken: browsers take it only for this host, and only over TLS.
const COOKIE_NAME_TLS: &str = "__Host-faregate_console";
/// The name of the cookie with the time zone.
pub const ZONE_COOKIE: &str = "faregate_zone";
/// How many random bytes a session's value has.
const VALUE_BYTES: usize = 32;

/// A session's value.
#[derive(Clone)]
pub struct SessionValue(String);

impl SessionValue {
    /// A fresh one.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; VALUE_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Self(hex(&random)))
    }

    /// That of a request's cookie.
    pub fn of(headers: &HeaderMap, is_tls: bool) -> Option<Self> {
        let value = cookie(headers, if is_tls { COOKIE_NAME_TLS } else { COOKIE_NAME })?;
        let is_value = value.len() == VALUE_BYTES * 2 && value.bytes().all(|b| b.is_ascii_hexdigit());
        is_value.then(|| Self(value.to_owned()))
    }

    /// By what the ledger finds it.
    pub fn hash(&self) -> [u8; 32] {
        self.digest("session", "")
    }

    /// What binds it to a token of the environment.
    pub fn proof(&self, root: &Secret) -> [u8; 32] {
        self.digest("proof", root.expose())
    }

    /// What binds it to a rule about claims of an issuer's identities.
    pub fn rule_proof(&self, issuer: &str, rule: &ClaimRule) -> [u8; 32] {
        let ClaimRule { claim, value, scope } = rule;
        self.digest("rule", &[issuer, claim, value, scope.as_str()].join("\0"))
    }

    /// What its forms must show.
    pub fn form_token(&self) -> String {
        hex(&self.digest("form", ""))
    }

    /// Whether a form shows it, in a time that says nothing of where it differs.
    pub fn is_form_token(&self, shown: &str) -> bool {
        self.form_token().as_bytes().ct_eq(shown.as_bytes()).into()
    }

    fn digest(&self, what: &str, more: &str) -> [u8; 32] {
        let parts = ["faregate console ", what, "\0", &self.0, "\0", more];
        parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
    }

    /// The header that gives it to a browser.
    pub fn cookie(&self, is_tls: bool) -> Option<HeaderValue> {
        set(&self.0, is_tls, "")
    }

    /// The header that takes it away again.
    pub fn forgotten(is_tls: bool) -> Option<HeaderValue> {
        set("", is_tls, "; Max-Age=0")
    }
}

fn set(value: &str, is_tls: bool, more: &str) -> Option<HeaderValue> {
    let (name, rest) =
        if is_tls { (COOKIE_NAME_TLS, "Path=/; Secure") } else { (COOKIE_NAME, "Path=/console") };
    HeaderValue::from_str(&format!("{name}={value}; {rest}; HttpOnly; SameSite=Strict{more}")).ok()
}

fn hex(bytes: &[u8]) -> String {
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

/// Whose a session is, if it is not over and what it began with still lets in: the token, the provider's subject, or the rule.
pub async fn owner(
    console: &Console,
    value: &SessionValue,
    now: Timestamp,
) -> Result<Option<(Caller, SessionRow)>, StoreError> {
    let (store, roots) = (&console.app.store, &console.app.admin_access.tokens);
    let Some(row) = store.session(value.hash()).await? else { return Ok(None) };
    if is_over(&row, now) {
        return Ok(None);
    }
    let single = console.app.single_sign_on.as_ref();
    let caller = match (&row.token, &row.proof, &row.subject) {
        (Some(token), ..) => {
            let known = store.known_tokens().operators(token, now);
            // A ledger that has another provider now, or none, believes nothing of the one before.
            let is_current = |issuer: &str| single.is_some_and(|single| single.provider.issuer() == issuer);
            known.filter(|token| token.issuer().is_none_or(is_current)).map(Caller::Named)
        }
        (None, Some(proof), Some(subject)) => single.and_then(|single| {
            let issuer = single.provider.issuer();
            let is_rule = |rule: &&ClaimRule| value.rule_proof(issuer, rule).ct_eq(proof.as_slice()).into();
            let rule = single.rules.iter().find(is_rule)?;
            let person = Person::kept(row.operator.clone(), subject.clone(), rule.scope);
            Some(Caller::Person(Arc::new(person)))
        }),
        (None, Some(proof), None) => {
            let is_root = roots.iter().any(|root| value.proof(root).ct_eq(proof.as_slice()).into());
            is_root.then_some(Caller::Root)
        }
        (None, None, _) => None,
    };
    Ok(caller.map(|caller| (caller, row)))
}

/// The system gives no randomness.
pub fn no_randomness(error: getrandom::Error) -> Failure {
    Failure::new(Code::Internal, format!("no randomness: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_names_one_value_and_is_bound_to_its_host_under_tls() {
        let value = SessionValue::fresh().unwrap();
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
            assert_eq!(SessionValue::of(&headers, is_tls).unwrap().0, value.0);
            assert!(SessionValue::of(&headers, !is_tls).is_none(), "the other name's");
            headers.append(COOKIE, set.split(';').next().unwrap().parse().unwrap());
            assert!(SessionValue::of(&headers, is_tls).is_none(), "twice");
        }
    }

    #[test]
    fn what_follows_from_a_value_differs_by_purpose() {
        let value = SessionValue::fresh().unwrap();
        let proofs = ["one", "two"].map(|root| value.proof(&Secret::new(root)));
        assert!(proofs[0] != proofs[1] && proofs[0] != value.hash());
        assert!(value.is_form_token(&value.form_token()) && !value.is_form_token(&hex(&value.hash())));
    }
}
