//! Everything that is there, as a file. The order is that of names, so that a copy gives the same text.

use super::file::{self, State, SubscriptionIs, Written};
use super::present::{Held, Named, held, pages};
use super::subscription::{is_cancelled, state_of};
use faregate_client::{Failure, admin::Admin, terminal::Progress};
use faregate_ledger::api::{
    self, AccountState, Accounts, Anchor, BudgetScope, KeyState, NewPlan, NewPriceListEntry, Plan, Plans,
    Prices,
};
use faregate_ledger::domain::policy::{OveragePolicy, Remainder};
use std::collections::BTreeMap;

/// Everything that can be made again: neither what is over nor keys, which are secrets. Says of how many accounts something was left out.
pub fn all(admin: &Admin, progress: &Progress) -> Result<(Written, usize), Failure> {
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
    progress.expect(accounts.len().saturating_mul(4));
    let everything = Named { subscription: true, teams: true, budgets: true, keys: true };
    let nothing = Named::default();
    let wanted: Vec<_> = accounts
        .iter()
        .map(|account| if account.state == AccountState::Closed { nothing } else { everything })
        .collect();
    let mut left_out = 0_usize;
    for held in held(admin, accounts, &wanted, progress)? {
        left_out = left_out.saturating_add(usize::from(write_one(held, &mut all)));
    }
    Ok((all, left_out))
}

/// Writes an account with what belongs to it; whether something was left out.
fn write_one(held: Held, all: &mut Written) -> bool {
    let Held { account, subscription, teams, budgets, keys } = held;
    let state = match account.state {
        AccountState::Active => State::Active,
        AccountState::Suspended => State::Suspended,
        AccountState::Closed => State::Closed,
    };
    let id = account.id;
    if let Some(found) = subscription.filter(|found| !found.state.is_over()) {
        let state = state_of(&found);
        all.subscriptions.push(file::Subscription {
            account: id.clone(),
            trial_ends_at: found.ends_at.filter(|_| state == SubscriptionIs::Trialing),
            cancel_at_period_end: Some(true).filter(|_| is_cancelled(&found)),
            plan: found.plan,
            next_plan: found.next_plan,
            starts_at: Some(found.starts_at),
            state: Some(state).filter(|state| *state != SubscriptionIs::Trialing),
            grace_until: found.grace_until,
        });
    }
    all.teams.extend(teams.into_iter().map(|team| {
        let (account, id, name) = (team.account, team.id, team.name);
        file::Team { account, id, name }
    }));
    let is_secret = keys.iter().any(|key| key.subject.is_none() && key.state == KeyState::Active);
    let mut subjects: BTreeMap<String, api::Key> = BTreeMap::new();
    for key in keys.into_iter().filter(|key| key.state == KeyState::Active) {
        if let Some(subject) = key.subject.clone() {
            subjects.insert(subject, key);
        }
    }
    let mut budgets: Vec<_> = budgets.into_iter().filter_map(|it| budget(it, &subjects)).collect();
    budgets.sort_by(|a, b| (&a.team, &a.subject).cmp(&(&b.team, &b.subject)));
    all.budgets.extend(budgets);
    all.keys.extend(subjects.into_iter().map(|(subject, key)| file::Key {
        account: id.clone(),
        subject,
        team: key.team,
        products: key.products,
        expires_at: key.expires_at,
        note: key.note,
    }));
    all.accounts.push(file::Account { id, name: account.name, state: Some(state) });
    is_secret
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

/// A budget as a file has it; none of a key, which another ledger doesn't know.
fn budget(budget: api::Budget, subjects: &BTreeMap<String, api::Key>) -> Option<file::Budget> {
    let (team, subject) = match budget.scope {
        BudgetScope::Account => (None, None),
        BudgetScope::Team => (budget.target, None),
        BudgetScope::Key => {
            let (subject, _) = subjects.iter().find(|(_, key)| Some(&key.id) == budget.target.as_ref())?;
            (None, Some(subject.clone()))
        }
    };
    Some(file::Budget {
        account: budget.account,
        team,
        key: None,
        subject,
        credits: budget.credits,
        period: budget.period,
        every: Some(budget.every).filter(|every| *every != 1),
        time_zone: Some(budget.time_zone).filter(|zone| zone != "UTC"),
    })
}
