//! The plans, how many have each, and who.

use super::accounts::{Row, rows};
use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{Accounts, Plan, PlanProduct, Plans};
use crate::http::pages::show::{Html, encoded, grouped};
use crate::store::Page;
use crate::store::queries::overview::MAX_COUNTED;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many plans, or accounts, a page shows.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "plans.html")]
struct PlansPage {
    frame: Frame,
    rows: Vec<PlanLine>,
    next: Option<String>,
    is_first: bool,
}

struct PlanLine {
    name: Html,
    quota: String,
    overage: &'static str,
    limits: String,
    accounts: String,
    version: u32,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    frame: Frame,
    name: String,
    archived: Option<Html>,
    facts: Vec<(&'static str, Html)>,
    products: Vec<(Html, String)>,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

/// All plans.
pub async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let query = visit.query.query(&[], ROWS);
    let plans: Plans = visit.get(&console, &format!("/admin/v1/plans?{query}")).await?;
    // Archived plans have no subscriptions, but are counted with the others' page.
    let counted = Page { limit: ROWS.saturating_mul(4), after: visit.query.get("after").map(str::to_owned) };
    let counts = console.app.store.subscriptions_by_plan(counted).await?;
    let lines = plans.plans.iter().map(|plan| {
        let count = counts.iter().find(|(name, _)| *name == plan.name).map(|(_, count)| *count);
        PlanLine {
            name: Html::plan(&plan.name),
            quota: quota(plan),
            overage: plan.overage.as_str(),
            limits: limits(plan),
            accounts: count.map_or_else(|| "\u{2013}".to_owned(), counted_as),
            version: plan.version,
        }
    });
    let page = PlansPage {
        frame: visit.frame("/plans", "Plans"),
        rows: lines.collect(),
        next: plans.next.map(|next| visit.query.with("after", Some(&next))),
        is_first: visit.query.get("after").is_none(),
    };
    Ok(page::html(StatusCode::OK, &page))
}

fn counted_as(count: i64) -> String {
    if count > MAX_COUNTED { format!("{}+", grouped(MAX_COUNTED)) } else { grouped(count) }
}

fn period(plan: &Plan) -> String {
    let unit = plan.period.as_str();
    if plan.every == 1 { unit.to_owned() } else { format!("{} {unit}s", plan.every) }
}

fn quota(plan: &Plan) -> String {
    format!("{} per {}", grouped(plan.quota), period(plan))
}

fn limits(plan: &Plan) -> String {
    let rate = plan.rate_per_second.as_ref().map(|rate| format!("{rate}/s"));
    let concurrent = plan.concurrent.map(|concurrent| format!("{} at a time", grouped(concurrent)));
    let all: Vec<String> = rate.into_iter().chain(concurrent).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// A plan, and who has it.
pub async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path(name): Path<String>,
) -> Result<Response, Trouble> {
    let own = encoded(&name);
    let plan: Plan = visit.get(&console, &format!("/admin/v1/plans/{own}")).await?;
    let query = visit.query.query(&[], ROWS);
    let accounts: Accounts = visit.get(&console, &format!("/admin/v1/accounts?plan={own}&{query}")).await?;
    let text = |text: &str| Html::text(text);
    let mut facts = vec![
        ("Quota", Html::text(quota(&plan))),
        ("Rolls over", Html::number(plan.rollover)),
        ("When it is used up", text(plan.overage.as_str())),
    ];
    facts.extend(plan.overdraft.map(|most| ("Overdraft up to", Html::number(most))));
    facts.push(("Limits", Html::text(limits(&plan))));
    facts.extend(plan.warn_below.map(|below| ("Warns below", Html::number(below))));
    facts.extend(plan.alert_below.map(|below| ("Announces a balance below", Html::number(below))));
    facts.push(("Periods begin", text(plan.anchor.as_str())));
    facts.push(("Time zone", text(&plan.time_zone)));
    facts.push(("Unreported credits of a dead gateway go to", text(plan.remainder.as_str())));
    facts.push(("Version", Html::number(plan.version)));
    facts.push(("Made", visit.zone.when(plan.created_at)));
    let page = PlanPage {
        frame: visit.frame("/plans", &plan.name),
        archived: plan.archived_at.map(|at| visit.zone.when(at)),
        facts,
        products: plan.products.iter().flatten().map(product).collect(),
        rows: rows(&visit, &accounts),
        next: accounts.next.map(|next| visit.query.with("after", Some(&next))),
        is_first: visit.query.get("after").is_none(),
        name: plan.name,
    };
    Ok(page::html(StatusCode::OK, &page))
}

fn product(product: &PlanProduct) -> (Html, String) {
    let price = match (product.times, product.price) {
        (Some(times), _) => format!("the rule\u{2019}s price times {times}"),
        (None, Some(price)) => format!("{} credits per request", grouped(price)),
        (None, None) => "the rule\u{2019}s price".to_owned(),
    };
    (Html::text(&product.name), price)
}
