//! A session's value: what the cookie holds, and what follows from it.
//!
//! What must hold: of the value only a hash leaves this process; a session of a token of the environment ends when the ledger no longer
//! has that token; and what forms must show can't be guessed from outside.

use crate::Secret;
use crate::command::sessions::is_over;
use crate::http::auth::Caller;
pub use crate::http::pages::session_value::cookie;
use crate::http::pages::session_value::{self as pages, SessionKind};
use crate::store::Store;
use crate::store::StoreError;
use crate::store::rows::SessionRow;
use jiff::Timestamp;
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
}

/// Whose a session is, if it is not over and its token still lets in.
pub async fn owner(
    store: &Store,
    roots: &[Secret],
    value: &SessionValue,
    now: Timestamp,
) -> Result<Option<(Caller, SessionRow)>, StoreError> {
    let Some(row) = store.session(value.hash()).await? else { return Ok(None) };
    if is_over(&row, now) {
        return Ok(None);
    }
    let caller = match (&row.token, &row.proof) {
        (Some(token), _) => store.known_tokens().operators(token, now).map(Caller::Named),
        (None, Some(proof)) => {
            let is_root = roots.iter().any(|root| value.proof(root).ct_eq(proof.as_slice()).into());
            is_root.then_some(Caller::Root)
        }
        (None, None) => None,
    };
    Ok(caller.map(|caller| (caller, row)))
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
