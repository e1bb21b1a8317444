//! Budgets: set and taken away by operators.

use super::recall;
use super::teams::no_target;
use crate::api;
use crate::domain::budget::MAX_BUDGETS;
use crate::domain::budget_level::{Level, goes_with, is_tighter};
use crate::domain::period::Rhythm;
use crate::domain::{AccountNo, Budget, KeyNo, Scope, TeamNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::rows::{AccountRow, BudgetRow, LeaseRow};
use faregate_protocol::Credits;
use jiff::Timestamp;

/// What a budget is of, by the names that people use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The whole account.
    Account,
    /// The team with this identifier.
    Team(String),
    /// The key with this identifier.
    Key(String),
}

impl Whose {
    /// The team's or the key's identifier.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Account => None,
            Self::Team(id) | Self::Key(id) => Some(id),
        }
    }
}

/// A budget that is set.
#[derive(Clone, Debug)]
pub struct NewBudget {
    /// In which account.
    pub account: String,
    /// Of what.
    pub whose: Whose,
    /// How much per period; above zero.
    pub credits: Credits,
    /// Its periods, by the calendar.
    pub rhythm: Rhythm,
}

/// Sets a budget, or changes it. Where less may go through than before, leases are recalled.
pub fn set(draft: &mut Draft, asked: &NewBudget, now: Timestamp) -> Result<api::Budget, Stop> {
    let owner = draft.account_not_closed(&asked.account)?;
    let no = owner.account.no;
    let (scope, team) = find(draft, &owner, &asked.whose)?;
    let all = levels(draft, no)?;
    let old = all.iter().find(|level| level.budget.scope == scope);
    if old.is_none() && owner.account.budgets >= MAX_BUDGETS {
        return Err(Refusal::TooMany { what: "budgets of this account", limit: MAX_BUDGETS }.into());
    }
    let (mut budget, created_at) = if let Some(level) = old {
        (level.budget.clone(), level.created_at)
    } else {
        let holders = holders_in(draft, no, scope)?;
        let held = holders.iter().fold(Credits::ZERO, |sum, row| sum.saturating_add(row.escrow));
        (Budget::fresh(scope, asked.credits, asked.rhythm.clone(), held, now), now)
    };
    budget.change(asked.credits, asked.rhythm.clone(), now);
    let target = asked.whose.target().map(str::to_owned);
    let level = Level { budget, target, team, created_at };
    goes_with(&level, &all)?;
    if old.is_none_or(|old| is_tighter(&old.budget, &level.budget)) {
        let holders = holders_in(draft, no, scope)?;
        if recall::holders(draft, holders) {
            draft.announce_account(no, KeyNo(0), now);
        }
    }
    draft.put(BudgetRow::of(no, &level.budget, created_at));
    if old.is_none() {
        count(draft, owner, 1);
    }
    Ok(level.shown(&asked.account, now))
}

/// Removes a budget. Returns its last state.
pub fn clear(draft: &mut Draft, account: &str, whose: &Whose, now: Timestamp) -> Result<api::Budget, Stop> {
    let owner = draft.account_named(account)?;
    let (scope, team) = find(draft, &owner, whose)?;
    let place = BudgetRow::place(owner.account.no, scope);
    let row = draft.budget(place)?.ok_or_else(|| no_budget(account, whose.target()))?;
    draft.remove::<BudgetRow>(&place);
    count(draft, owner, -1);
    let target = whose.target().map(str::to_owned);
    let level = Level { budget: row.budget(), target, team, created_at: row.created_at };
    Ok(level.shown(account, now))
}

/// Gives a key the budget that another key of the account has, if it has one. What that has spent and holds in the running
/// period counts as spent, so that a second key is no way to spend more.
pub fn copy_to_key(
    draft: &mut Draft,
    owner: AccountRow,
    from: KeyNo,
    to: KeyNo,
    now: Timestamp,
) -> Result<(), Stop> {
    let no = owner.account.no;
    let Some(row) = draft.budget(BudgetRow::place(no, Scope::Key(from)))? else { return Ok(()) };
    if owner.account.budgets >= MAX_BUDGETS {
        return Err(Refusal::TooMany { what: "budgets of this account", limit: MAX_BUDGETS }.into());
    }
    let mut budget = row.budget();
    budget.roll(now);
    let spent = budget.spent.saturating_add(budget.held);
    let copy = Budget { scope: Scope::Key(to), spent, held: Credits::ZERO, ..budget };
    draft.put(BudgetRow::of(no, &copy, now));
    count(draft, owner, 1);
    Ok(())
}

fn count(draft: &mut Draft, mut owner: AccountRow, more: i64) {
    owner.account.budgets = owner.account.budgets.saturating_add(more);
    draft.put(owner);
}

/// What a name means in an account, and the team of a key.
fn find(draft: &mut Draft, owner: &AccountRow, whose: &Whose) -> Result<(Scope, Option<TeamNo>), Stop> {
    let (account, no) = (owner.account.id.as_str(), owner.account.no);
    match whose {
        Whose::Account => Ok((Scope::Account, None)),
        Whose::Team(id) => {
            let team = draft.team_named(no, id)?.ok_or_else(|| no_target(account, "target", "team", id))?;
            Ok((Scope::Team(team), None))
        }
        Whose::Key(id) => {
            let found = draft.key_named(id)?.filter(|row| row.account == no);
            let key = found.ok_or_else(|| no_target(account, "target", "key", id))?.key;
            Ok((Scope::Key(key.no), key.team))
        }
    }
}

/// All budgets of an account with what people know them by.
fn levels(draft: &mut Draft, account: AccountNo) -> Result<Vec<Level>, Stop> {
    let rows = draft.all_budgets(account)?;
    let mut level = |row: &BudgetRow| {
        let (target, team) = match row.whose() {
            Scope::Account => (None, None),
            Scope::Team(team) => (draft.team(team)?.map(|row| row.id), None),
            Scope::Key(key) => {
                let key = draft.key(key)?.map(|row| row.key);
                (key.as_ref().map(|key| key.id.to_string()), key.and_then(|key| key.team))
            }
        };
        Ok(Level { budget: row.budget(), target, team, created_at: row.created_at })
    };
    // All are asked for before the first that is missing ends this.
    let levels: Vec<Result<Level, Stop>> = rows.iter().map(&mut level).collect();
    levels.into_iter().collect()
}

/// The leases with money in a scope of an account that is locked.
pub fn holders_in(draft: &mut Draft, account: AccountNo, scope: Scope) -> Result<Vec<LeaseRow>, Stop> {
    let holders = draft.holders_of(account)?;
    let mut covered = |row: LeaseRow| {
        let covered = match scope {
            Scope::Account => true,
            Scope::Key(key) => row.lease.key == key,
            Scope::Team(_) => draft.key(row.lease.key)?.is_some_and(|key| scope.covers(&key.key)),
        };
        Ok(Some(row).filter(|_| covered))
    };
    let rows: Vec<Result<Option<LeaseRow>, Stop>> = holders.into_iter().map(&mut covered).collect();
    let rows = rows.into_iter().collect::<Result<Vec<_>, Stop>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// There is no such budget.
pub fn no_budget(account: &str, target: Option<&str>) -> Refusal {
    let id = target.map_or_else(|| account.to_owned(), |target| format!("{account}/{target}"));
    Refusal::NotFound { what: "budget of", id }
}
