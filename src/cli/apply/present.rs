//! What is there: of a file's entries, or of everything.

use super::file::{self, File, State, Written};
use faregate_client::{
    Failure,
    admin::{Admin, encoded},
};
use faregate_ledger::api::{
    self, AccountState, Accounts, Anchor, BudgetScope, Budgets, ModelPriceHistory, NewPlan,
    NewPriceListEntry, Plan, Plans, PriceEntry, Prices, Teams,
};
use faregate_ledger::domain::policy::{OveragePolicy, Remainder};
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Existing plans and accounts, by name.
#[derive(Clone, Debug, Default)]
pub struct CurrentState {
    /// Plans.
    pub plans: BTreeMap<String, Plan>,
    /// What models cost that a file names, by name and by the time from which the file has it; none: now.
    pub prices: BTreeMap<PriceName, PresentPrices>,
    /// Accounts with what belongs to them.
    pub accounts: BTreeMap<String, Held>,
}

/// A model, and from when on.
pub type PriceName = (String, Option<Timestamp>);

/// What a model costs its callers, and its seller.
#[derive(Clone, Debug)]
pub struct PresentPrices {
    /// Its prices.
    pub prices: ModelPrices,
    /// What it costs the seller.
    pub cost: Option<ModelPrices>,
}

/// An account with what belongs to it.
#[derive(Clone, Debug)]
pub struct Held {
    /// The account.
    pub account: api::Account,
    /// Its newest subscription.
    pub subscription: Option<api::Subscription>,
    /// Its teams.
    pub teams: Vec<api::Team>,
    /// Its budgets, its teams' and its keys'.
    pub budgets: Vec<api::Budget>,
}

/// What is there of what a file names.
pub fn of(admin: &Admin, file: &File) -> Result<CurrentState, Failure> {
    let named = file.plans.iter().map(|plan| &plan.get_ref().name);
    let plans: BTreeSet<_> = named.chain(file.subscriptions.iter().map(|it| &it.get_ref().plan)).collect();
    let accounts = file.accounts.iter().map(|it| &it.get_ref().id);
    let accounts = accounts.chain(file.teams.iter().map(|it| &it.get_ref().account));
    let accounts = accounts.chain(file.subscriptions.iter().map(|it| &it.get_ref().account));
    let accounts: BTreeSet<_> = accounts.chain(file.budgets.iter().map(|it| &it.get_ref().account)).collect();
    let mut present = CurrentState::default();
    for name in plans {
        if let Some(plan) = maybe(admin, &format!("/admin/v1/plans/{}", encoded(name)))? {
            present.plans.insert(name.clone(), plan);
        }
    }
    let now = Timestamp::now();
    for price in &file.prices {
        let NewPriceListEntry { model, valid_from, .. } = price.get_ref();
        let found: Option<ModelPriceHistory> = maybe(admin, &format!("/admin/v1/prices/{}", encoded(model)))?;
        let versions = found.map(|found| found.versions).unwrap_or_default();
        let valid = versions.into_iter().rfind(|version| version.valid_from <= valid_from.unwrap_or(now));
        if let Some(valid) = valid {
            let PriceEntry { prices, cost, .. } = valid;
            present.prices.insert((model.clone(), *valid_from), PresentPrices { prices, cost });
        }
    }
    for id in accounts {
        if let Some(account) = maybe(admin, &one(id))? {
            present.accounts.insert(id.clone(), held(admin, account)?);
        }
    }
    Ok(present)
}

