//! Accounts.

use super::{Reader, first, get, missing};
use crate::api;
use crate::domain::AccountNo;
use crate::store::record::{BadRow, Columns};
use crate::store::{Page, StoreError};

const ACCOUNT: &str = "SELECT id, name, state, created_ms, closed_ms FROM accounts ";

fn read(row: &dyn Columns) -> Result<api::Account, BadRow> {
    Ok(api::Account {
        id: get(row, 0)?,
        name: get(row, 1)?,
        state: get(row, 2)?,
        created_at: get(row, 3)?,
        closed_at: get(row, 4)?,
    })
}

/// An account by its identifier.
pub async fn one(reader: &impl Reader, id: &str) -> Result<api::Account, StoreError> {
    let sql = [ACCOUNT, "WHERE id = ?1"].concat();
    first(reader, &sql, &[id.into()], read).await?.ok_or_else(|| missing("account", id))
}

/// A page of the accounts, by identifier.
pub async fn page(reader: &impl Reader, page: &Page) -> Result<api::Accounts, StoreError> {
    let sql = [ACCOUNT, "WHERE id > ?1 ORDER BY id LIMIT ?2"].concat();
    let after = page.after.as_deref().unwrap_or("");
    let mut accounts = reader.rows(&sql, &[after.into(), page.rows().into()], read).await?;
    let next = page.cut(&mut accounts).map(|last| last.id.clone());
    Ok(api::Accounts { accounts, next })
}

/// How many there are, but no more than `most`: counting all of a large table takes too long for a start.
pub async fn count(reader: &impl Reader, most: u32) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT no FROM accounts LIMIT ?1) AS found";
    let counted = first(reader, sql, &[i64::from(most).into()], |row| get::<i64>(row, 0)).await?;
    Ok(counted.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// The row of an account.
pub async fn number(reader: &impl Reader, id: &str) -> Result<AccountNo, StoreError> {
    let found =
        first(reader, "SELECT no FROM accounts WHERE id = ?1", &[id.into()], |row| get(row, 0)).await?;
    found.ok_or_else(|| missing("account", id))
}

/// What an account's newest subscription means for exchanges.
#[cfg(test)]
pub async fn entitlement(
    reader: &impl Reader,
    id: &str,
) -> Result<Option<crate::domain::entitlement::Entitlement>, StoreError> {
    let sql = "SELECT entitlement FROM accounts WHERE id = ?1";
    first(reader, sql, &[id.into()], |row| get(row, 0)).await?.ok_or_else(|| missing("account", id))
}
