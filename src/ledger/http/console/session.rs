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
pub use crate::http::pages::session_value::cookie;
use crate::http::pages::session_value::{self as pages, SessionKind};
use crate::http::problem::Failure;
use crate::store::StoreError;
use crate::store::rows::SessionRow;
use jiff::Timestamp;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// The name of the session's cookie in the clear.
const COOKIE_NAME: &str = "faregate_console";
/// Its name where TLS is spoken: browsers take it only for this host, and only over TLS.
const COOKIE_NAME_TLS: &str = "__Host-faregate_console";
/// The name of the cookie with the time zone.
pub const ZONE_COOKIE: &str = "faregate_zone";
/// What sessions in the console are called.
#[derive(Clone, Copy, Debug)]
pub struct OfConsole;

impl SessionKind for OfConsole {
    const NAME: &str = "console";
    const COOKIE: &str = COOKIE_NAME;
    const COOKIE_TLS: &str = COOKIE_NAME_TLS;
    const PATH: &str = "/console";
    const SAME_SITE: &str = "Strict";
}

/// A session's value.
pub type SessionValue = pages::SessionValue<OfConsole>;

impl SessionValue {
    /// What binds it to a token of the environment.
    pub fn proof(&self, root: &Secret) -> [u8; 32] {
        self.digest("proof", root.expose())
    }

    /// What binds it to a rule about claims of an issuer's identities.
    pub fn rule_proof(&self, issuer: &str, rule: &ClaimRule) -> [u8; 32] {
        let ClaimRule { claim, value, scope } = rule;
        self.digest("rule", &[issuer, claim, value, scope.as_str()].join("\0"))
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
    fn what_follows_from_a_value_differs_by_purpose() {
        let value = SessionValue::fresh().unwrap();
        let proofs = ["one", "two"].map(|root| value.proof(&Secret::new(root)));
        assert!(proofs[0] != proofs[1] && proofs[0] != value.hash());
    }
}
