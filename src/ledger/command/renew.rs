//! Renews a subscription whose time has come: by the job, or before an exchange serves its account.
//!
//! What must hold: a renewal that is refused leaves no trace but that it rests for a while, so that it keeps neither
//! other renewals nor the account's exchanges from going on.

use super::{plans, steps, subscriptions};
use crate::domain::time::at;
use crate::domain::{AccountId, AccountNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::operation::Operation;
use crate::store::rows::{AccountRow, SubscriptionRow};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// What came of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewalOutcome {
    /// What was given; nothing when nothing was due.
    Done(Vec<Credits>),
    /// It was refused, and rests for [`steps::AGAIN_MS`].
    Rests {
        /// Why.
        why: Refusal,
        /// Whose.
        account: AccountId,
    },
}

/// Runs the due step of a subscription.
#[derive(Clone, Copy, Debug)]
pub struct Renew {
    /// Which.
    pub subscription: i64,
    /// Whose.
    pub account: AccountNo,
}

impl Operation for Renew {
    type Output = RenewalOutcome;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<RenewalOutcome, Stop> {
        let nothing = RenewalOutcome::Done(Vec::new());
        // An account that another ledger has locked is left to it.
        let Some(account) = draft.account(self.account)? else { return Ok(nothing) };
        let Some(row) = draft.subscription(self.subscription)? else { return Ok(nothing) };
        if is_due(draft, &row, now)? { attempt(draft, &account, row, now) } else { Ok(nothing) }
    }
}

/// Does what is due about the subscription of an account that is locked. None when nothing was due. The account may be
/// another afterwards: look it up again.
pub fn advance_if_due(
    draft: &mut Draft,
    account: &AccountRow,
    now: Timestamp,
) -> Result<Option<RenewalOutcome>, Stop> {
    if account.account.due.is_none_or(|due| due > now) {
        return Ok(None);
    }
    match draft.newest_subscription(account.account.no)? {
        Some(row) if is_due(draft, &row, now)? => attempt(draft, account, row, now).map(Some),
        found => {
            // The account says otherwise than its subscription, which counts.
            keep_due(draft, account, found.and_then(|row| row.due));
            Ok(None)
        }
    }
}

/// Whether its time has come, or a version is to count at once.
fn is_due(draft: &mut Draft, row: &SubscriptionRow, now: Timestamp) -> Result<bool, Stop> {
    let Some(due) = row.due else { return Ok(false) };
    Ok(due <= now || plans::row(draft, row.subscription.plan)?.at_once > row.subscription.version)
}

fn attempt(
    draft: &mut Draft,
    account: &AccountRow,
    row: SubscriptionRow,
    now: Timestamp,
) -> Result<RenewalOutcome, Stop> {
    let mut stored = subscriptions::named(draft, row.clone(), account)?;
    let savepoint = draft.savepoint();
    match steps::advance(draft, &mut stored, now) {
        Ok(given) => Ok(RenewalOutcome::Done(given)),
        Err(Stop::Refused(why)) => {
            draft.rollback_to(&savepoint);
            rest(draft, account, row, now)?;
            Ok(RenewalOutcome::Rests { why, account: account.account.id.clone() })
        }
        Err(other) => Err(other),
    }
}

/// Postpones the due step. A pending immediate grant of a new plan version is dropped.
fn rest(
    draft: &mut Draft,
    account: &AccountRow,
    mut row: SubscriptionRow,
    now: Timestamp,
) -> Result<(), Stop> {
    let at_once = plans::row(draft, row.subscription.plan)?.at_once;
    row.subscription.version = row.subscription.version.max(at_once);
    row.due = Some(at(now.as_millisecond().saturating_add(steps::AGAIN_MS)));
    keep_due(draft, account, row.due);
    draft.put(row);
    Ok(())
}

fn keep_due(draft: &mut Draft, account: &AccountRow, due: Option<Timestamp>) {
    let mut account = account.clone();
    account.account.due = due;
    draft.put(account);
}
