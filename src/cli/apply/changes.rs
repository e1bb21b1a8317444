//! What to do so that what is there becomes what a file says. Pure.
//!
//! What must hold: once the changes are applied, no changes remain.

#[cfg(test)]
mod tests;

use super::announcing;
use super::file::{Account, Budget, File, InvalidTransition, Key, State, Subscription, Team};
use super::present::{CurrentState, Held};
use super::steps::{Change, Changes, Stage};
use super::subscription::of_subscription;
use faregate_client::admin::body;
use faregate_ledger::api::{
    AccountState, BudgetScope, NewMailAddress, NewPlan, NewPriceListEntry, NewWebhook, Plan,
};
use faregate_ledger::domain::plan_words;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use toml::Spanned;

/// Lists the changes. With `at_once`, other terms of a plan count for running periods, too.
pub fn between(
    file: &File,
    present: &CurrentState,
    at_once: bool,
    now: Timestamp,
) -> Result<Changes, InvalidTransition> {
    check_names(file, present)?;
    let mut changes = Changes::default();
    for plan in &file.plans {
        of_plan(plan, present, at_once, &mut changes)?;
    }
    for price in &file.prices {
        of_price(price, present, &mut changes);
    }
    for account in &file.accounts {
        of_account(account, present, &mut changes)?;
    }
    for team in &file.teams {
        of_team(team, present, &mut changes)?;
    }
    for key in &file.keys {
        of_key(key, present, &mut changes)?;
    }
    for subscription in &file.subscriptions {
        let wanted = subscription.get_ref();
        let old = present.accounts.get(&wanted.account).and_then(|held| held.subscription.as_ref());
        of_subscription(wanted, &subscription.span(), old, now, &mut changes)?;
    }
    for budget in &file.budgets {
        of_budget(budget, present, &mut changes);
    }
    announcing::of_file(file, present, &mut changes)?;
    changes.changes.sort_by_key(|change| change.stage);
    Ok(changes)
}

/// Every entry is there once, and what it is about is in the file or there already.
fn check_names(file: &File, present: &CurrentState) -> Result<(), InvalidTransition> {
    let mut names = BTreeSet::new();
    let mut once = |kind: &str, name: String, span| {
        let why = format!("{kind} {name:?} is there twice; name it once");
        if names.insert((kind.to_owned(), name)) { Ok(()) } else { Err(InvalidTransition { span, why }) }
    };
    for plan in &file.plans {
        once("plan", plan.get_ref().name.clone(), plan.span())?;
    }
    for price in &file.prices {
        let NewPriceListEntry { model, valid_from, .. } = price.get_ref();
        let from = valid_from.map_or_else(String::new, |from| format!(" from {from} on"));
        once("price of", format!("{model}{from}"), price.span())?;
    }
    for account in &file.accounts {
        once("account", account.get_ref().id.clone(), account.span())?;
    }
    for team in &file.teams {
        let Team { account, id, .. } = team.get_ref();
        once("team", format!("{account}/{id}"), team.span())?;
    }
    for key in &file.keys {
        let Key { account, subject, .. } = key.get_ref();
        once("subject", format!("{account}/{subject}"), key.span())?;
    }
    for subscription in &file.subscriptions {
        once("subscription of", subscription.get_ref().account.clone(), subscription.span())?;
    }
    for budget in &file.budgets {
        let found = budget.get_ref();
        let named = [&found.team, &found.key, &found.subject];
        if named.iter().filter(|name| name.is_some()).count() > 1 {
            let why = "a budget is of a team, of a key or of a subject; name one of them".to_owned();
            return Err(InvalidTransition { span: budget.span(), why });
        }
        once("budget of", budget_name(found), budget.span())?;
    }
    for alert in &file.alerts {
        once("alert of", alert.get_ref().account.clone().unwrap_or_default(), alert.span())?;
    }
    for webhook in &file.webhooks {
        let NewWebhook { url, account, .. } = webhook.get_ref();
        once("webhook", format!("{url} {}", account.as_deref().unwrap_or_default()), webhook.span())?;
    }
    for mail in &file.mail {
        let NewMailAddress { address, account, .. } = mail.get_ref();
        let name = format!("{} {}", address.to_ascii_lowercase(), account.as_deref().unwrap_or_default());
        once("mail", name, mail.span())?;
    }
    let accounts: BTreeSet<&str> =
        file.accounts.iter().map(|account| account.get_ref().id.as_str()).collect();
    let account_is_known = |account: &str, span| {
        if accounts.contains(account) || present.accounts.contains_key(account) {
            return Ok(());
        }
        let why = format!("there is no account {account:?}; add it to [[accounts]]");
        Err(InvalidTransition { span, why })
    };
    for team in &file.teams {
        account_is_known(&team.get_ref().account, team.span())?;
    }
    for key in &file.keys {
        account_is_known(&key.get_ref().account, key.span())?;
    }
    for budget in &file.budgets {
        account_is_known(&budget.get_ref().account, budget.span())?;
    }
    let alerts = file.alerts.iter().map(|it| (it.get_ref().account.as_deref(), it.span()));
    let webhooks = file.webhooks.iter().map(|it| (it.get_ref().account.as_deref(), it.span()));
    let mail = file.mail.iter().map(|it| (it.get_ref().account.as_deref(), it.span()));
    for (account, span) in alerts.chain(webhooks).chain(mail) {
        if let Some(account) = account {
            account_is_known(account, span)?;
        }
    }
    let plans: BTreeSet<&str> = file.plans.iter().map(|plan| plan.get_ref().name.as_str()).collect();
    for subscription in &file.subscriptions {
        let Subscription { account, plan, next_plan, .. } = subscription.get_ref();
        account_is_known(account, subscription.span())?;
        for plan in std::iter::once(plan).chain(next_plan) {
            if !plans.contains(plan.as_str()) && !present.plans.contains_key(plan) {
                let why = format!("there is no plan {plan:?}; add it to [[plans]]");
                return Err(InvalidTransition { span: subscription.span(), why });
            }
        }
    }
    Ok(())
}

