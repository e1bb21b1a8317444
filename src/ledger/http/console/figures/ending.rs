//! Which accounts will soon have used up their credits.

use crate::http::console::survey::{Count, Pace, next_length};
use crate::store::queries::overview::{AccountWindow, NearEnd};
use crate::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};

/// The most accounts near their end.
const MAX_NEAR_END: usize = 8;
/// Accounts are near their end that have less than this many times of what they spent in the last 24 hours.
pub const NEAR_END_DAYS: i64 = 3;
/// How many accounts a step looks at: the fewest and the most, and at first.
const STEP: (i64, i64) = (100, 100_000);
const FIRST_STEP: i64 = 10_000;

/// Looks for them.
#[derive(Debug)]
pub struct Ending;

/// Those that end soonest, first.
pub type NearEnds = Vec<NearEnd>;

impl Count for Ending {
    type Sum = NearEnds;

    async fn count(
        &self,
        store: &Store,
        _: Option<&NearEnds>,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<NearEnds, StoreError> {
        let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let (mut all, mut after, mut length) = (NearEnds::new(), 0, FIRST_STEP);
        loop {
            let window = AccountWindow { after, accounts: usize::try_from(length).unwrap_or(0) };
            let step = store.near_end(window, day_ago, NEAR_END_DAYS, MAX_NEAR_END);
            let ((found, next), took) = pace.step(step).await?;
            all.extend(found);
            all.sort_by(sooner);
            all.truncate(MAX_NEAR_END);
            let Some(next) = next else { return Ok(all) };
            (after, length) = (next, next_length(length, took, STEP));
        }
    }
}

/// Which of two ends sooner: the one with less left of what it spends.
fn sooner(one: &NearEnd, other: &NearEnd) -> std::cmp::Ordering {
    let part = |left: &NearEnd, spent: &NearEnd| {
        i128::from(left.left.micros()).saturating_mul(spent.spent.micros().into())
    };
    part(one, other).cmp(&part(other, one)).then_with(|| one.id.cmp(&other.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::Credits;

    #[test]
    fn what_lasts_for_less_time_comes_first() {
        let account = |id: &str, left: i64, spent: i64| NearEnd {
            id: id.to_owned(),
            name: None,
            left: Credits::from_micros(left),
            spent: Credits::from_micros(spent),
        };
        let mut all =
            [account("slow", 5, 10), account("b", 2, 10), account("a", 20, 100), account("empty", 0, 1)];
        all.sort_by(sooner);
        assert_eq!(all.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), ["empty", "a", "b", "slow"]);
    }
}
