//! Points in time and lengths of time, as people type them.
//!
//! Pure: the present is an argument.

use faregate_client::{Failure, Zone};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
};
use std::time::Duration;

/// Which way a length of time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `30d` is thirty days from now.
    Ahead,
    /// `30d` is thirty days ago.
    Ago,
}

/// What time it is, and where: a date begins at midnight there.
#[derive(Clone, Debug)]
pub struct Present {
    now: Timestamp,
    zone: Zone,
}

impl Present {
    /// Now, in a zone.
    pub fn new(now: Timestamp, zone: &Zone) -> Self {
        Self { now, zone: zone.clone() }
    }

    /// What a flag was given, as the RFC 3339 text that the admin API takes.
    ///
    /// # Errors
    /// Names the flag.
    pub fn given(
        &self,
        flag: &str,
        text: Option<String>,
        direction: Direction,
    ) -> Result<Option<String>, Failure> {
        let time = text.map(|text| rfc3339(&text, self.clone(), direction)).transpose();
        time.map_err(|why| Failure::usage(format!("{flag}: {why}")))
    }
}

/// In UTC.
impl From<Timestamp> for Present {
    fn from(now: Timestamp) -> Self {
        Self { now, zone: Zone::default() }
    }
}

/// Reads an RFC 3339 time, a date or a date with a time in the present's zone, or a length such as `30d` counted from now.
///
/// # Errors
/// Says what was found and what is allowed.
pub fn parse(text: &str, present: impl Into<Present>, direction: Direction) -> Result<Timestamp, String> {
    let Present { now, zone } = present.into();
    if let Some(timestamp) = named(text, &zone)? {
        return Ok(timestamp);
    }
    let wrong = || {
        format!(
            "{text:?} is no point in time; give a date such as 2027-01-31, a time (RFC 3339) such as 2027-01-31T08:00:00Z, or a length \
             such as 45s, 90m, 12h, 30d or 2w"
        )
    };
    let length = duration(text).map_err(|_| wrong())?;
    let length = SignedDuration::try_from(length).map_err(|_| wrong())?;
    let moved = match direction {
        Direction::Ahead => now.checked_add(length),
        Direction::Ago => now.checked_sub(length),
    };
    moved.map_err(|_| beyond(text))
}

/// Reads an RFC 3339 time, a date or a date with a time in UTC, as a file has them: they mean the same on every machine, at any time.
///
/// # Errors
/// Says what was found and what is allowed.
pub fn in_a_file(text: &str) -> Result<Timestamp, String> {
    named(text, &Zone::default())?.ok_or_else(|| {
        format!(
            "{text:?} is no point in time; give a date such as 2027-01-31, which begins in UTC, or a time (RFC 3339) such as \
             2027-01-31T08:00:00+01:00"
        )
    })
}

/// A point in time that a text names, if it does; one without an offset is in the zone.
fn named(text: &str, zone: &Zone) -> Result<Option<Timestamp>, String> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(Some(timestamp));
    }
    let date = text.parse::<Date>().map(|date| date.to_datetime(jiff::civil::Time::midnight()));
    let local = text.parse::<DateTime>().or(date).ok().filter(|_| text.contains('-'));
    let zoned = local.map(|local| local.to_zoned(zone.time_zone().clone())).transpose();
    zoned.map(|zoned| zoned.map(|zoned| zoned.timestamp())).map_err(|_| beyond(text))
}

fn beyond(text: &str) -> String {
    format!("{text:?} lies beyond the calendar; the last year is 9999")
}

/// The same, as the RFC 3339 text that the admin API takes; whole seconds.
pub fn rfc3339(text: &str, present: impl Into<Present>, direction: Direction) -> Result<String, String> {
    let timestamp = parse(text, present, direction)?;
    Ok(format!("{timestamp:.0}"))
}

/// Reads a length of time: a whole number and one of ms, s, m, h, d, w.
///
/// # Errors
/// Says what was found and what is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is no length of time; give a whole number and a unit: 500ms, 20s, 5m, 12h, 30d or 2w"
        )
    };
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(unit_at).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_timestamp_is_kept_and_a_duration_counts_from_now() {
        let ahead = |text| rfc3339(text, noon(), Direction::Ahead);
        assert_eq!(ahead("2027-01-31T00:00:00Z").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(ahead("2027-01-31T02:00:00+02:00").unwrap(), "2027-01-31T00:00:00Z");
        assert_eq!(ahead("30d").unwrap(), "2026-12-20T12:00:00Z");
        assert_eq!(ahead("90m").unwrap(), "2026-11-20T13:30:00Z");
        assert_eq!(rfc3339("2w", noon(), Direction::Ago).unwrap(), "2026-11-06T12:00:00Z");
    }

    #[test]
    fn a_date_begins_at_midnight_in_the_zone() {
        let berlin = Present::new(noon(), &Zone::named("Europe/Berlin").unwrap());
        let there = |text| rfc3339(text, berlin.clone(), Direction::Ahead).unwrap();
        assert_eq!(there("2027-01-31"), "2027-01-30T23:00:00Z");
        assert_eq!(there("2027-07-31T08:30"), "2027-07-31T06:30:00Z");
        assert_eq!(there("2027-07-31T08:30:00Z"), "2027-07-31T08:30:00Z");
        assert_eq!(
            there("2027-01-31T01:00:00+01:00[Europe/Berlin]"),
            "2027-01-31T00:00:00Z",
            "as it is shown"
        );
        assert_eq!(rfc3339("2027-01-31", noon(), Direction::Ago).unwrap(), "2027-01-31T00:00:00Z");
        let given = |text: &str| berlin.given("--expires", Some(text.into()), Direction::Ahead);
        assert_eq!(given("2027-01-31").unwrap().as_deref(), Some("2027-01-30T23:00:00Z"));
        assert!(given("soon").unwrap_err().detail.starts_with("--expires: \"soon\" is no point in time"));
    }

    #[test]
    fn invalid_times_are_rejected_with_examples() {
        for text in [
            "",
            "d",
            "30",
            "30 d",
            "-30d",
            "1.5h",
            "tomorrow",
            "20270131",
            "2027-02-30",
            "99999999999999999999d",
            "30d12h",
        ] {
            let why = parse(text, noon(), Direction::Ahead).unwrap_err();
            assert!(why.contains("RFC 3339"), "{text}: {why}");
        }
        assert!(parse("9999999w", noon(), Direction::Ahead).unwrap_err().contains("calendar"));
    }

    #[test]
    fn a_file_has_no_lengths_and_its_dates_begin_in_utc() {
        assert_eq!(in_a_file("2027-01-31").unwrap().to_string(), "2027-01-31T00:00:00Z");
        assert_eq!(in_a_file("2027-01-31T08:00:00+01:00").unwrap().to_string(), "2027-01-31T07:00:00Z");
        for text in ["30d", "soon", "", "20270131"] {
            assert!(in_a_file(text).unwrap_err().contains("2027-01-31, which begins in UTC"), "{text}");
        }
    }

    #[test]
    fn a_duration_needs_a_unit() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("20").unwrap_err().contains("unit"));
        assert!(duration("ä").is_err());
    }
}
