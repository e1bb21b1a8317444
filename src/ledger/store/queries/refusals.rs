//! What was refused of an account's requests, by hours.

use super::{BILLION, Reader, accounts, count, get, most};
use crate::api;
use crate::domain::time::at;
use crate::store::StoreError;
use jiff::Timestamp;

/// The most lines.
const MAX_LINES: usize = 100;
const HOUR_S: i64 = 3_600;

/// What was refused in this hour or later, the most frequent first. Found by the primary key.
pub async fn of(
    reader: &impl Reader,
    account: &str,
    since: Timestamp,
) -> Result<Vec<api::RefusalSum>, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = format!(
        "WITH r AS (SELECT key, rule, code, min(hour) AS first, max(hour) AS last,
             CAST(sum(requests / {BILLION}) AS bigint) AS billions, CAST(sum(requests % {BILLION}) AS bigint) AS rest
           FROM refusals WHERE account = ?1 AND hour >= ?2 GROUP BY key, rule, code)
         SELECT r.code, k.id, r.rule, r.billions, r.rest, r.first, r.last FROM r JOIN keys k ON k.no = r.key
         ORDER BY r.billions + r.rest / {BILLION} DESC, r.rest % {BILLION} DESC, r.key, r.rule, r.code LIMIT ?3"
    );
    let given = [owner.0.into(), since.as_second().div_euclid(HOUR_S).into(), most(MAX_LINES)];
    reader
        .rows(&sql, &given, |row| {
            let time = |column| {
                get::<i64>(row, column).map(|hour| at(hour.saturating_mul(HOUR_S.saturating_mul(1_000))))
            };
            Ok(api::RefusalSum {
                code: get(row, 0)?,
                key: get(row, 1)?,
                rule: get(row, 2)?,
                requests: count(row, 3)?,
                first_seen: time(5)?,
                last_seen: time(6)?,
            })
        })
        .await
}
