//! Endpoints to which events are delivered: which events one gets, and when a delivery that failed is tried again.
//!
//! What must hold: of an account's events an endpoint gets each in its order; one that can't be delivered for [`GIVEN_UP_MS`] stops
//! its endpoint, and stays.

pub use crate::api::{DeliveryState, WebhookState};

use super::AccountNo;
use super::event::EventKind;
use super::time::at;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The most endpoints.
pub const MAX_WEBHOOKS: usize = 20;
/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;
/// The longest overlap of two secrets.
pub const MAX_OVERLAP_S: u32 = 30 * 24 * 60 * 60;
/// How many deliveries to one endpoint are under way at once.
pub const AT_ONCE: usize = 4;
/// After this long without success an endpoint is given up.
pub const GIVEN_UP_MS: i64 = 3 * 24 * 60 * 60 * 1_000;
/// For how long a ledger may be trying a delivery, before another one may.
pub const CLAIM_MS: i64 = 60_000;
/// The shortest and the longest wait before a delivery is tried again.
const WAIT_MS: (i64, i64) = (5_000, 6 * 60 * 60 * 1_000);
/// The longest text that is kept of an error, in characters.
const MAX_ERROR_CHARS: usize = 200;

/// Which events are put in an endpoint's queue again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPlan {
    /// The time that was asked for.
    pub since: Timestamp,
    /// Those up to this time; later ones are in the queue anyway.
    pub until: Timestamp,
    /// The last event that was looked at: its time (ms), account and number.
    pub after: (i64, i64, i64),
}

impl ReplayPlan {
    /// All from a time on.
    pub fn new(since: Timestamp, now: Timestamp) -> Self {
        Self { since, until: now, after: (since.as_millisecond(), 0, 0) }
    }
}

/// Whether an endpoint gets an event.
pub fn wants(kinds: Option<&[String]>, only: Option<AccountNo>, kind: EventKind, account: AccountNo) -> bool {
    kinds.is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind.as_str()))
        && only.is_none_or(|only| only == account)
}

/// When a delivery that has failed now is tried again, if it was first tried at `first`: after as long as it has been failing,
/// so that the waits double, and up to a tenth more by `jitter`. None when it is given up.
pub fn next_try(first: Timestamp, now: Timestamp, jitter: u32) -> Option<Timestamp> {
    let failing = now.as_millisecond().saturating_sub(first.as_millisecond()).max(0);
    if failing >= GIVEN_UP_MS {
        return None;
    }
    let wait = failing.clamp(WAIT_MS.0, WAIT_MS.1);
    let more = i128::from(wait).saturating_mul(jitter.into()) / (i128::from(u32::MAX) * 10);
    let wait = wait.saturating_add(i64::try_from(more).unwrap_or(0));
    Some(at(now.as_millisecond().saturating_add(wait)))
}

/// Until when the secret before is used as well.
pub fn overlap_end(now: Timestamp, overlap_s: u32) -> Timestamp {
    let overlap = SignedDuration::from_secs(overlap_s.into());
    at(now.saturating_add(overlap).unwrap_or(Timestamp::MAX).as_millisecond())
}

/// What is kept of an error.
pub fn kept_error(error: &str) -> String {
    error.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_and_end_after_three_days() {
        let first = Timestamp::from_second(1_800_000_000).unwrap();
        let (mut now, mut waits) = (first, Vec::new());
        while let Some(next) = next_try(first, now, 0) {
            waits.push(next.as_second() - now.as_second());
            now = next;
        }
        assert_eq!(&waits[..6], [5, 5, 10, 20, 40, 80], "{waits:?}");
        assert_eq!(waits.last(), Some(&(6 * 60 * 60)), "{waits:?}");
        let days = (now.as_second() - first.as_second()) / 86_400;
        assert!(days == 3 && waits.len() < 40, "{days} {waits:?}");
    }

    proptest! {
        #[test]
        fn a_wait_is_never_much_longer_than_the_failure(failing_s in 0_i64..300_000, jitter in any::<u32>()) {
            let first = Timestamp::from_second(1_800_000_000).unwrap();
            let now = Timestamp::from_second(1_800_000_000 + failing_s).unwrap();
            let Some(next) = next_try(first, now, jitter) else {
                prop_assert!(failing_s * 1_000 >= GIVEN_UP_MS);
                return Ok(());
            };
            let wait = next.as_millisecond() - now.as_millisecond();
            prop_assert!(wait >= WAIT_MS.0 && wait <= (failing_s * 1_100).clamp(5_500, WAIT_MS.1 * 11 / 10), "{}", wait);
        }
    }

    #[test]
    fn an_endpoint_gets_the_kinds_and_accounts_that_it_wants() {
        let kinds = ["balance.low".to_owned()];
        let low = |kinds, only| wants(kinds, only, EventKind::BalanceLow, AccountNo(7));
        assert!(low(None, None) && low(Some(&kinds[..]), Some(AccountNo(7))));
        assert!(!low(None, Some(AccountNo(8))) && !low(Some(&[][..]), None));
        assert!(!wants(Some(&kinds), None, EventKind::KeyRevoked, AccountNo(7)));
    }

    #[test]
    fn an_error_is_kept_short_and_plain() {
        let kept = kept_error(&format!("\u{1b}[2J{}", "x".repeat(500)));
        assert!(kept.chars().count() == MAX_ERROR_CHARS && !kept.contains('\u{1b}'), "{kept}");
    }
}
