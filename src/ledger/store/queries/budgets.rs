//! Budgets of an account, its teams and its keys.

use super::{Reader, accounts, columns, get};
use crate::api;
use crate::store::budgets::{Level, behind, page};
use crate::store::record::Record;
use crate::store::rows::BudgetRow;
use crate::store::{Page, StoreError};
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
        Ok(Level { budget: budget.budget(), target, team, created_ms: budget.created_at.as_millisecond() })
    });
    Ok(page(account, found.await?, wanted, now))
}