/// Everything that exists, except closed accounts and ended subscriptions.
pub fn all(admin: &Admin) -> Result<Written, Failure> {
    let mut all = Written::default();
    pages(admin, "/admin/v1/plans", |page: Plans| {
        all.plans.extend(page.plans.into_iter().map(plan));
        page.next
    })?;
    pages(admin, "/admin/v1/prices", |page: Prices| {
        all.prices.extend(page.prices.into_iter().map(|entry| NewPriceListEntry {
            model: entry.model,
            valid_from: Some(entry.valid_from),
            prices: entry.prices,
            cost: entry.cost,
        }));
        page.next
    })?;
    let mut accounts = Vec::new();
    pages(admin, "/admin/v1/accounts", |page: Accounts| {
        accounts.extend(page.accounts);
        page.next
    })?;
    for account in accounts {
        let state = match account.state {
            AccountState::Active => State::Active,
            AccountState::Suspended => State::Suspended,
            AccountState::Closed => continue,
        };
        let Held { account, subscription, teams, budgets } = held(admin, account)?;
        let id = account.id;
        if let Some(found) = subscription.filter(|found| !found.state.is_over()) {
            let plan = found.next_plan.unwrap_or(found.plan);
            all.subscriptions.push(file::Subscription { account: id.clone(), plan });
        }
        all.teams.extend(teams.into_iter().map(|team| {
            let (account, id, name) = (team.account, team.id, team.name);
            file::Team { account, id, name }
        }));
        all.budgets.extend(budgets.into_iter().map(budget));
        all.accounts.push(file::Account { id, name: account.name, state: Some(state) });
    }
    Ok(all)
}

fn held(admin: &Admin, account: api::Account) -> Result<Held, Failure> {
    let one = one(&account.id);
    let (mut teams, mut budgets) = (Vec::new(), Vec::new());
    pages(admin, &format!("{one}/teams"), |page: Teams| {
        teams.extend(page.teams);
        page.next
    })?;
    pages(admin, &format!("{one}/budgets"), |page: Budgets| {
        budgets.extend(page.budgets);
        page.next
    })?;
    Ok(Held { subscription: maybe(admin, &format!("{one}/subscription"))?, account, teams, budgets })
}

/// A plan as a file has it, without what goes without saying.
fn plan(plan: Plan) -> NewPlan {
    NewPlan {
        name: plan.name,
        quota: plan.quota,
        period: plan.period,
        every: Some(plan.every).filter(|every| *every != 1),
        anchor: Some(plan.anchor).filter(|anchor| *anchor != Anchor::default()),
        time_zone: Some(plan.time_zone).filter(|zone| zone != "UTC"),
        rollover: Some(plan.rollover).filter(|most| most.is_positive()),
        overage: Some(plan.overage).filter(|overage| *overage != OveragePolicy::default()),
        overdraft: plan.overdraft,
        rate_per_second: plan.rate_per_second,
        burst: plan.burst,
        concurrent: plan.concurrent,
        products: plan.products,
        remainder: Some(plan.remainder).filter(|whose| *whose != Remainder::default()),
        warn_below: plan.warn_below,
    }
}

fn budget(budget: api::Budget) -> file::Budget {
    let (team, key) = match budget.scope {
        BudgetScope::Account => (None, None),
        BudgetScope::Team => (budget.target, None),
        BudgetScope::Key => (None, budget.target),
    };
    file::Budget {
        account: budget.account,
        team,
        key,
        credits: budget.credits,
        period: budget.period,
        every: Some(budget.every).filter(|every| *every != 1),
        time_zone: Some(budget.time_zone).filter(|zone| zone != "UTC"),
    }
}

fn one(account: &str) -> String {
    format!("/admin/v1/accounts/{}", encoded(account))
}

/// What is there, if it is.
fn maybe<T: DeserializeOwned>(admin: &Admin, path: &str) -> Result<Option<T>, Failure> {
    match admin.get(path, &[]) {
        Ok(answer) => read(path, answer).map(Some),
        Err(failure) if failure.code == "not_found" => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Every page of a list; `take` gives what the next one begins behind.
fn pages<T: DeserializeOwned>(
    admin: &Admin,
    path: &str,
    mut take: impl FnMut(T) -> Option<String>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let answer = admin.get(path, &[("limit", Some("1000".into())), ("after", after)])?;
        after = take(read(path, answer)?);
        if after.is_none() {
            return Ok(());
        }
    }
}

fn read<T: DeserializeOwned>(path: &str, answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        let what = format!("the ledger's answer at {path} is of another version: {error}");
        Failure::new("unexpected", what).cure("use the `faregate` that the ledger runs")
    })
}
