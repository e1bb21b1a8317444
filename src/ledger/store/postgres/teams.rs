//! Teams: made and listed.

use super::commands::locked;
use super::lists::{number, rows};
use super::trouble::Trouble;
use super::{at, named};
use crate::api;
use crate::domain::budget::MAX_TEAMS;
use crate::domain::{AccountState, TeamId};
use crate::store::{Page, Refusal};
use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::Row;

/// Makes a team.
pub async fn create(
    conn: &Client,
    account: &str,
    id: &TeamId,
    name: Option<&str>,
    now: Timestamp,
) -> Result<api::Team, Trouble> {
    let (owner, state) = locked(conn, account).await?;
    if state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    let teams = conn.query_one("SELECT count(*) FROM teams WHERE account = $1", &[&owner.0]).await?;
    if teams.try_get::<_, i64>(0)? >= MAX_TEAMS {
        return Err(Refusal::TooMany { what: "teams in this account", limit: MAX_TEAMS }.into());
    }
    let make =
        "INSERT INTO teams (account, id, name, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let name = name.map(named);
    let made = conn.execute(make, &[&owner.0, &id.as_str(), &name, &now.as_millisecond()]).await?;
    let (account, team) = (account.to_owned(), id.as_str().to_owned());
    if made == 0 {
        return Err(Refusal::TeamExists { account, team }.into());
    }
    Ok(api::Team { id: team, account, name: name.map(Into::into), created_at: now })
}

/// A page of an account's teams, by identifier.
pub async fn page(conn: &Client, account: &str, page: &Page) -> Result<api::Teams, Trouble> {
    let owner = number(conn, account).await?;
    let after = named(page.after.as_deref().unwrap_or(""));
    let sql = "SELECT id, name, created_ms FROM teams WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3";
    let read = |row: &Row| {
        let (id, name, created_at) = (row.try_get(0)?, row.try_get(1)?, at(row.try_get(2)?));
        Ok(api::Team { id, account: account.to_owned(), name, created_at })
    };
    let mut teams = rows(conn, &[sql], &[&owner, &after, &page.rows()], read).await?;
    let next = page.cut(&mut teams).map(|last| last.id.clone());
    Ok(api::Teams { teams, next })
}
