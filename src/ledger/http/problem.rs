//! Errors of the admin API, as `application/problem+json` (RFC 9457).

use super::admission::Refused;
use super::app::TooLong;
use super::body::{Invalid, beginning};
use crate::api::Problem;
use crate::domain::BookError;
use crate::domain::plan::Unfit;
use crate::store::{Refusal, StoreError};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// How much is said about an error, and how much of a field's path is repeated, in bytes.
pub const MOST_SAID: usize = 500;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// A short, stable name.
    pub code: &'static str,
    /// What is wrong and what cures it.
    pub detail: String,
    /// The field that is wrong.
    pub field: Option<String>,
}

impl Failure {
    /// One without a field.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None }
    }

    fn about(field: &str, detail: String) -> Self {
        let field = Some(field.to_owned());
        Self { field, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail) }
    }
}

impl From<Unfit> for Failure {
    fn from(Unfit { field, why }: Unfit) -> Self {
        Invalid::field(field, why).into()
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.sentence();
        Self { field: invalid.field, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail) }
    }
}

impl From<TooLong> for Failure {
    fn from(_: TooLong) -> Self {
        let detail = "the request has not arrived in time; send it again, and faster";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unauthorized(name) => {
                let detail = format!("send the {name} token as `Authorization: Bearer …`");
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            }
            Refused::TooLarge(most, cure) => {
                let detail = format!("the body is larger than {most} bytes{cure}");
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
            }
            Refused::TooSlow => TooLong.into(),
            Refused::NoRoom => {
                let detail = "the ledger is busy with the bodies of other requests; try again in a second";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
            }
            Refused::Unreadable(why) => Self::new(StatusCode::BAD_REQUEST, "invalid_request", why),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        let refusal = match error {
            StoreError::Overloaded => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail);
            }
            StoreError::Stopped => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", detail);
            }
            StoreError::Away(_) => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail);
            }
            StoreError::DiskFull => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk_full", detail);
            }
            StoreError::DiskFailed(_) | StoreError::Unsynced(_) => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk_failed", detail);
            }
            StoreError::Damaged(_) => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_damaged", detail);
            }
            StoreError::Backend(_) | StoreError::Server { .. } => {
                tracing::error!(%detail, "a request failed");
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
            }
            StoreError::Refused(refusal) => refusal,
        };
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        match refusal {
            Refusal::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            Refusal::AccountExists(_) => conflict("account_exists"),
            Refusal::SubjectTaken(_) => conflict("subject_taken"),
            Refusal::AccountClosed(_) => conflict("account_closed"),
            Refusal::TooManyGrants { .. } => conflict("too_many_grants"),
            Refusal::TeamExists { .. } => conflict("team_exists"),
            Refusal::PlanExists(_) => conflict("plan_exists"),
            Refusal::Subscribed { .. } => {
                Self { field: Some("plan".into()), ..conflict("subscription_exists") }
            }
            Refusal::Subscription(_) => conflict("wrong_state"),
            Refusal::TooMany { .. } => conflict("too_many"),
            Refusal::Field { field, .. } => Self::about(field, detail),
            Refusal::KeyReused => conflict("idempotency_key_reused"),
            Refusal::KeyAlreadyShown(_) => conflict("key_already_shown"),
            Refusal::AlreadyPast(_) => Self::about("expires_at", format!("expires_at: {detail}")),
            Refusal::Book(BookError::MissingGrant { .. }) => {
                tracing::error!(%detail, "the books are damaged");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            Refusal::Book(BookError::OutOfRange { .. }) => Self::about("amount", format!("amount: {detail}")),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".into(),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            code: self.code.into(),
            detail: beginning(self.detail, MOST_SAID),
            field: self.field.map(|field| beginning(field, MOST_SAID)),
        };
        // A problem holds nothing but strings and a number, which always become JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
