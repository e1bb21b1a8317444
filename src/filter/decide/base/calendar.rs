//! Dates as operators write them, and as HTTP headers need them.
//!
//! What must hold: a date that isn't in the calendar is rejected; a valid one is neither rounded nor guessed. The only
//! time zone is UTC, and there is nothing before 1970.

use super::text::joined;

/// A date, or a moment of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date<'a> {
    /// Seconds since 1970 began.
    pub seconds: u64,
    /// Days since then, and the month from 1: of what `text` doesn't say.
    days: u32,
    month: u32,
    /// As it was written.
    text: &'a str,
}

const SHAPE: &[u8; 20] = b"0000-00-00T00:00:00Z";
/// The day on which 1970 began is the first.
const WEEKDAYS: &str = "ThuFriSatSunMonTueWed";
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Reads `2027-06-30`, which is midnight, or `2027-06-30T12:00:00Z`.
pub fn read(text: &str) -> Option<Date<'_>> {
    if text.len() != 10 && text.len() != SHAPE.len() {
        return None;
    }
    let (mut numbers, mut at) = ([0; 6], 0);
    for (byte, shape) in text.bytes().zip(*SHAPE) {
        if shape != b'0' {
            at += 1;
            if byte != shape {
                return None;
            }
        } else if let (b'0'..=b'9', Some(number)) = (byte, numbers.get_mut(at)) {
            *number = *number * 10 + u32::from(byte - b'0');
        } else {
            return None;
        }
    }
    let [year, month, day, hour, minute, second] = numbers;
    let in_calendar = year >= 1970 && (1..=12).contains(&month) && day >= 1 && day <= length(year, month);
    if !in_calendar || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(year, month, day);
    let seconds = u64::from(days) * 86_400 + u64::from((hour * 60 + minute) * 60 + second);
    Some(Date { seconds, days, month, text })
}

impl Date<'_> {
    /// As HTTP has it, `Wed, 30 Jun 2027 12:00:00 GMT` (RFC 9110's IMF-fixdate).
    pub fn imf_fixdate(&self) -> String {
        let part = |from: usize, to: usize| self.text.get(from..to);
        joined(&[
            third(WEEKDAYS, self.days % 7),
            ", ",
            part(8, 10).unwrap_or_default(),
            " ",
            third(MONTHS, self.month - 1),
            " ",
            part(0, 4).unwrap_or_default(),
            " ",
            part(11, 19).unwrap_or("00:00:00"),
            " GMT",
        ])
    }
}

/// A moment of RFC 3339 in UTC as a person reads it, `1 Dec 2026, 00:00 UTC`; as it is where it is something else.
pub fn human_readable(text: &str) -> String {
    let date = text.get(..10).filter(|_| text.ends_with('Z')).and_then(read);
    let (Some(date), Some(day), Some(time)) = (date, text.get(8..10), text.get(11..16)) else {
        return text.to_owned();
    };
    let (month, year) = (third(MONTHS, date.month - 1), text.get(..4).unwrap_or_default());
    joined(&[day.trim_start_matches('0'), " ", month, " ", year, ", ", time, " UTC"])
}

/// One of many names of three letters.
fn third(names: &'static str, number: u32) -> &'static str {
    let from = usize::try_from(number).unwrap_or(0) * 3;
    names.get(from..from + 3).unwrap_or_default()
}

/// How many days a month has.
fn length(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. A year is counted from March, so that a leap day is its last.
fn days(year: u32, month: u32, day: u32) -> u32 {
    let year = if month > 2 { year } else { year - 1 };
    let months = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * months + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::fmt::rfc2822::DateTimePrinter;
    use proptest::prelude::*;

    #[test]
    fn timestamps_are_formatted_for_readers() {
        for (text, plain) in [
            ("2026-12-01T00:00:00Z", "1 Dec 2026, 00:00 UTC"),
            ("2026-12-21T19:31:12.123456Z", "21 Dec 2026, 19:31 UTC"),
            ("2026-12-21T19:31:12+01:00", "2026-12-21T19:31:12+01:00"),
            ("2026-13-21T19:31:12Z", "2026-13-21T19:31:12Z"),
            ("soonéZ", "soonéZ"),
            ("", ""),
        ] {
            assert_eq!(human_readable(text), plain);
        }
    }

    #[test]
    fn a_date_is_parsed_and_written_as_an_http_date() {
        for (text, seconds, written) in [
            ("1970-01-01", 0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("2026-12-01", 1_796_083_200, "Tue, 01 Dec 2026 00:00:00 GMT"),
            ("2027-06-30T12:00:00Z", 1_814_356_800, "Wed, 30 Jun 2027 12:00:00 GMT"),
            ("2000-02-29T23:59:59Z", 951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            ("9999-12-31T23:59:59Z", 253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((date.seconds, date.imf_fixdate().as_str()), (seconds, written));
        }
    }

    #[test]
    fn invalid_dates_are_rejected() {
        for text in [
            "",
            "2026",
            "2026-12",
            "2026-1-1",
            "26-01-01",
            "1969-12-31",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-01-32",
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "+026-01-01",
            "2026-01-01-01",
            "2026-01-01T",
            "2026-01-01TZ",
            "2026-01-01T12:00:00",
            "2026-01-01T12:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T12:60:00Z",
            "2026-01-01T12:00:60Z",
            "2026-01-01T12:00:00.5Z",
            "2026-01-01T12:00:00+01:00",
            "2026-01-01 12:00:00Z",
            "２026-01-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_timestamp_since_1970_matches_jiff(
            seconds in 0_i64..253_402_207_200
        ) {
            let moment = Timestamp::from_second(seconds).unwrap();
            let text = moment.to_string();
            let date = read(&text).unwrap();
            prop_assert_eq!(date.seconds, seconds.cast_unsigned());
            prop_assert_eq!(date.imf_fixdate(), DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap());
            let (midnight, _) = text.split_once('T').unwrap();
            prop_assert_eq!(read(midnight).unwrap().seconds, (seconds - seconds % 86_400).cast_unsigned());
        }

        #[test]
        fn date_validity_matches_jiff(
            year in 1_970_i16..=9_999, month in 0_i8..=13, day in 0_i8..=32
        ) {
            let other = jiff::civil::Date::new(year, month, day);
            prop_assert_eq!(read(&format!("{year:04}-{month:02}-{day:02}")).is_some(), other.is_ok());
        }
    }
}
