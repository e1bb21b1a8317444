//! An account: what it has, uses and may do, why it is refused, and what was done about it.

use super::assets::version;
use super::page::{self, Frame, sentence};
use super::state::Console;
use super::trouble::Trouble;
use super::visit::Visit;
use crate::api::{
    Account, AccountState, Balance, Budgets, Events, Grant, Grants, Key, KeyState, Keys, Subscription, Teams,
    Trail, UsageSum, UsageSums, Why,
};
use crate::http::pages::balance::Shares;
use crate::http::pages::budget::BudgetLine;
use crate::http::pages::plot::{Plot, usage_plot};
use crate::http::pages::show::{Html, Zone, encoded, short_id, shortened};
use crate::http::problem::Failure;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// How many rows each list of the page shows.
const ROWS: usize = 20;
/// How many days the chart shows.
const DAYS: i64 = 30;
/// By what usage may be split.
const SPLITS: [(&str, &str); 5] =
    [("rule", "rule"), ("key", "key"), ("item", "model or tool"), ("team", "team"), ("product", "product")];
/// What is called held.
const HELD: &str = "held in leases";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    id: String,
    path: String,
    name: Html,
    state: AccountState,
    done: Option<&'static str>,
    balance: Shares,
    findings: Vec<Found>,
    refusals: Vec<Refusal>,
    split: &'static str,
    split_name: String,
    splits: Vec<(&'static str, &'static str, bool)>,
    usage: Plot,
    used: Vec<(Html, Html, Html)>,
    total: (Html, Html),
    keys: Vec<KeyLine>,
    more_keys: bool,
    teams: Vec<(Html, Html)>,
    budgets: Vec<BudgetLine>,
    subscription: Option<Subscribed>,
    grants: Vec<GrantLine>,
    more_grants: bool,
    events: Vec<(Html, Html, Html)>,
    trail: Vec<(Html, Html, Html)>,
    facts: Vec<(&'static str, Html)>,
}

struct Found {
    code: Html,
    what: Html,
    cure: Html,
}

struct Refusal {
    code: Html,
    rule: Html,
    key: Html,
    requests: Html,
    last: Html,
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
    let balance: Balance = visit.get(&console, &format!("{root}/balance")).await?;
    let why: Why = visit.get(&console, &format!("{root}/why")).await?;
    let asked = visit.query.get("split").unwrap_or_default();
    let (split, split_label) =
        SPLITS.iter().copied().find(|(name, _)| *name == asked).unwrap_or(("rule", "rule"));
    let (usage, used) = usage(&console, &visit, &id, split).await?;
    let keys: Keys = visit.get(&console, &list("keys")).await?;
    let names = Names { split, keys: &keys.keys };
    let teams: Teams = visit.get(&console, &list("teams")).await?;
    let budgets: Budgets = visit.get(&console, &list("budgets")).await?;
    let subscription: Option<Subscription> = visit.find(&console, &format!("{root}/subscription")).await?;
    let grants: Grants = visit.get(&console, &format!("{root}/grants?left=true&limit={ROWS}")).await?;
    let trail: Trail =
        visit.get(&console, &format!("/admin/v1/trail?limit=8&account={}", encoded(&id))).await?;
    let events: Events =
        visit.get(&console, &format!("/admin/v1/events?limit=8&account={}", encoded(&id))).await?;
    let zone = &visit.zone;
    let done = visit.query.get("done").and_then(super::actions::said);
    let page = AccountPage {
        frame: visit.frame("/accounts", &account.id),
        path: format!("/console/accounts/{}", encoded(&id)),
        name: account.name.as_ref().map(Html::text).unwrap_or_default(),
        state: account.state,
        done,
        balance: Shares::of(&balance, HELD),
        findings: why.findings.iter().map(|finding| found(finding, &account.id)).collect(),
        refusals: why.refusals.iter().take(ROWS).map(|line| refusal(line, &names, zone)).collect(),
        split,
        split_name: sentence(split_label).trim_end_matches('.').to_owned(),
        splits: SPLITS.iter().map(|(name, label)| (*name, *label, *name == split)).collect(),
        total: (Html::number(used.total.credits), Html::number(used.total.requests)),
        usage: plot(&usage, &names, zone),
        used: used.lines.iter().map(|line| used_line(line, &names)).collect(),
        more_keys: keys.next.is_some(),
        keys: keys.keys.iter().map(|key| key_line(key, zone)).collect(),
        teams: teams
            .teams
            .iter()
            .map(|team| (Html::text(&team.id), Html::or_none(team.name.as_ref(), Html::text)))
            .collect(),
        budgets: budgets.budgets.iter().map(|budget| BudgetLine::of(budget, zone)).collect(),
        subscription: subscription.map(|subscription| subscribed(&subscription, zone)),
        more_grants: grants.next.is_some(),
        grants: grants.grants.iter().map(|grant| grant_line(grant, zone)).collect(),
        events: events
            .events
            .iter()
            .map(|event| (zone.when(event.time), Html::code(&event.kind), Html::text(facts(&event.data))))
            .collect(),
        trail: trail
            .entries
            .iter()
            .map(|entry| (zone.when(entry.at), Html::text(&entry.operator), Html::code(&entry.command)))
            .collect(),
        facts: vec![("Opened", zone.when(account.created_at))],
        id: account.id,
    };
    Ok(page::html(StatusCode::OK, &page))
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

/// Usage of the last days, by day and by what splits it; and the same over all of the time.
async fn usage(
    console: &Console,
    visit: &Visit,
    id: &str,
    split: &str,
) -> Result<(UsageSums, UsageSums), Failure> {
    let since = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
    let zone = encoded(&visit.zone.name);
    let account = encoded(id);
    let days =
        format!("/admin/v1/usage/sums?by=day&group={split}&account={account}&time_zone={zone}&limit=1000");
    let all = format!(
        "/admin/v1/usage/sums?group={split}&account={account}&since={}&limit={ROWS}",
        encoded(&since.to_string())
    );
    Ok((visit.get(console, &days).await?, visit.get(console, &all).await?))
}

/// How lines of usage are named.
struct Names<'a> {
    split: &'static str,
    keys: &'a [Key],
}

