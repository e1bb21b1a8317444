//! Sums old usage up: minutes become hours, and hours days, so that a key that is always in use doesn't need a row for every
//! minute for ever. The row of an hour or a day is that of its first minute.
//!
//! What must hold: no sum over whole hours, or later whole days, changes; and nothing is reported into minutes that are old
//! enough to be summed up ([`super::usage`]).

use crate::store::draft::{Draft, Kept, Stop};
use crate::store::operation::Operation;
use crate::store::rows::{UsageItemRow, UsageQuantityRow, UsageRow};
use jiff::Timestamp;

/// How long usage is kept by the minute (minutes).
pub const KEEP_MINUTES: i64 = 7 * DAY;
/// How long usage is kept by the hour (minutes).
pub const KEEP_HOURS: i64 = 400 * DAY;
/// An hour, in minutes.
pub const HOUR: i64 = 60;
/// A day of UTC, in minutes.
pub const DAY: i64 = 24 * HOUR;

/// A row of usage by its time.
pub trait Timed: Kept {
    /// The same row at another time.
    #[must_use]
    fn moved(self, minute: i64) -> Self;

    /// Its time: the minute, counted from 1970.
    fn minute(&self) -> i64;
}

macro_rules! timed {
    ($($row:ident),+) => {
        $(impl Timed for $row {
            fn moved(mut self, minute: i64) -> Self {
                self.place.1 = minute;
                self
            }

            fn minute(&self) -> i64 {
                self.place.1
            }
        })+
    };
}

timed!(UsageRow, UsageItemRow, UsageQuantityRow);

/// Sums up some rows of a table. Returns how many there were.
#[derive(Clone, Debug)]
pub struct RollUp<R: Timed> {
    /// Which.
    pub rows: Vec<R::Key>,
    /// Into spans of this many minutes.
    pub span: i64,
}

impl<R: Timed> Operation for RollUp<R>
where
    R::Key: Send + Sync,
{
    type Output = usize;

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<usize, Stop> {
        let (mut found, mut missing) = (Vec::new(), false);
        for key in &self.rows {
            match draft.get::<R>(key) {
                Ok(row) => found.extend(row.cloned()),
                Err(Stop::Missing) => missing = true,
                Err(other) => return Err(other),
            }
        }
        if missing {
            return Err(Stop::Missing);
        }
        let summed = found.len();
        for row in found {
            let begins = row.minute().saturating_sub(row.minute().rem_euclid(self.span));
            draft.remove::<R>(&row.key());
            draft.add(row.moved(begins));
        }
        Ok(summed)
    }
}
