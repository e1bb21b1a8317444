//! Sales per key and rule, for the ledger's usage reports; and what rules in shadow mode would have refused, and why.
//!
//! Money doesn't depend on these lines (the lease's counters carry it); they say what it was for. A report is sent
//! again under its number until the ledger has stored it, so nothing is counted twice.

use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::{Handle, SortedMap};
use crate::decide::settings::Settings;
use faregate_protocol::exchange::{
    MAX_LINE_COUNT, MAX_LINE_CREDITS, MAX_USAGE_LINES, ShadowLine, UsageLine, UsageReport,
};
use faregate_protocol::{Credits, RefusalCode};
use std::collections::VecDeque;

/// A report gets a message of its own when it has been waiting this long (ms).
const MAX_REPORT_AGE_MS: u64 = 5_000;
/// The most lines kept while the ledger is unreachable, and as many of workers that left; any more are counted as
/// dropped.
const MAX_LINES: usize = 20_000;
/// All callers without a known key; no key's identifier is empty.
pub(super) const UNKNOWN_CALLER: &str = "";

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// It was charged this much.
    Kept(Credits),
    /// Its charge was released.
    Released,
    /// It would have been refused, but its rule is in shadow mode.
    Shadow(RefusalCode),
}

/// One worker's buffer.
#[derive(Debug)]
pub struct UsageBuffer {
    broker: String,
    seq: u64,
    since: Moment,
    /// By key: a line per rule that was used, and per cause in shadow; or several where one is full.
    lines: SortedMap<Vec<Counts>>,
    count: usize,
    unstored: Option<UsageReport>,
    /// Reports of workers that left.
    adopted: VecDeque<UsageReport>,
    adopted_lines: usize,
    /// Whether those are sent back to back: as long as the ledger stores them.
    hurries: bool,
    in_flight: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    rule: usize,
    shadow: Option<RefusalCode>,
    requests: u64,
    credits: Credits,
    refunds: u64,
}

impl UsageBuffer {
    /// For the broker of this name, which the gateway never reuses.
    pub fn new(broker: String) -> Self {
        Self {
            broker,
            seq: 0,
            since: Moment::ZERO,
            lines: SortedMap::default(),
            count: 0,
            unstored: None,
            adopted: VecDeque::new(),
            adopted_lines: 0,
            hurries: false,
            in_flight: false,
        }
    }

    /// Counts a request; returns false when there was no room for it.
    pub fn count(&mut self, now: Moment, key: &str, rule: usize, outcome: ChargeOutcome) -> bool {
        self.count_at(now, key, &mut Handle::default(), rule, outcome)
    }

    /// The same, with a cached handle of the key's lines; it must never be another key's.
    pub fn count_at(
        &mut self,
        now: Moment,
        key: &str,
        handle: &mut Handle,
        rule: usize,
        outcome: ChargeOutcome,
    ) -> bool {
        if self.lines.is_empty() {
            self.since = now;
        }
        let (price, shadow) = match outcome {
            ChargeOutcome::Kept(price) => (price, None),
            ChargeOutcome::Released => (Credits::ZERO, None),
            ChargeOutcome::Shadow(code) => (Credits::ZERO, Some(code)),
        };
        let room = self.count < MAX_LINES && price <= MAX_LINE_CREDITS;
        if self.lines.at(*handle).is_none() {
            *handle = if room { self.lines.handle(key, Vec::new) } else { self.lines.find(key) };
        }
        let Some(lines) = self.lines.at_mut(*handle) else {
            return false;
        };
        // A ledger refuses a message with a line that is too large, and the next one would repeat it.
        let takes = |counts: &Counts| {
            counts.rule == rule
                && counts.shadow == shadow
                && counts.requests.max(counts.refunds) < MAX_LINE_COUNT
                && counts.credits.saturating_add(price) <= MAX_LINE_CREDITS
        };
        let line = lines.iter().position(takes).unwrap_or(lines.len());
        if line == lines.len() {
            if !room {
                return false;
            }
            lines.push(Counts { rule, shadow, requests: 0, credits: Credits::ZERO, refunds: 0 });
            self.count += 1;
        }
        let Some(counts) = lines.get_mut(line) else {
            return false;
        };
        if outcome == ChargeOutcome::Released {
            counts.refunds = counts.refunds.saturating_add(1);
        } else {
            counts.requests = counts.requests.saturating_add(1);
            counts.credits = counts.credits.saturating_add(price);
        }
        true
    }

    /// Whether a report should go out even if nothing else does.
    pub fn is_due(&self, now: Moment) -> bool {
        let waits = !self.is_empty();
        let full = self.count >= MAX_USAGE_LINES;
        waits
            && !self.in_flight
            && (full || self.hurries || now.millis_since(self.since) >= MAX_REPORT_AGE_MS)
    }

