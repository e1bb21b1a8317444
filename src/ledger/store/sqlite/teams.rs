//! Teams: made and listed.

use super::{accounts, lists, time};
use crate::api;
use crate::domain::budget::MAX_TEAMS;
use crate::domain::{AccountState, TeamId};
use crate::store::{Page, Refusal, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

/// Makes a team.
pub fn create(
    conn: &Connection,
    account: &str,
    id: &TeamId,
    name: Option<String>,
    now: Timestamp,
) -> Result<api::Team, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    let teams: i64 = conn
        .prepare_cached("SELECT count(*) FROM teams WHERE account = ?1")?
        .query_row([owner.no.0], |row| row.get(0))?;
    if teams >= MAX_TEAMS {
        return Err(Refusal::TooMany { what: "teams in this account", limit: MAX_TEAMS }.into());
    }
    let made = conn
        .prepare_cached(
            "INSERT INTO teams (account, id, name, created_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![owner.no.0, id.as_str(), name, now.as_millisecond()])?;
    let (account, team) = (account.to_owned(), id.as_str().to_owned());
    if made == 0 {
        return Err(Refusal::TeamExists { account, team }.into());
    }
    Ok(api::Team { id: team, account, name, created_at: now })
}

/// A page of an account's teams, by identifier.
pub fn page(conn: &Connection, account: &str, page: &Page) -> Result<api::Teams, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let sql = "SELECT id, name, created_ms FROM teams WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let given = params![owner.no.0, page.after.as_deref().unwrap_or(""), page.rows()];
    let read = |row: &Row<'_>| {
        let (id, name) = (row.get(0)?, row.get(1)?);
        Ok(api::Team { id, account: account.to_owned(), name, created_at: time(row, "created_ms")? })
    };
    let mut teams = lists::rows(conn, sql, given, read)?;
    let next = page.cut(&mut teams).map(|last| last.id.clone());
    Ok(api::Teams { teams, next })
}
