//! Renders a refusal: status, headers and body.

use super::messages::{self, Messages};
use super::rate_limit::fields;
use super::template::{Headers, Placeholder, ResponseTemplate, Text};
use super::{Refusal, RequestContext, formats, link};
use crate::decide::base::text::joined;
use crate::decide::settings::Wording;
use crate::decide::settings::dialect::Dialect;
use crate::decide::settings::texts::OTHERS;

/// A rendered refusal.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; of a gRPC answer, its message.
    pub body: String,
    /// The status of a gRPC answer, which has its own way out.
    pub grpc: Option<u8>,
}

/// What a page from an allowed origin may read of a refusal's headers.
const EXPOSED: &str = "link, retry-after, www-authenticate, x-should-retry, ratelimit, ratelimit-policy, grpc-status, grpc-message, faregate-code, deprecation, sunset, etag";

/// Renders a refusal for this request.
#[cfg(not(target_arch = "wasm32"))]
pub fn answer(refusal: &Refusal, around: &RequestContext<'_>, wording: &Wording) -> Answer {
    let form = write(refusal, around, wording);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let read = crate::decide::base::head::Head::read(&form.headers);
    Answer {
        status: form.status,
        headers: read.all().map(|(name, value)| (text(name), text(value))).collect(),
        body: text(&form.body(around)),
        grpc: form.grpc,
    }
}

/// Renders a refusal for any request in this context.
#[inline(never)]
pub(super) fn write(refusal: &Refusal, around: &RequestContext<'_>, wording: &Wording) -> ResponseTemplate {
    let status = refusal.status.unwrap_or(refusal.code.status());
    let retryable = refusal.is_retryable();
    let messages = messages::of(refusal, around, wording);
    let mut headers = Headers::default();
    headers.add("cache-control", &["no-store"]);
    if status == 401 {
        headers.add("www-authenticate", &["Bearer realm=\"faregate\""]);
    }
    if status == 415 {
        // What would have been accepted (RFC 9110, 15.5.16).
        headers.add("accept-encoding", &["identity"]);
    }
    if let Some(seconds) = refusal.retry_after() {
        headers.add("retry-after", &[&seconds.to_string()]);
    }
    if !retryable {
        headers.add("x-should-retry", &["false"]);
    }
    if let Some(url) = messages.payment() {
        headers.add("link", &["<", url, ">; rel=\"payment\""]);
    }
    for (name, value) in around.deprecated.map_or(&[][..], |deprecated| &deprecated.headers) {
        if !value.is_empty() {
            headers.add(name, &[value]);
        }
    }
    for (name, value) in fields(refusal.policies()) {
        headers.add(name, &[&value]);
    }
    let by_language = !wording.texts.is_empty();
    if by_language && messages.language != OTHERS {
        headers.add("content-language", &[messages.language]);
    }
    // No page reads gRPC itself.
    let exposed = around.origin.filter(|_| around.dialect != Dialect::Grpc);
    readable_for(exposed, around.origin.is_some(), by_language, &mut headers);
    let problem = |to: &mut Text| problem(to, refusal, wording, &messages, (status, retryable));
    formats::form(around.dialect, refusal.code, status, &messages, &problem, headers)
}

/// Lets a page of this origin read an answer. Others may get it in another language, or get another one.
#[inline(never)]
pub fn readable_for(origin: Option<&str>, by_origin: bool, by_language: bool, headers: &mut Headers) {
    if let Some(origin) = origin {
        headers.add("access-control-allow-origin", &[origin]);
        headers.add("access-control-expose-headers", &[EXPOSED]);
    }
    let vary = match (by_language, by_origin) {
        (true, true) => "accept-language, origin",
        (true, false) => "accept-language",
        (false, true) => "origin",
        (false, false) => return,
    };
    headers.add("vary", &[vary]);
}

/// Writes the members of the body, but for the brace in front; see `docs/refusals.md`.
#[inline(never)]
fn problem(
    to: &mut Text,
    refusal: &Refusal,
    wording: &Wording,
    messages: &Messages<'_>,
    (status, retryable): (u16, bool),
) {
    let code = refusal.code.as_str();
    let kind = match &wording.type_url {
        Some(template) => link::fill(template, refusal),
        None => joined(&["urn:faregate:refusal:", code]),
    };
    to.member("\"type\":", &kind);
    to.member(",\"title\":", &messages.title);
    to.push(",\"status\":");
    to.push(&status.to_string());
    to.member(",\"detail\":", &messages.detail);
    to.push(",\"instance\":");
    to.placeholder(Placeholder::Path);
    to.member(",\"code\":", code);
    if let Some(model) = refusal.model() {
        to.member(",\"model\":", model);
    }
    if refusal.code.is_short() {
        for (name, amount) in [(",\"needed\":", refusal.needed), (",\"available\":", refusal.available)] {
            if let Some(amount) = amount {
                to.member(name, &amount.to_string());
            }
        }
        to.member(",\"unit\":", "credits");
        if let Some(fits) = refusal.fits {
            to.push(",\"max_output_tokens\":");
            to.push(&fits.to_string());
        }
    }
    if let Some(reset) = &refusal.reset {
        to.member(",\"resets_at\":", &reset.at);
    }
    to.push(if retryable { ",\"retryable\":true" } else { ",\"retryable\":false" });
    to.push(",\"remedies\":[");
    for (number, remedy) in messages.remedies.iter().enumerate() {
        if number > 0 {
            to.push(",");
        }
        remedy.write(to);
    }
    to.push("]");
    to.placeholder(Placeholder::RequestId);
    to.push("}");
}
