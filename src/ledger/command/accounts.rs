//! Accounts: made, renamed, suspended, resumed, closed and reopened. Closing one ends its subscription.

use super::subscriptions;
use crate::api;
use crate::domain::account::{REOPENS_FOR, Transition};
use crate::domain::{Account, AccountId, AccountNo, AccountState};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::{Record as _, stored_note};
use crate::store::rows::AccountRow;
use jiff::Timestamp;

/// Makes an account.
pub fn create(
    draft: &mut Draft,
    id: &AccountId,
    name: Option<String>,
    now: Timestamp,
) -> Result<api::Account, Stop> {
    if draft.has_account(id.as_str())? {
        return Err(Refusal::AccountExists(id.to_string()).into());
    }
    let no = AccountNo(draft.number(AccountRow::TABLE)?);
    let account = Account { no, id: id.clone(), ..Account::default() };
    let row = AccountRow { account, name: stored_note(name), created_at: now, ..AccountRow::default() };
    draft.put(row.clone());
    Ok(shown(&row))
}

/// Changes what people call an account.
pub fn rename(draft: &mut Draft, id: &str, name: &str) -> Result<api::Account, Stop> {
    let mut row = draft.account_named(id)?;
    row.name = stored_note(Some(name.to_owned()));
    draft.put(row.clone());
    Ok(shown(&row))
}

/// Suspends, resumes, closes or reopens an account.
pub fn turn(draft: &mut Draft, id: &str, turn: Transition, now: Timestamp) -> Result<api::Account, Stop> {
    let mut row = draft.account_named(id)?;
    let state = turn.of(row.account.state).map_err(|_| Refusal::AccountClosed(id.to_owned()))?;
    if state != row.account.state {
        if turn == Transition::Reopen {
            reopens(&row, now)?;
        }
        row.closed_at = Some(now).filter(|_| state == AccountState::Closed);
        row.account.state = state;
        draft.put(row.clone());
        draft.announce_account(row.account.no, crate::domain::KeyNo(0), now);
    }
    if state == AccountState::Closed {
        subscriptions::account_closed(draft, &row, now)?;
    }
    Ok(shown(&row))
}

/// Whether a closed account can still be reopened.
fn reopens(row: &AccountRow, now: Timestamp) -> Result<(), Refusal> {
    let account = || row.account.id.to_string();
    let closed_at =
        row.closed_at.ok_or_else(|| Refusal::ClosedTooLong { account: account(), since: None })?;
    if now.duration_since(closed_at) > REOPENS_FOR {
        return Err(Refusal::ClosedTooLong { account: account(), since: Some(closed_at) });
    }
    Ok(())
}

/// What the admin API shows.
pub fn shown(row: &AccountRow) -> api::Account {
    api::Account {
        id: row.account.id.to_string(),
        name: row.name.clone(),
        state: row.account.state,
        created_at: row.created_at,
        closed_at: row.closed_at,
        plan: row.account.plan.clone(),
        renews_at: row.account.entitlement.as_ref().and_then(|entitlement| entitlement.renews_at),
        available: row.account.books.available,
    }
}
