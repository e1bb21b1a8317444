//! Teams: made.

use super::commands::locked;
use super::named;
use super::trouble::Trouble;
use crate::api;
use crate::domain::budget::MAX_TEAMS;
use crate::domain::{AccountState, TeamId};
use crate::store::Refusal;
use deadpool_postgres::Client;
use jiff::Timestamp;

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
