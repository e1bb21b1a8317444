//! What the portal shows a customer, and who it is.

use super::{Reader, accounts, columns, first, get, most};
use crate::api;
use crate::api::AccountState;
use crate::command::portal::{MAX_SUBJECTS, shown_subject};
use crate::domain::{AccountNo, KeyNo};
use crate::store::StoreError;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::{PortalLinkRow, PortalSessionRow, PortalSubjectRow};
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
/// How many columns that are.
const CUSTOMER_COLUMNS: usize = 8;

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

/// A session, and what decides whether it still lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// The session.
    pub row: PortalSessionRow,
    /// Whose it is.
    pub customer: Customer,
    /// The key that it began with.
    pub key: Option<ShownKey>,
    /// Of the subject that it began with, while it belongs to the account: whether that may only read.
    pub subject_reads: Option<bool>,
}

/// The session with this hash.
pub async fn session(reader: &impl Reader, hash: &[u8]) -> Result<Option<FoundSession>, StoreError> {
    let own = columns(PortalSessionRow::TABLE, "s");
    let behind = PortalSessionRow::TABLE.columns.len();
    let sql = format!(
        "SELECT {own}, {CUSTOMER}, p.read_only FROM portal_sessions s JOIN accounts a ON a.no = s.account
         LEFT JOIN keys k ON k.no = s.key
         LEFT JOIN portal_subjects p ON p.issuer = s.issuer AND p.subject = s.subject AND p.account = s.account
         WHERE s.hash = ?1"
    );
    let read = move |row: &dyn Columns| {
        let (customer, key) = customer(row, behind)?;
        let subject_reads = get(row, behind.saturating_add(CUSTOMER_COLUMNS))?;
        Ok(FoundSession { row: PortalSessionRow::read(row)?, customer, key, subject_reads })
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

/// Whose customer a provider's subject is.
pub async fn of_subject(
    reader: &impl Reader,
    issuer: &str,
    subject: &str,
) -> Result<Option<Customer>, StoreError> {
    let sql = format!(
        "SELECT {CUSTOMER} FROM portal_subjects p JOIN accounts a ON a.no = p.account LEFT JOIN keys k ON k.no = 0
         WHERE p.issuer = ?1 AND p.subject = ?2"
    );
    first(reader, &sql, &[issuer.into(), subject.into()], |row| Ok(customer(row, 0)?.0)).await
}

/// The subjects of an account, or those of this name at any provider, oldest first.
pub async fn subjects(
    reader: &impl Reader,
    account: Option<&str>,
    subject: Option<&str>,
) -> Result<api::PortalSubjects, StoreError> {
    let own = columns(PortalSubjectRow::TABLE, "p");
    let behind = PortalSubjectRow::TABLE.columns.len();
    let mut given = vec![most(MAX_SUBJECTS)];
    let mut only = String::new();
    if let Some(account) = account {
        given.push(accounts::number(reader, account).await?.0.into());
        only = format!("{only} AND p.account = ?{}", given.len());
    }
    if let Some(subject) = subject {
        given.push(subject.into());
        only = format!("{only} AND p.subject = ?{}", given.len());
    }
    let sql = format!(
        "SELECT {own}, a.id FROM portal_subjects p JOIN accounts a ON a.no = p.account WHERE 1 = 1{only}
         ORDER BY p.created_ms, p.issuer, p.subject LIMIT ?1"
    );
    let read = move |row: &dyn Columns| Ok(shown_subject(PortalSubjectRow::read(row)?, get(row, behind)?));
    Ok(api::PortalSubjects { subjects: reader.rows(&sql, &given, read).await? })
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