    /// Whether anything is left to report.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.unstored.is_none() && self.adopted.is_empty()
    }

    /// The report to send now, if there is one and none is in flight.
    pub fn begin_send(&mut self, settings: &Settings) -> Option<UsageReport> {
        if self.in_flight {
            return None;
        }
        if self.unstored.is_none() {
            // In order: the ledger accepts no number below the last.
            self.unstored = self.adopted.pop_front();
            let lines = self.unstored.as_ref().map_or(0, |report| report.lines.len() + report.shadow.len());
            self.adopted_lines -= lines;
        }
        if self.unstored.is_none() && !self.lines.is_empty() {
            self.seq = self.seq.saturating_add(1);
            let (mut lines, mut shadow) = (Vec::new(), Vec::new());
            let mut room = MAX_USAGE_LINES;
            while room > 0
                && let Some((payer, mut counts)) = self.lines.pop_first()
            {
                let rest = counts.split_off(counts.len().min(room));
                self.count -= counts.len();
                room -= counts.len();
                if !rest.is_empty() {
                    self.lines.insert(&payer, rest);
                }
                for Counts { rule, shadow: code, requests, credits, refunds } in counts {
                    let (payer, rule) = (payer.clone(), settings.rule(rule).name.clone());
                    if let Some(code) = code {
                        let payer = Some(payer).filter(|payer| payer != UNKNOWN_CALLER);
                        shadow.push(ShadowLine { payer, rule, code, requests });
                    } else {
                        lines.push(UsageLine {
                            payer,
                            rule,
                            requests,
                            credits,
                            refunds,
                            item: None,
                            basis: None,
                            used: faregate_protocol::metering::Quantities::default(),
                        });
                    }
                }
            }
            self.unstored = Some(UsageReport { broker: self.broker.clone(), seq: self.seq, lines, shadow });
        }
        self.in_flight = self.unstored.is_some();
        self.unstored.clone()
    }

    /// Takes over a report of a worker that left, to be sent at once. Returns false when there was no room for it.
    pub fn adopt(&mut self, report: UsageReport) -> bool {
        let lines = self.adopted_lines + report.lines.len() + report.shadow.len();
        let room = lines <= MAX_LINES;
        if room {
            self.adopted_lines = lines;
            self.adopted.push_back(report);
            self.hurries = true;
        }
        room
    }

    /// Hands over all that isn't known to be stored, as reports.
    pub fn leave(&mut self, settings: &Settings) -> Vec<UsageReport> {
        let mut reports = Vec::new();
        self.in_flight = false;
        while let Some(report) = self.begin_send(settings) {
            reports.push(report);
            (self.unstored, self.in_flight) = (None, false);
        }
        reports
    }

    /// The message that carried the report has ended; `stored` is the number that the ledger has, if it
    /// answered. `again` if the report is sent again at once.
    pub fn finish_send(&mut self, now: Moment, stored: Option<u64>, again: bool) {
        self.in_flight = false;
        self.since = now;
        if self.unstored.as_ref().is_some_and(|report| stored >= Some(report.seq)) {
            self.unstored = None;
        }
        // A ledger that stores nothing is not called more often than usual.
        self.hurries = again || (self.unstored.is_none() && !self.adopted.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn large_usage_is_split_into_lines_and_an_oversized_price_is_rejected() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut buffer = UsageBuffer::new("b".into());
        let most = MAX_LINE_CREDITS;
        for price in [most, Credits::from_micros(1), most] {
            assert!(buffer.count(Moment::ZERO, "key_1", 0, ChargeOutcome::Kept(price)));
        }
        let more = ChargeOutcome::Kept(most.saturating_add(Credits::from_micros(1)));
        assert!(!buffer.count(Moment::ZERO, "key_1", 0, more));
        let lines = buffer.begin_send(&settings).unwrap().lines;
        assert!(lines.iter().all(|line| line.credits <= most), "{lines:?}");
        let sum = lines.iter().fold(Credits::ZERO, |sum, line| sum.saturating_add(line.credits));
        assert_eq!((lines.len(), sum.micros()), (3, 2 * most.micros() + 1));
    }

    #[test]
    fn handed_over_usage_is_limited_to_the_size_of_one_buffer() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let (mut successor, mut gone) = (UsageBuffer::new("heir".into()), UsageBuffer::new("gone".into()));
        for key in 0..MAX_LINES {
            assert!(gone.count(Moment::ZERO, &format!("key_{key}"), 0, ChargeOutcome::Released));
        }
        let reports = gone.leave(&settings);
        assert!(reports.iter().all(|report| successor.adopt(report.clone())));
        assert!(!successor.adopt(reports[0].clone()), "it is full");
        let sent = successor.begin_send(&settings).unwrap();
        successor.finish_send(Moment::ZERO, Some(sent.seq), false);
        assert!(successor.adopt(reports[0].clone()), "there is room for as much as was sent");
        assert!(!successor.adopt(reports[0].clone()));
    }

    #[test]
    fn sales_and_shadow_refusals_share_the_limits_of_report_and_buffer() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
            "default": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut buffer = UsageBuffer::new("b".into());
        let one = ChargeOutcome::Kept(Credits::from_micros(1));
        let watched = ChargeOutcome::Shadow(RefusalCode::RateLimited);
        for key in 0..MAX_LINES / 2 {
            assert!(buffer.count(Moment::ZERO, &format!("key_{key}"), 0, one));
            assert!(buffer.count(Moment::ZERO, &format!("key_{key}"), 0, watched));
        }
        assert!(
            !buffer.count(Moment::ZERO, UNKNOWN_CALLER, 0, ChargeOutcome::Shadow(RefusalCode::MissingKey)),
            "it is full"
        );
        assert!(buffer.count(Moment::ZERO, "key_7", 0, watched), "what has its line goes on");

        let (mut sold, mut seen) = (0, 0);
        while let Some(report) = buffer.begin_send(&settings) {
            assert!(report.lines.len() + report.shadow.len() <= MAX_USAGE_LINES);
            sold += report.lines.iter().map(|line| line.requests).sum::<u64>();
            seen += report.shadow.iter().map(|line| line.requests).sum::<u64>();
            buffer.finish_send(Moment::ZERO, Some(report.seq), false);
        }
        assert_eq!((sold, seen), (10_000, 10_001));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_report_is_resent_under_its_number_until_it_is_acknowledged() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut buffer = UsageBuffer::new("b".into());
        let one = ChargeOutcome::Kept(Credits::from_micros(1));
        assert!(buffer.count(Moment::ZERO, "key_1", 0, one));
        let first = buffer.begin_send(&settings).unwrap();
        assert_eq!(first.seq, 1);
        assert!(buffer.count(Moment::ZERO, "key_1", 0, one));
        for stored in [None, Some(0)] {
            assert_eq!(buffer.begin_send(&settings), None, "one is under way");
            buffer.finish_send(Moment::ZERO, stored, false);
            assert_eq!(buffer.begin_send(&settings).as_ref(), Some(&first), "the ledger has {stored:?}");
        }

        buffer.finish_send(Moment::ZERO, Some(1), false);

        let second = buffer.begin_send(&settings).unwrap();
        assert_eq!((second.seq, second.lines[0].requests), (2, 1), "what was sold since");
        buffer.finish_send(Moment::ZERO, Some(2), false);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_report_is_due_when_it_is_old_or_full_and_none_is_in_flight() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "default": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let (mut buffer, start) = (UsageBuffer::new("b".into()), Moment::from_nanos(1));
        let [soon, later] = [MAX_REPORT_AGE_MS - 1, MAX_REPORT_AGE_MS].map(|ms| start.plus_millis(ms));
        let sell = |buffer: &mut UsageBuffer, key: usize| {
            assert!(buffer.count(
                start,
                &format!("key_{key}"),
                0,
                ChargeOutcome::Kept(Credits::from_micros(1))
            ));
        };
        assert!(!buffer.is_due(later), "there is nothing to say");
        sell(&mut buffer, 0);
        assert_eq!([soon, later].map(|now| buffer.is_due(now)), [false, true]);
        (1..MAX_USAGE_LINES).for_each(|key| sell(&mut buffer, key));
        assert!(buffer.is_due(start), "it is full");

        assert_eq!(buffer.begin_send(&settings).unwrap().lines.len(), MAX_USAGE_LINES);

        sell(&mut buffer, 0);
        assert!(!buffer.is_due(later), "one is under way");
        buffer.finish_send(start, Some(1), false);
        assert_eq!([soon, later].map(|now| buffer.is_due(now)), [false, true], "there is room again");
    }

    #[test]
    fn a_usage_line_stops_counting_at_the_ledgers_limit() {
        let (mut buffer, mut handle) = (UsageBuffer::new("b".into()), Handle::default());
        let one = ChargeOutcome::Kept(Credits::from_micros(1));
        assert!(buffer.count_at(Moment::ZERO, "key_1", &mut handle, 0, one));
        buffer.lines.at_mut(handle).unwrap()[0].requests = MAX_LINE_COUNT - 1;
        for _ in 0..2 {
            assert!(buffer.count_at(Moment::ZERO, "key_1", &mut handle, 0, one));
        }
        let requests: Vec<u64> = buffer.lines.at(handle).unwrap().iter().map(|line| line.requests).collect();
        assert_eq!(requests, [MAX_LINE_COUNT, 1]);
    }
}
