//! The call log: which records of requests are kept, under which numbers, and for how long.
//!
//! A record's number is the time at which it was stored, in microseconds since 1970, and at least one more than the last one. So
//! numbers are in the order of storing, and a day of UTC is a range of them.
//!
//! What must hold: a batch that comes again is stored once; numbers only grow, and those of a transaction are of one day; and what
//! there is no room for is counted.

use faregate_protocol::calls::{Call, CallBatch, Decision};
use faregate_protocol::exchange::Basis;
use faregate_protocol::metering::Quantities;
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;
use std::time::Duration;

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;
/// The longest time since a request came that is believed (ms); gateways keep records for seconds.
const MAX_AGO_MS: u64 = 86_400_000;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// For how many days; none: no record is kept.
    pub days: u32,
    /// How many records at most, of all days together.
    pub rows: u64,
}

impl CallLimits {
    /// What holds when nothing else is said.
    pub const USUAL: Self = Self { days: 30, rows: 10_000_000 };
}

/// A request, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCall {
    /// When it arrived at its gateway, by this ledger's clock.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The account's identifier, where the caller is known.
    pub account: Option<String>,
    /// The key's identifier, where the caller is known.
    pub key: Option<String>,
    /// The rule's name.
    pub rule: String,
    /// The model or the tool.
    pub item: Option<String>,
    /// What became of it.
    pub decision: Decision,
    /// Why it was refused, or would have been.
    pub code: Option<RefusalCode>,
    /// What it was charged.
    pub charge: Credits,
    /// What was held for it.
    pub hold: Credits,
    /// On what the charge is based, if it was metered.
    pub basis: Option<Basis>,
    /// What it used, if it was metered.
    pub used: Quantities,
    /// The status of its answer.
    pub status: Option<u16>,
    /// Its `x-request-id`.
    pub request_id: Option<String>,
}

/// A batch that has arrived.
#[derive(Clone, Debug)]
pub struct ReceivedBatch {
    /// The gateway.
    pub gateway: String,
    /// The worker.
    pub sender: String,
    /// Its number.
    pub number: i64,
    /// When it arrived.
    pub at: Timestamp,
    /// How many requests the gateway dropped before it.
    pub lost: u64,
    /// The requests.
    pub calls: Vec<StoredCall>,
}

impl ReceivedBatch {
    /// A batch that arrives now. The gateway's clock says only how long ago things happened.
    pub fn new(batch: CallBatch<'_>, now: Timestamp) -> Self {
        let CallBatch { gateway, sender, number, now_ms, lost, calls, .. } = batch;
        Self {
            gateway: gateway.into_owned(),
            sender: sender.into_owned(),
            number: i64::try_from(number).unwrap_or(i64::MAX),
            at: now,
            lost,
            calls: calls.into_iter().map(|call| stored(call, now_ms, now)).collect(),
        }
    }
}

fn stored(call: Call<'_>, now_ms: u64, now: Timestamp) -> StoredCall {
    let ago = Duration::from_millis(now_ms.saturating_sub(call.at_ms).min(MAX_AGO_MS));
    StoredCall {
        at: now.checked_sub(ago).unwrap_or(now),
        duration: Duration::from_millis(call.duration_ms.min(MAX_AGO_MS)),
        account: call.account.map(Into::into),
        key: call.key.map(Into::into),
        rule: call.rule.into_owned(),
        item: call.item.map(Into::into),
        decision: call.decision,
        code: call.code,
        charge: call.charge,
        hold: call.hold,
        basis: call.basis,
        used: call.used,
        status: call.status,
        request_id: call.request_id.map(Into::into),
    }
}

/// What is written of some batches.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// The number of the first record; the others follow.
    pub first: i64,
    /// The records, each with its gateway.
    pub calls: Vec<(&'a str, &'a StoredCall)>,
    /// The last batch of each sender.
    pub senders: HashMap<&'a str, i64>,
    /// Of each batch, whether it comes for the first time.
    pub is_new: Vec<bool>,
    /// How many records there was no room for.
    pub dropped: u64,
    /// How many the gateways had dropped.
    pub lost: u64,
}

/// The number of the first of `count` records that are stored now, after the one of number `last`.
pub fn first_number(now: Timestamp, last: i64, count: usize) -> i64 {
    let first = now.as_microsecond().max(last.saturating_add(1)).max(0);
    let end = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    // All of them are of one day.
    if day_of(first) == day_of(end) { first } else { numbers_of(day_of(end)).start }
}

/// What of these batches is written, from the number `first` on, with room for so many records. `known` says which batch of a
/// sender is the last that is stored.
pub fn plan<'a>(
    batches: &'a [ReceivedBatch],
    known: &HashMap<String, i64, impl BuildHasher>,
    first: i64,
    room: u64,
) -> Plan<'a> {
    let mut plan = Plan { first, ..Plan::default() };
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    for batch in batches {
        let last = plan.senders.get(&*batch.sender).or_else(|| known.get(&batch.sender));
        let is_new = last.is_none_or(|last| *last < batch.number);
        plan.is_new.push(is_new);
        if !is_new {
            continue;
        }
        plan.senders.insert(&batch.sender, batch.number);
        plan.lost = plan.lost.saturating_add(batch.lost);
        let free = room.saturating_sub(plan.calls.len());
        plan.calls.extend(batch.calls.iter().take(free).map(|call| (&*batch.gateway, call)));
        let without = batch.calls.len().saturating_sub(free);
        plan.dropped = plan.dropped.saturating_add(u64::try_from(without).unwrap_or(u64::MAX));
    }
    plan
}