fn of_plan(
    plan: &Spanned<NewPlan>,
    present: &CurrentState,
    at_once: bool,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let asked = plan.get_ref();
    let name = &asked.name;
    let (_, terms) = plan_words::read(asked.clone())
        .map_err(|unfit| InvalidTransition { span: plan.span(), why: format!("plan {name}: {unfit}") })?;
    let Some(old) = present.plans.get(name) else {
        changes.add(Stage::Plans, format!("+ plan {name}"), "/admin/v1/plans".into(), value(asked));
        return Ok(());
    };
    if old.archived_at.is_some() {
        let why =
            format!("plan {name}: it is archived; take it out, or run `faregate plan unarchive {name}`");
        return Err(InvalidTransition { span: plan.span(), why });
    }
    let new = plan_words::shown(name.clone(), old.version, &terms, old.created_at);
    let differing = differing(old, &new);
    if differing.is_empty() {
        changes.unchanged = changes.unchanged.saturating_add(1);
        return Ok(());
    }
    let words = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let lines: Vec<String> = differing
        .iter()
        .map(|(member, old, new)| format!("{member} {} → {}", words(old), words(new)))
        .collect();
    let mut body: Map<String, Value> = differing.into_iter().map(|(member, _, new)| (member, new)).collect();
    if body.get("overdraft").is_some_and(Value::is_null) {
        body.remove("overdraft"); // it goes with what it is for
    }
    if body.get("rate_per_second").is_some_and(Value::is_null) {
        body.remove("burst");
    }
    body.insert("at_once".into(), at_once.into());
    let path = format!("/admin/v1/plans/{name}/change");
    changes.add(Stage::Plans, format!("~ plan {name}: {}", lines.join(", ")), path, body.into());
    Ok(())
}

fn of_price(price: &Spanned<NewPriceListEntry>, present: &CurrentState, changes: &mut Changes) {
    let NewPriceListEntry { model, valid_from, prices, cost } = price.get_ref();
    let from = valid_from.map_or_else(String::new, |from| format!(" from {from} on"));
    let sign = match present.prices.get(&(model.clone(), *valid_from)) {
        // Without a cost in the file, the one that is there stays.
        Some(old) if old.prices == *prices && (cost.is_none() || old.cost == *cost) => {
            changes.unchanged = changes.unchanged.saturating_add(1);
            return;
        }
        Some(_) => '~',
        None => '+',
    };
    let body = json!({ "entries": [value(price.get_ref())] });
    changes.add(Stage::Prices, format!("{sign} prices of {model}{from}"), "/admin/v1/prices".into(), body);
}

