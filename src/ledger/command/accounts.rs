//! Accounts: made, suspended, resumed and closed. Closing one ends its subscription.

use super::subscriptions;
use crate::api;
use crate::domain::account::Turn;
use crate::domain::{Account, AccountId, AccountNo, AccountState, Books, Grant};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::Record as _;
use crate::store::rows::{AccountRow, GrantRow};
use faregate_protocol::Credits;
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
    let row = AccountRow { account, name, created_at: now };
    draft.put(row.clone());
    Ok(shown(&row))
}

/// Suspends, resumes or closes an account.
pub fn turn(draft: &mut Draft, id: &str, turn: Turn, now: Timestamp) -> Result<api::Account, Stop> {
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

/// An account that is not closed, locked.
pub fn not_closed(draft: &mut Draft, id: &str) -> Result<AccountRow, Stop> {
    let row = draft.account_named(id)?;
    if row.account.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(id.to_owned()).into());
    }
    Ok(row)
}

/// An account, as the admin API shows it.
pub fn show(draft: &mut Draft, id: &str) -> Result<api::Account, Stop> {
    draft.account_named(id).map(|row| shown(&row))
}

/// What the admin API shows.
pub fn shown(row: &AccountRow) -> api::Account {
    api::Account {
        id: row.account.id.to_string(),
        name: row.name.clone(),
        state: row.account.state,
        created_at: row.created_at,
    }
}

/// An account's balance; grants that have expired but were not taken out yet count as expired.
pub fn balance(draft: &mut Draft, id: &str, now: Timestamp) -> Result<api::Balance, Stop> {
    let account = draft.account_named(id)?.account;
    let grants = draft.grants_of(account.no, [])?;
    let expired_grants = grants.iter().map(GrantRow::grant).filter(|grant: &Grant| grant.is_expired(now));
    let lapsed = expired_grants.fold(Credits::ZERO, |sum, grant| sum.saturating_add(grant.remaining));
    let Books { available, held, spent, expired, owed, granted } = account.books;
    Ok(api::Balance {
        account: account.id.to_string(),
        state: account.state,
        available: available.less(lapsed),
        held,
        spent,
        expired: expired.saturating_add(lapsed),
        owed,
        granted,
        unit: api::UNIT.to_owned(),
    })
}
