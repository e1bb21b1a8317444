//! Budgets: loaded for keys, set and taken away by operators. Whatever reads one to change it has locked its
//! account before.

use super::keep::Change;
use super::load;
use super::sheet::Sheet;
use super::trouble::Trouble;
use super::{micros, named};
use crate::api;
use crate::domain::budget::MAX_BUDGETS;
use crate::domain::{Account, AccountNo, AccountState, Budget, GatewayNo, KeyNo, Scope, TeamNo};
use crate::store::budgets::{COLUMNS, Level, StoredBudget, goes_with, is_tighter, no_budget, no_target};
use crate::store::command::{NewBudget, Whose};
use crate::store::{Refusal, StoreError};
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

fn stored(row: &Row) -> Result<StoredBudget, Error> {
    Ok(StoredBudget {
        scope: row.try_get(0)?,
        target: row.try_get(1)?,
        credits: row.try_get(2)?,
        unit: row.try_get(3)?,
        every: row.try_get(4)?,
        zone: row.try_get(5)?,
        period_ms: row.try_get(6)?,
        until_ms: row.try_get(7)?,
        spent: row.try_get(8)?,
        held: row.try_get(9)?,
    })
}

/// Puts the budgets of the loaded keys on the sheet, with those of their teams and accounts. Accounts without
/// any pay nothing.
pub async fn load(conn: &Client, sheet: &mut Sheet) -> Result<(), Trouble> {
    let mut wanted: Vec<(i64, Scope)> = Vec::new();
    for (key, account) in sheet.keys.values() {
        if sheet.money.get(account).is_some_and(|money| money.account.budgets > 0) {
            let team = key.team.map(Scope::Team);
            let scopes = [Some(Scope::Account), team, Some(Scope::Key(key.no))];
            wanted.extend(scopes.into_iter().flatten().map(|scope| (account.0, scope)));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    wanted.sort_unstable();
    wanted.dedup();
    let accounts: Vec<i64> = wanted.iter().map(|(account, _)| *account).collect();
    let scopes: Vec<&str> = wanted.iter().map(|(_, scope)| scope.as_str()).collect();
    let targets: Vec<i64> = wanted.iter().map(|(_, scope)| scope.target()).collect();
    let sql = [
        "SELECT ",
        COLUMNS,
        ", b.account FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n (account, scope, target)
           JOIN budgets b ON b.account = n.account AND b.scope = n.scope AND b.target = n.target",
    ]
    .concat();
    let find = conn.prepare_cached(&sql).await?;
    for row in &conn.query(&find, &[&accounts, &scopes, &targets]).await? {
        let budget = stored(row)?.read()?;
        sheet.budgets.insert((AccountNo(row.try_get(10)?), budget.scope), budget);
    }
    Ok(())
}

/// Budgets of an account with what people know them by, from behind a row on.
async fn levels(
    conn: &Client,
    account: i64,
    (scope, target): &(String, i64),
    most: i64,
) -> Result<Vec<Level>, Trouble> {
    let sql = [
        "SELECT ",
        COLUMNS,
        ", coalesce(t.id, k.id), k.team, b.created_ms FROM budgets b
           LEFT JOIN teams t ON b.scope = 'team' AND t.no = b.target
           LEFT JOIN keys k ON b.scope = 'key' AND k.no = b.target
         WHERE b.account = $1 AND (b.scope COLLATE \"C\", b.target) > ($2, $3)
         ORDER BY b.scope COLLATE \"C\", b.target LIMIT $4",
    ]
    .concat();
    let read = |row: &Row| {
        let team = row.try_get::<_, Option<i64>>(11)?.map(TeamNo);
        Ok::<_, Error>((stored(row)?, row.try_get(10)?, team, row.try_get(12)?))
    };
    let find = conn.prepare_cached(&sql).await?;
    let found = conn.query(&find, &[&account, scope, target, &most]).await?;
    let found = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let level = |(stored, target, team, created_ms): (StoredBudget, _, _, _)| {
        Ok(Level { budget: stored.read()?, target, team, created_ms })
    };
    Ok(found.into_iter().map(level).collect::<Result<_, StoreError>>()?)
}

/// Locks an account.
async fn owner(conn: &Client, id: &str) -> Result<Account, Trouble> {
    let missing = || Refusal::NotFound { what: "account", id: id.to_owned() };
    let (no, mut sheet) = load::lock_by_id(conn, &named(id)).await?.ok_or_else(missing)?;
    Ok(sheet.money.remove(&no).map(|money| money.account).ok_or_else(missing)?)
}

/// What a name means in an account, and the team of a key.
async fn find(conn: &Client, owner: &Account, whose: &Whose) -> Result<(Scope, Option<TeamNo>), Trouble> {
    let account = owner.id.as_str();
    match whose {
        Whose::Account => Ok((Scope::Account, None)),
        Whose::Team(id) => {
            let team = team(conn, owner.no, id).await?;
            Ok((Scope::Team(team.ok_or_else(|| no_target(account, "target", "team", id))?), None))
        }
        Whose::Key(id) => {
            let sql = "SELECT no, team FROM keys WHERE id = $1 AND account = $2";
            let found = conn.query_opt(sql, &[&named(id), &owner.no.0]).await?;
            let row = found.ok_or_else(|| no_target(account, "target", "key", id))?;
            let team = row.try_get::<_, Option<i64>>(1)?.map(TeamNo);
            Ok((Scope::Key(KeyNo(row.try_get(0)?)), team))
        }
    }
}

/// The team of an account with this identifier.
pub async fn team(conn: &Client, owner: AccountNo, id: &str) -> Result<Option<TeamNo>, Trouble> {
    let sql = "SELECT no FROM teams WHERE account = $1 AND id = $2";
    let found = conn.query_opt(sql, &[&owner.0, &named(id)]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?.map(TeamNo))
}

/// The leases with money in a scope: `$2` and `$3` are its name and its row.
const IN_SCOPE: &str = "account = $1 AND escrow > 0 AND state = 'open' AND ($2::text = 'account'
    OR $2 = 'key' AND key = $3::bigint
    OR $2 = 'team' AND EXISTS (SELECT 1 FROM keys k WHERE k.no = leases.key AND k.team = $3))";

/// Sets a budget, or changes it. Where less may go through than before, leases are recalled.
pub async fn set(
    conn: &Client,
    asked: &NewBudget,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<api::Budget, Trouble> {
    let owner = owner(conn, &asked.account).await?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(asked.account.clone()).into());
    }
    let (scope, team) = find(conn, &owner, &asked.whose).await?;
    let all = levels(conn, owner.no.0, &(String::new(), 0), MAX_BUDGETS).await?;
    let old = all.iter().find(|level| level.budget.scope == scope);
    let (mut budget, created_ms) = match old {
        Some(level) => (level.budget.clone(), level.created_ms),
        None if owner.budgets >= MAX_BUDGETS => {
            return Err(Refusal::TooMany { what: "budgets of this account", limit: MAX_BUDGETS }.into());
        }
        None => {
            let held = held(conn, owner.no, scope).await?;
            let fresh = Budget::fresh(scope, asked.credits, asked.rhythm.clone(), held, now);
            (fresh, now.as_millisecond())
        }
    };
    budget.change(asked.credits, asked.rhythm.clone(), now);
    let target = asked.whose.target().map(str::to_owned);
    let level = Level { budget, target, team, created_ms };
    goes_with(&level, &all)?;
    write(conn, owner.no, &level).await?;
    if old.is_none() {
        conn.execute("UPDATE accounts SET budgets = budgets + 1 WHERE no = $1", &[&owner.no.0]).await?;
    }
    if old.is_none_or(|old| is_tighter(&old.budget, &level.budget)) {
        let sql = ["UPDATE leases SET recall = true WHERE escrow > held AND ", IN_SCOPE].concat();
        if conn.execute(&sql, &[&owner.no.0, &scope.as_str(), &scope.target()]).await? > 0 {
            changes.push((owner.no, KeyNo(0), GatewayNo(0)));
        }
    }
    Ok(level.shown(&asked.account, now))
}

async fn held(conn: &Client, account: AccountNo, scope: Scope) -> Result<Credits, Trouble> {
    let sql = ["SELECT coalesce(sum(escrow), 0)::bigint FROM leases WHERE ", IN_SCOPE].concat();
    Ok(micros(&conn.query_one(&sql, &[&account.0, &scope.as_str(), &scope.target()]).await?, 0)?)
}

async fn write(conn: &Client, account: AccountNo, level: &Level) -> Result<(), Trouble> {
    let budget = &level.budget;
    let sql =
        "INSERT INTO budgets (account, scope, target, credits, unit, every, zone, period_ms, until_ms, spent, held,
           created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (account, scope, target) DO UPDATE SET credits = $4, unit = $5, every = $6, zone = $7,
           period_ms = $8, until_ms = $9, spent = $10, held = $11";
    let columns: [&(dyn ToSql + Sync); 12] = [
        &account.0,
        &budget.scope.as_str(),
        &budget.scope.target(),
        &budget.credits.micros(),
        &budget.rhythm.unit.as_str(),
        &i64::from(budget.rhythm.every),
        &budget.rhythm.zone_name(),
        &budget.start.as_millisecond(),
        &budget.until.as_millisecond(),
        &budget.spent.micros(),
        &budget.held.micros(),
        &level.created_ms,
    ];
    conn.execute(sql, &columns).await?;
    Ok(())
}

/// Takes a budget away; tells what it was.
pub async fn clear(
    conn: &Client,
    account: &str,
    whose: &Whose,
    now: Timestamp,
) -> Result<api::Budget, Trouble> {
    let owner = owner(conn, account).await?;
    let (scope, _) = find(conn, &owner, whose).await?;
    let all = levels(conn, owner.no.0, &(String::new(), 0), MAX_BUDGETS).await?;
    let level = all.iter().find(|level| level.budget.scope == scope);
    let level = level.ok_or_else(|| no_budget(account, whose.target()))?;
    let forget = "DELETE FROM budgets WHERE account = $1 AND scope = $2 AND target = $3";
    conn.execute(forget, &[&owner.no.0, &scope.as_str(), &scope.target()]).await?;
    conn.execute("UPDATE accounts SET budgets = budgets - 1 WHERE no = $1", &[&owner.no.0]).await?;
    Ok(level.shown(account, now))
}