/// The members in which two versions of a plan differ.
fn differing(old: &Plan, new: &Plan) -> Vec<(String, Value, Value)> {
    let (old, new) = (value(old), value(new));
    let members = new.as_object().into_iter().flatten();
    let pairs =
        members.map(|(name, new)| (name.clone(), old.get(name).cloned().unwrap_or_default(), new.clone()));
    pairs.filter(|(_, old, new)| old != new).collect()
}

fn of_account(
    account: &Spanned<Account>,
    present: &CurrentState,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let Account { id, name, state } = account.get_ref();
    let wrong =
        |why: String| Err(InvalidTransition { span: account.span(), why: format!("account {id}: {why}") });
    let one = format!("/admin/v1/accounts/{id}");
    let suspend = |changes: &mut Changes| {
        let line = format!("~ account {id}: active → suspended");
        changes.add(Stage::Stopped, line, format!("{one}/suspend"), json!({}));
    };
    let Some(Held { account: old, .. }) = present.accounts.get(id) else {
        let body = name.as_ref().map_or(json!({ "id": id }), |name| json!({ "id": id, "name": name }));
        changes.add(Stage::Accounts, format!("+ account {id}"), "/admin/v1/accounts".into(), body);
        // Only then: what belongs to it couldn't be made any more.
        match state {
            Some(State::Suspended) => suspend(changes),
            Some(State::Closed) => {
                let line = format!("~ account {id}: active → closed");
                changes.add(Stage::Stopped, line, format!("{one}/close"), json!({}));
            }
            Some(State::Active) | None => {}
        }
        return Ok(());
    };
    if old.state == AccountState::Closed && *state == Some(State::Closed) {
        changes.unchanged = changes.unchanged.saturating_add(1);
        return Ok(());
    }
    if old.state == AccountState::Closed {
        return wrong(format!(
            "it is closed; take it out, or reopen it first: `faregate account reopen {id}`"
        ));
    }
    let renamed = name.as_ref().filter(|name| old.name.as_ref() != Some(*name));
    if let Some(name) = renamed {
        let before = old.name.as_deref().unwrap_or("none");
        let line = format!("~ account {id}: name {before} → {name}");
        changes.add(Stage::Accounts, line, format!("{one}/rename"), json!({ "name": name }));
    }
    match (old.state, state) {
        (_, Some(State::Closed)) => {
            return wrong(format!(
                "it is {}; close it with `faregate account close {id}`",
                old.state.as_str()
            ));
        }
        (AccountState::Active, Some(State::Suspended)) => suspend(changes),
        (AccountState::Suspended, Some(State::Active)) => {
            changes.add(
                Stage::Resumed,
                format!("~ account {id}: suspended → active"),
                format!("{one}/resume"),
                json!({}),
            );
        }
        _ if renamed.is_some() => {}
        _ => changes.unchanged = changes.unchanged.saturating_add(1),
    }
    Ok(())
}

fn of_team(
    team: &Spanned<Team>,
    present: &CurrentState,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let Team { account, id, name } = team.get_ref();
    let held = present.accounts.get(account);
    match held.and_then(|held| held.teams.iter().find(|team| team.id == *id)) {
        Some(old) if name.is_some() && *name != old.name => {
            let why = format!("team {account}/{id}: its name can't be changed; leave it out");
            Err(InvalidTransition { span: team.span(), why })
        }
        Some(_) => {
            changes.unchanged = changes.unchanged.saturating_add(1);
            Ok(())
        }
        None => {
            let body = name.as_ref().map_or(json!({ "id": id }), |name| json!({ "id": id, "name": name }));
            let path = format!("/admin/v1/accounts/{account}/teams");
            changes.add(Stage::Teams, format!("+ team {account}/{id}"), path, body);
            Ok(())
        }
    }
}

