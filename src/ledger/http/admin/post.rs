//! What all writes have in common: a limited body, an idempotency key, and an answer that is the
//! same when it is asked for again.

use super::openapi::MAX_KEY_BYTES;
use crate::api::{IDEMPOTENCY_KEY_HEADER, REPLAYED_HEADER};
use crate::command::admin::{Answer, Command, Done, IdempotencyRecord};
use crate::command::trail::Origin;
use crate::http::App;
use crate::http::body::{self, Invalid};
use crate::http::codes::Code;
use crate::http::problem::Failure;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// A write: what the body says, and by what it is recognized when it comes again.
pub struct Post<T> {
    /// The body.
    pub body: T,
    /// How to recognize it.
    pub memo: IdempotencyRecord,
}

/// The body of a write that needs none.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Post<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let key = idempotency_key(request.headers())?;
        // Noted when the request was let in.
        let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(request.method().as_str());
        hash.update([0]);
        // The query counts, too: that of a write says what is removed.
        hash.update(request.uri().path_and_query().map_or("", PathAndQuery::as_str));
        hash.update([0]);
        // It has been read on the way in, within its limit.
        let unread = |error: BytesRejection| Invalid { field: None, reason: error.body_text() };
        let body = Bytes::from_request(request, app).await.map_err(unread)?;
        hash.update(&body);
        let memo = IdempotencyRecord { key, fingerprint: hash.finalize().into(), origin };
        Ok(Self { body: body::parse(&body)?, memo })
    }
}

/// The one key by which a write is recognized when it comes again.
pub fn idempotency_key(headers: &HeaderMap) -> Result<String, Failure> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
    let key = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    let visible = key.bytes().all(|b| b.is_ascii_graphic());
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !visible {
        let detail = format!(
            "send one Idempotency-Key header of 1 to {MAX_KEY_BYTES} visible ASCII characters, fresh for every \
             new request and the same when you repeat it"
        );
        return Err(Failure::new(Code::MissingIdempotencyKey, detail));
    }
    Ok(key.to_owned())
}

/// The identifier in the path.
pub struct Id(pub String);

impl FromRequestParts<Arc<App>> for Id {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        app: &Arc<App>,
    ) -> Result<Self, Failure> {
        let Path(id) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|error| Failure::from(Invalid::field("id", error.body_text())))?;
        Ok(Self(id))
    }
}

/// Has a command carried out, or finds its first answer. `complete` may add to what is answered now
/// what must not be stored.
pub async fn execute(
    app: &App,
    command: Command,
    memo: IdempotencyRecord,
    status: StatusCode,
    complete: impl FnOnce(Done) -> Done,
) -> Result<Response, Failure> {
    let json = |body: String| (status, [(CONTENT_TYPE, "application/json")], body);
    match app.store.execute(command, memo, Timestamp::now()).await? {
        Answer::First(done) => {
            let done = complete(done);
            let body = serde_json::to_string(&done)
                .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
            Ok(json(body).into_response())
        }
        Answer::Replayed(body) => Ok(([(REPLAYED_HEADER, "true")], json(body)).into_response()),
    }
}

/// Checks the length of a text that people write.
pub fn short(field: &str, text: Option<&String>, most: usize) -> Result<(), Invalid> {
    match text {
        Some(text) if text.len() > most => {
            Err(Invalid::field(field, format!("has {} bytes; the most is {most}", text.len())))
        }
        _ => Ok(()),
    }
}
