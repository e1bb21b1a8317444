//! Addresses that get events by mail, and the mails.

use super::webhooks::delivery;
use super::{Reader, columns, first, get, missing, most};
use crate::api;
use crate::command::mail::shown;
use crate::domain::mail::{MAX_PER_HOUR, PER_MS};
use crate::domain::outgoing::Message;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::{DeliveryKey, MailAddressRow};
use crate::store::{Page, StoreError};
use jiff::Timestamp;

/// What the admin API shows of addresses: behind the row's columns the account's identifier, and how many mails wait and were
/// given up.
fn select() -> String {
    let count = |state: &str| {
        format!("(SELECT count(*) FROM deliveries d WHERE d.webhook = -m.no AND d.state = '{state}')")
    };
    format!(
        "SELECT {}, a.id, {}, {} FROM mail_addresses m LEFT JOIN accounts a ON a.no = m.account WHERE m.state = 'active'",
        columns(MailAddressRow::TABLE, "m"),
        count("waiting"),
        count("given_up")
    )
}

fn read(row: &dyn Columns) -> Result<api::MailAddress, BadRow> {
    let behind = MailAddressRow::TABLE.columns.len();
    let count = |column: usize| {
        let found: i64 = get(row, behind.saturating_add(column))?;
        Ok(Some(u64::try_from(found).unwrap_or(0)))
    };
    let (waiting, given_up) = (count(1)?, count(2)?);
    Ok(api::MailAddress { waiting, given_up, ..shown(MailAddressRow::read(row)?, get(row, behind)?) })
}

/// An address.
pub async fn one(reader: &impl Reader, id: &str) -> Result<api::MailAddress, StoreError> {
    let sql = [select().as_str(), " AND m.id = ?1"].concat();
    first(reader, &sql, &[id.into()], read).await?.ok_or_else(|| missing("mail address", id))
}

/// A page of the addresses, oldest first; perhaps only those of an account.
pub async fn page(
    reader: &impl Reader,
    account: Option<&str>,
    page: &Page,
) -> Result<api::MailAddresses, StoreError> {
    let mut given = vec![page.after.as_deref().into(), page.rows().into()];
    let mut only = String::new();
    if let Some(account) = account {
        given.push(super::accounts::number(reader, account).await?.0.into());
        only = format!(" AND m.account = ?{}", given.len());
    }
    let sql = format!(
        "{}{only} AND m.no > coalesce((SELECT no FROM mail_addresses WHERE id = ?1), 0) ORDER BY m.no LIMIT ?2",
        select()
    );
    let mut addresses = reader.rows(&sql, &given, read).await?;
    let next = page.cut(&mut addresses).map(|last| last.id.clone());
    Ok(api::MailAddresses { addresses, next })
}

/// The number of an address.
pub async fn number(reader: &impl Reader, id: &str) -> Result<i64, StoreError> {
    let sql = "SELECT no FROM mail_addresses WHERE id = ?1 AND state = 'active'";
    let found = first(reader, sql, &[id.into()], |row| get(row, 0)).await?;
    found.ok_or_else(|| missing("mail address", id))
}

/// A mail to be sent.
#[derive(Clone, Debug)]
pub struct DueMail {
    /// By what its delivery is found.
    pub place: DeliveryKey,
    /// The address's identifier.
    pub id: String,
    /// The address.
    pub address: String,
    /// About what.
    pub message: Message,
    /// How many were sent to the address about the account lately: those that count, at most.
    pub lately: i64,
}

/// Mails whose time has come, at most so many: to each address of each account's the one that comes first. So at most one of these
/// is under way, and those before it are counted without a lock.
pub async fn due(reader: &impl Reader, now: Timestamp, limit: usize) -> Result<Vec<DueMail>, StoreError> {
    let sql = "SELECT d.webhook, d.account, d.seq, e.id, e.kind, a.id, e.created_ms, e.data, m.id, m.address,
          (SELECT count(*) FROM (SELECT s.done_ms FROM deliveries s WHERE s.webhook = d.webhook AND s.account = d.account
             AND s.seq < d.seq AND s.state = 'delivered' ORDER BY s.seq DESC LIMIT ?4) l WHERE l.done_ms > ?3)
        FROM deliveries d JOIN mail_addresses m ON m.no = -d.webhook JOIN events e ON e.account = d.account AND e.seq = d.seq
          LEFT JOIN accounts a ON a.no = d.account
        WHERE d.webhook < 0 AND d.state = 'waiting' AND d.next_ms <= ?1 AND (d.claimed_ms IS NULL OR d.claimed_ms <= ?1)
          AND m.state = 'active'
          AND NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.webhook = d.webhook AND p.account = d.account
            AND p.state = 'waiting' AND p.seq < d.seq)
        ORDER BY d.next_ms LIMIT ?2";
    let now_ms = now.as_millisecond();
    let given = [now_ms.into(), most(limit), now_ms.saturating_sub(PER_MS).into(), MAX_PER_HOUR.into()];
    let read = |row: &dyn Columns| {
        let (place, message) = delivery(row)?;
        Ok(DueMail { place, message, id: get(row, 8)?, address: get(row, 9)?, lately: get(row, 10)? })
    };
    reader.rows(sql, &given, read).await
}

/// How many mails wait to be sent.
pub async fn waiting(reader: &impl Reader) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM deliveries d JOIN mail_addresses m ON m.no = -d.webhook
        WHERE d.webhook < 0 AND d.state = 'waiting' AND m.state = 'active'";
    let found = first(reader, sql, &[], |row| get::<i64>(row, 0)).await?;
    Ok(u64::try_from(found.unwrap_or(0)).unwrap_or(0))
}
