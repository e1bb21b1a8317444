//! Who asks: the customer of one account, by a session or by one of its keys.
//!
//! What must hold: the account follows from what was shown alone; a session of a key ends with that key; an account that is closed lets no customer in;
//! and who fails often has to wait.

use super::access::Access;
use super::session::{self, PREFIX, SessionValue};
use super::state::{From, Portal};
use super::turns::Turn;
use crate::api::AccountState;
use crate::command::portal::{USE_WRITTEN_AFTER, UsePortalSession, is_over};
use crate::command::trail::Origin;
use crate::domain::key::hash;
use crate::domain::portal::CUSTOMER;
use crate::http::codes::Code;
use crate::http::connections::ConnectionSlot;
use crate::http::denial::Denial;
use crate::http::problem::Failure;
use crate::store::StoreError;
use crate::store::queries::portal::{Customer, FoundSession, ShownKey};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use faregate_protocol::api_key;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// By what somebody is known.
#[derive(Clone)]
pub enum By {
    /// A session in a browser, which sends its cookie for any page that asks for it.
    Cookie(SessionValue),
    /// A session or a key that a program shows.
    Bearer,
}

/// Who asks.
pub struct Who {
    /// Of which account.
    pub customer: Customer,
    /// What they may do.
    pub access: Access,
    /// By what they are known.
    pub by: By,
    /// What the trail calls it: the identifier of the session or the key.
    pub token: String,
    /// The session, by its hash; none where a key was shown.
    pub session: Option<Vec<u8>>,
    /// The key that was shown, if one was.
    pub key: Option<String>,
    /// The operator's page that they came from.
    pub return_url: Option<String>,
    /// Where the request comes from.
    pub from: From,
    /// The request's turn.
    pub _turn: Turn,
}

impl Who {
    /// As the trail has what they do.
    pub fn origin(&self, command: &str) -> Origin {
        Origin {
            operator: CUSTOMER.to_owned(),
            token: Some(self.token.clone()),
            peer: self.from.client.clone(),
            command: command.to_owned(),
        }
    }

    /// The account's identifier.
    pub fn account(&self) -> String {
        self.customer.id.clone()
    }
}

/// What was shown, and is good.
struct Known {
    customer: Customer,
    access: Access,
    token: String,
    session: Option<Vec<u8>>,
    key: Option<String>,
    return_url: Option<String>,
}

/// Whose a session is, if it is not over.
async fn of_session(
    portal: &Portal,
    value: &SessionValue,
    now: Timestamp,
) -> Result<Option<Known>, StoreError> {
    let store = &portal.app.store;
    let Some(found) = store.portal_session(value.hash()).await? else { return Ok(None) };
    let FoundSession { row, customer, key, subject_reads } = found;
    let Some(access) = session::access(portal, &row, subject_reads) else { return Ok(None) };
    let began_with = |key: Option<ShownKey>| key.filter(|key| key.counts(now) && portal.settings.key_sign_in);
    let key = match (row.key, began_with(key)) {
        (None, _) => None,
        (Some(_), Some(key)) => Some(key.id),
        (Some(_), None) => return Ok(None),
    };
    if is_over(&row, now) || customer.state == AccountState::Closed {
        return Ok(None);
    }
    if now.duration_since(row.used_at) >= USE_WRITTEN_AFTER {
        store.use_portal_session(UsePortalSession(row.hash), now).await?;
    }
    let session = Some(value.hash().to_vec());
    Ok(Some(Known { customer, access, token: row.id, session, key, return_url: row.return_url }))
}

/// Whose a key is, if it works.
pub async fn of_key(
    portal: &Portal,
    key: &str,
    now: Timestamp,
) -> Result<Option<(Customer, ShownKey)>, StoreError> {
    if !api_key::is_well_formed(key.as_bytes()) || !portal.settings.key_sign_in {
        return Ok(None);
    }
    let found = portal.app.store.owner_of_key(hash(key)).await?;
    Ok(found.filter(|(customer, key)| key.counts(now) && customer.state != AccountState::Closed))
}

/// The one text behind `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, shown) = value.to_str().ok()?.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case("bearer ").then_some(shown)
}

async fn of_bearer(portal: &Portal, shown: &str, now: Timestamp) -> Result<Option<Known>, StoreError> {
    if let Some(value) = shown.strip_prefix(PREFIX).and_then(SessionValue::parse) {
        return of_session(portal, &value, now).await;
    }
    let found = of_key(portal, shown, now).await?;
    Ok(found.map(|(customer, key)| Known {
        customer,
        access: Access::Read,
        token: key.id.clone(),
        session: None,
        key: Some(key.id),
        return_url: None,
    }))
}

/// Who has the cookie of a request, if it opens the portal.
pub async fn by_cookie(portal: &Portal, headers: &HeaderMap, from: From) -> Result<Option<Who>, Failure> {
    let Some(value) = SessionValue::of(headers, portal.is_tls(headers)) else { return Ok(None) };
    match of_session(portal, &value, Timestamp::now()).await? {
        Some(known) => Ok(Some(let_in(portal, known, By::Cookie(value), from).await?)),
        None => Ok(None),
    }
}

async fn let_in(portal: &Portal, known: Known, by: By, from: From) -> Result<Who, Failure> {
    let Known { customer, access, token, session, key, return_url } = known;
    from.trust();
    let turn = portal.turns.take(customer.no).await?;
    Ok(Who { customer, access, by, token, session, key, return_url, from, _turn: turn })
}

/// Where a request comes from.
pub fn from(portal: &Portal, parts: &Parts) -> From {
    let seat = parts.extensions.get::<Arc<ConnectionSlot>>().cloned();
    From::of(portal, &parts.headers, seat)
}

/// Who asks the API: by a bearer, or else by the cookie.
impl FromRequestParts<Arc<Portal>> for Who {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Failure> {
        let from = from(portal, parts);
        if !parts.headers.contains_key(AUTHORIZATION) {
            let found = by_cookie(portal, &parts.headers, from.clone()).await?;
            return found.ok_or_else(|| {
                portal.denials.note(Denial::Missing, from.socket(), None);
                let detail =
                    "send a session or an API key as `Authorization: Bearer …`, or sign in to the portal";
                Failure::new(Code::Unauthorized, detail)
            });
        }
        let peer = from.peer();
        if !portal.attempts.may_try(&peer, Instant::now()) {
            return Err(too_many());
        }
        let known = match bearer(&parts.headers) {
            Some(shown) => of_bearer(portal, shown, Timestamp::now()).await?,
            None => None,
        };
        let Some(known) = known else {
            portal.denials.note(Denial::Unknown, from.socket(), None);
            portal.attempts.failed(peer, Instant::now());
            let detail = "this is no session that lasts, and no API key that works; use another one";
            return Err(Failure::new(Code::Unauthorized, detail));
        };
        let_in(portal, known, By::Bearer, from).await
    }
}

/// Too many attempts have failed.
pub fn too_many() -> Failure {
    let seconds = crate::http::pages::attempts::PERIOD.as_secs();
    let detail =
        format!("too many attempts from this address have failed; wait {seconds} seconds, then try again");
    Failure::new(Code::TooManyRequests, detail)
}
