//! What operators did, from where, and what was there before.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{Trail, TrailEntry};
use crate::http::pages::show::{Html, plain};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// How many entries a page shows.
const ROWS: usize = 50;
/// The filters, as the admin API calls them.
const FILTERS: [&str; 2] = ["account", "operator"];
/// The most of what was before or after that a page shows, in characters.
const MAX_SHOWN: usize = 8_000;

#[derive(Template)]
#[template(path = "trail.html")]
struct TrailPage {
    frame: Frame,
    account: String,
    operator: String,
    is_filtered: bool,
    rows: Vec<TrailLine>,
    next: Option<String>,
    first: String,
    is_first: bool,
    export: String,
}

struct TrailLine {
    at: Html,
    operator: Html,
    command: Html,
    account: Html,
    from: Html,
    before: Option<String>,
    after: String,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let query = &visit.query;
    let path = format!("/admin/v1/trail?{}", query.query(&FILTERS, ROWS));
    let trail: Trail = visit.get(&console, &path).await?;
    let rows = trail.entries.iter().map(|entry| TrailLine {
        at: visit.zone.second(entry.at),
        operator: operator(entry),
        command: Html::code(&entry.command),
        account: Html::or_none(entry.account.as_ref(), |account| Html::account(account)),
        from: Html::text(&entry.from),
        before: entry.before.as_ref().map(pretty),
        after: pretty(&entry.after),
    });
    let page = TrailPage {
        frame: visit.frame("/trail", "Trail"),
        account: query.text("account"),
        operator: query.text("operator"),
        is_filtered: FILTERS.iter().any(|filter| query.get(filter).is_some()),
        rows: rows.collect(),
        next: trail.next.map(|next| query.with("after", Some(&next))),
        first: query.with("after", None),
        is_first: query.get("after").is_none(),
        export: query.query(&FILTERS, 1_000),
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// Who did it; of somebody whom a claim has let in also the subject, because two of one name are two people.
pub fn operator(entry: &TrailEntry) -> Html {
    let name = Html::text(&entry.operator);
    let subject =
        entry.token.as_ref().filter(|token| token.starts_with("oidc:") && **token != entry.operator);
    match subject {
        Some(subject) => Html::trusted(format!("{name} <small>{}</small>", Html::text(subject))),
        None => name,
    }
}

/// JSON as people read it, with what can't be seen written out.
fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut shown: String = text.lines().map(plain).collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = shown.char_indices().nth(MAX_SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}
