//! The first page: the balance, what was used lately, the plan and its limits, budgets, and what is wrong.

use super::answers::OwnPlan;
use super::data;
use super::findings::Found;
use super::page::{Frame, lines};
use super::plan::{limits, period};
use super::query::OfUsage;
use super::state::Portal;
use super::trouble::Trouble;
use super::usage::{self, Split};
use super::visit::Visit;
use crate::api::AccountState;
use crate::http::admin::query::By;
use crate::http::pages::balance::Shares;
use crate::http::pages::budget::BudgetLine;
use crate::http::pages::page::html;
use crate::http::pages::plot::Plot;
use crate::http::pages::show::{Html, grouped};
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// What is called held.
const HELD: &str = "set aside for requests";
/// How many budgets are shown.
const MAX_BUDGETS: usize = 20;

#[derive(Template)]
#[template(path = "portal/home.html")]
struct HomePage {
    frame: Frame,
    welcome: Option<Html>,
    state: AccountState,
    balance: Shares,
    findings: Vec<Found>,
    splits: Vec<(&'static str, &'static str, bool)>,
    usage: Plot,
    used: Option<(Html, Html)>,
    plan: Option<PlanCard>,
    budgets: Vec<BudgetLine>,
    more_budgets: bool,
}

struct PlanCard {
    name: Html,
    state: Html,
    facts: Vec<(&'static str, Html)>,
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let who = &visit.who;
    let balance = data::balance(&portal, who).await?;
    let refusals = data::refusals(&portal, who, None).await?;
    let split = Split::asked(&visit.query);
    let asked = |after| OfUsage {
        by: Some(By::Day),
        group: Some(split.group().to_owned()),
        time_zone: Some(visit.zone.name.clone()),
        limit: Some(usage::MAX_LINES),
        after,
        ..OfUsage::default()
    };
    let used = data::much_usage(&portal, who, asked, usage::MORE_PAGES).await?;
    let names = usage::names(&portal, &visit, split).await?;
    let plan = data::plan(&portal, who).await?;
    let page = Page { limit: MAX_BUDGETS, after: None };
    let budgets = data::budgets(&portal, who, page).await?;
    let page = HomePage {
        frame: visit.frame(&portal, "", "Home"),
        welcome: portal.settings.texts.home.as_ref().map(|text| lines(text)),
        state: balance.state,
        balance: Shares::of(&balance, HELD),
        findings: refusals.findings.iter().map(Found::of).collect(),
        splits: Split::ALL.iter().map(|one| (one.name(), one.label(), *one == split)).collect(),
        usage: usage::plot("Credits spent per day", By::Day, &used, &names, &visit.zone, None),
        used: (used.requests > 0).then(|| (Html::number(used.credits), Html::number(used.requests))),
        plan: plan.map(|plan| card(&plan, &visit)),
        more_budgets: budgets.next.is_some(),
        budgets: budgets.budgets.iter().map(|budget| BudgetLine::of(budget, &visit.zone)).collect(),
    };
    Ok(html(StatusCode::OK, &page))
}

fn card(plan: &OwnPlan, visit: &Visit) -> PlanCard {
    let zone = &visit.zone;
    let quota = format!("{} credits {}", grouped(plan.quota), period(plan));
    let mut facts = vec![("Quota", Html::text(quota))];
    facts.extend(limits(plan));
    let times = [("Renews", plan.renews_at), ("Pay until", plan.grace_until), ("Ends", plan.ends_at)];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, zone.when(at?)))));
    PlanCard { name: Html::text(&plan.plan), state: Html::state(plan.state.as_str()), facts }
}
