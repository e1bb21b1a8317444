//! Alerts: what is announced of balances, quotas and budgets; and thresholds, set by operators.
//!
//! What must hold: an operation of which nothing is to be announced asks for no row because of this; what is announced is decided by
//! rows that are locked, and noted on them.

use super::refusals;
use crate::api;
use crate::domain::alert::{self, BalanceTurn, Cure, QuotaStep, QuotaWatch, RefusalWatch, left, quota_step};
use crate::domain::event::{EventKind, Happened};
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::{AccountNo, AccountState, GrantNo, Scope};
use crate::store::draft::{Draft, Stop};
use crate::store::rows::{AccountRow, AlertDefaultRow, BudgetKey, BudgetRow, GrantRow};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Looks at what an operation has changed, and notes what is to be announced of it.
pub(super) fn look(draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
    let below = draft.guess_alert_below();
    // Each account with whether its balance fell.
    let mut accounts = BTreeMap::new();
    for (before, row) in draft.touched::<AccountRow>() {
        let fell = fell(before, row);
        if may_turn(row, below, fell, now) {
            *accounts.entry(row.account.no).or_insert(false) |= fell;
        }
    }
    let mut cured = BTreeSet::new();
    for (before, row) in draft.touched::<AccountRow>() {
        if before.is_some_and(|before| refusals::cure(before, row).is_some()) {
            cured.insert(row.account.no);
        }
    }
    let larger = draft
        .touched::<BudgetRow>()
        .filter(|(before, row)| before.is_some_and(|before| has_more(before, row)));
    let larger: BTreeSet<AccountNo> = larger.map(|(_, row)| row.account).collect();
    let budgets = draft.touched::<BudgetRow>().map(|(_, row)| row);
    let budgets = budgets.filter(|row| alert::level(row.spent, row.credits) != row.announced);
    let mut places: Vec<BudgetKey> = budgets.map(|row| (row.account, row.scope, row.target)).collect();
    places.sort_unstable();
    places.dedup();
    // All are looked at before the first that is missing ends this.
    let mut missing = false;
    for (account, fell) in accounts {
        missing |= is_missing(look_at(draft, account, fell, now))?;
    }
    for place in places {
        missing |= is_missing(look_at_budget(draft, place))?;
    }
    for account in larger {
        missing |= is_missing(end_refusals(draft, account, Some(Cure::Budget), now))?;
    }
    for account in cured {
        missing |= is_missing(end_refusals(draft, account, None, now))?;
    }
    if missing { Err(Stop::Missing) } else { Ok(()) }
}

fn is_missing(looked: Result<(), Stop>) -> Result<bool, Stop> {
    match looked {
        Ok(()) => Ok(false),
        Err(Stop::Missing) => Ok(true),
        Err(other) => Err(other),
    }
}

/// Whether more may be spent from a budget: it was raised, or its next period has begun.
fn has_more(before: &BudgetRow, row: &BudgetRow) -> bool {
    row.credits.less(row.spent) > before.credits.less(before.spent)
}

/// Announces that requests aren't refused any more, if this cures them.
fn end_refusals(draft: &mut Draft, no: AccountNo, by: Option<Cure>, now: Timestamp) -> Result<(), Stop> {
    let Some(row) = draft.account(no)? else { return Ok(()) };
    let is_cured = |watch: &RefusalWatch| by.is_none_or(|cure| watch.is_cured_by(cure));
    if row.alerts.refusing.as_ref().is_some_and(is_cured) {
        refusals::end(draft, row, true, now);
    }
    Ok(())
}

/// Whether a balance has fallen, or its threshold is another one.
fn fell(before: Option<&AccountRow>, row: &AccountRow) -> bool {
    let Some(before) = before else { return false };
    let is_another = row.alerts.below != before.alerts.below;
    left(&row.account.books) < left(&before.account.books) || is_another && has_begun(row)
}

/// Whether an account ever had anything.
fn has_begun(row: &AccountRow) -> bool {
    row.account.books.granted.is_positive() || row.account.books.owed.is_positive()
}

fn note(draft: &mut Draft, kind: EventKind, account: AccountNo, data: Value) {
    draft.note_happened(Happened { kind, account, data });
}

/// Whether something may have to be announced, as far as that is known without reading.
fn may_turn(row: &AccountRow, below: Option<Credits>, fell: bool, now: Timestamp) -> bool {
    // What is due now changes all of it in a moment: the quota lapses, and another one comes.
    let account = &row.account;
    if account.due.is_some_and(|due| due <= now) || account.state == AccountState::Closed {
        return false;
    }
    let below = row.alerts.threshold(account, below);
    row.alerts.balance(left(&account.books), below, fell).is_some()
        || quota_step(account, row.alerts.quota.as_ref(), now) != QuotaStep::Rest
}

fn look_at(draft: &mut Draft, no: AccountNo, fell: bool, now: Timestamp) -> Result<(), Stop> {
    let Some(mut row) = draft.account(no)? else { return Ok(()) };
    let step = quota_step(&row.account, row.alerts.quota.as_ref(), now);
    let below = match row.alerts.below.or_else(|| alert::by_plan(&row.account)) {
        Some(below) => Ok(Some(below)),
        None => draft.alert_below(),
    };
    let used = match &step {
        QuotaStep::Look(_) => used(draft, &row).map(Some),
        _ => Ok(None),
    };
    let (below, used) = (below?, used?);
    turn_balance(draft, &mut row, below, fell);
    let spent = row.account.books.spent;
    row.alerts.quota = match step {
        QuotaStep::Rest => row.alerts.quota,
        QuotaStep::Forget => None,
        QuotaStep::Begin(watch) => Some(watch),
        QuotaStep::Look(mut watch) => {
            if let Some((used, total)) = used
                && let Some(percent) = watch.note(used, total, spent)
            {
                note_quota(draft, &row, &watch, (used, total), percent);
            }
            Some(watch)
        }
    };
    draft.put(row);
    Ok(())
}

