//! Records of single requests, until the ledger has stored them.
//!
//! What must hold: whatever happens to the ledger, this stays within [`MAX_CLOSED`] batches and an open one; what doesn't fit is counted
//! as lost, and the next batch says so. A batch is repeated as it is, under its number, until the ledger has decided about it.

use crate::decide::base::moment::Moment;
use crate::decide::base::text::{joined, quoted};
use faregate_protocol::RefusalCode;
use faregate_protocol::calls::{Call, MAX_CALLS, VERSION};
use faregate_protocol::exchange::Basis;
use std::collections::VecDeque;

/// A batch is closed at this size (bytes); with its last record and its head it stays below the largest that a ledger takes.
const FULL_BYTES: usize = 128 * 1_024;
/// How many closed batches wait at most.
const MAX_CLOSED: usize = 8;
/// A batch that isn't full is sent after this time (ms).
const MAX_AGE_MS: u64 = 1_000;
/// How long a gate waits after a batch that wasn't stored (ms).
const RETRY_MS: u64 = 1_000;

/// What the ledger said of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchAnswer {
    /// It is stored.
    Stored,
    /// It will never be: this ledger doesn't take it.
    Refused,
    /// Nothing, or that it should come again later.
    Again,
}

/// A batch that is complete.
#[derive(Debug)]
struct Closed {
    number: u64,
    lost: u64,
    count: u64,
    /// The records, with commas between.
    calls: Vec<u8>,
}

/// One worker's records.
#[derive(Debug)]
pub struct CallBuffer {
    sender: String,
    number: u64,
    open: Vec<u8>,
    count: u64,
    began: Moment,
    closed: VecDeque<Closed>,
    lost: u64,
    in_flight: bool,
    not_before: Moment,
    /// For samples: a linear congruential generator.
    dice: u64,
}

impl CallBuffer {
    /// For the sender of this name, which no other ever has.
    pub fn new(sender: &str) -> Self {
        let dice = sender.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        Self {
            sender: sender.to_owned(),
            number: 0,
            open: Vec::new(),
            count: 0,
            began: Moment::ZERO,
            closed: VecDeque::new(),
            lost: 0,
            in_flight: false,
            not_before: Moment::ZERO,
            dice,
        }
    }

    /// Adds a record of one request in so many. Returns false when there was no room for it.
    #[inline(never)]
    pub fn record(&mut self, one_in: u32, now: Moment, call: &Call<'_>) -> bool {
        !self.draws(one_in) || self.add(now, call)
    }

    /// Whether this request is the one of so many that is recorded.
    fn draws(&mut self, one_in: u32) -> bool {
        if one_in <= 1 {
            return true;
        }
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33).is_multiple_of(one_in.into())
    }

    fn add(&mut self, now: Moment, call: &Call<'_>) -> bool {
        if self.open.len() >= FULL_BYTES || self.count >= MAX_CALLS as u64 {
            if self.closed.len() >= MAX_CLOSED {
                self.lost = self.lost.saturating_add(1);
                return false;
            }
            self.close();
        }
        if self.open.is_empty() {
            self.began = now;
        } else {
            self.open.push(b',');
        }
        self.count += 1;
        write(&mut self.open, call);
        true
    }

    fn close(&mut self) {
        self.number += 1;
        self.closed.push_back(Closed {
            number: self.number,
            lost: std::mem::take(&mut self.lost),
            count: std::mem::take(&mut self.count),
            calls: std::mem::take(&mut self.open),
        });
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.closed.is_empty()
    }

    /// The batch to send now, if there is one and none is in flight.
    #[inline(never)]
    pub fn begin_send(&mut self, now: Moment, gateway: &str) -> Option<Vec<u8>> {
        if self.in_flight || now < self.not_before {
            return None;
        }
        if self.closed.is_empty() && self.count > 0 && now.millis_since(self.began) >= MAX_AGE_MS {
            self.close();
        }
        let batch = self.closed.front()?;
        self.in_flight = true;
        let now_ms = now.millis_since(Moment::ZERO);
        let head = joined(&[
            "{\"protocol\":",
            &VERSION.to_string(),
            ",\"gateway\":",
            &quoted(gateway),
            ",\"sender\":",
            &quoted(&self.sender),
            ",\"number\":",
            &batch.number.to_string(),
            ",\"now_ms\":",
            &now_ms.to_string(),
            ",\"lost\":",
            &batch.lost.to_string(),
            ",\"calls\":[",
        ]);
        let mut body = head.into_bytes();
        body.extend_from_slice(&batch.calls);
        body.extend_from_slice(b"]}");
        Some(body)
    }

    /// The message with the batch has ended. Returns how many records are lost with it.
    pub fn finish_send(&mut self, now: Moment, answer: BatchAnswer) -> u64 {
        self.in_flight = false;
        match answer {
            BatchAnswer::Again => {
                self.not_before = now.plus_millis(RETRY_MS);
                0
            }
            BatchAnswer::Stored => {
                self.closed.pop_front();
                0
            }
            BatchAnswer::Refused => {
                self.not_before = now.plus_millis(RETRY_MS);
                let count = self.closed.pop_front().map_or(0, |batch| batch.count);
                self.lost = self.lost.saturating_add(count);
                count
            }
        }
    }
}

