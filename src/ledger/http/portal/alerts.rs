//! What customers have announced of their balance.

use super::data::{self, Right};
use super::forms::{fresh_once, once_of, wrong};
use super::page::Frame;
use super::posted;
use super::state::Portal;
use super::trouble::Trouble;
use super::visit::{Filled, Visit};
use crate::api::NewAlerts;
use crate::http::body::Invalid;
use crate::http::pages::fields::Fields;
use crate::http::pages::page::html;
use crate::http::pages::show::Html;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use faregate_protocol::Credits;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "portal/alerts.html")]
struct AlertsPage {
    frame: Frame,
    once: String,
    wrong: Option<String>,
    done: bool,
    may: bool,
    below: Option<Html>,
    is_own: bool,
    low: bool,
    available: Html,
    entered: String,
}

/// The page.
pub async fn show(State(portal): State<Arc<Portal>>, visit: Visit) -> Result<Response, Trouble> {
    shown(&portal, &visit, &Fields::default(), None).await
}

async fn shown(
    portal: &Portal,
    visit: &Visit,
    form: &Fields,
    wrong: Option<String>,
) -> Result<Response, Trouble> {
    let alerts = data::alerts(portal, &visit.who).await?;
    let balance = data::balance(portal, &visit.who).await?;
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let below = alerts.balance_below.filter(|below| below.is_positive());
    let own = below.filter(|_| !alerts.is_default).map(|below| below.to_string()).unwrap_or_default();
    let entered = form.get("balance_below").map(str::to_owned);
    let page = AlertsPage {
        frame: visit.frame(portal, "/alerts", "Alerts"),
        once: fresh_once()?,
        wrong,
        done: visit.query.get("done").is_some(),
        may: visit.may(portal, Right::SetAlerts),
        below: below.map(Html::number),
        is_own: !alerts.is_default,
        low: alerts.low,
        available: Html::number(balance.available),
        entered: entered.unwrap_or(own),
    };
    Ok(html(status, &page))
}

/// Sets it.
pub async fn set(
    State(portal): State<Arc<Portal>>,
    Filled { visit, form }: Filled,
) -> Result<Response, Trouble> {
    let once = once_of(&form)?;
    let label = |field: &str| (field == "balance_below").then_some("Credits");
    let asked = match (form.get("set"), form.get("balance_below")) {
        (Some("default"), _) => Ok(NewAlerts::default()),
        (Some("never"), _) => Ok(NewAlerts { balance_below: Some(Credits::ZERO) }),
        (_, None) => Err(Invalid::field("balance_below", "is missing; fill it in")),
        (_, Some(text)) => match Credits::parse(text) {
            Ok(below) => Ok(NewAlerts { balance_below: Some(below) }),
            Err(why) => Err(Invalid::field("balance_below", format!("{text:?} is {why}"))),
        },
    };
    let set = match asked {
        Ok(asked) => posted::set_alerts(&portal, &visit.who, asked, &once).await,
        Err(invalid) => Err(invalid.into()),
    };
    match set {
        Ok(_) => Ok(Redirect::to("/portal/alerts?done=1").into_response()),
        Err(failure) => {
            let why = wrong(failure, label)?;
            shown(&portal, &visit, &form, Some(why)).await
        }
    }
}
