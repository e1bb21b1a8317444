//! What to do so that what is there becomes what a file says. Pure.
//!
//! What must hold: once the changes are applied, no changes remain.

use super::file::{Account, Budget, File, InvalidTransition, State, Subscription, Team};
use super::present::{CurrentState, Held};
use faregate_client::{Failure, Screen};
use faregate_ledger::api::{AccountState, NewPlan, NewPriceListEntry, Plan};
use faregate_ledger::domain::plan_words;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use toml::Spanned;

/// One write of the admin API.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What people read.
    pub line: String,
    /// Where it goes.
    pub path: String,
    /// What is sent.
    pub body: Value,
}

/// All that is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// In this order.
    pub changes: Vec<Change>,
    /// How many entries of the file are there already.
    pub unchanged: usize,
}

impl Changes {
    fn add(&mut self, line: String, path: String, body: Value) {
        self.changes.push(Change { line, path, body });
    }

    /// One line per change.
    pub fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        for change in &self.changes {
            screen.line(&change.line)?;
        }
        screen.line(format_args!("= {} unchanged", self.unchanged))
    }
}

/// Lists the changes. With `at_once`, other terms of a plan count for running periods, too.
pub fn between(file: &File, present: &CurrentState, at_once: bool) -> Result<Changes, InvalidTransition> {
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
    for subscription in &file.subscriptions {
        of_subscription(subscription, present, &mut changes);
    }
    for budget in &file.budgets {
        of_budget(budget, present, &mut changes);
    }
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
    for subscription in &file.subscriptions {
        once("subscription of", subscription.get_ref().account.clone(), subscription.span())?;
    }
    for budget in &file.budgets {
        let found = budget.get_ref();
        if found.team.is_some() && found.key.is_some() {
            let why = "a budget is of a team or of a key; name one of them".to_owned();
            return Err(InvalidTransition { span: budget.span(), why });
        }
        once("budget of", budget_name(found), budget.span())?;
    }
    let account_is_known = |account: &str, span| {
        let named = file.accounts.iter().any(|other| other.get_ref().id == account);
        if named || present.accounts.contains_key(account) {
            return Ok(());
        }
        let why = format!("there is no account {account:?}; add it to [[accounts]]");
        Err(InvalidTransition { span, why })
    };
    for team in &file.teams {
        account_is_known(&team.get_ref().account, team.span())?;
    }
    for budget in &file.budgets {
        account_is_known(&budget.get_ref().account, budget.span())?;
    }
    for subscription in &file.subscriptions {
        let Subscription { account, plan } = subscription.get_ref();
        account_is_known(account, subscription.span())?;
        let named = file.plans.iter().any(|other| other.get_ref().name == *plan);
        if !named && !present.plans.contains_key(plan) {
            let why = format!("there is no plan {plan:?}; add it to [[plans]]");
            return Err(InvalidTransition { span: subscription.span(), why });
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
        changes.add(format!("+ plan {name}"), "/admin/v1/plans".into(), value(asked));
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
    changes.add(format!("~ plan {name}: {}", lines.join(", ")), path, body.into());
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
    changes.add(format!("{sign} prices of {model}{from}"), "/admin/v1/prices".into(), body);
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
    let suspend = || (format!("~ account {id}: active → suspended"), format!("{one}/suspend"), json!({}));
    let Some(Held { account: old, .. }) = present.accounts.get(id) else {
        let body = name.as_ref().map_or(json!({ "id": id }), |name| json!({ "id": id, "name": name }));
        changes.add(format!("+ account {id}"), "/admin/v1/accounts".into(), body);
        if *state == Some(State::Suspended) {
            let (line, path, body) = suspend();
            changes.add(line, path, body);
        }
        return Ok(());
    };
    if old.state == AccountState::Closed {
        return wrong(format!(
            "it is closed; take it out, or reopen it first: `faregate account reopen {id}`"
        ));
    }
    let renamed = name.as_ref().filter(|name| old.name.as_ref() != Some(*name));
    if let Some(name) = renamed {
        let before = old.name.as_deref().unwrap_or("none");
        let line = format!("~ account {id}: name {before} → {name}");
        changes.add(line, format!("{one}/rename"), json!({ "name": name }));
    }
    match (old.state, state) {
        (AccountState::Active, Some(State::Suspended)) => {
            let (line, path, body) = suspend();
            changes.add(line, path, body);
        }
        (AccountState::Suspended, Some(State::Active)) => {
            changes.add(format!("~ account {id}: suspended → active"), format!("{one}/resume"), json!({}));
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
            changes.add(format!("+ team {account}/{id}"), path, body);
            Ok(())
        }
    }
}

fn of_subscription(subscription: &Spanned<Subscription>, present: &CurrentState, changes: &mut Changes) {
    let Subscription { account, plan } = subscription.get_ref();
    let path = format!("/admin/v1/accounts/{account}/subscription");
    let old = present.accounts.get(account).and_then(|held| held.subscription.as_ref());
    match old.filter(|old| !old.state.is_over()) {
        None => changes.add(format!("+ subscription of {account}: {plan}"), path, json!({ "plan": plan })),
        Some(old) => {
            let coming = old.next_plan.as_ref().unwrap_or(&old.plan);
            if coming == plan {
                changes.unchanged = changes.unchanged.saturating_add(1);
            } else {
                let line = format!("~ subscription of {account}: {coming} → {plan}");
                changes.add(line, format!("{path}/change"), json!({ "plan": plan }));
            }
        }
    }
}

fn of_budget(budget: &Spanned<Budget>, present: &CurrentState, changes: &mut Changes) {
    let new = budget.get_ref();
    let Budget { account, credits, period, every, time_zone, .. } = new;
    let (scope, target) = new.target();
    let held = present.accounts.get(account);
    let old = held.and_then(|held| {
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
    changes.add(line, format!("/admin/v1/accounts/{account}/budgets"), body);
}

fn budget_name(budget: &Budget) -> String {
    let Budget { account, team, key, .. } = budget;
    match (key, team) {
        (Some(key), _) => format!("{account}, key {key}"),
        (None, Some(team)) => format!("{account}, team {team}"),
        (None, None) => account.clone(),
    }
}

/// As JSON; what the admin API takes always can be.
fn value(what: &impl serde::Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::present::PresentPrices;
    use super::*;
    use faregate_ledger::api::{self, SubscriptionState};
    use std::collections::BTreeMap;

    const FILE: &str = r#"
[[plans]]
name = "pro"
quota = "200"
period = "month"
products = [{ name = "chat" }]

[[accounts]]
id = "acme"

[[subscriptions]]
account = "acme"
plan = "pro"

[[budgets]]
account = "acme"
credits = "50"
period = "day"
"#;

    fn read(text: &str) -> File {
        file::read("plans.toml", text).unwrap()
    }

    fn lines(text: &str, present: &CurrentState) -> Vec<String> {
        let plan = between(&read(text), present, false).unwrap();
        plan.changes.into_iter().map(|change| change.line).collect()
    }

    /// What a ledger has that was given the file.
    fn filled() -> CurrentState {
        let plan = read(FILE).plans.remove(0).into_inner();
        let (_, terms) = plan_words::read(plan).unwrap();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let budget = json!({
            "account": "acme", "scope": "account", "target": null, "credits": "50", "period": "day", "every": 1,
            "time_zone": "UTC", "spent": "0", "held": "0", "left": "50", "period_started_at": now,
            "resets_at": now, "created_at": now,
        });
        let subscription = json!({
            "id": "sub_1", "account": "acme", "plan": "pro", "version": 1, "next_plan": null, "state": "active",
            "status": "good", "starts_at": now, "period_started_at": now, "period_ends_at": now,
            "renews_at": now, "grace_until": null, "ends_at": null, "overdraft_used": null,
            "overdraft_used_before": null, "created_at": now,
        });
        let account = json!({ "id": "acme", "name": "Acme", "state": "active", "created_at": now });
        let held = Held {
            account: serde_json::from_value(account).unwrap(),
            subscription: Some(serde_json::from_value(subscription).unwrap()),
            teams: Vec::new(),
            budgets: vec![serde_json::from_value::<api::Budget>(budget).unwrap()],
        };
        CurrentState {
            prices: BTreeMap::new(),
            plans: [("pro".to_owned(), plan_words::shown("pro".into(), 1, &terms, now))].into(),
            accounts: [("acme".to_owned(), held)].into(),
        }
    }

    #[test]
    fn missing_objects_are_created_in_dependency_order() {
        assert_eq!(
            lines(FILE, &CurrentState::default()),
            [
                "+ plan pro",
                "+ account acme",
                "+ subscription of acme: pro",
                "+ budget of acme: 50 per 1 day (UTC)"
            ]
        );
    }

    #[test]
    fn prices_are_set_where_they_differ() {
        let text = "[[prices]]\nmodel = \"gpt-5\"\nprices = { input = \"1\", above = [{ input_tokens = 200000, input = \"2\" }] }\n
            [[prices]]\nmodel = \"gpt-5\"\nvalid_from = \"2099-01-01T00:00:00Z\"\nprices = { input = \"3\" }\n";
        let file = read(text);
        let mut present = CurrentState::default();
        let set = ["+ prices of gpt-5", "+ prices of gpt-5 from 2099-01-01T00:00:00Z on"];
        assert_eq!(lines(text, &present), set);
        for price in &file.prices {
            let NewPriceListEntry { model, valid_from, prices, cost } = price.get_ref().clone();
            present.prices.insert((model, valid_from), PresentPrices { prices, cost });
        }
        assert_eq!(lines(text, &present), [""; 0]);
        let costs = text
            .replace("prices = { input = \"3\" }", "prices = { input = \"3\" }\ncost = { input = \"2\" }");
        assert_eq!(lines(&costs, &present), ["~ prices of gpt-5 from 2099-01-01T00:00:00Z on"]);
        for known in present.prices.values_mut() {
            known.cost = read(&costs).prices[1].get_ref().cost.clone();
        }
        assert_eq!(lines(&costs, &present), [""; 0]);
        assert_eq!(lines(text, &present), [""; 0], "what the file doesn't say stays");
        assert_eq!(lines(&text.replace("\"1\"", "\"4\""), &present), ["~ prices of gpt-5"]);
    }

    #[test]
    fn existing_objects_produce_no_changes() {
        let plan = between(&read(FILE), &filled(), false).unwrap();
        assert_eq!((plan.changes, plan.unchanged), (Vec::new(), 4));
    }

    #[test]
    fn differences_show_the_old_and_the_new_value() {
        let text = FILE.replace("\"200\"", "\"250\"\nconcurrent = 5").replace("[{ name = \"chat\" }]", "[]");
        let text = text.replace("products = []\n", "").replace("\"50\"", "\"60\"");
        assert_eq!(
            lines(&text, &filled()),
            [
                "~ plan pro: concurrent none → 5, products [{\"name\":\"chat\"}] → none, quota 200 → 250",
                "~ budget of acme: 50 per 1 day (UTC) → 60 per 1 day (UTC)"
            ]
        );
        let mut present = filled();
        let subscription = present.accounts.get_mut("acme").unwrap().subscription.as_mut().unwrap();
        subscription.next_plan = Some("small".into());
        assert_eq!(lines(FILE, &present), ["~ subscription of acme: small → pro"]);
        let subscription = present.accounts.get_mut("acme").unwrap().subscription.as_mut().unwrap();
        subscription.state = SubscriptionState::Cancelled;
        assert_eq!(lines(FILE, &present), ["+ subscription of acme: pro"]);
    }

    #[test]
    fn impossible_changes_are_rejected_with_their_line_before_any_is_applied() {
        let refused = |text: &str| {
            let file = read(text);
            let wrong = between(&file, &filled(), false).unwrap_err();
            file::failure("plans.toml", &file.text, &wrong).detail
        };
        let burst = refused("[[plans]]\nname = \"a\"\nquota = \"1\"\nperiod = \"day\"\nburst = 5\n");
        assert!(burst.starts_with("plans.toml:1:1: plan a: burst: "), "{burst}");
        let twice = refused("[[accounts]]\nid = \"a\"\n[[accounts]]\nid = \"a\"\n");
        assert!(twice.starts_with("plans.toml:3:1: account \"a\" is there twice"), "{twice}");
        let nowhere = refused("[[subscriptions]]\naccount = \"acme\"\nplan = \"none\"\n");
        assert!(nowhere.contains("there is no plan \"none\""), "{nowhere}");
        let missing = refused("[[teams]]\naccount = \"missing\"\nid = \"a\"\n");
        assert!(missing.contains("there is no account \"missing\""), "{missing}");
    }
}