/// Writes a record as [`Call`] is written, member by member: the code that a derived one makes takes more room.
#[inline(never)]
fn write(out: &mut Vec<u8>, call: &Call<'_>) {
    out.extend_from_slice(b"{\"at_ms\":");
    out.extend_from_slice(call.at_ms.to_string().as_bytes());
    let numbers = [
        ("duration_ms", Some(call.duration_ms)),
        ("charge", u64::try_from(call.charge.micros()).ok().filter(|charge| *charge > 0)),
        ("hold", u64::try_from(call.hold.micros()).ok().filter(|hold| *hold > 0)),
        ("status", call.status.map(u64::from)),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            member(out, name, &number.to_string());
        }
    }
    let texts = [
        ("decision", Some(call.decision.as_str())),
        ("rule", Some(&*call.rule)),
        ("account", call.account.as_deref()),
        ("key", call.key.as_deref()),
        ("item", call.item.as_deref()),
        ("request_id", call.request_id.as_deref()),
        ("code", call.code.map(RefusalCode::as_str)),
        ("basis", call.basis.map(Basis::as_str)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            member(out, name, &quoted(text));
        }
    }
    if !call.used.is_none() {
        // Writing to memory doesn't fail.
        member(out, "used", &serde_json::to_string(&call.used).unwrap_or_default());
    }
    out.push(b'}');
}

