//! What customers change: through the ledger's commands, once, as often as the operator lets them, and noted in the trail.
//!
//! What must hold: nothing is changed by who may only read, or by a request that another site has sent; a customer's idempotency key
//! means nothing outside of the account.

use super::access::Access;
use super::answers::{NewOwnKey, RotateOwnKey};
use super::data::{self, Right};
use super::state::{MAX_CHANGES, Portal};
use super::who::{By, Who};
use crate::api::{self, MAX_OVERLAP_S, NewAlerts};
use crate::command::admin::{Answer, Command, Done, IdempotencyRecord};
use crate::command::keys::{Credential, NewKey};
use crate::command::rotation::Rotation;
use crate::domain::KeyId;
use crate::domain::key::FreshKey;
use crate::http::admin::events::check;
use crate::http::admin::keys::{fresh_key, products};
use crate::http::admin::post::{idempotency_key, short};
use crate::http::body::{self, Invalid};
use crate::http::codes::Code;
use crate::http::pages::attempts::PERIOD;
use crate::http::pages::same_site;
use crate::http::pages::session_value::hex;
use crate::http::problem::Failure;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// How many keys of an account may be made and rotated within a day.
const MAX_MADE: usize = 200;
/// The longest note, in bytes.
const MAX_NOTE_BYTES: usize = 200;

/// A change that a program asks for.
pub struct Posted<T> {
    /// Who asks.
    pub who: Who,
    /// What.
    pub body: T,
    /// By what it is recognized when it comes again.
    pub once: String,
}

/// Whether a request may write: one with a session's cookie only from our own pages.
pub fn is_own(by: &By, headers: &HeaderMap) -> bool {
    matches!(by, By::Bearer) || same_site::is_own(headers)
}

impl<T: DeserializeOwned> FromRequest<Arc<Portal>> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let who = Who::from_request_parts(&mut parts, portal).await?;
        if !is_own(&who.by, &parts.headers) {
            let detail = "this was sent from another site with the cookie of a session; nothing was changed";
            return Err(Failure::new(Code::Forbidden, detail));
        }
        let once = idempotency_key(&parts.headers)?;
        let body = read(Request::from_parts(parts, body), &who).await?;
        Ok(Self { body: body::parse(&body)?, who, once })
    }
}

/// A body, which the router has limited in size.
async fn read(request: Request, who: &Who) -> Result<Bytes, Failure> {
    let read = Bytes::from_request(request, &()).await.map_err(|error| {
        let is_large = error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        let code = if is_large { Code::TooLarge } else { Code::InvalidRequest };
        Failure::new(code, error.body_text())
    })?;
    if let Some(seat) = &who.from.seat {
        seat.connection.body_read();
    }
    Ok(read)
}

/// What is asked for, and by what it is recognized.
struct Asked<'a> {
    /// The operation, as the trail and the API's description call it.
    name: &'static str,
    once: &'a str,
    /// Of what.
    of: &'a str,
}

/// Has a command carried out for a customer, or finds its first answer.
async fn write(
    portal: &Portal,
    who: &Who,
    asked: Asked<'_>,
    body: &impl Serialize,
    command: Command,
) -> Result<Answer, Failure> {
    let body =
        serde_json::to_string(body).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let parts = |parts: &[&str]| -> [u8; 32] {
        let all = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part).chain_update([0]));
        all.finalize().into()
    };
    let record = IdempotencyRecord {
        key: format!("portal-{}", hex(&parts(&[&who.customer.id, asked.once]))),
        fingerprint: parts(&[asked.name, asked.of, &body]),
        origin: who.origin(asked.name),
    };
    Ok(portal.app.store.execute(command, record, Timestamp::now()).await?)
}

/// Whether who asks may change this now. Each change counts.
fn allow(portal: &Portal, who: &Who, right: Right) -> Result<(), Failure> {
    if !right.is_given(portal) {
        return Err(Failure::new(Code::Forbidden, "this can't be done here; ask support"));
    }
    if who.access != Access::Full {
        let detail =
            "a key lets you look and change nothing; sign in with a link from the site where you got it";
        return Err(Failure::new(Code::Forbidden, detail));
    }
    let now = Instant::now();
    if !portal.changes.may_try(&who.customer.id, now) {
        let seconds = PERIOD.as_secs();
        let detail = format!(
            "{MAX_CHANGES} changes were made within a minute; wait {seconds} seconds, then try again"
        );
        return Err(Failure::new(Code::TooManyRequests, detail));
    }
    portal.changes.failed(who.account(), now);
    Ok(())
}

