//! What an account has.

use super::{Reader, first, get, missing};
use crate::api;
use crate::store::StoreError;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// An account's balance; grants that have expired but were not taken out yet count as expired.
pub async fn of(reader: &impl Reader, account: &str, now: Timestamp) -> Result<api::Balance, StoreError> {
    let sql = "SELECT a.id, a.state, a.available, a.held, a.spent, a.expired, a.owed, a.granted, a.voided,
          CAST((SELECT coalesce(sum(remaining), 0) FROM grants
            WHERE account = a.no AND remaining > 0 AND expires_ms <= ?2) AS bigint)
        FROM accounts a WHERE a.id = ?1";
    let given = [account.into(), now.as_millisecond().into()];
    let found = first(reader, sql, &given, |row| {
        let (available, expired, lapsed): (Credits, Credits, Credits) =
            (get(row, 2)?, get(row, 5)?, get(row, 9)?);
        Ok(api::Balance {
            account: get(row, 0)?,
            state: get(row, 1)?,
            available: available.less(lapsed),
            held: get(row, 3)?,
            spent: get(row, 4)?,
            expired: expired.saturating_add(lapsed),
            owed: get(row, 6)?,
            granted: get(row, 7)?,
            voided: get(row, 8)?,
            unit: api::UNIT.to_owned(),
        })
    });
    found.await?.ok_or_else(|| missing("account", account))
}
