//! The accounts: found, filtered, paged.

use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{AccountState, Accounts};
use crate::http::pages::show::Html;
use crate::http::problem::Failure;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// How many accounts a page shows.
const ROWS: usize = 50;
/// The filters, as the admin API calls them.
const FILTERS: [&str; 4] = ["name", "plan", "state", "balance_below"];

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    name: String,
    plan: String,
    below: String,
    states: Vec<(&'static str, bool)>,
    is_filtered: bool,
    wrong: Option<String>,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    first: String,
    export: String,
}

/// An account in a list.
pub struct Row {
    pub id: Html,
    pub name: Html,
    pub state: Html,
    pub plan: Html,
    pub available: Html,
    pub renews: Html,
}

/// The rows of a list of accounts.
pub fn rows(visit: &Visit, accounts: &Accounts) -> Vec<Row> {
    let rows = accounts.accounts.iter().map(|account| Row {
        id: Html::account(&account.id),
        name: Html::or_none(account.name.as_ref(), Html::text),
        state: Html::state(account.state.as_str()),
        plan: Html::or_none(account.plan.as_ref(), |plan| Html::plan(plan)),
        available: Html::number(account.available),
        renews: Html::or_none(account.renews_at, |at| visit.zone.when(at)),
    });
    rows.collect()
}

/// The page.
pub async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Trouble> {
    let query = &visit.query;
    let path = format!("/admin/v1/accounts?{}", query.query(&FILTERS, ROWS));
    let (found, wrong): (Accounts, _) = match visit.get(&console, &path).await {
        Ok(found) => (found, None),
        Err(Failure { field: Some(field), detail, .. }) => {
            let why = detail.strip_prefix(&format!("{field}: ")).unwrap_or(&detail);
            let label = if field == "balance_below" { "Less available than" } else { field.as_str() };
            let wrong = page::sentence(&format!("{label}: {}", page::sentence(why)));
            (Accounts { accounts: Vec::new(), next: None }, Some(wrong))
        }
        Err(other) => return Err(other.into()),
    };
    let chosen = query.get("state");
    let page = AccountsPage {
        frame: visit.frame("/accounts", "Accounts"),
        name: query.text("name"),
        plan: query.text("plan"),
        below: query.text("balance_below"),
        states: AccountState::ALL.map(|state| (state.as_str(), chosen == Some(state.as_str()))).to_vec(),
        is_filtered: FILTERS.iter().any(|filter| query.get(filter).is_some()),
        rows: rows(&visit, &found),
        next: found.next.map(|next| query.with("after", Some(&next))),
        is_first: query.get("after").is_none(),
        first: query.with("after", None),
        export: query.query(&FILTERS, 1_000),
        wrong,
    };
    let status = if page.wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(page::html(status, &page))
}
