//! Periods: which one a moment belongs to.
//!
//! What must hold: periods of one rhythm follow each other without a gap and without overlap, and each
//! boundary is counted from the origin, never from the boundary before it. So a subscription that began on
//! the 31st renews on the last day of February and on the 31st of March.

pub use crate::api::{Anchor, Unit};
use jiff::civil::{self, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Span, Timestamp};
use std::sync::LazyLock;

/// The time zones that came with the program: every ledger has the same, whatever its system knows.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The first Monday that is also a first of January: where all calendar periods but hours are counted from.
const CALENDAR: DateTime = civil::date(1, 1, 1).at(0, 0, 0, 0);

/// A time zone by its IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok().filter(|zone| zone.iana_name().is_some())
}

/// How periods follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// What they are counted in.
    pub unit: Unit,
    /// So many of these make a period; above zero.
    pub every: u16,
    /// Where they begin.
    pub anchor: Anchor,
    /// In which time zone.
    pub zone: TimeZone,
}

/// A month in UTC.
impl Default for Rhythm {
    fn default() -> Self {
        Self { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone: TimeZone::UTC }
    }
}

/// One period: from `start` on, and before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its number; the one that begins at the origin has zero.
    pub number: i64,
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment of the next.
    pub end: Timestamp,
}

/// Where periods are counted from.
struct Origin {
    moment: Timestamp,
    local: DateTime,
}

impl Rhythm {
    /// The name of its time zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The period of `now`. `anchor` is where periods begin that don't go by the calendar.
    pub fn period(&self, anchor: Timestamp, now: Timestamp) -> Period {
        let origin = self.origin(anchor);
        let mut number = self.about(&origin, now);
        while self.boundary(&origin, number) > now {
            number = number.saturating_sub(1);
        }
        while self.boundary(&origin, number.saturating_add(1)) <= now {
            number = number.saturating_add(1);
        }
        let end = self.boundary(&origin, number.saturating_add(1));
        Period { number, start: self.boundary(&origin, number), end }
    }

    fn origin(&self, anchor: Timestamp) -> Origin {
        match (self.anchor, self.unit) {
            (Anchor::Start, _) => Origin { moment: anchor, local: self.zone.to_datetime(anchor) },
            // Hours have one length everywhere, so they need no time zone.
            (Anchor::Calendar, Unit::Hour) => Origin { moment: Timestamp::UNIX_EPOCH, local: CALENDAR },
            (Anchor::Calendar, _) => Origin { moment: self.local(CALENDAR, Timestamp::MIN), local: CALENDAR },
        }
    }

    /// The number of the period, or nearly so.
    fn about(&self, origin: &Origin, now: Timestamp) -> i64 {
        let local = self.zone.to_datetime(now);
        let years = i64::from(local.year()) - i64::from(origin.local.year());
        let units = match self.unit {
            Unit::Hour => now.as_second().saturating_sub(origin.moment.as_second()).div_euclid(3_600),
            Unit::Day => days(origin.local, local),
            Unit::Week => days(origin.local, local).div_euclid(7),
            Unit::Month => years * 12 + i64::from(local.month()) - i64::from(origin.local.month()),
            Unit::Year => years,
        };
        units.div_euclid(self.length())
    }

    fn length(&self) -> i64 {
        i64::from(self.every.max(1))
    }

    /// Where the period with this number begins; beyond the calendar's end, its end.
    fn boundary(&self, origin: &Origin, number: i64) -> Timestamp {
        let count = number.saturating_mul(self.length());
        let end = if number < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let span = match self.unit {
            // Among clocks that are set back the same local time comes twice; the origin is one of these.
            _ if number == 0 => return origin.moment,
            Unit::Hour => {
                let hours = SignedDuration::from_secs(count.saturating_mul(3_600));
                return origin.moment.checked_add(hours).unwrap_or(end);
            }
            Unit::Day => Span::new().try_days(count),
            Unit::Week => Span::new().try_weeks(count),
            Unit::Month => Span::new().try_months(count),
            Unit::Year => Span::new().try_years(count),
        };
        let local = span.and_then(|span| origin.local.checked_add(span));
        local.map_or(end, |local| self.local(local, end))
    }

    /// A local time as a moment. One that is left out when clocks are set forward is as much later; of one
    /// that comes twice, the first counts.
    fn local(&self, local: DateTime, otherwise: Timestamp) -> Timestamp {
        self.zone.to_timestamp(local).unwrap_or(otherwise)
    }
}

