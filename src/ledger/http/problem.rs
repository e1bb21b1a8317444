//! Errors of the admin API, as `application/problem+json` (RFC 9457).

use super::admission::Refused;
use super::app::TooLong;
use super::body::{Invalid, beginning};
use super::codes::Code;
use super::denial::Denial;
use crate::api::Problem;
use crate::domain::BookError;
use crate::domain::plan::InvalidField;
use crate::store::{Refusal, StoreError};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// How much is said about an error, and how much of a field's path is repeated, in bytes.
pub const MOST_SAID: usize = 500;
/// The longest name of a field that is repeated (bytes).
const MOST_NAMED: usize = 100;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which error, and so its status.
    pub code: Code,
    /// What is wrong and what cures it.
    pub detail: String,
    /// The field that is wrong.
    pub field: Option<String>,
}

impl Failure {
    /// One without a field.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None }
    }

    fn about(field: &str, detail: String) -> Self {
        let field = Some(field.to_owned());
        Self { field, ..Self::new(Code::InvalidRequest, detail) }
    }
}

impl From<InvalidField> for Failure {
    fn from(InvalidField { field, why }: InvalidField) -> Self {
        Invalid::field(field, why).into()
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.sentence();
        Self { field: invalid.field, ..Self::new(Code::InvalidRequest, detail) }
    }
}

impl From<TooLong> for Failure {
    fn from(_: TooLong) -> Self {
        let detail = "the request has not arrived in time; send it again, and faster";
        Self::new(Code::TooSlow, detail)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unauthorized(name, why) => {
                let detail = match why {
                    Denial::Expired => "the token has expired; use another one".to_owned(),
                    Denial::Revoked => "the token was revoked; use another one".to_owned(),
                    _ => format!("send a token of the {name} API as `Authorization: Bearer …`"),
                };
                Self::new(Code::Unauthorized, detail)
            }
            Refused::Scope(has, needs) => {
                let (has, needs) = (has.as_str(), needs.as_str());
                let detail = format!(
                    "this needs a token of the scope {needs:?} or a wider one, and the token has {has:?}; ask an admin for one"
                );
                Self::new(Code::Forbidden, detail)
            }
            Refused::TooLarge(most, cure) => {
                let detail = format!("the body is larger than {most} bytes{cure}");
                Self::new(Code::TooLarge, detail)
            }
            Refused::TooSlow => TooLong.into(),
            Refused::NoRoom => {
                let detail = "the ledger is busy with the bodies of other requests; try again in a second";
                Self::new(Code::Overloaded, detail)
            }
            Refused::Unreadable(why) => Self::new(Code::InvalidRequest, why),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        let code = match error {
            StoreError::Overloaded => Code::Overloaded,
            StoreError::Stopped => Code::ShuttingDown,
            StoreError::Away(_) => Code::DatabaseUnavailable,
            StoreError::DiskFull => Code::DiskFull,
            StoreError::DiskFailed(_) | StoreError::Unsynced(_) => Code::DiskFailed,
            StoreError::Damaged(_) => Code::DatabaseDamaged,
            StoreError::Backend(_) | StoreError::Server { .. } => {
                tracing::error!(%detail, "a request failed");
                Code::Internal
            }
            StoreError::Refused(refusal) => return refused(&refusal, detail),
        };
        Self::new(code, detail)
    }
}

fn refused(refusal: &Refusal, detail: String) -> Failure {
    let code = match refusal {
        Refusal::NotFound { .. } => Code::NotFound,
        Refusal::AccountExists(_) => Code::AccountExists,
        Refusal::SubjectTaken(_) | Refusal::SubjectLinked(..) | Refusal::SubjectOfOther(_) => {
            Code::SubjectTaken
        }
        Refusal::NotRotatable(_) => Code::NotRotatable,
        Refusal::AccountClosed(_) => Code::AccountClosed,
        Refusal::ClosedTooLong { .. } => Code::ClosedTooLong,
        Refusal::NothingToVoid { .. } => Code::NothingToVoid,
        Refusal::PlanInUse(_) => Code::PlanInUse,
        Refusal::TooManyGrants { .. } => Code::TooManyGrants,
        Refusal::TeamExists { .. } => Code::TeamExists,
        Refusal::PlanExists(_) => Code::PlanExists,
        Refusal::OperatorExists(_) => Code::OperatorExists,
        Refusal::ForeignGateway => Code::Forbidden,
        Refusal::Subscribed { .. } => {
            return Failure { field: Some("plan".into()), ..Failure::new(Code::SubscriptionExists, detail) };
        }
        Refusal::Subscription(_) => Code::WrongState,
        Refusal::TooMany { .. } => Code::TooMany,
        Refusal::Field { field, .. } => return Failure::about(field, detail),
        Refusal::KeyReused => Code::IdempotencyKeyReused,
        Refusal::KeyAlreadyShown(_) => Code::KeyAlreadyShown,
        Refusal::AlreadyPast(_) => return Failure::about("expires_at", format!("expires_at: {detail}")),
        Refusal::Book(BookError::MissingGrant { .. }) => {
            tracing::error!(%detail, "the books are damaged");
            Code::Internal
        }
        Refusal::Book(BookError::OutOfRange { .. }) => {
            return Failure::about("amount", format!("amount: {detail}"));
        }
    };
    Failure::new(code, detail)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let problem = Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            code: self.code.name().into(),
            detail: beginning(self.detail, MOST_SAID),
            field: self.field.map(|field| beginning(field, MOST_NAMED)),
        };
        // A problem holds nothing but strings and a number, which always become JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from(super::pages::attempts::PERIOD.as_secs()));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
