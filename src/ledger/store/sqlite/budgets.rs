//! Budgets: loaded for a key, kept when they moved, set and taken away by operators.

use super::{accounts, leases};
use crate::api;
use crate::domain::budget::MAX_BUDGETS;
use crate::domain::{Account, AccountNo, AccountState, Budget, GatewayNo, Key, KeyNo, Scope, TeamNo};
use crate::store::budgets::{COLUMNS, Level, StoredBudget, goes_with, is_tighter, no_budget, no_target};
use crate::store::command::{NewBudget, Whose};
use crate::store::{Refusal, StoreError};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredBudget> {
    Ok(StoredBudget {
        scope: row.get(0)?,
        target: row.get(1)?,
        credits: row.get(2)?,
        unit: row.get(3)?,
        every: row.get(4)?,
        zone: row.get(5)?,
        period_ms: row.get(6)?,
        until_ms: row.get(7)?,
        spent: row.get(8)?,
        held: row.get(9)?,
    })
}

/// The budgets of a key, its team and its account. Accounts without any pay nothing.
pub fn of_key(conn: &Connection, account: &Account, key: &Key) -> Result<Vec<Budget>, StoreError> {
    if account.budgets == 0 {
        return Ok(Vec::new());
    }
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM (SELECT 'account' AS scope, 0 AS target UNION ALL SELECT 'team', ?2 UNION ALL SELECT 'key', ?3) n
          JOIN budgets b ON b.account = ?1 AND b.scope = n.scope AND b.target = n.target",
    ]
    .concat();
    let given = params![account.no.0, key.team.map_or(0, |team| team.0), key.no.0];
    let mut find = conn.prepare_cached(&sql)?;
    let found = find.query_map(given, stored)?.collect::<Result<Vec<_>, _>>()?;
    found.iter().map(StoredBudget::read).collect()
}

/// Keeps those that moved.
pub fn keep(
    conn: &Connection,
    account: AccountNo,
    before: &[Budget],
    after: &[Budget],
) -> Result<(), StoreError> {
    for budget in after.iter().filter(|budget| !before.contains(budget)) {
        conn.prepare_cached(
            "UPDATE budgets SET period_ms = ?4, until_ms = ?5, spent = ?6, held = ?7
             WHERE account = ?1 AND scope = ?2 AND target = ?3",
        )?
        .execute(params![
            account.0,
            budget.scope.as_str(),
            budget.scope.target(),
            budget.start.as_millisecond(),
            budget.until.as_millisecond(),
            budget.spent.micros(),
            budget.held.micros(),
        ])?;
    }
    Ok(())
}

/// Budgets of an account with what people know them by, from behind a row on.
fn levels(
    conn: &Connection,
    account: AccountNo,
    (scope, target): &(String, i64),
    most: i64,
) -> Result<Vec<Level>, StoreError> {
    let sql = [
        "SELECT ",
        COLUMNS,
        ", coalesce(t.id, k.id), k.team, b.created_ms FROM budgets b
           LEFT JOIN teams t ON b.scope = 'team' AND t.no = b.target
           LEFT JOIN keys k ON b.scope = 'key' AND k.no = b.target
         WHERE b.account = ?1 AND (b.scope, b.target) > (?2, ?3) ORDER BY b.scope, b.target LIMIT ?4",
    ]
    .concat();
    let read = |row: &Row<'_>| {
        let team = row.get::<_, Option<i64>>(11)?.map(TeamNo);
        Ok((stored(row)?, row.get(10)?, team, row.get(12)?))
    };
    let mut find = conn.prepare_cached(&sql)?;
    let found =
        find.query_map(params![account.0, scope, target, most], read)?.collect::<Result<Vec<_>, _>>()?;
    let level = |(stored, target, team, created_ms): (StoredBudget, _, _, _)| {
        Ok(Level { budget: stored.read()?, target, team, created_ms })
    };
    found.into_iter().map(level).collect()
}

/// What a name means in an account, and the team of a key.
fn find(conn: &Connection, owner: &Account, whose: &Whose) -> Result<(Scope, Option<TeamNo>), StoreError> {
    let account = owner.id.as_str();
    match whose {
        Whose::Account => Ok((Scope::Account, None)),
        Whose::Team(id) => {
            let team = team(conn, owner, id)?.ok_or_else(|| no_target(account, "target", "team", id))?;
            Ok((Scope::Team(team), None))
        }
        Whose::Key(id) => {
            let found = conn
                .prepare_cached("SELECT no, team FROM keys WHERE id = ?1 AND account = ?2")?
                .query_row(params![id, owner.no.0], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))
                .optional()?;
            let (no, team) = found.ok_or_else(|| no_target(account, "target", "key", id))?;
            Ok((Scope::Key(KeyNo(no)), team.map(TeamNo)))
        }
    }
}

/// The team of an account with this identifier.
pub fn team(conn: &Connection, owner: &Account, id: &str) -> Result<Option<TeamNo>, StoreError> {
    let mut find = conn.prepare_cached("SELECT no FROM teams WHERE account = ?1 AND id = ?2")?;
    Ok(find.query_row(params![owner.no.0, id], |row| row.get(0)).optional()?.map(TeamNo))
}

