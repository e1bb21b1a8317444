//! Single requests, as gateways recorded them: a search.

use super::assets::version;
use super::page::{self, Frame};

use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{CallRecord, Calls};
use crate::http::pages::show::{Html, grouped};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::calls::Decision;
use std::sync::Arc;

/// How many calls a page shows.
const ROWS: usize = 50;
/// The filters, as the admin API calls them.
const FILTERS: [&str; 10] =
    ["account", "key", "rule", "item", "decision", "code", "status", "request_id", "since", "until"];

#[derive(Template)]
#[template(path = "calls.html")]
struct CallsPage {
    frame: Frame,
    fields: Vec<(&'static str, &'static str, String)>,
    decisions: Vec<(&'static str, bool)>,
    is_filtered: bool,
    rows: Vec<CallLine>,
    next: Option<String>,
    first: String,
    is_first: bool,
    export: String,
}

struct CallLine {
    at: Html,
    account: Html,
    rule: Html,
    item: Html,
    outcome: Html,
    charge: Html,
    status: Html,
    took: Html,
    facts: Vec<(&'static str, Html)>,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let query = &visit.query;
    let path = format!("/admin/v1/calls?{}", query.query(&FILTERS, ROWS));
    let calls: Calls = visit.get(&console, &path).await?;
    let field = |name, label| (name, label, query.text(name));
    let decision = query.get("decision");
    let page = CallsPage {
        frame: visit.frame("/calls", "Calls"),
        fields: vec![
            field("account", "Account"),
            field("rule", "Rule"),
            field("item", "Model or tool"),
            field("code", "Code"),
            field("status", "Status"),
            field("request_id", "Request ID"),
        ],
        decisions: Decision::ALL.map(|one| (one.as_str(), decision == Some(one.as_str()))).to_vec(),
        is_filtered: FILTERS.iter().any(|filter| query.get(filter).is_some()),
        rows: calls.calls.iter().map(|call| line(call, &visit)).collect(),
        next: calls.next.map(|next| query.with("after", Some(&next))),
        first: query.with("after", None),
        is_first: query.get("after").is_none(),
        export: query.query(&FILTERS, 1_000),
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// What became of a call, in a word.
pub fn outcome(call: &CallRecord) -> Html {
    match (&call.code, call.decision.as_str()) {
        (Some(code), "shadow") => Html::code(&format!("shadow: {code}")),
        (Some(code), _) => Html::code(code),
        (None, decision) => Html::text(decision),
    }
}

fn line(call: &CallRecord, visit: &Visit) -> CallLine {
    let used =
        call.used.iter().map(|(class, count)| format!("{} {}", grouped(count), class.replace('_', " ")));
    let mut facts = vec![
        ("Record", Html::code(&call.id)),
        ("Key", Html::or_none(call.key.as_ref(), |key| Html::code(key))),
        ("Held", Html::number(call.hold)),
        ("Gateway", Html::code(&call.gateway)),
        ("Request ID", Html::or_none(call.request_id.as_ref(), |id| Html::code(id))),
    ];
    if let Some(basis) = &call.basis {
        facts.push(("Charged by", Html::text(basis)));
    }
    if !call.used.is_empty() {
        facts.push(("Used", Html::text(used.collect::<Vec<_>>().join(", "))));
    }
    CallLine {
        at: visit.zone.second(call.time),
        account: Html::or_none(call.account.as_ref(), |account| Html::account(account)),
        rule: Html::text(&call.rule),
        item: Html::or_none(call.item.as_ref(), Html::text),
        outcome: outcome(call),
        charge: Html::number(call.charge),
        status: Html::or_none(call.status, Html::number),
        took: Html::number(call.duration_ms),
        facts,
    }
}