/// Days that are dropped, of those that there are with their numbers of records: those that are too old, and the oldest where there
/// are too many records. Never the newest: there, what comes is dropped instead.
pub fn outdated(days: &[(i64, u64)], now: Timestamp, limits: CallLimits) -> Vec<i64> {
    let mut days = days.to_vec();
    days.sort_unstable_by_key(|(day, _)| std::cmp::Reverse(*day));
    let oldest = day_of(now.as_microsecond()).saturating_sub(i64::from(limits.days));
    let mut rows = 0_u64;
    let mut dropped = Vec::new();
    for (n, (day, count)) in days.into_iter().enumerate() {
        rows = rows.saturating_add(count);
        if n > 0 && (day <= oldest || rows > limits.rows) {
            dropped.push(day);
        }
    }
    dropped
}

/// The day of a record, counted from 1970.
pub const fn day_of(number: i64) -> i64 {
    number.div_euclid(DAY_US)
}

/// The numbers of a day's records.
pub const fn numbers_of(day: i64) -> Range<i64> {
    let start = day.saturating_mul(DAY_US);
    start..start.saturating_add(DAY_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(sender: &str, number: i64, calls: usize, lost: u64) -> ReceivedBatch {
        let call = Call {
            at_ms: 1_000,
            duration_ms: 7,
            account: None,
            key: None,
            rule: "search".into(),
            item: None,
            decision: Decision::Free,
            code: None,
            charge: Credits::ZERO,
            hold: Credits::ZERO,
            basis: None,
            used: Quantities::default(),
            status: Some(200),
            request_id: None,
        };
        let batch = CallBatch {
            protocol: 1,
            gateway: "gw".into(),
            sender: sender.to_owned().into(),
            number: number.unsigned_abs(),
            now_ms: 3_500,
            lost,
            calls: vec![call; calls],
        };
        ReceivedBatch::new(batch, at("2026-12-01T10:00:00Z"))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_request_came_as_long_ago_as_its_gateway_says() {
        let batch = batch("a", 1, 1, 0);
        assert_eq!(batch.calls[0].at, at("2026-12-01T09:59:57.5Z"));
        assert_eq!(batch.calls[0].duration, Duration::from_millis(7));
    }

    #[test]
    fn a_batch_is_stored_once() {
        let batches = [batch("a", 1, 2, 0), batch("b", 5, 1, 3), batch("a", 1, 2, 0), batch("a", 2, 1, 0)];
        let known = HashMap::from([("b".to_owned(), 4)]);
        let first = plan(&batches, &known, 100, u64::MAX);
        assert_eq!((first.calls.len(), first.lost, first.dropped), (4, 3, 0));
        assert_eq!(first.senders, HashMap::from([("a", 2), ("b", 5)]));
        assert_eq!(first.is_new, [true, true, false, true]);
        let known: HashMap<String, i64> =
            first.senders.iter().map(|(sender, number)| ((*sender).to_owned(), *number)).collect();
        let again = plan(&batches, &known, 200, u64::MAX);
        assert_eq!((again.calls.len(), again.lost, again.senders.len()), (0, 0, 0));
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let batches = [batch("a", 1, 2, 0), batch("b", 1, 2, 0), batch("c", 1, 2, 0)];
        let plan = plan(&batches, &HashMap::new(), 0, 3);
        assert_eq!((plan.calls.len(), plan.dropped, plan.senders.len()), (3, 3, 3));
    }

    #[test]
    fn numbers_grow_whatever_the_clock_does_and_stay_within_a_day() {
        let now = at("2026-12-01T10:00:00Z");
        assert_eq!(first_number(now, 0, 10), now.as_microsecond());
        assert_eq!(first_number(now, now.as_microsecond() + 50, 10), now.as_microsecond() + 51);
        let midnight = at("2026-12-02T00:00:00Z").as_microsecond();
        let late = at("2026-12-01T23:59:59.999995Z");
        assert_eq!(first_number(late, 0, 4), midnight - 5);
        assert_eq!(first_number(late, 0, 10), midnight, "the next day, for all of them");
        assert!(numbers_of(day_of(midnight)).contains(&midnight));
    }

    #[test]
    fn old_days_are_dropped_and_the_newest_never() {
        let now = at("2026-12-01T10:00:00Z");
        let today = day_of(now.as_microsecond());
        let limits = CallLimits { days: 3, rows: 100 };
        let days: Vec<_> = (0..6).map(|ago| (today - ago, 10)).collect();
        assert_eq!(outdated(&days, now, limits), [today - 3, today - 4, today - 5]);
        let many = [(today - 2, 30), (today, 60), (today - 1, 41)];
        assert_eq!(outdated(&many, now, limits), [today - 1, today - 2]);
        assert_eq!(outdated(&[(today, 1_000)], now, limits), [0_i64; 0]);
        assert_eq!(outdated(&[(today - 9, 1_000)], now, limits), [0_i64; 0], "the newest there is");
    }
}
