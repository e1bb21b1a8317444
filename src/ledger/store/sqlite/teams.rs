//! Teams: made.

use super::accounts;
use crate::api;
use crate::domain::budget::MAX_TEAMS;
use crate::domain::{AccountState, TeamId};
use crate::store::{Refusal, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, params};

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
