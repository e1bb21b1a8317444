//! Which records are wanted, in which order they are looked for, and for how long.

use crate::domain::call_log::{day_of, numbers_of};
use jiff::Timestamp;
use std::ops::Range;
use std::time::Duration;

/// How long a search looks for records before it gives what it has found.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// A search of what no index finds looks at this long a time at first (µs), and then at longer ones.
const FIRST_SPAN_US: i64 = 60_000_000;
/// A span that took less than this is followed by a longer one.
const SHORT: Duration = Duration::from_millis(50);

/// What came of writing.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Records that were stored.
    pub records: u64,
    /// Records that there was no room for.
    pub dropped: u64,
    /// Records that gateways had dropped.
    pub lost: u64,
    /// Of each batch, whether it came for the first time.
    pub is_new: Vec<bool>,
}

/// Which records are wanted: those of which all is true that is asked for.
#[derive(Clone, Debug, Default)]
pub struct CallQuery {
    /// Of this account.
    pub account: Option<String>,
    /// Of this key.
    pub key: Option<String>,
    /// Under this rule.
    pub rule: Option<String>,
    /// For this model or tool.
    pub item: Option<String>,
    /// What became of them.
    pub decision: Option<String>,
    /// Refused for this cause.
    pub code: Option<String>,
    /// With a status in this range.
    pub status: Option<Range<i64>>,
    /// With this `x-request-id`.
    pub request_id: Option<String>,
    /// Stored at this time or later.
    pub since: Option<Timestamp>,
    /// Stored before this time.
    pub until: Option<Timestamp>,
    /// Older than this record.
    pub after: Option<i64>,
    /// Newer than this record, oldest first.
    pub newer_than: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

impl CallQuery {
    /// Whether an index finds what is asked for.
    const fn is_indexed(&self) -> bool {
        self.account.is_some() || self.request_id.is_some()
    }

    /// The numbers among which is looked, of records up to `newest`.
    fn numbers(&self, newest: i64) -> Range<i64> {
        let least = self.since.map_or(0, Timestamp::as_microsecond);
        let least = least.max(self.newer_than.map_or(0, |number| number.saturating_add(1))).max(0);
        let end = newest.saturating_add(1).min(self.until.map_or(i64::MAX, Timestamp::as_microsecond));
        least..end.min(self.after.unwrap_or(i64::MAX)).max(least)
    }
}

/// The ranges of numbers that are looked at one after the other, within a day each.
#[derive(Debug)]
pub struct Spans {
    rest: Range<i64>,
    ascending: bool,
    indexed: bool,
    length: i64,
    /// The days that have records.
    days: Vec<i64>,
}

impl Spans {
    /// For a search in these days.
    pub fn new(query: &CallQuery, days: Vec<i64>, newest: i64) -> Self {
        Self {
            rest: query.numbers(newest),
            ascending: query.newer_than.is_some(),
            indexed: query.is_indexed(),
            length: FIRST_SPAN_US,
            days,
        }
    }

    /// Where the search goes on: what `after` or `newer_than` has to say then; none at its end.
    pub fn cursor(&self) -> Option<i64> {
        if self.ascending {
            return Some(self.rest.start.saturating_sub(1));
        }
        (!self.rest.is_empty()).then_some(self.rest.end)
    }

    /// The search ended early behind this record.
    pub fn stop_at(&mut self, number: i64) {
        if self.ascending {
            self.rest.start = number.saturating_add(1);
        } else {
            self.rest.end = number;
        }
    }

    /// The next range, and its day.
    pub fn next(&mut self) -> Option<(i64, Range<i64>)> {
        let day = {
            let within = self.days.iter().copied().filter(|day| {
                let numbers = numbers_of(*day);
                numbers.start < self.rest.end && numbers.end > self.rest.start
            });
            if self.ascending { within.min() } else { within.max() }
        };
        let Some(day) = day.filter(|_| !self.rest.is_empty()) else {
            self.finish();
            return None;
        };
        let numbers = numbers_of(day);
        let (start, end) = (numbers.start.max(self.rest.start), numbers.end.min(self.rest.end));
        let length = if self.indexed { i64::MAX } else { self.length };
        let span = if self.ascending {
            start..end.min(start.saturating_add(length))
        } else {
            start.max(end.saturating_sub(length))..end
        };
        if self.ascending {
            self.rest.start = span.end;
        } else {
            self.rest.end = span.start;
        }
        Some((day, span))
    }

    /// The last range took this long.
    pub fn took(&mut self, time: Duration) {
        if time < SHORT {
            self.length = self.length.saturating_mul(4);
        }
    }

    fn finish(&mut self) {
        if self.ascending {
            self.rest.start = self.rest.end.max(self.rest.start);
        } else {
            self.rest.end = self.rest.start;
        }
    }
}

/// The day of a number.
pub const fn day(number: i64) -> i64 {
    day_of(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn walk(query: &CallQuery, days: &[i64], newest: i64) -> Vec<(i64, Range<i64>)> {
        let mut spans = Spans::new(query, days.to_vec(), newest);
        let mut found = Vec::new();
        while let Some(span) = spans.next() {
            found.push(span);
            spans.took(Duration::ZERO);
            assert!(found.len() < 1_000);
        }
        found
    }

    #[test]
    fn spans_cover_each_day_once_and_leave_out_days_without_records() {
        let days = [20_000, 20_003];
        let newest = numbers_of(20_003).start + 5 * HOUR;
        for newer_than in [None, Some(0)] {
            let query = CallQuery { newer_than, ..CallQuery::default() };
            let mut spans = walk(&query, &days, newest);
            assert!(spans.len() < 30, "they grow: {}", spans.len());
            if newer_than.is_none() {
                spans.reverse();
            }
            let mut at = numbers_of(20_000).start;
            for (day, span) in spans {
                if day == 20_003 && at == numbers_of(20_000).end {
                    at = numbers_of(20_003).start;
                }
                assert_eq!(span.start, at, "nothing is left out, and nothing is looked at twice");
                assert!(numbers_of(day).contains(&span.start) && span.end <= numbers_of(day).end);
                at = span.end;
            }
            assert_eq!(at, newest + 1);
        }
        let indexed = CallQuery { account: Some("acme".into()), ..CallQuery::default() };
        assert_eq!(walk(&indexed, &days, newest).len(), 2, "a day at a time");
    }

    #[test]
    fn a_search_goes_on_where_it_stopped() {
        let newest = numbers_of(20_000).start + 5 * HOUR;
        let mut spans = Spans::new(&CallQuery::default(), vec![20_000], newest);
        let (_, first) = spans.next().unwrap();
        assert_eq!(first.end, newest + 1);
        assert_eq!(spans.cursor(), Some(first.start));
        spans.stop_at(newest - 7);
        assert_eq!(spans.cursor(), Some(newest - 7));
        let query = CallQuery { after: spans.cursor(), ..CallQuery::default() };
        assert_eq!(Spans::new(&query, vec![20_000], newest).next().unwrap().1.end, newest - 7);
        while spans.next().is_some() {}
        assert_eq!(spans.cursor(), None);
        // One that follows never ends.
        let query = CallQuery { newer_than: Some(newest), ..CallQuery::default() };
        let mut spans = Spans::new(&query, vec![20_000], newest);
        assert_eq!((spans.next(), spans.cursor()), (None, Some(newest)));
    }
}
