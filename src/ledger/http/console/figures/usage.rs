//! What all accounts used and were refused in the last days, by the hour of UTC.

use crate::api::UsageTotal;
use crate::command::usage::MAX_AGO_MS;
use crate::domain::time::{at, minute};
use crate::domain::usage_periods::{Length, periods};
use crate::http::console::survey::{Count, Counted, Pace, next_length};
use crate::store::queries::overview::RefusedFor;
use crate::store::{Store, StoreError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most causes of refusals.
const MAX_CODES: usize = 12;
/// Accounts are counted up to this many.
pub const MAX_ACCOUNTS: u32 = 100_000;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// Minutes that are younger may not be reported yet (minutes): they are read with what is live.
const UNSETTLED: i64 = 2;
/// Older usage isn't reported any more (minutes), so its sums stay.
#[expect(clippy::cast_possible_wrap, reason = "five days")]
const LATE: i64 = (MAX_AGO_MS / 60_000) as i64 + HOUR;
/// The shortest and the longest step (minutes), and the first one.
const STEP: (i64, i64) = (10, 31 * DAY);
const FIRST_STEP: i64 = DAY;
/// What is counted longer ago than this is not made whole by reading what came since (minutes).
const MAX_LIVE: i64 = HOUR;

/// Counts it.
#[derive(Debug)]
pub struct Usage;

/// What was counted.
#[derive(Debug)]
pub struct UsageFigures {
    hours: BTreeMap<i64, UsageTotal>,
    /// Usage before this minute is in it.
    until: i64,
    refused: Vec<RefusedFor>,
    accounts: u32,
}

impl Count for Usage {
    type Sum = UsageFigures;

    async fn count(
        &self,
        store: &Store,
        earlier: Option<&UsageFigures>,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<UsageFigures, StoreError> {
        let days = periods(Length::Day, (None, None), &TimeZone::UTC, now).unwrap_or_default();
        let first = days.first().map_or(0, |(from, _)| minute(*from));
        let until = minute(now).saturating_sub(UNSETTLED);
        // What was old enough the last time has not changed since.
        let kept =
            earlier.map(|earlier| earlier.until.saturating_sub(LATE).div_euclid(HOUR).saturating_mul(HOUR));
        let from = kept.unwrap_or(first).max(first);
        let of_earlier = earlier.into_iter().flat_map(|earlier| earlier.hours.clone());
        let mut hours: BTreeMap<i64, UsageTotal> =
            of_earlier.filter(|(hour, _)| (first..from).contains(&hour.saturating_mul(HOUR))).collect();
        let (mut at_minute, mut length) = (from, FIRST_STEP);
        while at_minute < until {
            let end = at_minute.saturating_add(length).min(until);
            let (found, took) = pace.step(store.usage_by_minute((at_minute, end))).await?;
            for line in found {
                add(&mut hours, line);
            }
            (at_minute, length) = (end, next_length(length, took, STEP));
        }
        let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let (refused, _) = pace.step(store.refusals_by_code(day_ago, MAX_CODES)).await?;
        let (accounts, _) = pace.step(store.count_accounts(MAX_ACCOUNTS)).await?;
        Ok(UsageFigures { hours, until, refused, accounts })
    }
}

fn add(hours: &mut BTreeMap<i64, UsageTotal>, (minute, more): (i64, UsageTotal)) {
    let sum = hours.entry(minute.div_euclid(HOUR)).or_default();
    *sum = together(*sum, more);
}

fn together(one: UsageTotal, other: UsageTotal) -> UsageTotal {
    UsageTotal {
        requests: one.requests.saturating_add(other.requests),
        credits: one.credits.saturating_add(other.credits),
        refunds: one.refunds.saturating_add(other.refunds),
    }
}

/// What was used, up to now.
#[derive(Debug)]
pub struct Live {
    hours: BTreeMap<i64, UsageTotal>,
    /// What was refused in the last 24 hours.
    pub refused: Vec<RefusedFor>,
    /// How many accounts there are, up to [`MAX_ACCOUNTS`].
    pub accounts: u32,
    /// When all but the last minutes was counted.
    pub counted_at: Timestamp,
}

impl Live {
    /// What was used from one hour until before another.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> UsageTotal {
        let hour = |time: Timestamp| time.as_second().div_euclid(3_600);
        let found = self.hours.range(hour(from)..hour(until).max(hour(from)));
        found.fold(UsageTotal::default(), |sum, (_, more)| together(sum, *more))
    }

    /// When the first hour began in which something was used.
    pub fn begin(&self) -> Option<Timestamp> {
        let (hour, _) = self.hours.first_key_value()?;
        Some(at(hour.saturating_mul(HOUR * 60_000)))
    }

    /// When its last hour ends.
    pub fn end(now: Timestamp) -> Timestamp {
        at(minute(now).div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR * 60_000))
    }
}

/// What was counted, and what came since; none where that is too much.
pub async fn live(store: &Store, counted: Counted<UsageFigures>, now: Timestamp) -> Option<Arc<Live>> {
    let UsageFigures { hours, until, refused, accounts } = &*counted.value;
    let mut hours = hours.clone();
    let end = minute(now).saturating_add(UNSETTLED);
    if end.saturating_sub(*until) <= MAX_LIVE {
        match Box::pin(store.usage_by_minute((*until, end))).await {
            Ok(found) => found.into_iter().for_each(|line| add(&mut hours, line)),
            Err(error) => tracing::warn!(%error, "the last minutes' usage could not be read"),
        }
    }
    let (refused, accounts) = (refused.clone(), *accounts);
    Some(Arc::new(Live { hours, refused, accounts, counted_at: counted.at }))
}
