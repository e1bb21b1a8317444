//! What the portal shows a customer, and who it is.

use super::{Reader, accounts, columns, first, get, most};
use crate::api::AccountState;
use crate::domain::{AccountNo, KeyNo};
use crate::store::StoreError;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::{PortalLinkRow, PortalSessionRow};
use crate::store::value::Value;
use jiff::Timestamp;

/// An account, as far as it decides who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Its row.
    pub no: AccountNo,
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it may spend.
    pub state: AccountState,
}

/// A key, as far as it decides who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    /// Its row.
    pub no: KeyNo,
    /// Its identifier.
    pub id: String,
    revoked: bool,
    expires_at: Option<Timestamp>,
}

impl ShownKey {
    /// Whether it is accepted.
    pub fn counts(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at.is_none_or(|at| at > now)
    }
}

const CUSTOMER: &str = "a.no, a.id, a.name, a.state, k.no, k.id, k.revoked, k.expires_ms";

fn customer(row: &dyn Columns, from: usize) -> Result<(Customer, Option<ShownKey>), BadRow> {
    let at = |column: usize| from.saturating_add(column);
    let customer = Customer {
        no: AccountNo(get(row, from)?),
        id: get(row, at(1))?,
        name: get(row, at(2))?,
        state: get(row, at(3))?,
    };
    let Some(no) = get::<Option<i64>>(row, at(4))? else { return Ok((customer, None)) };
    let key = ShownKey {
        no: KeyNo(no),
        id: get(row, at(5))?,
        revoked: get(row, at(6))?,
        expires_at: get(row, at(7))?,
    };
    Ok((customer, Some(key)))
}

/// The session with this hash, whose it is, and the key that it began with.
pub async fn session(
    reader: &impl Reader,
    hash: &[u8],
) -> Result<Option<(PortalSessionRow, Customer, Option<ShownKey>)>, StoreError> {
    let own = columns(PortalSessionRow::TABLE, "s");
    let behind = PortalSessionRow::TABLE.columns.len();
    let sql = format!(
        "SELECT {own}, {CUSTOMER} FROM portal_sessions s JOIN accounts a ON a.no = s.account
         LEFT JOIN keys k ON k.no = s.key WHERE s.hash = ?1"
    );
    let read = move |row: &dyn Columns| {
        let session = PortalSessionRow::read(row)?;
        let (customer, key) = customer(row, behind)?;
        Ok((session, customer, key))
    };
    first(reader, &sql, &[Value::Bytes(hash.to_vec())], read).await
}

/// Whose the key with this hash is.
pub async fn key(reader: &impl Reader, hash: &[u8]) -> Result<Option<(Customer, ShownKey)>, StoreError> {
    let sql = format!("SELECT {CUSTOMER} FROM keys k JOIN accounts a ON a.no = k.account WHERE k.hash = ?1");
    let read = |row: &dyn Columns| {
        let (customer, key) = customer(row, 0)?;
        Ok(key.map(|key| (customer, key)))
    };
    Ok(first(reader, &sql, &[Value::Bytes(hash.to_vec())], read).await?.flatten())
}

/// The link with this hash, and whose it is.
pub async fn link(
    reader: &impl Reader,
    hash: &[u8],
) -> Result<Option<(PortalLinkRow, Customer)>, StoreError> {
    let own = columns(PortalLinkRow::TABLE, "l");
    let behind = PortalLinkRow::TABLE.columns.len();
    let sql = format!(
        "SELECT {own}, {CUSTOMER} FROM portal_links l JOIN accounts a ON a.no = l.account
         LEFT JOIN keys k ON k.no = 0 WHERE l.hash = ?1"
    );
    let read = move |row: &dyn Columns| Ok((PortalLinkRow::read(row)?, customer(row, behind)?.0));
    first(reader, &sql, &[Value::Bytes(hash.to_vec())], read).await
}

/// How many keys of an account work, and how many were made since a time; of each as many as are asked for.
pub async fn count_keys(
    reader: &impl Reader,
    account: &str,
    (limit, since, now): (usize, Timestamp, Timestamp),
) -> Result<(usize, usize), StoreError> {
    let owner = accounts::number(reader, account).await?;
    let working = "NOT revoked AND (expires_ms IS NULL OR expires_ms > ?2)";
    let working = count_keys_that(reader, owner, working, now, limit).await?;
    Ok((working, count_keys_that(reader, owner, "created_ms >= ?2", since, limit).await?))
}

async fn count_keys_that(
    reader: &impl Reader,
    owner: AccountNo,
    condition: &str,
    time: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM keys WHERE account = ?1 AND {condition} LIMIT ?3) found"
    );
    let given = [owner.0.into(), time.as_millisecond().into(), most(limit)];
    let found = first(reader, &sql, &given, |row| get::<i64>(row, 0)).await?;
    Ok(usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX))
}
