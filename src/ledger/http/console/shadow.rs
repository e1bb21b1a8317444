//! What rules in shadow mode would have refused.

use super::assets::version;
use super::figures::SHADOW_ROWS;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::Shadow;
use crate::http::pages::show::Html;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many lines a page shows: those with the most requests.
const ROWS: usize = SHADOW_ROWS;

#[derive(Template)]
#[template(path = "shadow.html")]
struct ShadowPage {
    frame: Frame,
    account: String,
    is_counted: bool,
    requests: Html,
    rows: Vec<ShadowLine>,
    is_part: bool,
    export: String,
}

struct ShadowLine {
    account: Html,
    key: Html,
    rule: Html,
    code: Html,
    requests: Html,
    first: Html,
    last: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let query = visit.query.query(&["account"], ROWS);
    // Of all accounts it is counted in the background.
    let (shadow, is_counted) = if visit.query.get("account").is_some() {
        (visit.get(&console, &format!("/admin/v1/shadow?{query}")).await?, true)
    } else {
        let counted = console.figures.shadow((&console.app.store, &console.stop())).await;
        let is_counted = counted.is_some();
        (counted.map_or_else(Shadow::default, |counted| (*counted.value).clone()), is_counted)
    };
    let rows = shadow.lines.iter().map(|line| ShadowLine {
        account: line.account.as_ref().map_or_else(|| Html::text("unknown callers"), |id| Html::account(id)),
        key: Html::or_none(line.key.as_ref(), |id| Html::id(id)),
        rule: Html::text(&line.rule),
        code: Html::code(&line.code),
        requests: Html::number(line.requests),
        first: visit.zone.when(line.first_seen),
        last: visit.zone.when(line.last_seen),
    });
    let page = ShadowPage {
        frame: visit.frame("/shadow", "Shadow"),
        account: visit.query.text("account"),
        is_counted,
        requests: Html::number(shadow.total.requests),
        is_part: shadow.total.lines > u64::try_from(shadow.lines.len()).unwrap_or(u64::MAX),
        rows: rows.collect(),
        export: visit.query.query(&["account"], 1_000),
    };
    Ok(page::html(StatusCode::OK, &page))
}
