//! Usage: what was sold to whom, by minutes.

use super::{Reader, accounts, count, credits, first, get, most, sum};
use crate::api;
use crate::domain::time::{at, minute};
use crate::store::record::{BadRow, Columns};
use crate::store::{StoreError, UsageQuery};

/// Usage of an account, oldest first, with the total over the whole time asked for.
pub async fn list(reader: &impl Reader, account: &str, query: &UsageQuery) -> Result<api::Usage, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let since = query.since.map_or(i64::MIN, minute);
    let until = query.until.map_or(i64::MAX, |until| until.as_second().saturating_add(59).div_euclid(60));
    let (after, key, rule) = query.after.clone().unwrap_or((i64::MIN, 0, String::new()));
    let sql = "SELECT u.key, u.minute, k.id, u.rule, u.requests, u.credits, u.refunds
         FROM usage u JOIN keys k ON k.no = u.key
         WHERE u.account = ?1 AND u.minute >= ?2 AND u.minute < ?3 AND (u.minute, u.key, u.rule) > (?4, ?5, ?6)
         ORDER BY u.minute, u.key, u.rule LIMIT ?7";
    let time = [owner.0.into(), since.into(), until.into()];
    let behind = [after.into(), key.into(), rule.as_str().into(), most(query.limit.saturating_add(1))];
    let given = [time.as_slice(), &behind].concat();
    let mut lines = reader.rows(sql, &given, |row| Ok((get::<i64>(row, 0)?, line(row)?))).await?;
    let more = lines.len() > query.limit;
    lines.truncate(query.limit);
    let last = lines.last().filter(|_| more);
    let next = last.map(|(key, line)| format!("{}:{key}:{}", minute(line.minute), line.rule));
    let sql = format!(
        "SELECT {}, {}, {} FROM usage WHERE account = ?1 AND minute >= ?2 AND minute < ?3",
        sum("requests"),
        sum("credits"),
        sum("refunds")
    );
    let total = first(reader, &sql, &time, |row| {
        Ok(api::UsageTotal { requests: count(row, 0)?, credits: credits(row, 2)?, refunds: count(row, 4)? })
    });
    let total = total.await?.unwrap_or_default();
    Ok(api::Usage { lines: lines.into_iter().map(|(_, line)| line).collect(), total, next })
}

fn line(row: &dyn Columns) -> Result<api::UsageLine, BadRow> {
    Ok(api::UsageLine {
        minute: at(get::<i64>(row, 1)?.saturating_mul(60_000)),
        key: get(row, 2)?,
        rule: get(row, 3)?,
        requests: get(row, 4)?,
        credits: get(row, 5)?,
        refunds: get(row, 6)?,
    })
}