impl Names<'_> {
    fn of(&self, line: &UsageSum) -> String {
        let name = match self.split {
            "key" => return self.key(line.key.as_deref().unwrap_or_default()),
            "item" => &line.item,
            "team" => &line.team,
            "product" => &line.product,
            _ => &line.rule,
        };
        let name = name.clone().unwrap_or_default();
        if name.is_empty() { "none".to_owned() } else { name }
    }

    /// A key as the list of keys shows it, with its note.
    fn key(&self, id: &str) -> String {
        let Some(key) = self.keys.iter().find(|key| key.id == id) else { return short_id(id) };
        let shown = match (&key.prefix, &key.subject) {
            (Some(prefix), _) => format!("{prefix}…"),
            (None, subject) => shortened(subject.as_deref().unwrap_or(id)),
        };
        match &key.note {
            Some(note) => format!("{shown} {}", shortened(note)),
            None => shown,
        }
    }
}

fn used_line(line: &UsageSum, names: &Names<'_>) -> (Html, Html, Html) {
    (Html::text(names.of(line)), Html::number(line.credits), Html::number(line.requests))
}

fn plot(usage: &UsageSums, by: &Names<'_>, zone: &Zone) -> Plot {
    let lines = usage.lines.iter().map(|line| (line.from, by.of(line), line.credits)).collect();
    let days = super::overview::days(zone, Timestamp::now());
    let days = days.into_iter().map(|from| (from, zone.day(&from))).collect();
    usage_plot("Credits spent per day", days, lines)
}

fn found(finding: &crate::api::Finding, account: &str) -> Found {
    Found {
        code: Html::code(&finding.code),
        what: Html::prose(&sentence(&finding.what)),
        cure: Html::prose(&finding.cure.replace("ACCOUNT", account)),
    }
}

fn refusal(line: &crate::api::RefusalSum, names: &Names<'_>, zone: &Zone) -> Refusal {
    Refusal {
        code: Html::code(&line.code),
        rule: Html::text(&line.rule),
        key: Html::text(names.key(&line.key)),
        requests: Html::number(line.requests),
        last: zone.when(line.last_seen),
    }
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

fn subscribed(subscription: &Subscription, zone: &Zone) -> Subscribed {
    let mut facts = vec![("Since", zone.when(subscription.starts_at))];
    let times = [
        ("Renews", subscription.renews_at),
        ("Grace until", subscription.grace_until),
        ("Ends", subscription.ends_at),
    ];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, zone.when(at?)))));
    if let Some(next) = &subscription.next_plan {
        facts.push(("Changes to", Html::plan(next)));
    }
    if let Some(used) = subscription.overdraft_used {
        facts.push(("Overdrawn in this period", Html::number(used)));
    }
    Subscribed {
        state: Html::state(subscription.state.as_str()),
        plan: Html::plan(&subscription.plan),
        is_over: subscription.state.is_over(),
        facts,
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
