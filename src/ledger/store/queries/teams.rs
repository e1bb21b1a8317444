//! Teams.

use super::{Reader, accounts, get};
use crate::api;
use crate::store::{Page, StoreError};

/// A page of an account's teams, by identifier.
pub async fn page(reader: &impl Reader, account: &str, page: &Page) -> Result<api::Teams, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = "SELECT id, name, created_ms FROM teams WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let given = [owner.0.into(), page.after.as_deref().unwrap_or("").into(), page.rows().into()];
    let found = reader.rows(sql, &given, |row| {
        Ok(api::Team {
            id: get(row, 0)?,
            account: account.to_owned(),
            name: get(row, 1)?,
            created_at: get(row, 2)?,
        })
    });
    let mut teams = found.await?;
    let next = page.cut(&mut teams).map(|last| last.id.clone());
    Ok(api::Teams { teams, next })
}
