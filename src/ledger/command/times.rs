//! Times that operators give.

use crate::domain::time::at;
use crate::store::error::Refusal;
use jiff::Timestamp;

/// A time to keep: in milliseconds, and in the future.
pub fn future(time: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    match time.map(|time| at(time.as_millisecond())) {
        Some(time) if time <= now => Err(Refusal::AlreadyPast(time)),
        time => Ok(time),
    }
}

/// A time that must be in the future, in milliseconds. The field is named where it isn't.
pub fn ahead(field: &'static str, time: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    let time = at(time.as_millisecond());
    if time > now {
        return Ok(time);
    }
    let why = format!("{time} is past; choose a time in the future");
    Err(Refusal::Field { field, why })
}
