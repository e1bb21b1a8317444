//! Why requests are refused, what cures it, and what was refused lately.

use super::data;
use super::findings::Found;
use super::page::Frame;
use super::state::Portal;
use super::trouble::Trouble;
use super::usage::key_name;
use super::visit::Visit;
use crate::http::pages::page::html;
use crate::http::pages::show::{Html, encoded};
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Over how many hours refusals are shown, and what people read.
const SPANS: [(&str, &str, i64); 3] =
    [("day", "24 hours", 24), ("week", "7 days", 168), ("month", "30 days", 720)];
/// How many keys are known by more than their identifier.
const MAX_KEYS: usize = 1_000;

#[derive(Template)]
#[template(path = "portal/refusals.html")]
struct RefusalsPage {
    frame: Frame,
    findings: Vec<Found>,
    spans: Vec<(&'static str, &'static str, bool)>,
    span: &'static str,
    rows: Vec<Line>,
}

struct Line {
    code: Html,
    /// By what its calls are found.
    calls: String,
    title: String,
    cures: String,
    rule: Html,
    key: Html,
    requests: Html,
    last: Html,
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let asked = visit.query.get("span").unwrap_or("day");
    let (name, span, hours) =
        SPANS.into_iter().find(|(name, ..)| *name == asked).unwrap_or(("day", "24 hours", 24));
    let since = Timestamp::now().checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
    let found = data::refusals(&portal, &visit.who, Some(since)).await?;
    let keys = data::keys(&portal, &visit.who, Page { limit: MAX_KEYS, after: None }).await?.keys;
    let page = RefusalsPage {
        frame: visit.frame(&portal, "/refusals", "Refusals"),
        findings: found.findings.iter().map(Found::of).collect(),
        spans: SPANS.into_iter().map(|(one, label, _)| (one, label, one == name)).collect(),
        span,
        rows: found
            .refusals
            .iter()
            .map(|line| Line {
                code: Html::code(&line.code),
                calls: format!("code={}&key={}", encoded(&line.code), encoded(&line.key)),
                title: line.title.clone(),
                cures: line.cures.join(" "),
                rule: Html::text(&line.rule),
                key: Html::text(key_name(&keys, &line.key)),
                requests: Html::number(line.requests),
                last: visit.zone.when(line.last_seen),
            })
            .collect(),
    };
    Ok(html(StatusCode::OK, &page))
}
