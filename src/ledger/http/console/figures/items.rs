//! What models and tools earned in the last days.

use crate::domain::time::minute;
use crate::http::console::survey::{Count, Pace, next_length};
use crate::store::queries::items::ItemSums;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;

const DAY: i64 = 24 * 60;
/// Over how many days.
pub const DAYS: i64 = 30;
/// How many models and tools are counted: in each step those that cost the most.
const MAX_NAMES: usize = 10_000;
/// How many of them are shown.
const EARNERS: usize = 12;
/// The shortest and the longest step (minutes), and the first one.
const STEP: (i64, i64) = (10, DAYS * DAY);
const FIRST_STEP: i64 = DAY;

/// Counts it.
#[derive(Debug)]
pub struct Items;

/// Those that earned the most, first. What has no name is empty.
pub type Earned = Vec<(String, ItemSums)>;

impl Count for Items {
    type Sum = Earned;

    async fn count(
        &self,
        store: &Store,
        _: Option<&Earned>,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<Earned, StoreError> {
        let until = minute(now).saturating_add(1);
        let (mut from, mut length) = (until.saturating_sub(DAYS * DAY), FIRST_STEP);
        let mut sums: BTreeMap<String, ItemSums> = BTreeMap::new();
        while from < until {
            let end = from.saturating_add(length).min(until);
            let (found, took) = pace.step(store.items_between((from, end), MAX_NAMES)).await?;
            for (name, more) in found {
                if let Some(sum) = sums.get_mut(&name) {
                    *sum = sum.and(more);
                } else if sums.len() < MAX_NAMES {
                    sums.insert(name, more);
                }
            }
            (from, length) = (end, next_length(length, took, STEP));
        }
        let mut all: Earned = sums.into_iter().collect();
        all.sort_by(|(one, of_one), (other, of_other)| {
            of_other.credits.cmp(&of_one.credits).then_with(|| one.cmp(other))
        });
        all.truncate(EARNERS);
        Ok(all)
    }
}
