//! What the forms of the portal have in common: a number under which each is done once, and what went wrong.

use super::session::SessionValue;
use super::trouble::Trouble;
use crate::http::codes::Code;
use crate::http::pages::fields::Fields;
use crate::http::pages::page::sentence;
use crate::http::problem::Failure;
use axum::http::StatusCode;

/// A number under which a form is done once.
pub fn fresh_once() -> Result<String, Failure> {
    let value = SessionValue::fresh().map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    Ok(value.form_token())
}

/// The one that a form shows, or another one.
pub fn once_of(form: &Fields) -> Result<String, Failure> {
    let shown = form.text("once");
    let is_one =
        !shown.is_empty() && shown.len() <= 100 && shown.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_one { Ok(shown) } else { fresh_once() }
}

/// Why a form is shown again: what another entry may cure. Anything else is trouble.
pub fn wrong(failure: Failure, label: impl Fn(&str) -> Option<&'static str>) -> Result<String, Trouble> {
    let status = failure.code.status();
    let is_curable = status == StatusCode::BAD_REQUEST
        || status == StatusCode::CONFLICT && failure.code != Code::KeyAlreadyShown
        || failure.code == Code::NotFound;
    if !is_curable {
        return Err(failure.into());
    }
    let Some(field) = &failure.field else { return Ok(sentence(&failure.detail)) };
    let why = failure.detail.strip_prefix(&format!("{field}: ")).unwrap_or(&failure.detail);
    Ok(match label(field) {
        Some(label) => format!("{label}: {}", sentence(why)),
        None => sentence(&failure.detail),
    })
}
