//! What an account has.

use super::{Reader, first, get, missing};
use crate::api;
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::store::StoreError;
use faregate_protocol::Credits;
use jiff::Timestamp;

/// An account's balance; grants that have expired but were not taken out yet count as expired. The index `grants_live` has
/// the grants that are added up, which are at most 1000.
pub async fn of(reader: &impl Reader, account: &str, now: Timestamp) -> Result<api::Balance, StoreError> {
    let sql = format!(
        "SELECT a.id, a.state, a.available, a.held, a.spent, a.expired, a.owed, a.granted, a.plan,
            CAST(coalesce(sum(CASE WHEN g.expires_ms <= ?2 THEN g.remaining END), 0) AS bigint),
            CAST(coalesce(sum(CASE WHEN g.subscription IS NOT NULL AND g.priority <> {OVERDRAFT_PRIORITY}
              AND NOT coalesce(g.expires_ms <= ?2, FALSE) THEN g.remaining END), 0) AS bigint),
            CAST(coalesce(sum(CASE WHEN g.subscription IS NOT NULL AND g.priority = {OVERDRAFT_PRIORITY}
              AND NOT coalesce(g.expires_ms <= ?2, FALSE) THEN g.remaining END), 0) AS bigint), a.voided
          FROM accounts a LEFT JOIN grants g ON g.account = a.no AND g.live WHERE a.id = ?1 GROUP BY a.no"
    );
    let given = [account.into(), now.as_millisecond().into()];
    let found = first(reader, &sql, &given, |row| {
        let (available, expired, lapsed): (Credits, Credits, Credits) =
            (get(row, 2)?, get(row, 5)?, get(row, 9)?);
        let (available, quota, overdraft): (Credits, Credits, Credits) =
            (available.less(lapsed), get(row, 10)?, get(row, 11)?);
        Ok(api::Balance {
            account: get(row, 0)?,
            state: get(row, 1)?,
            available,
            quota,
            bought: available.less(quota).less(overdraft),
            overdraft,
            plan: get(row, 8)?,
            held: get(row, 3)?,
            spent: get(row, 4)?,
            expired: expired.saturating_add(lapsed),
            owed: get(row, 6)?,
            granted: get(row, 7)?,
            voided: get(row, 12)?,
            unit: api::UNIT.to_owned(),
        })
    });
    found.await?.ok_or_else(|| missing("account", account))
}
