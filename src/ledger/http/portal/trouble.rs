//! Why a page can't be shown, as a page.

use crate::http::app::TooLong;
use crate::http::codes::Code;
use crate::http::pages::page::{self, sentence};
use crate::http::pages::show::{encoded, plain};
use crate::http::problem::Failure;
use crate::store::StoreError;
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Redirect, Response};

/// Why a page can't be shown.
#[derive(Debug)]
pub enum Trouble {
    /// Who asks must sign in first, and then goes there.
    SignIn(String),
    /// A form was not sent from a page of the portal, or from one of another session.
    ForeignForm,
    /// It can't be done.
    Failure(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<TooLong> for Trouble {
    fn from(too_long: TooLong) -> Self {
        Self::Failure(too_long.into())
    }
}

impl Trouble {
    /// There is no such page.
    pub fn nothing_here() -> Self {
        Self::Failure(Failure::new(Code::NotFound, "there is no page at this address"))
    }
}

/// It is without the operator's name: whatever is wrong, this page can be written.
#[derive(Template)]
#[template(path = "portal/trouble.html")]
struct TroublePage {
    title: &'static str,
    detail: String,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, detail) = match self {
            Self::SignIn(next) if next.is_empty() => return Redirect::to("/portal/sign-in").into_response(),
            Self::SignIn(next) => {
                return Redirect::to(&format!("/portal/sign-in?next={}", encoded(&next))).into_response();
            }
            Self::ForeignForm => {
                let detail = "This form was sent from another site, or from a page of an earlier session. Nothing was \
                    changed. Open the page again and send the form from there.";
                (StatusCode::FORBIDDEN, "Nothing was changed", detail.to_owned())
            }
            Self::Failure(failure) => {
                let title = match failure.code {
                    Code::NotFound => "Not found",
                    Code::Forbidden => "Not allowed",
                    Code::Unauthorized => "This doesn\u{2019}t open the portal",
                    Code::Overloaded
                    | Code::DatabaseUnavailable
                    | Code::ShuttingDown
                    | Code::TooManyRequests => "Try again in a moment",
                    _ => "This can\u{2019}t be done",
                };
                (failure.code.status(), title, words(&failure))
            }
        };
        let mut answer = page::html(status, &TroublePage { title, detail });
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer.headers_mut().insert(RETRY_AFTER, crate::http::pages::attempts::PERIOD.as_secs().into());
        }
        answer
    }
}

/// What a customer reads of a failure: of one of ours nothing that is for operators.
pub fn words(failure: &Failure) -> String {
    match failure.code.status() {
        StatusCode::INTERNAL_SERVER_ERROR => {
            "Something went wrong on our side. Nothing was changed.".to_owned()
        }
        StatusCode::SERVICE_UNAVAILABLE if failure.code != Code::Overloaded => {
            "Your account can\u{2019}t be read at the moment. Nothing was changed.".to_owned()
        }
        _ => sentence(&failure.detail),
    }
}
