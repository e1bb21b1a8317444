//! The overview's figures: sums over all accounts, which are read at most once in [`KEPT`], however many look.

use crate::api::UsageSums;
use crate::domain::usage_periods::{self, Length};
use crate::http::shared::Shared;
use crate::store::queries::overview::{NearEnd, RefusedFor};
use crate::store::{Store, StoreError, UsageSumsQuery};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::timeout;

/// How old the figures may be.
pub const KEPT: Duration = Duration::from_secs(15);
/// How long the figures may take to be read. A page doesn't wait longer, and shows the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most causes of refusals.
const MAX_CODES: usize = 12;
/// The most accounts near their end.
const MAX_NEAR_END: usize = 8;
/// Accounts are near their end that have less than this many times of what they spent in the last 24 hours.
pub const NEAR_END_DAYS: i64 = 3;
/// Accounts are counted up to this many.
pub const MAX_ACCOUNTS: u32 = 100_000;

/// The figures.
#[derive(Clone, Debug)]
pub struct Sums {
    /// By hours of the last day.
    pub hours: UsageSums,
    /// By days of UTC of the last month.
    pub days: UsageSums,
    /// What was refused in the last 24 hours.
    pub refused: Vec<RefusedFor>,
    /// Whose credits will soon be used up.
    pub near_end: Vec<NearEnd>,
    /// How many accounts there are, up to [`MAX_ACCOUNTS`].
    pub accounts: u32,
}

/// The figures that were read last.
#[derive(Debug, Default)]
pub struct Figures(Shared<Option<Sums>>);

impl Figures {
    /// The figures; none when the database takes too long for them.
    pub async fn get(&self, store: &Store, now: Timestamp) -> Option<Sums> {
        let read = async {
            match timeout(PATIENCE, Box::pin(read(store, now))).await {
                Ok(Ok(sums)) => Some(sums),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the console's figures could not be read");
                    None
                }
                Err(_) => None,
            }
        };
        self.0.get_within(KEPT, read).await
    }
}

async fn read(store: &Store, now: Timestamp) -> Result<Sums, StoreError> {
    let sums = |length| UsageSumsQuery {
        account: None,
        // By hours and days of UTC from now there are always few enough.
        periods: usage_periods::periods(length, (None, None), &TimeZone::UTC, now).unwrap_or_default(),
        by_period: true,
        groups: Vec::new(),
        limit: usage_periods::MAX_PERIODS,
        after: None,
    };
    let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    Ok(Sums {
        hours: store.usage_sums(sums(Length::Hour)).await?,
        days: store.usage_sums(sums(Length::Day)).await?,
        refused: store.refusals_by_code(day_ago, MAX_CODES).await?,
        near_end: store.near_end(day_ago, NEAR_END_DAYS, MAX_NEAR_END).await?,
        accounts: store.count_accounts(MAX_ACCOUNTS).await?,
    })
}
