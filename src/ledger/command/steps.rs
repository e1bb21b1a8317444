//! The steps of a subscription: what each does to the account's money, and what the account's entitlement is then.
//!
//! What must hold: every change to a subscription, or to what it depends on, ends with [`settle`], which writes the
//! entitlement and when something is due next, on the subscription and on its account.

use super::events::note;
use super::grants::{self, NewGrant};
use super::{funds, plans, recall};
use crate::domain::entitlement::{Effect, Entitlement};
use crate::domain::event::EventKind;
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::subscribed::{Initiator, StepOutcome, Subscribed};
use crate::domain::subscription::{State, Step};
use crate::domain::time::{at, minute};
use crate::domain::{AccountNo, AccountState, GrantNo, KeyNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::StoreError;
use crate::store::rows::{AccountRow, GrantRow, SubscriptionRow};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::json;
use std::cmp::Reverse;

/// How long a renewal rests that was refused, for instance because the account has too many grants.
pub const AGAIN_MS: i64 = 60_000;
/// The most steps that one subscription takes at once: end, renew and alter never follow each other more often.
pub const STEPS: usize = 4;
/// The delay before checking again for excess credits whose leases were recalled.
pub const TAKE_BACK_MS: i64 = 500;

/// Does all that is due, and keeps what has changed. Tells what was given. The account is locked.
pub fn advance(draft: &mut Draft, stored: &mut Subscribed, now: Timestamp) -> Result<Vec<Credits>, Stop> {
    let mut outcome = StepOutcome::default();
    for _ in 0..STEPS {
        let step = due(draft, stored, now)?;
        if step == Step::Rest {
            break;
        }
        outcome.join(take(draft, stored, &step, &Initiator::default(), now)?);
    }
    settle(draft, stored, outcome.recall, now)?;
    Ok(outcome.given)
}

fn due(draft: &mut Draft, stored: &Subscribed, now: Timestamp) -> Result<Step, Stop> {
    let closed = account(draft, stored.account)?.account.state == AccountState::Closed;
    if closed && !stored.subscription.state.is_over() {
        return Ok(Step::End(State::Cancelled));
    }
    Ok(stored.subscription.due(&plans::versions(draft, &stored.subscription)?, now))
}

fn account(draft: &mut Draft, no: AccountNo) -> Result<AccountRow, Stop> {
    let missing = || Stop::Failed(StoreError::Backend("a subscription's account is missing".into()));
    draft.account(no)?.ok_or_else(missing)
}

/// Takes a step: moves the money, and notes it.
pub fn take(
    draft: &mut Draft,
    stored: &mut Subscribed,
    step: &Step,
    by: &Initiator<'_>,
    now: Timestamp,
) -> Result<StepOutcome, Stop> {
    let mut outcome = StepOutcome::default();
    let mut lapsed_before = Credits::ZERO;
    match step {
        Step::End(_) | Step::Restart(_) => {
            cut(draft, stored, ALL, now)?;
            outcome.recall = true;
        }
        Step::Alter(alteration) if alteration.overdraft.is_zero() => {
            outcome.recall = cut(draft, stored, OVERDRAFT_PRIORITY, now)? || alteration.excess.is_positive();
        }
        Step::Alter(alteration) => outcome.recall = alteration.excess.is_positive(),
        Step::Renew(_) => {
            // Both are asked for before the first that is missing ends this.
            let given = draft.given_by(stored.no);
            funds::expire(draft, stored.account, now)?;
            lapsed_before = lapsed(draft, stored, &given?)?;
        }
        Step::Rest | Step::Stop | Step::Next(_) => {}
    }
    let is_first = stored.subscription.period_start.is_none();
    stored.apply(step, by.plan);
    let overdraft = if let Step::Alter(_) = step { overdraft(draft, stored)? } else { Credits::ZERO };
    for planned in stored.planned_grants(step, lapsed_before, overdraft, by.change) {
        outcome.given.push(planned.grant.remaining);
        let owner = account(draft, stored.account)?;
        let new = NewGrant {
            id: planned.id,
            grant: planned.grant,
            note: None,
            source: Some(planned.source),
            subscription: Some(stored.no),
        };
        grants::give(draft, &owner, new, now)?;
    }
    announce(draft, stored, step, is_first);
    Ok(outcome)
}

/// Says what has become of a subscription.
fn announce(draft: &mut Draft, stored: &Subscribed, step: &Step, is_first: bool) {
    let subscription = &stored.subscription;
    let (kind, state) = match step {
        Step::Renew(_) if is_first => (EventKind::SubscriptionStarted, None),
        Step::Renew(_) | Step::Restart(_) => (EventKind::SubscriptionRenewed, None),
        Step::Stop => (EventKind::SubscriptionUnpaid, None),
        Step::End(state) => (EventKind::SubscriptionEnded, Some(state.as_str())),
        Step::Rest | Step::Next(_) | Step::Alter(_) => return,
    };
    let mut data = json!({
        "account": stored.account_id,
        "subscription": stored.id,
        "plan": stored.plan_name,
        "period_started_at": subscription.period_start.map(|start| start.to_string()),
        "period_ends_at": subscription.period_start.map(|_| subscription.granted_until.to_string()),
    });
    if let (Some(state), Some(data)) = (state, data.as_object_mut()) {
        data.insert("state".to_owned(), state.into());
    }
    note(draft, kind, stored.account, data);
}

/// Whether a grant was given for the period that ends when the running one does.
fn is_of_period(stored: &Subscribed, row: &GrantRow) -> bool {
    let end = stored.subscription.granted_until.as_millisecond();
    row.grant.expires_at.is_some_and(|expires_at| expires_at.as_millisecond() == end)
}

/// What has lapsed of what was given for the last period.
fn lapsed(draft: &mut Draft, stored: &Subscribed, given: &[GrantRow]) -> Result<Credits, Stop> {
    let quota = |row: &&GrantRow| is_of_period(stored, row) && row.grant.priority != OVERDRAFT_PRIORITY;
    let from = minute(stored.subscription.granted_until);
    let lapsed = given.iter().filter(quota).map(|row| draft.lapsed(row.account, row.grant.no, from));
    // All are asked for before the first that is missing ends this.
    let lapsed: Vec<_> = lapsed.collect();
    lapsed.into_iter().try_fold(Credits::ZERO, |sum, of| Ok(sum.saturating_add(of?.expired)))
}

/// What may be overdrawn in the running period, used or not.
fn overdraft(draft: &mut Draft, stored: &Subscribed) -> Result<Credits, Stop> {
    let given = draft.given_by(stored.no)?;
    let overdrafts = given.iter().filter(|row| row.grant.priority == OVERDRAFT_PRIORITY);
    let of_period = overdrafts.filter(|row| is_of_period(stored, row));
    Ok(of_period.fold(Credits::ZERO, |sum, row| sum.saturating_add(row.amount)))
}

/// All that a subscription gave, by the smallest priority.
const ALL: u16 = 0;

/// Has what the subscription gave expire now, from this priority on. Tells whether there was any.
fn cut(draft: &mut Draft, stored: &Subscribed, from: u16, now: Timestamp) -> Result<bool, Stop> {
    let (given, live) = (draft.given_by(stored.no), draft.grants_of(stored.account, []));
    let mut given = given?;
    for row in live?.into_iter().filter(|row| row.subscription == Some(stored.no)) {
        if given.iter().all(|known| known.grant.no != row.grant.no) {
            given.push(row);
        }
    }
    let ahead = |row: &GrantRow| row.grant.expires_at.is_some_and(|expires_at| expires_at > now);
    let mut any = false;
    for mut row in given.into_iter().filter(|row| ahead(row) && row.grant.priority >= from) {
        any = true;
        row.grant.expires_at = Some(now);
        draft.put(row);
    }
    funds::expire(draft, stored.account, now)?;
    Ok(any)
}

/// Keeps a subscription, writes what it means for exchanges, and lets gateways know.
pub fn settle(draft: &mut Draft, stored: &mut Subscribed, recall: bool, now: Timestamp) -> Result<(), Stop> {
    take_back(draft, stored, now)?;
    let before = account(draft, stored.account)?;
    let versions = plans::versions(draft, &stored.subscription)?;
    let entitlement = Entitlement::of(&stored.plan_name, &stored.subscription, &versions);
    let plan = Some(stored.plan_name.clone()).filter(|_| !stored.subscription.state.is_over());
    let effect = Effect::of(before.account.entitlement.as_ref(), entitlement.as_ref());
    let effect = effect.max(if recall { Effect::Recall } else { Effect::None });
    if effect == Effect::Recall {
        let holders = draft.holders_of(stored.account)?;
        recall::holders(draft, holders);
    }
    if effect != Effect::None || before.account.plan != plan {
        draft.announce_account(stored.account, KeyNo(0), now);
    }
    let waits = stored.subscription.excess.is_positive()
        && draft.holders_of(stored.account)?.iter().any(|row| row.lease.recall);
    let soon = at(now.as_millisecond().saturating_add(TAKE_BACK_MS));
    let due = [Some(soon).filter(|_| waits), stored.subscription.next_due()].into_iter().flatten().min();
    let mut row = before;
    (row.account.plan, row.account.entitlement, row.account.due) = (plan, entitlement, due);
    draft.put(row);
    let soon = draft.known::<SubscriptionRow>(&(stored.no,)).and_then(|row| row.soon);
    draft.put(SubscriptionRow {
        no: stored.no,
        id: stored.id.clone(),
        account: stored.account,
        subscription: stored.subscription.clone(),
        due,
        created_at: stored.created_at,
        soon,
    });
    Ok(())
}

/// Takes back what is there of what was given beyond the quota. What was given last goes first, so that nothing is
/// lost of what was taken over.
fn take_back(draft: &mut Draft, stored: &mut Subscribed, now: Timestamp) -> Result<(), Stop> {
    let excess = stored.subscription.excess;
    if !excess.is_positive() {
        return Ok(());
    }
    let quota = |row: &&GrantRow| {
        is_of_period(stored, row)
            && row.grant.priority < OVERDRAFT_PRIORITY
            && row.grant.remaining.is_positive()
    };
    let given = draft.given_by(stored.no)?;
    let mut given: Vec<GrantNo> = given.iter().filter(quota).map(|row| row.grant.no).collect();
    given.sort_unstable_by_key(|no| Reverse(*no));
    let row = account(draft, stored.account)?;
    let cut = funds::cut(draft, &row, (&given, excess), now)?;
    stored.subscription.excess = excess.less(cut);
    Ok(())
}
