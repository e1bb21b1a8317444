//! How much will have been spent when a period ends, if it goes on as lately, and when what is left is used up.
//!
//! A straight line: what was spent since the period began, and for the rest of it as much per second as in the last [`LOOK_BACK`].
//! Where less of that is known, because the account is younger, as much as since its beginning, but over [`LEAST`] at least: what came
//! in a few minutes says little. Pure: what must hold is that no sum leaves its range, and that what was spent is never above what
//! is expected.

use super::usage_periods::Length;
use faregate_protocol::Credits;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The pace is that of so long.
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The pace is that of so long at least.
pub const LEAST: SignedDuration = SignedDuration::from_hours(1);

/// How fast is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So much was spent.
    pub credits: Credits,
    /// In so long.
    pub over: SignedDuration,
}

/// Since when spending counts for the pace: of what began at this time.
pub fn since(began: Timestamp, now: Timestamp) -> Timestamp {
    now.checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN).max(began).min(now)
}

impl Pace {
    /// The pace of what was spent since a time.
    pub fn of(credits: Credits, since: Timestamp, now: Timestamp) -> Self {
        Self { credits, over: now.duration_since(since).max(LEAST) }
    }

    /// What is spent in so long.
    pub fn within(self, time: SignedDuration) -> Credits {
        let micros = i128::from(self.credits.micros().max(0));
        let (seconds, over) = (i128::from(time.as_secs().max(0)), i128::from(self.over.as_secs().max(1)));
        let expected = micros.saturating_mul(seconds).checked_div(over).unwrap_or(0);
        Credits::from_micros(i64::try_from(expected).unwrap_or(i64::MAX))
    }

    /// What is spent in a day.
    pub fn per_day(self) -> Credits {
        self.within(SignedDuration::from_hours(24))
    }

    /// When so much is used up; never, where nothing is spent or it is too far to say.
    pub fn used_up(self, left: Credits, now: Timestamp) -> Option<Timestamp> {
        let micros = i128::from(self.credits.micros());
        let seconds = i128::from(left.micros().max(0)).saturating_mul(self.over.as_secs().into());
        let seconds = i64::try_from(seconds.checked_div(micros.max(0))?).ok()?;
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    }
}

/// What will have been spent at the end of a period in which so much is spent by now.
pub fn expected(spent: Credits, pace: Pace, now: Timestamp, end: Timestamp) -> Credits {
    spent.saturating_add(pace.within(end.duration_since(now)))
}

/// The month of the calendar that a moment is in; the moment alone beyond the calendar.
pub fn month(zone: &TimeZone, now: Timestamp) -> (Timestamp, Timestamp) {
    Length::Month.around(&now.to_zoned(zone.clone())).unwrap_or((now, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn credits(text: &str) -> Credits {
        Credits::parse(text).unwrap()
    }

    #[test]
    fn what_goes_on_as_lately_is_a_straight_line() {
        let (now, end) = (at("2026-11-20T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        let pace = Pace::of(credits("70"), since(at("2026-01-01T00:00:00Z"), now), now);
        assert_eq!((pace.over, pace.per_day()), (LOOK_BACK, credits("10")));
        assert_eq!(expected(credits("150"), pace, now, end), credits("260"));
        assert_eq!(pace.used_up(credits("25"), now), Some(at("2026-11-22T12:00:00Z")));
        assert_eq!(expected(credits("150"), pace, now, now), credits("150"), "the period ends");
    }

    #[test]
    fn a_young_account_has_the_pace_since_it_began_and_the_first_minutes_count_as_an_hour() {
        let now = at("2026-11-20T00:00:00Z");
        let pace = Pace::of(credits("20"), since(at("2026-11-18T00:00:00Z"), now), now);
        assert_eq!(pace.per_day(), credits("10"));
        let first = Pace::of(credits("1"), since(at("2026-11-19T23:59:00Z"), now), now);
        assert_eq!(first.per_day(), credits("24"));
    }

    #[test]
    fn who_spends_nothing_ends_never() {
        let now = at("2026-11-20T00:00:00Z");
        let idle = Pace::of(Credits::ZERO, since(Timestamp::MIN, now), now);
        assert_eq!((idle.per_day(), idle.used_up(credits("1"), now)), (Credits::ZERO, None));
        assert_eq!(
            Pace::of(credits("1"), now, now).used_up(credits("1000000000000"), now),
            None,
            "beyond the calendar"
        );
    }

    #[test]
    fn a_month_is_that_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let month = month(&zone, at("2026-10-31T23:30:00Z"));
        assert_eq!(month, (at("2026-10-31T23:00:00Z"), at("2026-11-30T23:00:00Z")));
    }

    proptest! {
        #[test]
        fn no_amount_and_no_time_is_too_much(
            spent in any::<i64>(), lately in any::<i64>(), ago in 0_i64..100_000_000, more in -1_000_i64..1_000_000_000_000
        ) {
            let now = at("2026-11-20T00:00:00Z");
            let began = now.checked_sub(SignedDuration::from_secs(ago)).unwrap();
            let end = now.checked_add(SignedDuration::from_secs(more)).unwrap_or(Timestamp::MAX);
            let pace = Pace::of(Credits::from_micros(lately), since(began, now), now);
            let spent = Credits::from_micros(spent);
            prop_assert!(expected(spent, pace, now, end) >= spent);
            prop_assert!(pace.used_up(spent, now).is_none_or(|when| when >= now));
        }
    }
}
