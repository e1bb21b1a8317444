//! The periods by which usage is summed up: hours, days and months of a time zone.
//!
//! Pure: what must hold is that the periods follow each other without a gap, and that there are at most [`MAX_PERIODS`].

use jiff::RoundMode;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned, ZonedRound};

/// The most periods in one answer.
pub const MAX_PERIODS: usize = 1_000;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// An hour.
    Hour,
    /// A day of the time zone.
    Day,
    /// A month of the time zone.
    Month,
}

impl Length {
    fn span(self) -> Span {
        match self {
            Self::Hour => Span::new().hours(1),
            Self::Day => Span::new().days(1),
            Self::Month => Span::new().months(1),
        }
    }

    /// So much is shown where nothing else is asked for.
    fn usual(self) -> Span {
        match self {
            Self::Hour => Span::new().hours(24),
            Self::Day => Span::new().days(30),
            Self::Month => Span::new().months(12),
        }
    }

    /// The period that this moment is in.
    pub fn around(self, at: &Zoned) -> Option<(Timestamp, Timestamp)> {
        let begin = self.begin(at).ok()?;
        let after = begin.checked_add(self.span()).ok()?;
        let end = if self == Self::Hour { after } else { self.begin(&after).ok()? };
        Some((begin.timestamp(), end.timestamp()))
    }

    /// The beginning of the period that this moment is in.
    fn begin(self, at: &Zoned) -> Result<Zoned, jiff::Error> {
        match self {
            Self::Hour => at.round(ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc)),
            Self::Day => at.start_of_day(),
            Self::Month => at.first_of_month()?.with().time(Time::midnight()).build()?.start_of_day(),
        }
    }
}

/// Why there are no such periods.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodsError {
    /// It ends before it begins.
    #[error("is before `since`")]
    Reversed,
    /// They are too many.
    #[error("are more than {MAX_PERIODS}; ask for a shorter time, or for longer periods")]
    TooMany,
    /// A time is beyond the calendar.
    #[error("lies beyond the calendar")]
    Beyond,
}

/// The periods from `since` until `until`; the first and the last may be parts of one. Without `since` those of the last day, of
/// 30 days, or of twelve months; without `until` up to now.
pub fn periods(
    length: Length,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp)>, PeriodsError> {
    let beyond = |_| PeriodsError::Beyond;
    let until = until.unwrap_or(now);
    let since = if let Some(since) = since {
        since
    } else {
        let earlier = until.to_zoned(zone.clone()).checked_sub(length.usual()).map_err(beyond)?;
        length.begin(&earlier).map_err(beyond)?.timestamp()
    };
    if until < since {
        return Err(PeriodsError::Reversed);
    }
    if until == since {
        return Ok(Vec::new());
    }
    let mut begin = length.begin(&since.to_zoned(zone.clone())).map_err(beyond)?;
    let mut all = Vec::new();
    while begin.timestamp() < until {
        if all.len() == MAX_PERIODS {
            return Err(PeriodsError::TooMany);
        }
        let after = begin.checked_add(length.span()).map_err(beyond)?;
        // Where clocks are put forward at midnight, the next day begins later.
        let end = if length == Length::Hour { after } else { length.begin(&after).map_err(beyond)? };
        if end <= begin {
            return Err(PeriodsError::Beyond);
        }
        all.push((begin.timestamp().max(since), end.timestamp().min(until)));
        begin = end;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn all(length: Length, since: &str, until: &str, zone: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let time = (Some(at(since)), Some(at(until)));
        let found = periods(length, time, &zone, at(until)).unwrap();
        found.iter().map(|(begin, _)| begin.to_string()).collect()
    }

    #[test]
    fn days_and_months_are_those_of_the_time_zone() {
        assert_eq!(
            all(Length::Day, "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", "Europe/Berlin"),
            ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"],
            "one of them has 23 hours"
        );
        assert_eq!(
            all(Length::Month, "2026-01-15T12:00:00Z", "2026-03-01T00:00:00Z", "America/New_York"),
            ["2026-01-15T12:00:00Z", "2026-02-01T05:00:00Z"]
        );
        assert_eq!(
            all(Length::Hour, "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z", "Europe/Berlin").len(),
            3
        );
        assert_eq!(
            all(Length::Hour, "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z", "Asia/Kolkata"),
            ["2026-01-01T00:10:00Z", "2026-01-01T00:30:00Z"]
        );
    }

    #[test]
    fn too_many_periods_and_a_reversed_time_are_refused() {
        let between = |length, since, until| {
            periods(length, (Some(at(since)), Some(at(until))), &TimeZone::UTC, at(until))
        };
        let [early, late] = ["2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"];
        assert_eq!(between(Length::Hour, early, late), Err(PeriodsError::TooMany));
        assert_eq!(between(Length::Day, late, early), Err(PeriodsError::Reversed));
        assert_eq!(between(Length::Day, early, early), Ok(vec![]));
    }

    #[test]
    fn without_a_time_the_last_periods_are_meant() {
        let now = at("2026-11-30T19:30:00Z");
        let found = periods(Length::Month, (None, None), &TimeZone::UTC, now).unwrap();
        assert_eq!((found.len(), found[0].0, found[12].1), (13, at("2025-11-01T00:00:00Z"), now));
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_a_gap(
            begin in 1_500_000_000_i64..2_500_000_000, hours in 0_i64..900, which in 0..3_usize, zone in 0..4_usize
        ) {
            let zone = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu"][zone];
            let length = [Length::Hour, Length::Day, Length::Month][which];
            let since = Timestamp::from_second(begin).unwrap();
            let until = Timestamp::from_second(begin + hours * 3_600).unwrap();
            let found = periods(length, (Some(since), Some(until)), &TimeZone::get(zone).unwrap(), until).unwrap();
            prop_assert_eq!(found.is_empty(), hours == 0);
            if let (Some(first), Some(last)) = (found.first(), found.last()) {
                prop_assert_eq!((first.0, last.1), (since, until));
            }
            for pair in found.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
            prop_assert!(found.iter().all(|(begin, end)| begin < end));
        }
    }
}
