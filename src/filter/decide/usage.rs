//! Sales per key and rule, and of metered requests per model or tool and basis, for the ledger's usage reports; and what was
//! refused, or would have been by rules in shadow mode, and why.
//!
//! Money doesn't depend on these lines (the lease's counters carry it); they say what it was for, and when. A report is sent
//! again under its number until the ledger has stored it, so nothing is counted twice. While the ledger is out of reach, each
//! report is about a short time.

use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::{Handle, SortedMap};
use crate::decide::settings::Settings;
use faregate_protocol::exchange::{MAX_LINE_COUNT, MAX_LINE_CREDITS, MAX_USAGE_LINES, UsageReport};
use faregate_protocol::{Credits, RefusalCode};
use lines::{Counts, LineKind, Lines};
use std::collections::VecDeque;

mod lines;

pub use lines::Metered;
pub(super) use lines::{UNKNOWN_CALLER, strip_newest};

/// A report gets a message of its own when it has been waiting this long (ms).
const MAX_REPORT_AGE_MS: u64 = 5_000;
/// The most lines kept while the ledger is unreachable, and as many of closed reports; any more are counted as dropped.
const MAX_LINES: usize = 20_000;
/// Lines of refusals are kept while there are fewer lines than this.
const MAX_REFUSAL_LINES: usize = MAX_LINES / 2;
/// What waits for longer than this is closed, so that it is booked when it happened (ms).
const SPAN_MS: u64 = 30_000;
/// The same once half of the room for closed reports is used (ms).
const LONG_SPAN_MS: u64 = 30 * 60 * 1_000;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// It was charged this much.
    Kept(Credits),
    /// Its charge was released.
    Released,
    /// It would have been refused, but its rule is in shadow mode.
    Shadow(RefusalCode),
    /// It was refused.
    Refused(RefusalCode),
}

/// A report with the moment from which its usage is.
#[derive(Clone, Debug)]
struct Dated {
    report: UsageReport,
    began: Moment,
}

impl Dated {
    #[inline(never)]
    fn lines(&self) -> usize {
        let UsageReport { lines, shadow, refused, .. } = &self.report;
        lines.len() + shadow.len() + refused.len()
    }

    /// As it is sent now.
    fn to_send(&self, now: Moment) -> UsageReport {
        UsageReport { ago_ms: now.millis_since(self.began), ..self.report.clone() }
    }
}

/// One worker's buffer.
#[derive(Debug)]
pub struct UsageBuffer {
    broker: String,
    seq: u64,
    since: Moment,
    /// When the first of the lines began.
    began: Moment,
    lines: SortedMap<Lines>,
    count: usize,
    unstored: Option<Dated>,
    /// Closed reports, and those of workers that left.
    closed: VecDeque<Dated>,
    closed_lines: usize,
    /// Whether those are sent back to back: as long as the ledger stores them.
    hurries: bool,
    in_flight: bool,
}

