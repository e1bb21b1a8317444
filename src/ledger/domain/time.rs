//! Times as the ledger keeps them.

use jiff::Timestamp;

/// A time from its milliseconds; what a timestamp can't hold is held at its end.
pub fn at(ms: i64) -> Timestamp {
    let end = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(end)
}

/// The minute of a time, by which entries and usage are added up.
pub fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

/// When a minute began.
pub fn of_minute(minute: i64) -> Timestamp {
    at(minute.saturating_mul(60_000))
}