#[inline(never)]
fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [",\"", name, "\":", value] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::Credits;
    use faregate_protocol::calls::{CallBatch, Decision, MAX_BATCH_BYTES};
    use faregate_protocol::metering::{Quantities, UsageClass};

    fn at(ms: u64) -> Moment {
        Moment::ZERO.plus_millis(ms)
    }

    fn call(at_ms: u64) -> Call<'static> {
        Call {
            at_ms,
            duration_ms: 2,
            account: Some("acme".into()),
            key: Some("key_1".into()),
            rule: "search".into(),
            item: None,
            decision: Decision::Admitted,
            code: None,
            charge: Credits::from_micros(5),
            hold: Credits::from_micros(5),
            basis: None,
            used: Quantities::default(),
            status: Some(200),
            request_id: Some("4f\"1\u{7}".into()),
        }
    }

    fn sent(buffer: &mut CallBuffer, ms: u64) -> Option<(u64, u64, usize)> {
        let body = buffer.begin_send(at(ms), "gw \"1\"")?;
        assert!(body.len() <= MAX_BATCH_BYTES, "{} bytes", body.len());
        let batch: CallBatch<'_> = serde_json::from_slice(&body).unwrap();
        batch.check().unwrap();
        assert_eq!((&*batch.gateway, &*batch.sender, batch.now_ms), ("gw \"1\"", "w", ms));
        Some((batch.number, batch.lost, batch.calls.len()))
    }

    #[test]
    fn a_batch_is_repeated_until_the_ledger_has_decided() {
        let mut buffer = CallBuffer::new("w");
        assert_eq!(sent(&mut buffer, 5_000), None, "there is nothing");
        assert!(buffer.add(at(5_000), &call(4_998)));
        assert!(buffer.add(at(5_500), &call(5_499)));
        assert_eq!(sent(&mut buffer, 5_999), None, "it waits for more");
        assert_eq!(sent(&mut buffer, 6_000), Some((1, 0, 2)));
        assert_eq!(sent(&mut buffer, 7_000), None, "one at a time");
        buffer.finish_send(at(7_000), BatchAnswer::Again);
        assert!(buffer.add(at(7_000), &call(7_000)));
        assert_eq!(sent(&mut buffer, 7_999), None);
        assert_eq!(sent(&mut buffer, 8_000), Some((1, 0, 2)), "the same again");
        buffer.finish_send(at(11_000), BatchAnswer::Stored);
        assert_eq!(sent(&mut buffer, 11_000), Some((2, 0, 1)));
        assert_eq!(buffer.finish_send(at(11_000), BatchAnswer::Refused), 1);
        assert!(buffer.add(at(11_000), &call(11_000)));
        assert_eq!(sent(&mut buffer, 12_000), Some((3, 1, 1)), "what was refused is lost, and that is said");
    }

    #[test]
    fn what_has_no_room_is_counted_as_lost() {
        let mut buffer = CallBuffer::new("w");
        let (mut kept, mut lost) = (0, 0_u64);
        while lost < 1_000 {
            if buffer.add(at(1), &call(1)) { kept += 1 } else { lost += 1 }
        }
        let held: usize = buffer.closed.iter().map(|batch| batch.calls.len()).sum();
        assert!(held + buffer.open.len() <= (MAX_CLOSED + 1) * (FULL_BYTES + 1_024));
        let (mut stored, mut said) = (0, 0);
        let mut now = 10_000;
        while let Some((_, lost, calls)) = sent(&mut buffer, now) {
            (stored, said) = (stored + calls, said + lost);
            buffer.finish_send(at(now), BatchAnswer::Stored);
            now += MAX_AGE_MS;
        }
        assert_eq!((stored, said), (kept, lost));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut used = Quantities::default();
        used.set(UsageClass::Input, 7);
        used.set(UsageClass::Search, 1);
        let whole = Call {
            item: Some("gpt \u{202e}\"5\"".into()),
            code: Some(RefusalCode::RateLimited),
            basis: Some(Basis::Estimated),
            used,
            ..call(9)
        };
        let bare = Call {
            account: None,
            key: None,
            charge: Credits::ZERO,
            hold: Credits::ZERO,
            status: None,
            request_id: None,
            ..call(9)
        };
        for call in [whole, bare] {
            let mut out = Vec::new();
            write(&mut out, &call);
            assert_eq!(serde_json::from_slice::<Call<'_>>(&out).unwrap(), call);
            let derived: serde_json::Value = serde_json::to_value(&call).unwrap();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), derived);
        }
    }

    #[test]
    fn a_sample_is_about_as_large_as_it_should_be() {
        let mut buffer = CallBuffer::new("w");
        for one_in in [1_u32, 2, 10, 100] {
            let drawn = (0..100_000).filter(|_| buffer.draws(one_in)).count();
            let right = 100_000 / one_in as usize;
            assert!(drawn.abs_diff(right) <= right / 8, "{drawn} of 100,000, one in {one_in}");
        }
        // Not every other one, where two rules take turns.
        let odd = (0..20_000).map(|_| buffer.draws(2)).step_by(2).filter(|drawn| *drawn).count();
        assert!((4_000..6_000).contains(&odd), "{odd}");
    }
}
