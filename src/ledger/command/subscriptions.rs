//! Subscriptions: made, turned and changed by operators.
//!
//! What must hold: a subscription is read and written only under its account's lock. So of several ledgers that come
//! to renew it one does, and the others find it done.

use super::events::note;
use super::times::ahead;
use super::{plans, steps};
use crate::api;
use crate::domain::event::EventKind;
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::subscribed::{Initiator, OVERDRAFTS, Overdraft, Subscribed, without_leases};
use crate::domain::subscription::{State, Subscription, Transition};
use crate::domain::time::{at, minute};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::Record as _;
use crate::store::rows::{AccountRow, GrantRow, SubscriptionRow};
use jiff::Timestamp;
use serde_json::json;
use std::cmp::Reverse;

/// Subscribes an account to a plan; the present period's quota is there at once.
pub fn subscribe(
    draft: &mut Draft,
    account: &str,
    id: &str,
    asked: &api::NewSubscription,
    now: Timestamp,
) -> Result<api::Subscription, Stop> {
    let owner = draft.account_not_closed(account)?.account;
    if let Some(plan) = owner.plan {
        return Err(Refusal::Subscribed { account: account.to_owned(), plan }.into());
    }
    let (plan, version) = plans::newest(draft, &asked.plan)?;
    let starts_at = at(asked.starts_at.unwrap_or(now).as_millisecond());
    let trial = asked.trial_ends_at.map(|end| ahead("trial_ends_at", end, now.max(starts_at))).transpose()?;
    let mut stored = Subscribed {
        no: draft.number(SubscriptionRow::TABLE)?,
        id: id.to_owned(),
        account: owner.no,
        account_id: account.to_owned(),
        plan_name: plan.name,
        next_name: None,
        subscription: Subscription::new((plan.no, &version), starts_at, trial, now),
        created_at: now,
    };
    steps::advance(draft, &mut stored, now)?;
    shown(draft, &stored)
}

/// Runs an operator's command and the steps that are due after it.
pub fn turn(
    draft: &mut Draft,
    account: &str,
    turn: Transition,
    now: Timestamp,
) -> Result<api::Subscription, Stop> {
    let mut stored = newest(draft, account)?;
    let turn = match turn {
        Transition::PastDue(until) => Transition::PastDue(ahead("grace_until", until, now)?),
        other => other,
    };
    let versions = plans::versions(draft, &stored.subscription)?;
    let was_past_due = stored.subscription.state == State::PastDue;
    stored.turn(turn, &versions.coming().terms, now)?;
    if let Transition::PastDue(until) = turn
        && !was_past_due
    {
        let data = json!({
            "account": account,
            "subscription": stored.id,
            "plan": stored.plan_name,
            "grace_until": until.to_string(),
        });
        note(draft, EventKind::SubscriptionPastDue, stored.account, data);
    }
    steps::advance(draft, &mut stored, now)?;
    shown(draft, &stored)
}

/// Changes it to another plan, now or with the next period.
pub fn change(
    draft: &mut Draft,
    account: &str,
    id: &str,
    asked: &api::SubscriptionChange,
    now: Timestamp,
) -> Result<api::Subscription, Stop> {
    let mut stored = newest(draft, account)?;
    steps::advance(draft, &mut stored, now)?;
    let (plan, version) = plans::newest(draft, &asked.plan)?;
    let used = plans::versions(draft, &stored.subscription)?.used;
    let step = stored.subscription.change(&used, (plan.no, &version), asked.at_once, now)?;
    let by = Initiator { plan: Some(&asked.plan), change: id };
    let outcome = steps::take(draft, &mut stored, &step, &by, now)?;
    steps::settle(draft, &mut stored, outcome.recall, now)?;
    shown(draft, &stored)
}

/// Does what is due because the account was closed.
pub fn account_closed(draft: &mut Draft, account: &AccountRow, now: Timestamp) -> Result<(), Stop> {
    let found = draft.newest_subscription(account.account.no)?;
    let Some(row) = found.filter(|row| !row.subscription.state.is_over()) else { return Ok(()) };
    let mut stored = named(draft, row, account)?;
    steps::advance(draft, &mut stored, now).map(|_| ())
}

/// An account's newest subscription, as the admin API shows it.
pub fn show(draft: &mut Draft, account: &str) -> Result<api::Subscription, Stop> {
    let stored = newest(draft, account)?;
    shown(draft, &stored)
}

/// An account's newest subscription. The account is locked then.
fn newest(draft: &mut Draft, account: &str) -> Result<Subscribed, Stop> {
    let owner = draft.account_named(account)?;
    let missing = || Refusal::NotFound { what: "subscription of account", id: account.to_owned() };
    let row = draft.newest_subscription(owner.account.no)?.ok_or_else(missing)?;
    named(draft, row, &owner)
}

/// A subscription with the names that people know it by.
pub fn named(draft: &mut Draft, row: SubscriptionRow, account: &AccountRow) -> Result<Subscribed, Stop> {
    let plan = plans::row(draft, row.subscription.plan);
    let next = row.subscription.next_plan.map(|next| plans::row(draft, next)).transpose();
    let (plan, next) = (plan?, next?);
    Ok(Subscribed {
        no: row.no,
        id: row.id,
        account: row.account,
        account_id: account.account.id.to_string(),
        plan_name: plan.name,
        next_name: next.map(|next| next.name),
        subscription: row.subscription,
        created_at: row.created_at,
    })
}

fn shown(draft: &mut Draft, stored: &Subscribed) -> Result<api::Subscription, Stop> {
    let mut grants = draft.overdrafts_of(stored.no)?;
    grants.retain(|row| row.grant.priority == OVERDRAFT_PRIORITY);
    grants.sort_by_key(|row| Reverse(row.grant.expires_at));
    grants.truncate(OVERDRAFTS);
    let mut used = |row: &GrantRow| {
        let ends_at = row.grant.expires_at.unwrap_or(Timestamp::MAX);
        let lapsed = draft.lapsed(row.account, row.grant.no, minute(ends_at))?;
        let used = row.amount.less(row.grant.remaining).less(lapsed.expired).less(lapsed.breakage);
        Ok(Overdraft { grant: row.grant.no, ends_at, used })
    };
    // All are asked for before the first that is missing ends this.
    let overdrafts: Vec<Result<Overdraft, Stop>> = grants.iter().map(&mut used).collect();
    let overdrafts = overdrafts.into_iter().collect::<Result<Vec<_>, Stop>>()?;
    if overdrafts.is_empty() {
        return Ok(stored.shown(&overdrafts));
    }
    let drawn: Vec<_> =
        draft.holders_of(stored.account)?.into_iter().flat_map(|row| row.lease.draws).collect();
    Ok(stored.shown(&without_leases(overdrafts, &drawn)))
}