/// Whether another key may be made. Those that ask at the same time may all pass, which are few.
async fn room_for_key(portal: &Portal, who: &Who, more: usize) -> Result<(), Failure> {
    let (most, now) = (portal.settings.keys.most, Timestamp::now());
    let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let limit = most.saturating_add(1).max(MAX_MADE);
    let (working, made) = portal.app.store.count_keys(who.account(), limit, since, now).await?;
    if made >= MAX_MADE {
        let detail = format!("{MAX_MADE} keys were made within a day; make others tomorrow");
        return Err(Failure::new(Code::TooMany, detail));
    }
    if working.saturating_add(more) > most {
        let detail = format!("{working} keys work, and {most} may; revoke one that isn't used any more");
        return Err(Failure::new(Code::TooMany, detail));
    }
    Ok(())
}

/// Makes a key; its secret comes with the first answer.
pub async fn make_key(portal: &Portal, who: &Who, body: NewOwnKey, once: &str) -> Result<Answer, Failure> {
    allow(portal, who, Right::MakeKeys)?;
    short("note", body.note.as_ref(), MAX_NOTE_BYTES)?;
    room_for_key(portal, who, 1).await?;
    let asked = Asked { name: "make_own_key", once, of: "" };
    let FreshKey { secret, hash, prefix } = fresh_key()?;
    let NewOwnKey { note, expires_at, team, products: limited } = body.clone();
    let command = Command::CreateKey(NewKey {
        account: who.account(),
        id: KeyId::generated(Uuid::now_v7()),
        credential: Credential::Key { hash, prefix },
        expires_at,
        note,
        team,
        products: limited.map(products).transpose()?,
    });
    let answer = write(portal, who, asked, &body, command).await?;
    Ok(match answer {
        Answer::First(Done::Key(key)) => Answer::First(Done::Key(api::Key { key: Some(secret), ..key })),
        other => other,
    })
}

/// Rotates a key of the account; the new one's secret comes with the first answer.
pub async fn rotate_key(
    portal: &Portal,
    who: &Who,
    id: &str,
    body: RotateOwnKey,
    once: &str,
) -> Result<Answer, Failure> {
    allow(portal, who, Right::RotateKeys)?;
    if body.overlap_seconds > MAX_OVERLAP_S {
        let why = format!("is {}; the most is {MAX_OVERLAP_S}, which is a year", body.overlap_seconds);
        return Err(Invalid::field("overlap_seconds", why).into());
    }
    data::key(portal, who, id).await?;
    room_for_key(portal, who, 0).await?;
    let asked = Asked { name: "rotate_own_key", once, of: id };
    let FreshKey { secret, hash, prefix } = fresh_key()?;
    let command = Command::RotateKey(Rotation {
        key: id.to_owned(),
        id: KeyId::generated(Uuid::now_v7()),
        hash,
        prefix,
        overlap: SignedDuration::from_secs(body.overlap_seconds.into()),
        expires_at: api::Edit::Keep,
    });
    let answer = write(portal, who, asked, &body, command).await?;
    Ok(match answer {
        Answer::First(Done::Rotated(api::RotatedKey { new, old })) => {
            Answer::First(Done::Rotated(api::RotatedKey { new: api::Key { key: Some(secret), ..new }, old }))
        }
        other => other,
    })
}

/// Revokes a key of the account.
pub async fn revoke_key(portal: &Portal, who: &Who, id: &str, once: &str) -> Result<Answer, Failure> {
    allow(portal, who, Right::RevokeKeys)?;
    data::key(portal, who, id).await?;
    let asked = Asked { name: "revoke_own_key", once, of: id };
    write(portal, who, asked, &"", Command::RevokeKey { id: id.to_owned() }).await
}

/// Sets what is announced of the account.
pub async fn set_alerts(portal: &Portal, who: &Who, body: NewAlerts, once: &str) -> Result<Answer, Failure> {
    allow(portal, who, Right::SetAlerts)?;
    check(&body)?;
    let asked = Asked { name: "set_own_alerts", once, of: "" };
    let command = Command::SetAlerts { account: Some(who.account()), asked: body.clone() };
    write(portal, who, asked, &body, command).await
}
