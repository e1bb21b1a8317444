//! The gateways that the ledger has heard of, and the leases they hold.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::Leases;
use crate::http::pages::show::{Html, encoded, how_long, plain};
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many gateways a page shows.
const ROWS: usize = 50;
/// How many leases a page shows: those with the most at risk.
const LEASES: usize = 100;

#[derive(Template)]
#[template(path = "gateways.html")]
struct GatewaysPage {
    frame: Frame,
    gateways: Vec<GatewayLine>,
    next: Option<String>,
    is_first: bool,
    chosen: Option<String>,
    export: String,
    at_risk: Html,
    leases: Vec<LeaseLine>,
    more_leases: bool,
}

struct GatewayLine {
    name: Html,
    version: Html,
    token: Html,
    leases: Html,
    at_risk: Html,
    reported: Html,
}

struct LeaseLine {
    gateway: Html,
    account: Html,
    key: Html,
    at_risk: Html,
    held: Html,
    granted: Html,
    spent: Html,
    heard: String,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let after = visit.query.get("after").map(str::to_owned);
    let is_first = after.is_none();
    let (gateways, next) = console.app.store.gateways(Page { limit: ROWS, after }).await?;
    let chosen = visit.query.get("gateway").map(str::to_owned);
    let only = chosen.as_deref().map_or_else(String::new, |gateway| format!("?gateway={}", encoded(gateway)));
    let leases: Leases = visit.get(&console, &format!("/admin/v1/leases{only}")).await?;
    let lines = leases.leases.iter().take(LEASES).map(|lease| LeaseLine {
        gateway: Html::text(&lease.gateway),
        account: Html::account(&lease.account),
        key: Html::id(&lease.key),
        at_risk: Html::number(lease.at_risk),
        held: Html::number(lease.held),
        granted: Html::number(lease.granted),
        spent: Html::number(lease.spent),
        heard: format!("{} ago", how_long(lease.heard_ms_ago / 1_000)),
    });
    let known = gateways.iter().map(|gateway| GatewayLine {
        name: Html::link(&format!("/gateways?gateway={}#leases", encoded(&gateway.name)), &gateway.name),
        version: Html::or_none(gateway.version.as_ref(), Html::text),
        token: gateway.token.as_ref().map_or_else(|| Html::text("of the environment"), Html::text),
        leases: Html::number(gateway.leases),
        at_risk: Html::number(gateway.at_risk),
        reported: Html::or_none(gateway.reported_at, |at| visit.zone.second(at)),
    });
    let page = GatewaysPage {
        frame: visit.frame("/gateways", "Gateways"),
        gateways: known.collect(),
        next: next.map(|next| visit.query.with("after", Some(&next))),
        is_first,
        chosen,
        export: only,
        at_risk: Html::number(leases.at_risk),
        more_leases: leases.leases.len() > LEASES,
        leases: lines.collect(),
    };
    Ok(page::html(StatusCode::OK, &page))
}