impl UsageBuffer {
    /// For the broker of this name, which the gateway never reuses.
    pub fn new(broker: String) -> Self {
        Self {
            broker,
            seq: 0,
            since: Moment::ZERO,
            began: Moment::ZERO,
            lines: SortedMap::default(),
            count: 0,
            unstored: None,
            closed: VecDeque::new(),
            closed_lines: 0,
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
        self.begin(now);
        let (price, kind, most) = match outcome {
            ChargeOutcome::Kept(price) => (price, LineKind::Sold, MAX_LINES),
            ChargeOutcome::Released => (Credits::ZERO, LineKind::Sold, MAX_LINES),
            ChargeOutcome::Shadow(code) => (Credits::ZERO, LineKind::Shadow(code), MAX_LINES),
            ChargeOutcome::Refused(code) => (Credits::ZERO, LineKind::Refused(code), MAX_REFUSAL_LINES),
        };
        let room = self.count < most && price <= MAX_LINE_CREDITS;
        if self.lines.at(*handle).is_none() {
            *handle = if room { self.lines.handle(key, Lines::default) } else { self.lines.find(key) };
        }
        let Some(Lines { sold: lines, .. }) = self.lines.at_mut(*handle) else {
            return false;
        };
        // A ledger refuses a message with a line that is too large, and the next one would repeat it.
        let takes = |counts: &Counts| {
            counts.rule == rule
                && counts.kind == kind
                && counts.requests.max(counts.refunds) < MAX_LINE_COUNT
                && counts.credits.saturating_add(price) <= MAX_LINE_CREDITS
        };
        let line = lines.iter().position(takes).unwrap_or(lines.len());
        if line == lines.len() {
            if !room {
                return false;
            }
            lines.push(Counts { rule, kind, requests: 0, credits: Credits::ZERO, refunds: 0 });
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

    /// Counts a request of a metered rule that was charged, with what it was for. What was released, or would have been
    /// refused, is counted as any other. Returns false when there was no room for it.
    pub fn count_metered(
        &mut self,
        now: Moment,
        key: &str,
        rule: usize,
        outcome: ChargeOutcome,
        metered: &Metered,
    ) -> bool {
        let ChargeOutcome::Kept(price) = outcome else {
            return self.count(now, key, rule, outcome);
        };
        self.begin(now);
        let room = self.count < MAX_LINES && price <= MAX_LINE_CREDITS;
        let lines = if room { self.lines.entry(key, Lines::default) } else { self.lines.get_mut(key) };
        let Some(added) = lines.and_then(|lines| lines.count_metered(rule, price, metered, room)) else {
            return false;
        };
        self.count += usize::from(added);
        true
    }

    fn begin(&mut self, now: Moment) {
        if self.lines.is_empty() {
            (self.since, self.began) = (now, now);
        }
    }

    /// Closes what has waited for so long that the time would be lost at which it happened. Call it often.
    #[inline(never)]
    pub fn close(&mut self, now: Moment, settings: &Settings) {
        let room = self.closed_lines + self.count <= MAX_LINES;
        let span = if self.closed_lines < MAX_LINES / 2 { SPAN_MS } else { LONG_SPAN_MS };
        if !room || self.lines.is_empty() || now.millis_since(self.began) < span {
            return;
        }
        while let Some(dated) = self.take_lines(settings) {
            self.closed_lines += dated.lines();
            self.closed.push_back(dated);
        }
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
        self.lines.is_empty() && self.unstored.is_none() && self.closed.is_empty()
    }

    /// The report to send now, if there is one and none is in flight.
    #[inline(never)]
    pub fn begin_send(&mut self, now: Moment, settings: &Settings) -> Option<UsageReport> {
        if self.in_flight {
            return None;
        }
        if self.unstored.is_none() {
            // In order: the ledger accepts no number below the last.
            self.unstored = self.closed.pop_front();
            self.closed_lines -= self.unstored.as_ref().map_or(0, Dated::lines);
        }
        if self.unstored.is_none() {
            self.unstored = self.take_lines(settings);
        }
        self.in_flight = self.unstored.is_some();
        self.unstored.as_ref().map(|dated| dated.to_send(now))
    }

    /// As many of the lines as a report holds, under the next number.
    #[inline(never)]
    fn take_lines(&mut self, settings: &Settings) -> Option<Dated> {
        if self.lines.is_empty() {
            return None;
        }
        self.seq = self.seq.saturating_add(1);
        let mut report = UsageReport { broker: self.broker.clone(), seq: self.seq, ..UsageReport::default() };
        let mut room = MAX_USAGE_LINES;
        while room > 0
            && let Some((payer, mut lines)) = self.lines.pop_first()
        {
            let rest = lines.split_off(&mut room);
            self.count -= lines.len();
            lines.move_into(&mut report, &payer, settings);
            if rest.len() > 0 {
                self.lines.insert(&payer, rest);
                break;
            }
        }
        Some(Dated { report, began: self.began })
    }

    /// Takes over a report of a worker that left just now, to be sent at once. Returns false when there was no room for it.
    #[inline(never)]
    pub fn adopt(&mut self, now: Moment, mut report: UsageReport) -> bool {
        let began = now.minus_millis(std::mem::take(&mut report.ago_ms));
        let dated = Dated { report, began };
        let lines = self.closed_lines + dated.lines();
        let room = lines <= MAX_LINES;
        if room {
            self.closed_lines = lines;
            self.closed.push_back(dated);
            self.hurries = true;
        }
        room
    }

    /// Hands over all that isn't known to be stored, as reports.
    pub fn leave(&mut self, now: Moment, settings: &Settings) -> Vec<UsageReport> {
        let mut reports = Vec::new();
        self.in_flight = false;
        while let Some(report) = self.begin_send(now, settings) {
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
        if self.unstored.as_ref().is_some_and(|dated| stored >= Some(dated.report.seq)) {
            self.unstored = None;
        }
        // A ledger that stores nothing is not called more often than usual.
        self.hurries = again || (self.unstored.is_none() && !self.closed.is_empty());
    }
}

#[cfg(test)]
mod tests;
