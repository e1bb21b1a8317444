//! Budgets of an account, its teams and its keys.

use super::{Reader, accounts, columns, get};
use crate::api;
use crate::domain::budget_level::Level;
use crate::store::record::Record;
use crate::store::rows::BudgetRow;
use crate::store::{Page, Refusal, StoreError};
use jiff::Timestamp;

/// A page of an account's budgets.
pub async fn list(
    reader: &impl Reader,
    account: &str,
    wanted: &Page,
    now: Timestamp,
) -> Result<api::Budgets, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let (scope, target) = behind(wanted.after.as_deref())?;
    let sql = format!(
        "SELECT {}, coalesce(t.id, k.id), k.team FROM budgets b
           LEFT JOIN teams t ON b.scope = 'team' AND t.no = b.target
           LEFT JOIN keys k ON b.scope = 'key' AND k.no = b.target
         WHERE b.account = ?1 AND (b.scope, b.target) > (?2, ?3) ORDER BY b.scope, b.target LIMIT ?4",
        columns(BudgetRow::TABLE, "b")
    );
    let last = BudgetRow::TABLE.columns.len();
    let given = [owner.0.into(), scope.as_str().into(), target.into(), wanted.rows().into()];
    let found = reader.rows(&sql, &given, move |row| {
        let budget = BudgetRow::read(row)?;
        let (target, team) = (get(row, last)?, get(row, last.saturating_add(1))?);
        Ok(Level { budget: budget.budget(), target, team, created_at: budget.created_at })
    });
    let mut levels = found.await?;
    let position = |level: &Level| format!("{}:{}", level.budget.scope.as_str(), level.budget.scope.target());
    let next = wanted.cut(&mut levels).map(position);
    Ok(api::Budgets { budgets: levels.iter().map(|level| level.shown(account, now)).collect(), next })
}

/// Which row a page of budgets begins behind: scope and target.
fn behind(after: Option<&str>) -> Result<(String, i64), Refusal> {
    let Some(text) = after else { return Ok((String::new(), 0)) };
    let position = text.split_once(':').and_then(|(scope, no)| Some((scope.to_owned(), no.parse().ok()?)));
    position.ok_or(Refusal::Field {
        field: "after",
        why: "is no position; pass what `next` of an answer said".into(),
    })
}
