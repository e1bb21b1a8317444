//! Teams: some of an account's keys, for budgets of their own.

use crate::api;
use crate::domain::budget::MAX_TEAMS;
use crate::domain::{TeamId, TeamNo};
use crate::store::draft::{Draft, Stop};
use crate::store::error::Refusal;
use crate::store::record::{Record as _, stored_note};
use crate::store::rows::TeamRow;
use jiff::Timestamp;

/// Makes a team.
pub fn create(
    draft: &mut Draft,
    account: &str,
    id: &TeamId,
    name: Option<String>,
    now: Timestamp,
) -> Result<api::Team, Stop> {
    let owner = draft.account_not_closed(account)?.account.no;
    let (count, known) = (draft.count_teams(owner), draft.team_named(owner, id.as_str()));
    let (count, known) = (count?, known?);
    if i64::try_from(count).unwrap_or(i64::MAX) >= MAX_TEAMS {
        return Err(Refusal::TooMany { what: "teams in this account", limit: MAX_TEAMS }.into());
    }
    let (account, team) = (account.to_owned(), id.as_str().to_owned());
    if known.is_some() {
        return Err(Refusal::TeamExists { account, team }.into());
    }
    let no = TeamNo(draft.number(TeamRow::TABLE)?);
    let name = stored_note(name);
    draft.put(TeamRow { no, account: owner, id: team.clone(), name: name.clone(), created_at: now });
    Ok(api::Team { id: team, account, name, created_at: now })
}

/// Nothing is known by the name that a field gives.
pub fn no_target(account: &str, field: &'static str, what: &str, id: &str) -> Refusal {
    let how =
        if what == "team" { "`faregate team create` makes one" } else { "`faregate key list` shows them" };
    Refusal::Field { field, why: format!("the account {account:?} has no {what} {id:?}; {how}") }
}
