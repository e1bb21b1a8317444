//! Keys: create, list, find, show, rotate, revoke.

use super::post::{Id, Nothing, Post, execute, short};
use super::query::{Asked, Beginning, List};
use crate::api::{self, Keys, MAX_OVERLAP_S, RotateKey, RotatedKey};
use crate::command::admin::{Command, Done};
use crate::command::keys::{Credential, NewKey};
use crate::command::rotation::Rotation;
use crate::domain::key::FreshKey;
use crate::domain::{AccountId, KeyId};
use crate::http::App;
use crate::http::body::Invalid;
use crate::http::codes::Code;
use crate::http::problem::Failure;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::exchange::{MAX_CREDENTIAL_BYTES, MAX_PRODUCTS};
use jiff::{SignedDuration, Timestamp};
use std::convert::identity;
use std::sync::Arc;
use uuid::Uuid;

/// Make a key
///
/// The secret is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/accounts/{id}/keys", tag = "keys", operation_id = "make_key",
    request_body = api::NewKey, responses((status = 201, body = api::Key)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Post { body, memo }: Post<api::NewKey>,
) -> Result<Response, Failure> {
    short("note", body.note.as_ref(), 200)?;
    short("subject", body.subject.as_ref(), MAX_CREDENTIAL_BYTES)?;
    let (credential, secret) = match body.subject {
        Some(subject) if subject.is_empty() => {
            return Err(Invalid::field("subject", "is empty; leave it out to get a key").into());
        }
        Some(subject) if subject.contains(char::is_control) || subject.trim() != subject => {
            let why =
                "holds a control character, or white space at an end; give it exactly as it was verified";
            return Err(Invalid::field("subject", why).into());
        }
        Some(subject) => (Credential::Subject(subject), None),
        None => {
            let FreshKey { secret, hash, prefix } = fresh_key()?;
            (Credential::Key { hash, prefix }, Some(secret))
        }
    };
    let id = KeyId::generated(Uuid::now_v7());
    let products = body.products.map(products).transpose()?;
    let (expires_at, note, team) = (body.expires_at, body.note, body.team);
    let command = Command::CreateKey(NewKey { account, id, credential, expires_at, note, team, products });
    execute(&app, command, memo, StatusCode::CREATED, |done| match done {
        Done::Key(key) => Done::Key(api::Key { key: secret, ..key }),
        other => other,
    })
    .await
}

/// Checks the products that a key is limited to.
pub fn products(given: Vec<String>) -> Result<Vec<String>, Invalid> {
    let wrong = |why: String| Err(Invalid::field("products", why));
    if given.is_empty() {
        return wrong("names no product; leave it out to allow all".into());
    }
    if given.len() > MAX_PRODUCTS {
        return wrong(format!("names {} products; the most is {MAX_PRODUCTS}", given.len()));
    }
    for (n, name) in given.iter().enumerate() {
        // A product's name has the form of an account's.
        if AccountId::parse(name).is_err() {
            let found: String = name.chars().take(80).collect();
            return wrong(format!(
                "{found:?} is no product's name; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit"
            ));
        }
        if given.iter().take(n).any(|other| other == name) {
            return wrong(format!("names {name:?} twice; name it once"));
        }
    }
    Ok(given)
}

/// Draws random bytes until enough of them pick a character evenly.
pub fn fresh_key() -> Result<FreshKey, Failure> {
    let broken = |why: String| Failure::new(Code::Internal, why);
    // 64 bytes hold 32 even ones in all but one of 10^30 draws; a few rounds are plenty.
    for _ in 0..8 {
        let mut drawn = [0_u8; 64];
        getrandom::fill(&mut drawn).map_err(|error| broken(format!("no randomness: {error}")))?;
        let even: Vec<u8> = drawn.into_iter().filter(|byte| *byte < 248).collect();
        let key = even.first_chunk().and_then(FreshKey::compose);
        if let Some(key) = key {
            return Ok(key);
        }
    }
    Err(broken("the system's random numbers are not random".into()))
}

/// List the keys of an account
///
/// Without their secrets; oldest first.
#[utoipa::path(get, path = "/admin/v1/accounts/{id}/keys", tag = "keys", operation_id = "list_keys",
    params(List), responses((status = 200, body = Keys)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Id(account): Id,
    Asked(list): Asked<List>,
) -> Result<Json<Keys>, Failure> {
    Ok(Json(app.store.keys(account, list.page()?, Timestamp::now()).await?))
}

/// Find keys by how they begin
///
/// Over all accounts; in the order of their first characters.
#[utoipa::path(get, path = "/admin/v1/keys", tag = "keys", operation_id = "find_keys",
    params(Beginning), responses((status = 200, body = Keys)))]
pub async fn find(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<Beginning>,
) -> Result<Json<Keys>, Failure> {
    let (prefix, page) = asked.read()?;
    Ok(Json(app.store.keys_beginning(prefix, page, Timestamp::now()).await?))
}

/// Show a key
///
/// Without its secret.
#[utoipa::path(get, path = "/admin/v1/keys/{id}", tag = "keys", operation_id = "show_key",
    responses((status = 200, body = api::Key)))]
pub async fn show(State(app): State<Arc<App>>, Id(id): Id) -> Result<Json<api::Key>, Failure> {
    Ok(Json(app.store.key(id, Timestamp::now()).await?))
}

/// Rotate a key
///
/// Makes a new key with the old one's account, team, products, note and budget. The old one works for `overlap_seconds` more, and is
/// refused then with `key_expired`. What the old key has used of its budget in the running period counts for the new one as well. The
/// secret is only in the first answer: a repeated request gets 409 `key_already_shown`.
#[utoipa::path(post, path = "/admin/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    request_body = RotateKey, responses((status = 201, body = RotatedKey)))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    Id(key): Id,
    Post { body, memo }: Post<RotateKey>,
) -> Result<Response, Failure> {
    if body.overlap_seconds > MAX_OVERLAP_S {
        let why = format!("is {}; the most is {MAX_OVERLAP_S}, which is a year", body.overlap_seconds);
        return Err(Invalid::field("overlap_seconds", why).into());
    }
    let FreshKey { secret, hash, prefix } = fresh_key()?;
    let (id, expires_at) = (KeyId::generated(Uuid::now_v7()), body.expires_at);
    let overlap = SignedDuration::from_secs(body.overlap_seconds.into());
    let command = Command::RotateKey(Rotation { key, id, hash, prefix, overlap, expires_at });
    execute(&app, command, memo, StatusCode::CREATED, |done| match done {
        Done::Rotated(RotatedKey { new, old }) => {
            Done::Rotated(RotatedKey { new: api::Key { key: Some(secret), ..new }, old })
        }
        other => other,
    })
    .await
}

/// Revoke a key
///
/// It is refused for good.
#[utoipa::path(post, path = "/admin/v1/keys/{id}/revoke", tag = "keys", operation_id = "revoke_key",
    responses((status = 200, body = api::Key)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Post { memo, .. }: Post<Nothing>,
) -> Result<Response, Failure> {
    execute(&app, Command::RevokeKey { id }, memo, StatusCode::OK, identity).await
}
