//! What models cost their callers and the seller, and what they have earned.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::http::pages::show::{Html, grouped};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// How many prices a page shows.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "prices.html")]
struct PricesPage {
    frame: Frame,
    rows: Vec<PriceLine>,
    next: Option<String>,
    is_first: bool,
    is_counted: bool,
    earners: Vec<Earner>,
}

struct PriceLine {
    model: Html,
    input: Html,
    output: Html,
    others: String,
    margin: String,
    from: Html,
    is_later: bool,
}

struct Earner {
    item: Html,
    requests: Html,
    credits: Html,
    cost: Html,
    margin: Html,
    is_loss: bool,
    unknown: Html,
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let now = Timestamp::now();
    let query = visit.query.query(&[], ROWS);
    let prices: Value = visit.get(&console, &format!("/admin/v1/prices?{query}")).await?;
    let earned = console.figures.earned((&console.app.store, &console.stop())).await;
    let entries = prices.get("prices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let earners = earned.iter().flat_map(|counted| &*counted.value).map(|(item, sums)| Earner {
        item: Html::or_none(Some(item).filter(|item| !item.is_empty()), Html::text),
        requests: Html::number(sums.requests),
        credits: Html::number(sums.credits),
        cost: Html::or_none(sums.cost, Html::number),
        margin: Html::or_none(sums.margin, Html::number),
        is_loss: sums.margin.is_some_and(|margin| margin.micros() < 0),
        unknown: Html::number(sums.cost_unknown),
    });
    let next = prices.get("next").and_then(Value::as_str);
    let page = PricesPage {
        frame: visit.frame("/prices", "Prices"),
        rows: entries.iter().map(|entry| price_line(entry, &visit, now)).collect(),
        next: next.map(|next| visit.query.with("after", Some(next))),
        is_first: visit.query.get("after").is_none(),
        is_counted: earned.is_some(),
        earners: earners.collect(),
    };
    Ok(page::html(StatusCode::OK, &page))
}

fn price_line(entry: &Value, visit: &Visit, now: Timestamp) -> PriceLine {
    let price = |class: &str| entry.pointer(&format!("/prices/{class}")).and_then(Value::as_str);
    let at = |name: &str| entry.get(name).and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
    let from = at("valid_from").unwrap_or_default();
    let classes = entry.get("prices").and_then(Value::as_object).into_iter().flatten();
    let others = classes.filter(|(class, _)| !["input", "output"].contains(&class.as_str()));
    let others = others.map(|(class, price)| match price {
        Value::String(price) => format!("{} {}", class.replace('_', " "), grouped(price)),
        _ => class.replace('_', " "),
    });
    PriceLine {
        model: Html::text(entry.get("model").and_then(Value::as_str).unwrap_or_default()),
        input: Html::or_none(price("input"), Html::number),
        output: Html::or_none(price("output"), Html::number),
        others: others.collect::<Vec<_>>().join(", "),
        margin: margin(entry),
        from: visit.zone.when(from),
        is_later: from > now,
    }
}

/// What is earned of the price of each class that has a cost, in percent: the least and the most.
fn margin(entry: &Value) -> String {
    let amount = |of: &str, class: &str| {
        let text = entry.pointer(&format!("/{of}/{class}")).and_then(Value::as_str)?;
        Credits::parse(text).ok().map(Credits::micros)
    };
    let margins = ["input", "output"].into_iter().filter_map(|class| {
        let (price, cost) = (i128::from(amount("prices", class)?), i128::from(amount("cost", class)?));
        price.saturating_sub(cost).saturating_mul(100).checked_div(price)
    });
    let margins: Vec<i128> = margins.collect();
    match (margins.iter().min(), margins.iter().max()) {
        (Some(least), Some(most)) if least == most => format!("{}%", grouped(least)),
        (Some(least), Some(most)) => format!("{} to {}%", grouped(least), grouped(most)),
        _ => "\u{2013}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_margin_is_a_part_of_the_price() {
        let margin = |prices: Value, cost: Value| margin(&json!({"prices": prices, "cost": cost}));
        assert_eq!(
            margin(json!({"input": "4", "output": "10"}), json!({"input": "3", "output": "7.5"})),
            "25%"
        );
        assert_eq!(
            margin(json!({"input": "4", "output": "10"}), json!({"input": "3", "output": "12"})),
            "\u{2212}20 to 25%"
        );
        assert_eq!(margin(json!({"input": "0"}), json!({"input": "1"})), "\u{2013}", "nothing is asked for");
        assert_eq!(margin(json!({"input": "4"}), Value::Null), "\u{2013}");
    }
}
