//! Accounts: made, suspended, resumed and closed. Closing one ends its subscription.

use super::subscriptions;
use crate::api;
use crate::domain::account::Transition;
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
    let row = AccountRow { account, name: stored_note(name), created_at: now };
    draft.put(row.clone());
    Ok(shown(&row))
}

/// Suspends, resumes or closes an account.
pub fn turn(draft: &mut Draft, id: &str, turn: Transition, now: Timestamp) -> Result<api::Account, Stop> {
    let mut row = draft.account_named(id)?;
    let state = turn.of(row.account.state).map_err(|_| Refusal::AccountClosed(id.to_owned()))?;
    if state != row.account.state {
        row.account.state = state;
        draft.put(row.clone());
        draft.announce_account(row.account.no, crate::domain::KeyNo(0), now);
    }
    if state == AccountState::Closed {
        subscriptions::account_closed(draft, &row, now)?;
    }
    Ok(shown(&row))
}

/// What the admin API shows.
pub fn shown(row: &AccountRow) -> api::Account {
    api::Account {
        id: row.account.id.to_string(),
        name: row.name.clone(),
        state: row.account.state,
        created_at: row.created_at,
        plan: row.account.plan.clone(),
        renews_at: row.account.entitlement.as_ref().and_then(|entitlement| entitlement.renews_at),
        available: row.account.books.available,
    }
}
