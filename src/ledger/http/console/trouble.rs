//! Why a page can't be shown, as a page.

use super::assets::version;
use super::page;
use crate::http::admission::Refused;
use crate::http::app::TooLong;
use crate::http::codes::Code;
use crate::http::pages::show::plain;
use crate::http::problem::Failure;
use crate::store::StoreError;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Why a page can't be shown.
#[derive(Debug)]
pub enum Trouble {
    /// Who asks must sign in first, and then goes there.
    SignIn(String),
    /// A form was not sent from a page of the console, or from one of another session.
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

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Failure(refused.into())
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

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage {
    title: &'static str,
    detail: String,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, detail) = match self {
            Self::SignIn(next) if next.is_empty() => return Redirect::to("/console/sign-in").into_response(),
            Self::SignIn(next) => {
                let next = utf8_percent_encode(&next, NON_ALPHANUMERIC);
                return Redirect::to(&format!("/console/sign-in?next={next}")).into_response();
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
                    Code::Overloaded | Code::DatabaseUnavailable | Code::ShuttingDown => {
                        "Try again in a moment"
                    }
                    _ => "This can\u{2019}t be done",
                };
                (failure.code.status(), title, page::sentence(&failure.detail))
            }
        };
        page::html(status, &TroublePage { title, detail })
    }
}
