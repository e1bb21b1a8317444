//! Why requests of an account are refused, looked at without changing anything.

use super::funds;
use crate::api;
use crate::domain::Scope;
use crate::domain::findings::{Finding, findings};
use crate::store::draft::{Draft, Stop};
use crate::store::rows::BudgetRow;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// The account's state, and what keeps a request of this price from passing now.
pub fn look(
    draft: &mut Draft,
    account: &str,
    price: Credits,
    now: Timestamp,
) -> Result<(api::Account, Vec<api::Finding>), Stop> {
    let owner = draft.account_named(account)?;
    let mut money = funds::of(draft, &owner, &[])?;
    money.expire(now)?;
    let mut budgets: Vec<_> = draft.all_budgets(owner.account.no)?.iter().map(BudgetRow::budget).collect();
    for budget in &mut budgets {
        budget.roll(now);
    }
    let mut shown = Vec::new();
    for finding in findings(&money, &budgets, price, now) {
        shown.push(words(draft, finding)?);
    }
    Ok((super::accounts::shown(&owner), shown))
}

/// With the name of the team or the key.
fn words(draft: &mut Draft, finding: Finding) -> Result<api::Finding, Stop> {
    let Finding { code, budget, what, cure } = finding;
    let what = match budget {
        Some(Scope::Team(no)) => match draft.team(no)? {
            Some(team) => what.replacen("the team's", &format!("team {}'s", team.id), 1),
            None => what,
        },
        Some(Scope::Key(no)) => match draft.key(no)? {
            Some(key) => what.replacen("the key's", &format!("key {}'s", key.key.id), 1),
            None => what,
        },
        Some(Scope::Account) | None => what,
    };
    Ok(api::Finding { code: code.as_str().to_owned(), what, cure })
}
