//! How sessions of customers begin.
//!
//! [`begin`] is for those who show a key; who comes with a link or from a provider enters with a session that is [`fresh`], too.

use super::access::Access;
use super::state::{From, Portal};
use crate::command::portal::{BeginPortalSession, EndPortalSession, NewSession};
use crate::domain::portal::PortalRefusal;
use crate::domain::{AccountNo, KeyNo, PortalSessionId};
use crate::http::codes::Code;
use crate::http::pages::session_value::{self as pages, SessionKind};
use crate::http::problem::Failure;
use crate::store::rows::PortalSessionRow;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use uuid::Uuid;

/// How a session's value begins where it isn't in a cookie, so that secret scanners recognize it.
pub const PREFIX: &str = "fg_portal_";

/// What sessions in the portal are called.
#[derive(Clone, Copy, Debug)]
pub struct OfPortal;

impl SessionKind for OfPortal {
    const NAME: &str = "portal";
    const COOKIE: &str = "faregate_portal";
    const COOKIE_TLS: &str = "__Host-faregate_portal";
    const PATH: &str = "/portal";
    // The operator's site links to the portal, and reading changes nothing. What changes something is a form of ours.
    const SAME_SITE: &str = "Lax";
}

/// A session's value.
pub type SessionValue = pages::SessionValue<OfPortal>;

/// A fresh value, and what begins with it.
pub fn fresh() -> Result<(SessionValue, NewSession), Failure> {
    let value = SessionValue::fresh();
    let value = value.map_err(|error| Failure::new(Code::Internal, format!("no randomness: {error}")))?;
    let id = PortalSessionId::generated(Uuid::now_v7()).to_string();
    let session = NewSession { hash: value.hash(), id };
    Ok((value, session))
}

/// Begins a session of an account's customer, who is known by other means than a link; `key` is the one that was shown.
pub async fn begin(
    portal: &Portal,
    account: AccountNo,
    key: Option<KeyNo>,
    access: Access,
) -> Result<SessionValue, Failure> {
    let (value, session) = fresh()?;
    let read_only = access == Access::Read;
    let begins = BeginPortalSession { session, account, key, read_only, identity: None };
    portal.app.store.begin_portal_session(begins, Timestamp::now()).await?.map_err(refused)?;
    Ok(value)
}

/// Why a customer isn't let in.
pub fn refused(why: PortalRefusal) -> Failure {
    let detail = match why {
        PortalRefusal::UnknownLink => {
            "this link is not valid, or its time is over; ask for a new one where you got it"
        }
        PortalRefusal::UsedLink => {
            "this link was used before, and each opens the portal once; ask for a new one where you got it"
        }
        PortalRefusal::Closed => "this account is closed",
        PortalRefusal::UnknownSubject => {
            "your sign-in belongs to no account; ask support to link it to yours"
        }
    };
    Failure::new(Code::Unauthorized, detail)
}

/// What a session may do that a provider's subject has begun: nothing, where that doesn't belong to the account any more, or the ledger
/// has another provider now.
pub fn access(portal: &Portal, row: &PortalSessionRow, subject_reads: Option<bool>) -> Option<Access> {
    let Some(issuer) = &row.issuer else {
        return Some(if row.read_only { Access::Read } else { Access::Full });
    };
    let provider = &portal.app.portal_sign_on.as_ref()?.provider;
    let reads = subject_reads.filter(|_| provider.issuer() == issuer)?;
    Some(if reads { Access::Read } else { Access::Full })
}

/// Ends the session that a request's cookie names, if it names one: what was signed in here before is over.
pub async fn end(portal: &Portal, headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(before) = SessionValue::of(headers, portal.is_tls(headers)) {
        let ends = EndPortalSession(before.hash().to_vec());
        portal.app.store.end_portal_session(ends, Timestamp::now()).await?;
    }
    Ok(())
}

/// Sends a customer who is signed in to the first page.
pub fn entered(portal: &Portal, headers: &HeaderMap, from: &From, value: &SessionValue) -> Response {
    from.trust();
    with_cookie(Redirect::to("/portal").into_response(), value.cookie(portal.is_tls(headers)))
}

/// The answer with a cookie.
pub fn with_cookie(mut answer: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}
