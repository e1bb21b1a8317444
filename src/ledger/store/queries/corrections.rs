//! Corrections.

use super::{Reader, accounts, get};
use crate::api;
use crate::store::record::{BadRow, Columns};
use crate::store::{Page, StoreError};

const CORRECTION: &str =
    "SELECT c.id, a.id, g.id, c.kind, c.amount, c.taken, c.pending, c.owed, c.note, c.created_ms
    FROM corrections c JOIN accounts a ON a.no = c.account LEFT JOIN grants g ON g.no = c.grant_no ";

fn read(row: &dyn Columns) -> Result<api::Correction, BadRow> {
    Ok(api::Correction {
        id: get(row, 0)?,
        account: get(row, 1)?,
        grant: get(row, 2)?,
        kind: get(row, 3)?,
        amount: get(row, 4)?,
        taken: get(row, 5)?,
        pending: get(row, 6)?,
        owed: get(row, 7)?,
        note: get(row, 8)?,
        created_at: get(row, 9)?,
    })
}

/// A page of an account's corrections, oldest first.
pub async fn page(reader: &impl Reader, account: &str, page: &Page) -> Result<api::Corrections, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = [
        CORRECTION,
        "WHERE c.account = ?1 AND c.no > coalesce((SELECT no FROM corrections WHERE id = ?2), 0) ORDER BY c.no LIMIT ?3",
    ]
    .concat();
    let given = [owner.0.into(), page.after.as_deref().into(), page.rows().into()];
    let mut corrections = reader.rows(&sql, &given, read).await?;
    let next = page.cut(&mut corrections).map(|last| last.id.clone());
    Ok(api::Corrections { corrections, next })
}