fn days(from: DateTime, to: DateTime) -> i64 {
    from.date().until(to.date()).map_or(0, |span| i64::from(span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rhythm(unit: Unit, every: u16, anchor: Anchor, name: &str) -> Rhythm {
        Rhythm { unit, every, anchor, zone: zone(name).unwrap() }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The beginnings of the periods that follow.
    fn beginnings(rhythm: &Rhythm, anchor: &str, count: usize) -> Vec<String> {
        let (anchor, mut now, mut found) = (time(anchor), time(anchor), Vec::new());
        for _ in 0..count {
            let period = rhythm.period(anchor, now);
            found.push(period.start.to_zoned(rhythm.zone.clone()).strftime("%F %H:%M%:z").to_string());
            now = period.end;
        }
        found
    }

    #[test]
    fn monthly_periods_from_the_31st_end_with_the_month_and_never_drift() {
        let monthly = rhythm(Unit::Month, 1, Anchor::Start, "UTC");
        let found = beginnings(&monthly, "2027-12-31T10:00:00Z", 5);
        let expected = ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"];
        assert_eq!(found, expected.map(|date| format!("{date} 10:00+00:00")));
        let yearly = rhythm(Unit::Year, 1, Anchor::Start, "UTC");
        let found = beginnings(&yearly, "2028-02-29T00:00:00Z", 5);
        let expected = ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"];
        assert_eq!(found, expected.map(|date| format!("{date} 00:00+00:00")));
    }

    #[test]
    fn days_follow_daylight_saving_time_and_hours_do_not() {
        let daily = rhythm(Unit::Day, 1, Anchor::Calendar, "Europe/Berlin");
        let length = |now: &str| {
            let period = daily.period(Timestamp::UNIX_EPOCH, time(now));
            (period.end.as_second() - period.start.as_second()) / 3_600
        };
        assert_eq!(length("2027-03-27T12:00:00Z"), 24);
        assert_eq!(length("2027-03-28T12:00:00Z"), 23);
        assert_eq!(length("2027-10-31T12:00:00Z"), 25);
        let hourly = rhythm(Unit::Hour, 1, Anchor::Start, "Europe/Berlin");
        let found = beginnings(&hourly, "2027-10-31T00:30:00Z", 3);
        assert_eq!(found, ["2027-10-31 02:30+02:00", "2027-10-31 02:30+01:00", "2027-10-31 03:30+01:00"]);
        // The second 02:30 of that night is a beginning like any other.
        let daily = rhythm(Unit::Day, 1, Anchor::Start, "Europe/Berlin");
        let found = beginnings(&daily, "2027-10-31T01:30:00Z", 2);
        assert_eq!(found, ["2027-10-31 02:30+01:00", "2027-11-01 02:30+01:00"]);
    }

    #[test]
    fn calendar_periods_start_on_mondays_first_days_and_quarters() {
        let first = |unit, every, zone: &str| {
            let rhythm = rhythm(unit, every, Anchor::Calendar, zone);
            let start = rhythm.period(time("2026-01-01T00:00:00Z"), time("2026-11-21T12:00:00Z")).start;
            start.to_zoned(rhythm.zone).strftime("%F %H:%M").to_string()
        };
        assert_eq!(first(Unit::Week, 1, "America/New_York"), "2026-11-16 00:00");
        assert_eq!(first(Unit::Month, 1, "Asia/Kolkata"), "2026-11-01 00:00");
        assert_eq!(first(Unit::Month, 3, "UTC"), "2026-10-01 00:00");
        assert_eq!(first(Unit::Year, 1, "UTC"), "2026-01-01 00:00");
        assert_eq!(first(Unit::Hour, 6, "UTC"), "2026-11-21 12:00");
    }

    #[test]
    fn a_skipped_calendar_day_is_not_a_period() {
        let daily = rhythm(Unit::Day, 1, Anchor::Calendar, "Pacific/Apia");
        let period = daily.period(Timestamp::UNIX_EPOCH, time("2011-12-30T05:00:00Z"));
        let next = daily.period(Timestamp::UNIX_EPOCH, period.end);
        let date = |period: Period| period.start.to_zoned(daily.zone.clone()).date().to_string();
        assert_eq!((date(period), date(next)), ("2011-12-29".into(), "2011-12-31".into()));
    }

    #[test]
    fn periods_end_at_the_maximum_timestamp() {
        let slow = rhythm(Unit::Year, 100, Anchor::Start, "UTC");
        let last = slow.period(time("2026-01-01T00:00:00Z"), time("9998-01-01T00:00:00Z"));
        assert_eq!(last.end, Timestamp::MAX);
        assert!(zone("Mars/Olympus").is_none() && zone("").is_none() && zone("europe/berlin").is_some());
    }

    proptest! {
        /// By the calendar, a moment is in a period exactly when it has the same local year, month or day as
        /// the period's beginning; from a start, the beginning keeps its day and time wherever these exist.
        #[test]
        fn a_period_matches_the_local_calendar(
            unit in proptest::sample::select(Unit::ALL.to_vec()),
            name in proptest::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
            anchor in 1_200_000_000_i64..2_000_000_000, ahead in 0_i64..400_000_000, every in 1_u16..5,
        ) {
            let (start, now) = (Timestamp::from_second(anchor).unwrap(), Timestamp::from_second(anchor + ahead).unwrap());
            for (by, every) in [(Anchor::Start, every), (Anchor::Calendar, every)] {
                let rhythm = rhythm(unit, every, by, name);
                let period = rhythm.period(start, now);
                prop_assert!(period.start <= now && now < period.end);
                let next = rhythm.period(start, period.end);
                prop_assert!(next.number > period.number && next.start == period.end);
                let before = rhythm.period(start, Timestamp::from_second(period.start.as_second() - 1).unwrap());
                prop_assert!(before.end == period.start && before.number < period.number);
            }
            let local = |time: Timestamp| time.to_zoned(zone(name).unwrap()).datetime();
            let first = rhythm(unit, 1, Anchor::Calendar, name).period(start, now).start;
            let (from, to) = (local(first), local(now));
            match unit {
                Unit::Hour => prop_assert!(now.as_second() / 3_600 == first.as_second() / 3_600),
                Unit::Day => prop_assert_eq!(from.date(), to.date()),
                Unit::Week => prop_assert_eq!(from.date().iso_week_date().week(), to.date().iso_week_date().week()),
                Unit::Month => prop_assert_eq!((from.year(), from.month()), (to.year(), to.month())),
                Unit::Year => prop_assert_eq!(from.year(), to.year()),
            }
            if unit == Unit::Month {
                let begun = local(rhythm(unit, every, Anchor::Start, name).period(start, now).start);
                let wanted = local(start).day().min(begun.date().days_in_month());
                prop_assert!(begun.day() == wanted || name == "Pacific/Apia", "{} {}", begun, wanted);
            }
        }
    }
}
