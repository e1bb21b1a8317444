//! An account's money on a draft: loaded before something moves, and kept afterwards.
//!
//! What must hold: whatever an operation moves in a [`AccountFunds`] reaches the draft by [`keep`], with an entry for every
//! posting; and all holders of a tight account have fast heartbeats, those of others none.

use crate::domain::time::minute;
use crate::domain::{
    Account, AccountFunds, AccountNo, Budget, Draw, Grant, GrantNo, Key, Lease, LeaseState, Posting, Scope,
};
use crate::store::draft::{Draft, Stop};
use crate::store::rows::{AccountRow, BudgetKey, BudgetRow, EntryRow, GrantRow, LeaseRow};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// An account, locked, with its live grants and those that `draws` are from. None when another transaction has it.
pub fn load(
    draft: &mut Draft,
    account: AccountNo,
    draws: &[Draw],
) -> Result<Option<(AccountRow, AccountFunds)>, Stop> {
    let Some(row) = draft.account(account)? else { return Ok(None) };
    let funds = of(draft, &row, draws)?;
    Ok(Some((row, funds)))
}

/// The money of an account that is locked.
pub fn of(draft: &mut Draft, row: &AccountRow, draws: &[Draw]) -> Result<AccountFunds, Stop> {
    let grants = draft.grants_of(row.account.no, draws.iter().map(|draw| draw.grant))?;
    Ok(AccountFunds::new(row.account.clone(), grants.iter().map(GrantRow::grant).collect()))
}

/// Where the budgets of a key, its team and its account are. Accounts without any pay nothing.
pub fn budget_keys(account: &Account, key: &Key) -> impl Iterator<Item = BudgetKey> {
    let scopes = [Some(Scope::Account), key.team.map(Scope::Team), Some(Scope::Key(key.no))];
    let (no, has_any) = (account.no, account.budgets > 0);
    scopes.into_iter().flatten().filter(move |_| has_any).map(move |scope| BudgetRow::place(no, scope))
}

/// The budgets of a key, its team and its account, which is locked.
pub fn budgets(draft: &mut Draft, account: &Account, key: &Key) -> Result<Vec<Budget>, Stop> {
    // All are asked for before the first that is missing ends this.
    let rows: Vec<_> = budget_keys(account, key).map(|place| draft.budget(place)).collect();
    let rows = rows.into_iter().collect::<Result<Vec<_>, Stop>>()?;
    Ok(rows.iter().flatten().map(BudgetRow::budget).collect())
}

/// Keeps what has changed of an account's money. A lease that has changed with it must be kept before.
pub fn keep(
    draft: &mut Draft,
    before: &AccountRow,
    funds: &AccountFunds,
    now: Timestamp,
) -> Result<(), Stop> {
    let account = &funds.account;
    // What may still be missing comes first.
    let changes = before.account.tight != account.tight;
    let holders = if changes { draft.holders_of(account.no)? } else { Vec::new() };
    for budget in funds.budgets() {
        if let Some(row) = draft.budget(BudgetRow::place(account.no, budget.scope))? {
            draft.put(BudgetRow::of(account.no, budget, row.created_at));
        }
    }
    for mut row in holders {
        row.lease.fast_heartbeat = account.tight;
        draft.put(row);
    }
    for grant in funds.changed_grants() {
        keep_grant(draft, grant);
    }
    for posting in funds.postings() {
        draft.add(entry(account.no, posting, now));
    }
    draft.put(AccountRow { account: account.clone(), ..before.clone() });
    Ok(())
}

fn keep_grant(draft: &mut Draft, grant: &Grant) {
    if let Some(mut row) = draft.loaded_grant(grant.no) {
        let Grant { remaining, voided, voiding, voiding_owed, .. } = *grant;
        row.grant = Grant { remaining, voided, voiding, voiding_owed, ..row.grant };
        draft.put(row);
    }
}

fn entry(account: AccountNo, posting: &Posting, now: Timestamp) -> EntryRow {
    let Posting { kind, place, grant, amount } = *posting;
    let place = (account, minute(now), kind.number(), place.key, place.gateway, place.epoch, grant);
    EntryRow { place, amount }
}

/// Keeps what has changed of a lease. One whose gateway has just named it is stamped, even when nothing else about it
/// is new. What never was a lease, and let nothing through on credit, has no row.
pub fn keep_lease(
    draft: &mut Draft,
    before: Option<&LeaseRow>,
    lease: &Lease,
    touched: bool,
    now: Timestamp,
) {
    let has_row = lease.epoch > 0 || lease.on_credit.is_positive();
    let is_new = before.is_none_or(|before| before.lease != *lease);
    if !has_row || !(is_new || touched) {
        return;
    }
    // An open lease changes with every report: then only when it was opened is kept, so that its row stays cheap to
    // write.
    let stays = |row: &&LeaseRow| {
        lease.state == LeaseState::Open && (row.lease.epoch, row.lease.state) == (lease.epoch, lease.state)
    };
    let changed_at = before.filter(stays).map_or(now, |row| row.changed_at);
    let touch = if touched { draft.stamp } else { before.map_or(0, |row| row.touch) };
    draft.put(LeaseRow { lease: lease.clone(), escrow: lease.escrow(), touch, changed_at });
}

/// Removes the remainder of an account's expired grants.
pub fn expire(draft: &mut Draft, account: AccountNo, now: Timestamp) -> Result<(), Stop> {
    let Some((row, mut funds)) = load(draft, account, &[])? else { return Ok(()) };
    funds.expire(now)?;
    keep(draft, &row, &funds, now)
}

/// Takes back up to an amount of what remains of these grants, in their order; how much that was.
pub fn cut(
    draft: &mut Draft,
    row: &AccountRow,
    (from, amount): (&[GrantNo], Credits),
    now: Timestamp,
) -> Result<Credits, Stop> {
    let mut funds = of(draft, row, &[])?;
    let cut = funds.cut(from, amount)?;
    keep(draft, row, &funds, now)?;
    Ok(cut)
}
