//! What an account, or all of them, will have spent when the running period ends.

use super::{Reader, credits, first, get, missing, sum};
use crate::api;
use crate::domain::entitlement::Entitlement;
use crate::domain::forecast::{self, Pace};
use crate::domain::time::{minute, of_minute};
use crate::store::StoreError;
use crate::store::value::Value;
use faregate_protocol::Credits;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What there is to know of an account.
struct Account {
    no: i64,
    created_at: Timestamp,
    left: Credits,
    running: Option<(Timestamp, Timestamp)>,
}

async fn account(reader: &impl Reader, id: &str, now: Timestamp) -> Result<Account, StoreError> {
    let sql = "SELECT no, created_ms, available, held, entitlement FROM accounts WHERE id = ?1";
    let given = [id.into()];
    let found = first(reader, sql, &given, |row| {
        let (available, held): (Credits, Credits) = (get(row, 2)?, get(row, 3)?);
        let entitlement: Option<Entitlement> = get(row, 4)?;
        let running = entitlement.and_then(|entitlement| entitlement.running);
        Ok(Account {
            no: get(row, 0)?,
            created_at: get(row, 1)?,
            left: available.saturating_add(held),
            running: running.filter(|period| period.end > now).map(|period| (period.start, period.end)),
        })
    });
    found.await?.ok_or_else(|| missing("account", id))
}

/// The forecast for the end of the plan's running period, or of the month. Of one account by the primary key, of all by the index on
/// the minute.
pub async fn of(
    reader: &impl Reader,
    id: Option<&str>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<api::Forecast, StoreError> {
    let account = match id {
        Some(id) => Some(account(reader, id, now).await?),
        None => None,
    };
    let running = account.as_ref().and_then(|account| account.running);
    let (from, until) = running.unwrap_or_else(|| forecast::month(zone, now));
    let mut began = account.as_ref().map_or(now, |account| account.created_at);
    if account.is_none() {
        // All together began with the first usage.
        let first_minute = "SELECT min(minute) FROM usage";
        let minute: Option<Option<i64>> = first(reader, first_minute, &[], |row| get(row, 0)).await?;
        began = minute.flatten().map_or(now, of_minute);
    }
    let since = forecast::since(began, now);
    let (of, owner) = match &account {
        Some(account) => (" AND account = ?4", Some(Value::from(account.no))),
        None => ("", None),
    };
    let sum_since = |time: &str| sum(&format!("CASE WHEN minute >= {time} THEN credits ELSE 0 END"));
    let sql = format!(
        "SELECT {}, {} FROM usage WHERE minute >= ?3{of}",
        sum_since("CAST(?1 AS bigint)"),
        sum_since("CAST(?2 AS bigint)")
    );
    let times = [minute(from), minute(since), minute(from.min(since))].map(Value::from);
    let given: Vec<Value> = times.into_iter().chain(owner).collect();
    let sums = first(reader, &sql, &given, |row| Ok((credits(row, 0)?, credits(row, 2)?))).await?;
    let (spent, lately) = sums.unwrap_or_default();
    let pace = Pace::of(lately, since, now);
    let left = account.as_ref().map(|account| account.left);
    Ok(api::Forecast {
        account: id.map(str::to_owned),
        from,
        until,
        spent,
        expected: forecast::expected(spent, pace, now, until),
        per_day: pace.per_day(),
        pace_since: since,
        left,
        used_up_at: left.and_then(|left| pace.used_up(left, now)),
    })
}
