//! An account: what it has, uses and may do, why it is refused, and what was done about it.

use super::account_live::LiveAccount;
use super::assets::version;
use super::page::{self, Frame};
use super::state::Console;
use super::timeline::{Moment, timeline};
use super::trail::operator;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{
    Account, AccountState, Budgets, Event, Events, Grant, Grants, Key, KeyState, Keys, Subscription, Teams,
    Trail,
};
use crate::http::pages::budget::BudgetLine;
use crate::http::pages::show::{Html, Zone, encoded, shortened};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// How many rows each list of the page shows.
const ROWS: usize = 20;
/// How many events the page shows, and among how many are those of the subscription.
const EVENTS: usize = 8;
const HAPPENED: usize = 100;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    id: String,
    path: String,
    name: Html,
    state: AccountState,
    done: Option<&'static str>,
    live_path: String,
    live: LiveAccount,
    keys: Vec<KeyLine>,
    more_keys: bool,
    teams: Vec<(Html, Html)>,
    budgets: Vec<BudgetLine>,
    subscription: Option<Subscribed>,
    grants: Vec<GrantLine>,
    more_grants: bool,
    events: Vec<(Html, Html, Html)>,
    trail: Vec<(Html, Html, Html)>,
}

struct KeyLine {
    id: String,
    shown: Html,
    note: Html,
    team: Html,
    state: Html,
    used: Html,
    expires: Html,
    is_active: bool,
    is_key: bool,
}

struct Subscribed {
    state: Html,
    plan: Html,
    is_over: bool,
    timeline: Vec<Moment>,
    facts: Vec<(&'static str, Html)>,
}

struct GrantLine {
    id: String,
    short: Html,
    kind: &'static str,
    amount: Html,
    remaining: Html,
    expires: Html,
    note: Html,
    given: Html,
    may_be_voided: bool,
}

/// The page.
pub async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let root = format!("/admin/v1/accounts/{}", encoded(&id));
    let list = |what: &str| format!("{root}/{what}?limit={ROWS}");
    let account: Account = visit.get(&console, &root).await?;
    let keys: Keys = visit.get(&console, &list("keys")).await?;
    let live = LiveAccount::of(&console, &visit, &account, &keys.keys).await?;
    let teams: Teams = visit.get(&console, &list("teams")).await?;
    let budgets: Budgets = visit.get(&console, &list("budgets")).await?;
    let subscription: Option<Subscription> = visit.find(&console, &format!("{root}/subscription")).await?;
    let grants: Grants = visit.get(&console, &format!("{root}/grants?left=true&limit={ROWS}")).await?;
    let trail: Trail =
        visit.get(&console, &format!("/admin/v1/trail?limit=8&account={}", encoded(&id))).await?;
    let happened: Events =
        visit.get(&console, &format!("/admin/v1/events?limit={HAPPENED}&account={}", encoded(&id))).await?;
    let zone = &visit.zone;
    let done = visit.query.get("done").and_then(super::actions::said);
    let page = AccountPage {
        frame: visit.frame("/accounts", &account.id),
        path: format!("/console/accounts/{}", encoded(&id)),
        name: account.name.as_ref().map(Html::text).unwrap_or_default(),
        state: account.state,
        done,
        live_path: format!(
            "/console/live/accounts/{}?split={}&zone={}",
            encoded(&account.id),
            live.split,
            encoded(&visit.zone.name)
        ),
        live,
        more_keys: keys.next.is_some(),
        keys: keys.keys.iter().map(|key| key_line(key, zone)).collect(),
        teams: teams
            .teams
            .iter()
            .map(|team| (Html::text(&team.id), Html::or_none(team.name.as_ref(), Html::text)))
            .collect(),
        budgets: budgets.budgets.iter().map(|budget| BudgetLine::of(budget, zone)).collect(),
        subscription: subscription.map(|subscription| subscribed(&subscription, &happened.events, zone)),
        more_grants: grants.next.is_some(),
        grants: grants.grants.iter().map(|grant| grant_line(grant, zone)).collect(),
        events: happened
            .events
            .iter()
            .take(EVENTS)
            .map(|event| (zone.when(event.time), Html::code(&event.kind), Html::text(facts(&event.data))))
            .collect(),
        trail: trail
            .entries
            .iter()
            .map(|entry| (zone.when(entry.at), operator(entry), Html::code(&entry.command)))
            .collect(),
        id: account.id,
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// What follows what happens.
pub async fn part(console: &Console, visit: &Visit, id: &str) -> Result<LiveAccount, Trouble> {
    let root = format!("/admin/v1/accounts/{}", encoded(id));
    let account: Account = visit.get(console, &root).await?;
    let keys: Keys = visit.get(console, &format!("{root}/keys?limit={ROWS}")).await?;
    Ok(LiveAccount::of(console, visit, &account, &keys.keys).await?)
}

/// What an event says, in a line: `left 9.5, below 10`. Whose it is, the page says.
fn facts(data: &Value) -> String {
    let members = data.as_object().into_iter().flatten();
    let said = members.filter(|(name, value)| *name != "account" && !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {value}", name.replace('_', " "))
    });
    said.collect::<Vec<_>>().join(", ")
}

fn key_line(key: &Key, zone: &Zone) -> KeyLine {
    let shown = match (&key.prefix, &key.subject) {
        (Some(prefix), _) => Html::code(&format!("{prefix}…")),
        (None, Some(subject)) => Html::code(&shortened(subject)),
        (None, None) => Html::code(&key.id),
    };
    KeyLine {
        id: encoded(&key.id),
        shown,
        note: Html::or_none(key.note.as_ref(), Html::text),
        team: Html::or_none(key.team.as_ref(), Html::text),
        state: Html::state(key.state.as_str()),
        used: Html::or_none(key.last_used_at, |at| zone.when(at)),
        expires: Html::or_none(key.expires_at, |at| zone.when(at)),
        is_active: key.state == KeyState::Active,
        is_key: key.prefix.is_some() && key.replaced_by.is_none(),
    }
}

fn subscribed(subscription: &Subscription, events: &[Event], zone: &Zone) -> Subscribed {
    let used = subscription.overdraft_used.map(|used| ("Overdrawn in this period", Html::number(used)));
    Subscribed {
        state: Html::state(subscription.state.as_str()),
        plan: Html::plan(&subscription.plan),
        is_over: subscription.state.is_over(),
        timeline: timeline(subscription, events, zone),
        facts: used.into_iter().collect(),
    }
}

fn grant_line(grant: &Grant, zone: &Zone) -> GrantLine {
    use crate::api::GrantKind;
    let kind = match grant.kind {
        GrantKind::Quota => "quota",
        GrantKind::Overdraft => "overdraft",
        GrantKind::Bought => "bought",
    };
    GrantLine {
        short: Html::id(&grant.id),
        id: encoded(&grant.id),
        kind,
        amount: Html::number(grant.amount),
        remaining: Html::number(grant.remaining),
        expires: Html::or_none(grant.expires_at, |at| zone.when(at)),
        note: Html::or_none(grant.note.as_ref().or(grant.source.as_ref()), Html::text),
        given: zone.when(grant.created_at),
        may_be_voided: grant.kind == GrantKind::Bought,
    }
}