fn turn_balance(draft: &mut Draft, row: &mut AccountRow, below: Option<Credits>, fell: bool) {
    let left = left(&row.account.books);
    let Some(turn) = row.alerts.balance(left, below, fell) else { return };
    row.alerts.low = turn == BalanceTurn::Low;
    let kind = match turn {
        BalanceTurn::Low => EventKind::BalanceLow,
        BalanceTurn::Recovered => EventKind::BalanceRecovered,
        BalanceTurn::Off => return,
    };
    let data = json!({
        "account": row.account.id.as_str(),
        "left": left.to_string(),
        "below": below.unwrap_or_default().to_string(),
        "owed": row.account.books.owed.to_string(),
    });
    note(draft, kind, row.account.no, data);
}

/// How much is used of what a plan gave for the running period, without what may be overdrawn; and how much that was. What is in
/// leases isn't used.
fn used(draft: &mut Draft, row: &AccountRow) -> Result<(Credits, Credits), Stop> {
    let no = row.account.no;
    let (subscription, holders) = (draft.newest_subscription(no), draft.holders_of(no));
    let Some(subscription) = subscription? else { return Ok((Credits::ZERO, Credits::ZERO)) };
    let given = draft.given_by(subscription.no)?;
    let end = subscription.subscription.granted_until.as_millisecond();
    let is_quota = |row: &&GrantRow| {
        row.grant.priority != OVERDRAFT_PRIORITY
            && row.grant.expires_at.is_some_and(|expires_at| expires_at.as_millisecond() == end)
    };
    let quota: Vec<&GrantRow> = given.iter().filter(is_quota).collect();
    let sum = |of: fn(&GrantRow) -> Credits| {
        quota.iter().fold(Credits::ZERO, |sum, row| sum.saturating_add(of(row)))
    };
    let total = sum(|row| row.amount.less(row.grant.voided).less(row.grant.voiding));
    let remaining = sum(|row| row.grant.remaining);
    let is_of = |no: GrantNo| quota.iter().any(|row| row.grant.no == no);
    let leased = holders?.into_iter().flat_map(|row| row.lease.draws).filter(|draw| is_of(draw.grant));
    let leased = leased.fold(Credits::ZERO, |sum, draw| sum.saturating_add(draw.left));
    Ok((total.less(remaining).less(leased), total))
}

fn note_quota(
    draft: &mut Draft,
    row: &AccountRow,
    watch: &QuotaWatch,
    (used, total): (Credits, Credits),
    percent: u8,
) {
    let running = row.account.entitlement.as_ref().and_then(|entitlement| entitlement.running.as_ref());
    let data = json!({
        "account": row.account.id.as_str(),
        "plan": row.account.plan,
        "percent": percent,
        "quota": total.to_string(),
        "used": used.to_string(),
        "period_started_at": watch.start.to_string(),
        "period_ends_at": running.map(|running| running.end.to_string()),
    });
    note(draft, EventKind::QuotaUsed, row.account.no, data);
}

fn look_at_budget(draft: &mut Draft, place: BudgetKey) -> Result<(), Stop> {
    let Some(row) = draft.budget(place)? else { return Ok(()) };
    let mut budget = row.budget();
    let crossed = budget.note_spent();
    if let Some(percent) = crossed {
        let owner = draft.account(row.account);
        let target = match budget.scope {
            Scope::Account => Ok(None),
            Scope::Team(no) => draft.team(no).map(|row| row.map(|row| row.id)),
            Scope::Key(no) => draft.key(no).map(|row| row.map(|row| row.key.id.to_string())),
        };
        let (owner, target) = (owner?, target?);
        let data = json!({
            "account": owner.map(|owner| owner.account.id.to_string()),
            "scope": budget.scope.as_str(),
            "target": target,
            "percent": percent,
            "credits": budget.credits.to_string(),
            "spent": budget.spent.to_string(),
            "period_started_at": budget.start.to_string(),
            "resets_at": budget.until.to_string(),
        });
        note(draft, EventKind::BudgetUsed, row.account, data);
    }
    draft.put(BudgetRow::of(row.account, &budget, row.created_at));
    Ok(())
}

/// Sets the threshold of an account, or that of all that have none of their own.
pub fn set(
    draft: &mut Draft,
    account: Option<&str>,
    asked: &api::NewAlerts,
    now: Timestamp,
) -> Result<api::Alerts, Stop> {
    let Some(id) = account else {
        draft.alert_below()?;
        let one = AlertDefaultRow::ONE;
        draft.put(AlertDefaultRow { one, balance_below: asked.balance_below, changed_at: now });
        return Ok(api::Alerts {
            account: None,
            balance_below: asked.balance_below,
            is_default: true,
            low: false,
        });
    };
    let (owner, default) = (draft.account_named(id), draft.alert_below());
    let mut row = owner?;
    row.alerts.below = asked.balance_below;
    draft.put(row.clone());
    // What is announced because of it is decided when all is done.
    look_at(draft, row.account.no, has_begun(&row), now)?;
    let row = draft.account(row.account.no)?.unwrap_or(row);
    Ok(shown(&row, default?))
}

/// What the admin API shows.
pub fn shown(row: &AccountRow, default: Option<Credits>) -> api::Alerts {
    api::Alerts {
        account: Some(row.account.id.to_string()),
        balance_below: row.alerts.threshold(&row.account, default),
        is_default: row.alerts.below.is_none(),
        low: row.alerts.low,
    }
}
