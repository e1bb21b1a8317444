//! Everything that is there, as a file. The order is that of names, so that a copy gives the same text.

use super::file::{self, State, SubscriptionIs, Written};
use super::present::{Held, Named, default_alerts, held, mail, pages, webhooks};
use super::subscription::{is_cancelled, state_of};
use faregate_client::{
    Failure,
    admin::Admin,
    terminal::{Progress, warn},
};
use faregate_ledger::api::{
    self, AccountState, Accounts, Anchor, BudgetScope, EventKind, KeyState, NewMailAddress, NewPlan,
    NewPriceListEntry, NewWebhook, Plan, Plans, Prices,
};
use faregate_ledger::domain::policy::{OveragePolicy, Remainder};
use std::collections::BTreeMap;

/// What the ledger says where a token may not see something.
const FORBIDDEN: &str = "forbidden";

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
    progress.expect(accounts.len().saturating_mul(5));
    let everything = Named { subscription: true, teams: true, budgets: true, keys: true, alerts: true };
    let nothing = Named::default();
    let wanted: Vec<_> = accounts
        .iter()
        .map(|account| if account.state == AccountState::Closed { nothing } else { everything })
        .collect();
    let mut left_out = 0_usize;
    for held in held(admin, accounts, &wanted, progress)? {
        left_out = left_out.saturating_add(usize::from(write_one(held, &mut all)));
    }
    announcing(admin, &mut all)?;
    Ok((all, left_out))
}

/// Thresholds for all, webhooks and addresses for mail; without what the operator may not see.
fn announcing(admin: &Admin, all: &mut Written) -> Result<(), Failure> {
    if let Some(balance_below) = default_alerts(admin)?.balance_below {
        all.alerts.insert(0, file::Alert { account: None, balance_below });
    }
    let seen = |what: &str, failure: Failure| {
        if failure.code != FORBIDDEN {
            return Err(failure);
        }
        warn(&format!("{what} are not in it: this token may not list them"));
        Ok(())
    };
    // A kind that this version doesn't know is left out.
    let kinds = |names: Option<Vec<String>>| {
        let known = |name: String| EventKind::ALL.into_iter().find(|kind| kind.as_str() == name);
        names.map(|names| names.into_iter().filter_map(known).collect())
    };
    match webhooks(admin) {
        Ok(found) => all.webhooks.extend(found.into_iter().map(|webhook| NewWebhook {
            url: webhook.url,
            events: kinds(webhook.events),
            account: webhook.account,
        })),
        Err(failure) => seen("webhooks", failure)?,
    }
    match mail(admin) {
        Ok(found) => all.mail.extend(found.into_iter().map(|address| NewMailAddress {
            address: address.address,
            events: kinds(address.events),
            account: address.account,
        })),
        Err(failure) => seen("mail addresses", failure)?,
    }
    all.webhooks.sort_by(|a, b| (&a.url, &a.account, &a.events).cmp(&(&b.url, &b.account, &b.events)));
    all.mail.sort_by(|a, b| (&a.account, &a.address).cmp(&(&b.account, &b.address)));
    Ok(())
}

/// Writes an account with what belongs to it; whether something was left out.
fn write_one(held: Held, all: &mut Written) -> bool {
    let Held { account, subscription, teams, budgets, keys, alerts } = held;
    let state = match account.state {
        AccountState::Active => State::Active,
        AccountState::Suspended => State::Suspended,
        AccountState::Closed => State::Closed,
    };
    let id = account.id;
    if let Some(balance_below) = alerts.filter(|own| !own.is_default).and_then(|own| own.balance_below) {
        all.alerts.push(file::Alert { account: Some(id.clone()), balance_below });
    }
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
        alert_below: plan.alert_below,
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