/// The leases with money in a scope: `?2` and `?3` are its name and its row.
const IN_SCOPE: &str =
    "account = ?1 AND escrow > 0 AND state = 'open' AND (?2 = 'account' OR ?2 = 'key' AND key = ?3
    OR ?2 = 'team' AND EXISTS (SELECT 1 FROM keys k WHERE k.no = leases.key AND k.team = ?3))";

/// Sets a budget, or changes it. Where less may go through than before, leases are recalled.
pub fn set(conn: &Connection, asked: &NewBudget, now: Timestamp) -> Result<api::Budget, StoreError> {
    let owner = accounts::by_id(conn, &asked.account)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(asked.account.clone()).into());
    }
    let (scope, team) = find(conn, &owner, &asked.whose)?;
    let all = levels(conn, owner.no, &(String::new(), 0), MAX_BUDGETS)?;
    let old = all.iter().find(|level| level.budget.scope == scope);
    let (mut budget, created_ms) = match old {
        Some(level) => (level.budget.clone(), level.created_ms),
        None if owner.budgets >= MAX_BUDGETS => {
            return Err(Refusal::TooMany { what: "budgets of this account", limit: MAX_BUDGETS }.into());
        }
        None => {
            let held = held(conn, owner.no, scope)?;
            let fresh = Budget::fresh(scope, asked.credits, asked.rhythm.clone(), held, now);
            (fresh, now.as_millisecond())
        }
    };
    budget.change(asked.credits, asked.rhythm.clone(), now);
    let target = asked.whose.target().map(str::to_owned);
    let level = Level { budget, target, team, created_ms };
    goes_with(&level, &all)?;
    write(conn, owner.no, &level)?;
    if old.is_none() {
        conn.prepare_cached("UPDATE accounts SET budgets = budgets + 1 WHERE no = ?1")?
            .execute([owner.no.0])?;
    }
    if old.is_none_or(|old| is_tighter(&old.budget, &level.budget)) {
        recall(conn, owner.no, scope, now)?;
    }
    Ok(level.shown(&asked.account, now))
}

fn held(conn: &Connection, account: AccountNo, scope: Scope) -> Result<Credits, StoreError> {
    let sql = ["SELECT coalesce(sum(escrow), 0) FROM leases WHERE ", IN_SCOPE].concat();
    let given = params![account.0, scope.as_str(), scope.target()];
    Ok(conn.prepare_cached(&sql)?.query_row(given, |row| row.get(0)).map(Credits::from_micros)?)
}

fn write(conn: &Connection, account: AccountNo, level: &Level) -> Result<(), StoreError> {
    let budget = &level.budget;
    conn.prepare_cached(
        "INSERT INTO budgets (account, scope, target, credits, unit, every, zone, period_ms, until_ms, spent, held,
           created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (account, scope, target) DO UPDATE SET credits = ?4, unit = ?5, every = ?6, zone = ?7,
           period_ms = ?8, until_ms = ?9, spent = ?10, held = ?11",
    )?
    .execute(params![
        account.0,
        budget.scope.as_str(),
        budget.scope.target(),
        budget.credits.micros(),
        budget.rhythm.unit.as_str(),
        budget.rhythm.every,
        budget.rhythm.zone_name(),
        budget.start.as_millisecond(),
        budget.until.as_millisecond(),
        budget.spent.micros(),
        budget.held.micros(),
        level.created_ms,
    ])?;
    Ok(())
}

/// Asks the holders in a scope to hand back what they don't need.
fn recall(conn: &Connection, account: AccountNo, scope: Scope, now: Timestamp) -> Result<(), StoreError> {
    let sql = ["UPDATE leases SET recall = 1 WHERE escrow > held AND ", IN_SCOPE].concat();
    let given = params![account.0, scope.as_str(), scope.target()];
    if conn.prepare_cached(&sql)?.execute(given)? > 0 {
        leases::announce(conn, account, KeyNo(0), GatewayNo(0), now)?;
    }
    Ok(())
}

/// Takes a budget away; tells what it was.
pub fn clear(
    conn: &Connection,
    account: &str,
    whose: &Whose,
    now: Timestamp,
) -> Result<api::Budget, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let (scope, _) = find(conn, &owner, whose)?;
    let all = levels(conn, owner.no, &(String::new(), 0), MAX_BUDGETS)?;
    let level = all.iter().find(|level| level.budget.scope == scope);
    let level = level.ok_or_else(|| no_budget(account, whose.target()))?;
    conn.prepare_cached("DELETE FROM budgets WHERE account = ?1 AND scope = ?2 AND target = ?3")?
        .execute(params![owner.no.0, scope.as_str(), scope.target()])?;
    conn.prepare_cached("UPDATE accounts SET budgets = budgets - 1 WHERE no = ?1")?.execute([owner.no.0])?;
    Ok(level.shown(account, now))
}