fn of_key(
    key: &Spanned<Key>,
    present: &CurrentState,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let Key { account, subject, team, products, expires_at, note } = key.get_ref();
    let held = present.accounts.get(account);
    let old = held.and_then(|held| held.keys.iter().find(|old| old.subject.as_ref() == Some(subject)));
    let Some(old) = old else {
        let given = [
            ("subject", Some(subject.clone().into())),
            ("team", team.clone().map(Into::into)),
            ("products", products.clone().map(Into::into)),
            ("expires_at", expires_at.map(|at| at.to_string().into())),
            ("note", note.clone().map(Into::into)),
        ];
        let line = format!("+ subject {account}/{subject}");
        changes.add(Stage::Keys, line, format!("/admin/v1/accounts/{account}/keys"), body(given));
        return Ok(());
    };
    let differs = [
        ("team", team.is_some() && *team != old.team),
        ("products", products.is_some() && *products != old.products),
        ("expires_at", expires_at.is_some() && *expires_at != old.expires_at),
        ("note", note.is_some() && *note != old.note),
    ];
    if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        let why = format!(
            "subject {account}/{subject}: its {what} can't be changed; leave it out, or revoke the key {}",
            old.id
        );
        return Err(InvalidTransition { span: key.span(), why });
    }
    changes.unchanged = changes.unchanged.saturating_add(1);
    Ok(())
}

fn of_budget(budget: &Spanned<Budget>, present: &CurrentState, changes: &mut Changes) {
    let new = budget.get_ref();
    let Budget { account, credits, period, every, time_zone, .. } = new;
    let scope = new.scope();
    let held = present.accounts.get(account);
    let key = new.subject.as_ref().and_then(|subject| {
        let keys = held.map(|held| held.keys.as_slice()).unwrap_or_default();
        keys.iter().find(|key| key.subject.as_ref() == Some(subject)).map(|key| key.id.as_str())
    });
    let target = new.key.as_deref().or(key).or(new.team.as_deref());
    let made_later = new.subject.is_some() && key.is_none();
    let old = held.filter(|_| !made_later).and_then(|held| {
        held.budgets.iter().find(|old| old.scope == scope && old.target.as_deref() == target)
    });
    let (every, zone) = (every.unwrap_or(1), time_zone.as_deref().unwrap_or("UTC"));
    let rhythm =
        |credits: &dyn std::fmt::Display, every: u16, period: faregate_ledger::api::Unit, zone: &str| {
            format!("{credits} per {every} {} ({zone})", period.as_str())
        };
    let wanted = rhythm(credits, every, *period, zone);
    let name = budget_name(new);
    let line = match old.map(|old| rhythm(&old.credits, old.every, old.period, &old.time_zone)) {
        Some(old) if old == wanted => {
            changes.unchanged = changes.unchanged.saturating_add(1);
            return;
        }
        Some(old) => format!("~ budget of {name}: {old} → {wanted}"),
        None => format!("+ budget of {name}: {wanted}"),
    };
    let mut body = json!({
        "scope": scope, "credits": credits.to_string(), "period": period, "every": every, "time_zone": zone,
    });
    if let (Some(target), Some(body)) = (target, body.as_object_mut()) {
        body.insert("target".into(), target.into());
    }
    let whole = match scope {
        BudgetScope::Account => 0,
        BudgetScope::Team => 1,
        BudgetScope::Key => 2,
    };
    let lowered = old.is_some_and(|old| new.credits < old.credits);
    let stage = if lowered { Stage::Lowered(2_u8.saturating_sub(whole)) } else { Stage::Raised(whole) };
    let subject = new.subject.clone().filter(|_| made_later).map(|subject| (account.clone(), subject));
    let path = format!("/admin/v1/accounts/{account}/budgets");
    changes.changes.push(Change { stage, line, path, body, subject });
}

fn budget_name(budget: &Budget) -> String {
    let Budget { account, team, key, subject, .. } = budget;
    match (key, subject, team) {
        (Some(key), ..) => format!("{account}, key {key}"),
        (None, Some(subject), _) => format!("{account}, subject {subject}"),
        (None, None, Some(team)) => format!("{account}, team {team}"),
        (None, None, None) => account.clone(),
    }
}

/// As JSON; what the admin API takes always can be.
fn value(what: &impl serde::Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}
