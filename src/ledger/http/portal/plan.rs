//! The plan with its limits and products, and what models cost.

use super::answers::{OwnPlan, OwnPrice};
use super::data;
use super::page::Frame;
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::PlanProduct;
use crate::domain::policy::OveragePolicy;
use crate::http::codes::Code;
use crate::http::pages::page::html;
use crate::http::pages::show::{Html, Zone, grouped};
use crate::http::problem::Failure;
use crate::store::Page;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// How many prices a page shows.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "portal/plan.html")]
struct PlanPage {
    frame: Frame,
    plan: Option<Shown>,
    prices: Vec<PriceLine>,
    next: Option<String>,
    is_first: bool,
}

struct Shown {
    name: Html,
    state: Html,
    facts: Vec<(&'static str, Html)>,
    products: Option<Vec<(Html, Html)>>,
}

struct PriceLine {
    model: Html,
    input: Html,
    output: Html,
    others: Html,
    from: Html,
    is_later: bool,
}

/// How long the plan's periods are.
pub fn period(plan: &OwnPlan) -> String {
    let unit = plan.period.as_str();
    if plan.every == 1 { format!("per {unit}") } else { format!("per {} {unit}s", plan.every) }
}

/// The plan's limits; those that it has.
pub fn limits(plan: &OwnPlan) -> Vec<(&'static str, Html)> {
    let mut all = Vec::new();
    if let Some(rate) = &plan.rate_per_second {
        let burst =
            plan.burst.map(|burst| format!(", {} at once after a pause", grouped(burst))).unwrap_or_default();
        all.push(("Rate", Html::text(format!("{} requests per second{burst}", grouped(rate)))));
    }
    if let Some(most) = plan.concurrent {
        all.push(("At the same time", Html::text(format!("{} requests", grouped(most)))));
    }
    all
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    let plan = data::plan(&portal, &visit.who).await?;
    let after = visit.query.get("after").map(str::to_owned);
    let is_first = after.is_none();
    let prices = data::prices(&portal, Page { limit: ROWS, after }).await?;
    let now = Timestamp::now();
    let lines: Result<Vec<PriceLine>, Failure> =
        prices.prices.iter().map(|price| price_line(price, &visit.zone, now)).collect();
    let page = PlanPage {
        frame: visit.frame(&portal, "/plan", "Plan and prices"),
        plan: plan.map(|plan| shown(&plan, &visit.zone)),
        prices: lines?,
        next: prices.next.map(|next| visit.query.with("after", Some(&next))),
        is_first,
    };
    Ok(html(StatusCode::OK, &page))
}

fn shown(plan: &OwnPlan, zone: &Zone) -> Shown {
    let mut facts = vec![("Quota", Html::text(format!("{} credits {}", grouped(plan.quota), period(plan))))];
    let overage = match plan.overage {
        OveragePolicy::Bought => "bought credits pay".to_owned(),
        OveragePolicy::Refuse => "requests are refused".to_owned(),
        OveragePolicy::Overdraft => match plan.overdraft {
            Some(most) => format!("up to {} credits may be overdrawn", grouped(most)),
            None => "it may be overdrawn".to_owned(),
        },
    };
    facts.push(("When it is used up", Html::text(overage)));
    if plan.rollover.is_positive() {
        facts.push(("Carried over", Html::text(format!("up to {} credits", grouped(plan.rollover)))));
    }
    facts.extend(limits(plan));
    let times = [
        ("This period began", plan.period_started_at),
        ("Renews", plan.renews_at),
        ("Pay until", plan.grace_until),
        ("Ends", plan.ends_at),
    ];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, zone.when(at?)))));
    if let Some(next) = &plan.next_plan {
        facts.push(("Changes to", Html::text(next)));
    }
    let products = plan.products.as_ref().map(|all| all.iter().map(product).collect());
    Shown { name: Html::text(&plan.plan), state: Html::state(plan.state.as_str()), facts, products }
}

fn product(product: &PlanProduct) -> (Html, Html) {
    let price = match (product.times, product.price) {
        (_, Some(price)) => format!("{} credits per request", grouped(price)),
        (Some(times), None) => format!("{times} times the usual price"),
        (None, None) => "at the usual price".to_owned(),
    };
    (Html::text(&product.name), Html::text(price))
}

fn price_line(price: &OwnPrice, zone: &Zone, now: Timestamp) -> Result<PriceLine, Failure> {
    let entry =
        serde_json::to_value(price).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let of = |class: &str| entry.pointer(&format!("/prices/{class}")).and_then(Value::as_str);
    let classes = entry.get("prices").and_then(Value::as_object).into_iter().flatten();
    let others = classes.filter(|(class, _)| !["input", "output"].contains(&class.as_str()));
    let others = others.map(|(class, price)| match price {
        Value::String(price) => format!("{} {}", class.replace('_', " "), grouped(price)),
        _ => class.replace('_', " "),
    });
    Ok(PriceLine {
        model: Html::text(&price.model),
        input: Html::or_none(of("input"), Html::number),
        output: Html::or_none(of("output"), Html::number),
        others: Html::text(others.collect::<Vec<_>>().join(", ")),
        from: zone.when(price.valid_from),
        is_later: price.valid_from > now,
    })
}
