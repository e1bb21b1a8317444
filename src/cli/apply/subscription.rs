//! What to do so that an account's subscription is as a file says. Pure.
//!
//! What must hold: what the file doesn't say stays; and a subscription that was made as the file says has no changes left.

use super::file::{self, InvalidTransition, SubscriptionIs};
use super::steps::{Changes, Stage};
use faregate_ledger::api::{self, SubscriptionState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::ops::Range;

/// How long a subscription whose grace was over already is still good in another ledger, which takes no end in the past.
const SHORT_GRACE: SignedDuration = SignedDuration::from_mins(1);

/// Lists what is to be done.
pub fn of_subscription(
    wanted: &file::Subscription,
    span: &Range<usize>,
    old: Option<&api::Subscription>,
    now: Timestamp,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let account = &wanted.account;
    let path = format!("/admin/v1/accounts/{account}/subscription");
    let wrong = |why: String| {
        Err(InvalidTransition { span: span.clone(), why: format!("subscription of {account}: {why}") })
    };
    let before = changes.changes.len();
    let state = match old.filter(|old| !old.state.is_over()) {
        None => {
            let mut body = json!({ "plan": wanted.plan });
            insert(&mut body, "starts_at", wanted.starts_at);
            insert(&mut body, "trial_ends_at", wanted.trial_ends_at);
            changes.add(
                Stage::Subscriptions,
                format!("+ subscription of {account}: {}", wanted.plan),
                path.clone(),
                body,
            );
            if let Some(next) = &wanted.next_plan {
                next_plan(account, &wanted.plan, next, &path, changes);
            }
            Now {
                state: if wanted.trial_ends_at.is_some() {
                    SubscriptionIs::Trialing
                } else {
                    SubscriptionIs::Active
                },
                grace: None,
                cancelled: false,
            }
        }
        Some(old) => {
            if wanted.starts_at.is_some_and(|starts_at| starts_at != old.starts_at) {
                return wrong(format!(
                    "it began at {}, which can't be changed; leave starts_at out",
                    old.starts_at
                ));
            }
            of_plan(wanted, old, &path, changes);
            Now::of(old)
        }
    };
    of_state(wanted, &state, now, &path, changes).or_else(wrong)?;
    if changes.changes.len() == before {
        changes.unchanged = changes.unchanged.saturating_add(1);
    }
    Ok(())
}

/// What it is at present, as far as an operator has said so.
struct Now {
    state: SubscriptionIs,
    grace: Option<Timestamp>,
    cancelled: bool,
}

impl Now {
    fn of(old: &api::Subscription) -> Self {
        Self { state: state_of(old), grace: old.grace_until, cancelled: is_cancelled(old) }
    }
}

/// Its state as a file has it.
pub fn state_of(found: &api::Subscription) -> SubscriptionIs {
    match found.state {
        SubscriptionState::Trialing => SubscriptionIs::Trialing,
        SubscriptionState::PastDue => SubscriptionIs::PastDue,
        SubscriptionState::Paused => SubscriptionIs::Paused,
        _ => SubscriptionIs::Active,
    }
}

/// Whether it ends with its period. A trial ends anyway.
pub fn is_cancelled(found: &api::Subscription) -> bool {
    found.ends_at.is_some() && found.state != SubscriptionState::Trialing
}

/// To the plan that comes: as `subscription change` does, or with the next period where the file has that in `next_plan`.
fn of_plan(wanted: &file::Subscription, old: &api::Subscription, path: &str, changes: &mut Changes) {
    let file::Subscription { account, plan, next_plan: next, .. } = wanted;
    let coming = old.next_plan.as_ref().unwrap_or(&old.plan);
    match next {
        Some(next) if next == coming => {}
        Some(next) => next_plan(account, coming, next, path, changes),
        None if plan == coming => {}
        None => {
            let line = format!("~ subscription of {account}: {coming} → {plan}");
            changes.add(Stage::NextPlans, line, format!("{path}/change"), json!({ "plan": plan }));
        }
    }
}

fn next_plan(account: &str, old: &str, next: &str, path: &str, changes: &mut Changes) {
    let line = format!("~ subscription of {account}: {old} → {next} with the next period");
    changes.add(Stage::NextPlans, line, format!("{path}/change"), json!({ "plan": next, "at_once": false }));
}

/// Active, past due, paused; and whether it ends with its period.
fn of_state(
    wanted: &file::Subscription,
    is: &Now,
    now: Timestamp,
    path: &str,
    changes: &mut Changes,
) -> Result<(), String> {
    let account = &wanted.account;
    let mut turn = |stage, what: &str, how: &str, body: Value| {
        changes.add(stage, format!("~ subscription of {account}: {what}"), format!("{path}/{how}"), body);
    };
    let mut cancelled = is.cancelled;
    match (is.state, wanted.state) {
        (SubscriptionIs::PastDue, Some(SubscriptionIs::PastDue))
            if wanted.grace_until.is_none_or(|end| Some(end) == is.grace) => {}
        (old, Some(new)) if old == new && new != SubscriptionIs::PastDue => {}
        (_, None) => {}
        (SubscriptionIs::Paused, Some(SubscriptionIs::Active)) => {
            turn(Stage::Turns, "paused → active", "resume", json!({}));
            cancelled = false;
        }
        (old, Some(SubscriptionIs::Active)) => {
            turn(Stage::Turns, &format!("{} → active", old.as_str()), "activate", json!({}));
        }
        (old @ (SubscriptionIs::Active | SubscriptionIs::PastDue), Some(SubscriptionIs::PastDue)) => {
            let end = wanted.grace_until.unwrap_or_else(|| now.saturating_add(SHORT_GRACE).unwrap_or(now));
            let line = format!("{} → past_due until {end}", old.as_str());
            turn(Stage::Turns, &line, "past-due", json!({ "grace_until": end }));
        }
        (SubscriptionIs::Active, Some(SubscriptionIs::Paused)) => {
            turn(Stage::Turns, "active → paused", "pause", json!({}));
        }
        (old, Some(new)) => {
            return Err(format!(
                "it is {}, which can't become {}; leave state out",
                old.as_str(),
                new.as_str()
            ));
        }
    }
    match (cancelled, wanted.cancel_at_period_end) {
        (false, Some(true)) => {
            turn(Stage::Cancellations, "ends with its period", "cancel", json!({ "at_once": false }));
        }
        // It takes back a change to another plan, too, which the next run makes again.
        (true, Some(false)) => turn(Stage::Cancellations, "goes on after its period", "resume", json!({})),
        _ => {}
    }
    Ok(())
}

fn insert(body: &mut Value, name: &str, time: Option<Timestamp>) {
    if let (Some(body), Some(time)) = (body.as_object_mut(), time) {
        body.insert(name.to_owned(), time.to_string().into());
    }
}
