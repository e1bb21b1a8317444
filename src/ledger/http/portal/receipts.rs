//! Receipts: what the account was given other than by its plan, newest first, and each on a page to print.

use super::data;
use super::page::{Frame, lines};
use super::state::Portal;
use super::trouble::Trouble;
use super::usage::file;
use super::visit::Visit;
use crate::api::Grant;
use crate::http::pages::page::html;
use crate::http::pages::show::{Html, Zone, encoded};
use crate::store::Page;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many receipts a page shows.
const ROWS: usize = 50;
/// How many a file has.
const MAX_ROWS: usize = 1_000;

#[derive(Template)]
#[template(path = "portal/receipts.html")]
struct ReceiptsPage {
    frame: Frame,
    rows: Vec<Line>,
    next: Option<String>,
    is_first: bool,
}

struct Line {
    id: String,
    when: Html,
    source: Html,
    note: Html,
    amount: Html,
    left: Html,
    expires: Html,
    voided: bool,
}

impl Line {
    fn of(grant: &Grant, zone: &Zone) -> Self {
        Self {
            id: encoded(&grant.id),
            when: zone.when(grant.created_at),
            source: Html::or_none(grant.source.as_ref(), Html::text),
            note: Html::or_none(grant.note.as_ref(), Html::text),
            amount: Html::number(grant.amount),
            left: Html::number(grant.remaining),
            expires: Html::or_none(grant.expires_at, |at| zone.when(at)),
            voided: grant.voided.is_positive(),
        }
    }
}

/// The list.
pub async fn list(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let after = visit.query.get("after").map(str::to_owned);
    let is_first = after.is_none();
    let grants = data::receipts(&portal, &visit.who, Page { limit: ROWS, after }).await?;
    let page = ReceiptsPage {
        rows: grants.grants.iter().map(|grant| Line::of(grant, &visit.zone)).collect(),
        next: grants.next.map(|next| visit.query.with("after", Some(&next))),
        is_first,
        frame: visit.frame(&portal, "/receipts", "Receipts"),
    };
    Ok(html(StatusCode::OK, &page))
}

/// The same as comma-separated values.
pub async fn csv(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let grants = data::receipts(&portal, &visit.who, Page { limit: MAX_ROWS, after: None }).await?;
    let rows = grants.grants.iter().map(|grant| {
        json!({
            "id": grant.id,
            "at": grant.created_at.to_string(),
            "amount": grant.amount.to_string(),
            "source": grant.source,
            "note": grant.note,
            "expires_at": grant.expires_at.map(|at| at.to_string()),
            "voided": grant.voided.to_string(),
        })
    });
    Ok(file("receipts", &Value::from(rows.collect::<Vec<Value>>())))
}

#[derive(Template)]
#[template(path = "portal/receipt.html")]
struct ReceiptPage {
    frame: Frame,
    amount: Html,
    facts: Vec<(&'static str, Html)>,
    text: Option<Html>,
}

/// One, to print.
pub async fn show(
    State(portal): State<Arc<Portal>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let grant = data::receipt(&portal, &visit.who, &id).await?;
    let zone = &visit.zone;
    let mut facts = vec![
        ("Receipt", Html::code(&grant.id)),
        ("Date", Html::text(format!("{} {}", zone.minute(&grant.created_at), zone.name))),
        ("Account", Html::text(&grant.account)),
    ];
    let more = [
        ("Name", visit.who.customer.name.as_ref().map(Html::text)),
        ("Source", grant.source.as_ref().map(Html::text)),
        ("Note", grant.note.as_ref().map(Html::text)),
        ("Expires", grant.expires_at.map(|at| zone.when(at))),
        ("Taken back", grant.voided.is_positive().then(|| Html::number(grant.voided))),
    ];
    facts.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let page = ReceiptPage {
        frame: visit.frame(&portal, "/receipts", "Receipt"),
        amount: Html::number(grant.amount),
        facts,
        text: portal.settings.texts.receipt.as_ref().map(|text| lines(text)),
    };
    Ok(html(StatusCode::OK, &page))
}
