//! Grants.

use super::{Reader, accounts, first, get, missing};
use crate::api::{self, GrantKind};
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{Page, StoreError};
use faregate_protocol::Credits;
use jiff::Timestamp;

const GRANT: &str =
    "SELECT g.id, a.id, g.amount, g.remaining, g.priority, g.expires_ms, g.note, g.source, g.created_ms,
      g.subscription IS NOT NULL, g.voided
    FROM grants g JOIN accounts a ON a.no = g.account ";

fn read(row: &dyn Columns) -> Result<api::Grant, BadRow> {
    let priority = get(row, 4)?;
    Ok(api::Grant {
        id: get(row, 0)?,
        account: get(row, 1)?,
        amount: get(row, 2)?,
        remaining: get(row, 3)?,
        priority,
        expires_at: get(row, 5)?,
        note: get(row, 6)?,
        source: get(row, 7)?,
        kind: GrantKind::of(get(row, 9)?, priority),
        created_at: get(row, 8)?,
        voided: get(row, 10)?,
    })
}

/// What remains of a grant that has expired counts as nothing, also before it was taken out.
fn lapsed(grant: api::Grant, now: Timestamp) -> api::Grant {
    if grant.expires_at.is_some_and(|at| at <= now) {
        return api::Grant { remaining: Credits::ZERO, ..grant };
    }
    grant
}

/// A grant by its identifier.
pub async fn one(reader: &impl Reader, id: &str, now: Timestamp) -> Result<api::Grant, StoreError> {
    let sql = [GRANT, "WHERE g.id = ?1"].concat();
    let found = first(reader, &sql, &[id.into()], read).await?;
    found.map(|grant| lapsed(grant, now)).ok_or_else(|| missing("grant", id))
}

/// A page of an account's grants, oldest first; perhaps only those with something left (the index `grants_account` has all
/// in this order, `grants_live` those, which are at most 1000). What remains of one that has expired counts as nothing, also before it
/// was taken out.
pub async fn page(
    reader: &impl Reader,
    account: &str,
    page: &Page,
    left: bool,
    now: Timestamp,
) -> Result<api::Grants, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let mut given: Vec<Value> = vec![owner.0.into(), page.after.as_deref().into(), page.rows().into()];
    let mut live = "";
    if left {
        live = "AND g.live AND (g.expires_ms IS NULL OR g.expires_ms > ?4)";
        given.push(now.as_millisecond().into());
    }
    let sql = format!(
        "{GRANT} WHERE g.account = ?1 AND g.no > coalesce((SELECT no FROM grants WHERE id = ?2), 0) {live} ORDER BY g.no LIMIT ?3"
    );
    let grants = reader.rows(&sql, &given, read).await?;
    let mut grants: Vec<_> = grants.into_iter().map(|grant| lapsed(grant, now)).collect();
    let next = page.cut(&mut grants).map(|last| last.id.clone());
    Ok(api::Grants { grants, next })
}

/// A page of what an account was given other than by a plan, newest first.
pub async fn newest(
    reader: &impl Reader,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Grants, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = format!(
        "{GRANT} WHERE g.account = ?1 AND g.subscription IS NULL AND g.no < coalesce((SELECT no FROM grants WHERE id = ?2), ?3)
         ORDER BY g.no DESC LIMIT ?4"
    );
    let given = [owner.0.into(), page.after.as_deref().into(), i64::MAX.into(), page.rows().into()];
    let grants = reader.rows(&sql, &given, read).await?;
    let mut grants: Vec<_> = grants.into_iter().map(|grant| lapsed(grant, now)).collect();
    let next = page.cut(&mut grants).map(|last| last.id.clone());
    Ok(api::Grants { grants, next })
}
