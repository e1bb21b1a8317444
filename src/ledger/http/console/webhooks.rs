//! Endpoints to which events are delivered, and what became of deliveries. For admins alone, as in the admin API.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{Deliveries, Webhooks};
use crate::http::pages::show::{Html, encoded, plain};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many endpoints and deliveries a page shows.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    webhooks: Vec<WebhookLine>,
    next: Option<String>,
    chosen: Option<String>,
    deliveries: Vec<DeliveryLine>,
    next_deliveries: Option<String>,
}

struct WebhookLine {
    id: Html,
    url: Html,
    events: Html,
    account: Html,
    state: Html,
    waiting: Html,
    note: Html,
}

struct DeliveryLine {
    time: Html,
    account: Html,
    kind: Html,
    state: Html,
    attempts: Html,
    status: Html,
    error: Html,
    again: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let after = |name: &str| {
        visit.query.get(name).map_or_else(String::new, |after| format!("&after={}", encoded(after)))
    };
    let path = format!("/admin/v1/webhooks?limit={ROWS}{}", after("after"));
    let webhooks: Webhooks = visit.get(&console, &path).await?;
    let chosen = visit.query.get("webhook").map(str::to_owned);
    let deliveries = match &chosen {
        Some(id) => {
            let of = format!("/admin/v1/webhooks/{}/deliveries", encoded(id));
            visit.get::<Deliveries>(&console, &format!("{of}?limit={ROWS}{}", after("deliveries"))).await?
        }
        None => Deliveries { deliveries: Vec::new(), next: None },
    };
    let zone = &visit.zone;
    let endpoints = webhooks.webhooks.iter().map(|webhook| WebhookLine {
        id: Html::link(&format!("/webhooks?webhook={}#deliveries", encoded(&webhook.id)), &webhook.id),
        url: Html::text(&webhook.url),
        events: webhook
            .events
            .as_ref()
            .map_or_else(|| Html::text("all"), |kinds| Html::text(kinds.join(", "))),
        account: webhook.account.as_ref().map_or_else(|| Html::text("all"), |id| Html::account(id)),
        state: Html::state(webhook.state.as_str()),
        waiting: Html::or_none(webhook.waiting, Html::number),
        note: Html::or_none(webhook.note.as_ref(), Html::text),
    });
    let lines = deliveries.deliveries.iter().map(|delivery| DeliveryLine {
        time: zone.second(delivery.time),
        account: delivery.account.as_ref().map_or_else(|| Html::text("the ledger"), |id| Html::account(id)),
        kind: Html::code(&delivery.kind),
        state: Html::state(delivery.state.as_str()),
        attempts: Html::number(delivery.attempts),
        status: Html::or_none(delivery.status, Html::number),
        error: Html::or_none(delivery.error.as_ref(), Html::text),
        again: Html::or_none(delivery.next_attempt_at, |at| zone.second(at)),
    });
    let page = WebhooksPage {
        frame: visit.frame("/webhooks", "Webhooks"),
        webhooks: endpoints.collect(),
        next: webhooks.next.map(|next| visit.query.with("after", Some(&next))),
        deliveries: lines.collect(),
        next_deliveries: deliveries.next.map(|next| visit.query.with("deliveries", Some(&next))),
        chosen,
    };
    Ok(page::html(StatusCode::OK, &page))
}
