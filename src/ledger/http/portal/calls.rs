//! Single calls of the account, as gateways have recorded them: what became of each, what it cost, and what helps where it was refused.

use super::answers::OwnCall;
use super::data;
use super::page::{CALLS, Frame};
use super::query::{DECISIONS, OfOwnCalls};
use super::state::Portal;
use super::trouble::Trouble;
use super::usage::{file, key_name};
use super::visit::Visit;
use crate::api::Key;
use crate::http::body::Invalid;
use crate::http::pages::page::html;
use crate::http::pages::show::{Html, Zone, encoded, grouped, plain};
use crate::http::problem::Failure;
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::fmt::Write as _;
use std::sync::Arc;

/// How many calls a page shows.
const ROWS: usize = 50;
/// How many a file has.
const MAX_ROWS: usize = 1_000;
/// How many keys are offered to choose from, and known by more than their identifier.
const MAX_KEYS: usize = 200;
/// What may be asked for.
const FILTERS: [&str; 6] = ["decision", "code", "key", "request_id", "since", "until"];

#[derive(Template)]
#[template(path = "portal/calls.html")]
struct CallsPage {
    frame: Frame,
    decisions: Vec<(&'static str, bool)>,
    keys: Vec<(String, String, bool)>,
    code: String,
    request_id: String,
    since: String,
    until: String,
    is_filtered: bool,
    rows: Vec<Line>,
    next: Option<String>,
    first: String,
    is_first: bool,
    file: String,
    json: String,
}

struct Line {
    at: Html,
    rule: Html,
    item: Html,
    outcome: Html,
    help: String,
    charge: Html,
    status: Html,
    took: Html,
    key: Html,
    facts: Vec<(&'static str, Html)>,
}

/// What a page asks for. Days are those of the viewer.
fn asked(visit: &Visit, limit: usize) -> Result<OfOwnCalls, Failure> {
    let text = |field: &str| visit.query.get(field).map(str::to_owned);
    let day = |field: &str| match visit.query.get(field) {
        None => Ok(None),
        Some(text) => visit.zone.read_day(text).map(Some).ok_or_else(|| {
            Failure::from(Invalid::field(field, format!("{text:?} is no day; an example is 2027-01-31")))
        }),
    };
    Ok(OfOwnCalls {
        key: text("key"),
        decision: text("decision"),
        code: text("code"),
        request_id: text("request_id"),
        since: day("since")?,
        until: day("until")?.map(|day| visit.zone.next_day(day)),
        limit: Some(limit),
        after: text("after"),
        ..OfOwnCalls::default()
    })
}

/// The same as the API is asked.
fn as_json(asked: &OfOwnCalls) -> String {
    let mut query = format!("limit={MAX_ROWS}");
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    let (since, until) = (time(asked.since), time(asked.until));
    for (name, value) in [
        ("key", &asked.key),
        ("decision", &asked.decision),
        ("code", &asked.code),
        ("request_id", &asked.request_id),
        ("since", &since),
        ("until", &until),
        ("after", &asked.after),
    ] {
        if let Some(value) = value {
            // Writing to a string doesn't fail.
            let _ = write!(query, "&{name}={}", encoded(value));
        }
    }
    query
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let (query, asked) = (&visit.query, asked(&visit, ROWS)?);
    let json = as_json(&asked);
    let found = data::calls(&portal, &visit.who, asked).await?;
    let keys = data::keys(&portal, &visit.who, Page { limit: MAX_KEYS, after: None }).await?.keys;
    let (decision, key) = (query.get("decision"), query.get("key"));
    let page = CallsPage {
        decisions: DECISIONS.map(|one| (one.as_str(), decision == Some(one.as_str()))).to_vec(),
        keys: choices(&keys, key),
        code: plain(query.text("code")),
        request_id: plain(query.text("request_id")),
        since: plain(query.text("since")),
        until: plain(query.text("until")),
        is_filtered: FILTERS.iter().any(|filter| query.get(filter).is_some()),
        rows: found.calls.iter().map(|call| line(call, &keys, &visit.zone)).collect(),
        next: found.next.map(|next| query.with("after", Some(&next))),
        first: query.with("after", None),
        is_first: query.get("after").is_none(),
        file: format!("{}&zone={}", query.query(&FILTERS, MAX_ROWS), encoded(&visit.zone.name)),
        json,
        frame: visit.frame(&portal, CALLS, "Calls"),
    };
    Ok(html(StatusCode::OK, &page))
}

/// The keys to choose from: the chosen one, too, if it is none of them.
fn choices(keys: &[Key], chosen: Option<&str>) -> Vec<(String, String, bool)> {
    let choice =
        |key: &Key| (key.id.clone(), plain(key_name(keys, &key.id)), chosen == Some(key.id.as_str()));
    let mut all: Vec<_> = keys.iter().map(choice).collect();
    if let Some(other) = chosen.filter(|id| keys.iter().all(|key| key.id != *id)) {
        all.push((other.to_owned(), plain(key_name(keys, other)), true));
    }
    all
}

/// The same as comma-separated values.
pub async fn csv(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let found = data::calls(&portal, &visit.who, asked(&visit, MAX_ROWS)?).await?;
    let mut rows = serde_json::to_value(&found.calls).unwrap_or_default();
    for row in rows.as_array_mut().into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
        // A cell holds a text: what helps, and what was used.
        let cures = row
            .get("cures")
            .and_then(serde_json::Value::as_array)
            .map(|cures| cures.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(" "));
        row.insert("cures".to_owned(), cures.unwrap_or_default().into());
        let used = row.get("used").and_then(serde_json::Value::as_object).map(|used| {
            used.iter().map(|(class, count)| format!("{class} {count}")).collect::<Vec<_>>().join(", ")
        });
        row.insert("used".to_owned(), used.unwrap_or_default().into());
    }
    Ok(file("calls", &rows))
}

fn line(call: &OwnCall, keys: &[Key], zone: &Zone) -> Line {
    let used =
        call.used.iter().map(|(class, count)| format!("{} {}", grouped(count), class.replace('_', " ")));
    let mut facts = vec![("Request ID", Html::or_none(call.request_id.as_ref(), |id| Html::code(id)))];
    if let Some(basis) = &call.basis {
        facts.push(("Charged by", Html::text(basis)));
    }
    if !call.used.is_empty() {
        facts.push(("Used", Html::text(used.collect::<Vec<_>>().join(", "))));
    }
    if let Some(title) = &call.title {
        facts.push(("Why", Html::text(title)));
    }
    Line {
        at: zone.second(call.time),
        rule: Html::text(&call.rule),
        item: Html::or_none(call.item.as_ref(), Html::text),
        outcome: call.code.as_ref().map_or_else(|| Html::text(&call.decision), |code| Html::code(code)),
        help: call.cures.join(" "),
        charge: Html::number(call.charge),
        status: Html::or_none(call.status, Html::number),
        took: Html::number(call.duration_ms),
        key: Html::or_none(call.key.as_ref(), |key| Html::text(key_name(keys, key))),
        facts,
    }
}
