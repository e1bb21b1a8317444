//! What was sold, per key and rule, for the ledger's usage reports.
//!
//! Money doesn't depend on these lines (the lease's counters carry it); they say what it was for. A report
//! is sent again under its number until the ledger has stored it, so nothing is counted twice.

use super::moment::Moment;
use super::settings::Settings;
use super::table::Table;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    MAX_LINE_COUNT, MAX_LINE_CREDITS, MAX_USAGE_LINES, UsageLine, UsageReport,
};

/// A report is sent by itself when it has been waiting this long (ms).
const PATIENCE_MS: u64 = 5_000;
/// The most lines kept while the ledger is away; what comes on top is counted as dropped.
const MAX_LINES: usize = 20_000;

/// One worker's tally.
#[derive(Debug)]
pub struct Tally {
    broker: String,
    seq: u64,
    since: Moment,
    /// By key: a line per rule that was used, or several where one is full.
    lines: Table<Vec<Counts>>,
    count: usize,
    unstored: Option<UsageReport>,
    /// What workers left who are gone.
    inherited: Vec<UsageReport>,
    riding: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    rule: usize,
    requests: u64,
    credits: Credits,
    refunds: u64,
}

impl Tally {
    /// For the broker of this name, unique among the gateway's for ever.
    pub fn new(broker: String) -> Self {
        Self {
            broker,
            seq: 0,
            since: Moment::ZERO,
            lines: Table::default(),
            count: 0,
            unstored: None,
            inherited: Vec::new(),
            riding: false,
        }
    }

    /// Counts a request; returns false when there was no room for it.
    pub fn count(&mut self, now: Moment, key: &str, rule: usize, kept: Option<Credits>) -> bool {
        if self.lines.is_empty() {
            self.since = now;
        }
        let price = kept.unwrap_or_default();
        let room = self.count < MAX_LINES && price <= MAX_LINE_CREDITS;
        if !room && self.lines.get(key).is_none() {
            return false;
        }
        let Some(lines) = self.lines.entry(key, Vec::new) else {
            return false;
        };
        // A ledger refuses a message with a line that is too large, and the next one would repeat it.
        let takes = |counts: &Counts| {
            counts.rule == rule
                && counts.requests.max(counts.refunds) < MAX_LINE_COUNT
                && counts.credits.saturating_add(price) <= MAX_LINE_CREDITS
        };
        if !lines.iter().any(takes) {
            if !room {
                return false;
            }
            lines.push(Counts { rule, requests: 0, credits: Credits::ZERO, refunds: 0 });
            self.count += 1;
        }
        let Some(counts) = lines.iter_mut().find(|counts| takes(counts)) else {
            return false;
        };
        if let Some(price) = kept {
            counts.requests = counts.requests.saturating_add(1);
            counts.credits = counts.credits.saturating_add(price);
        } else {
            counts.refunds = counts.refunds.saturating_add(1);
        }
        true
    }

    /// Whether a report should go out even if nothing else does.
    pub fn is_due(&self, now: Moment) -> bool {
        let waits = !self.is_empty();
        let full = self.count >= MAX_USAGE_LINES;
        waits && !self.riding && (full || now.millis_since(self.since) >= PATIENCE_MS)
    }

    /// Whether anything is left to report.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.unstored.is_none() && self.inherited.is_empty()
    }

    /// The report to send now, if there is one and none is under way.
    pub fn board(&mut self, settings: &Settings) -> Option<UsageReport> {
        if self.riding {
            return None;
        }
        if self.unstored.is_none() && !self.inherited.is_empty() {
            // In their order: the ledger takes no number below the last.
            self.unstored = Some(self.inherited.remove(0));
        }
        if self.unstored.is_none() && !self.lines.is_empty() {
            self.seq = self.seq.saturating_add(1);
            let mut lines = Vec::new();
            while lines.len() < MAX_USAGE_LINES
                && let Some((payer, mut counts)) = self.lines.pop_first()
            {
                let rest = counts.split_off(counts.len().min(MAX_USAGE_LINES - lines.len()));
                self.count -= counts.len();
                if !rest.is_empty() {
                    self.lines.insert(&payer, rest);
                }
                lines.extend(counts.into_iter().map(|counts| {
                    let Counts { rule, requests, credits, refunds } = counts;
                    let rule = settings.rule(rule).name.clone();
                    UsageLine { payer: payer.clone(), rule, requests, credits, refunds }
                }));
            }
            self.unstored = Some(UsageReport { broker: self.broker.clone(), seq: self.seq, lines });
        }
        self.riding = self.unstored.is_some();
        self.unstored.clone()
    }

    /// Takes over a report of one who is gone.
    pub fn inherit(&mut self, report: UsageReport) {
        self.inherited.push(report);
    }

    /// Gives away all that isn't known to be stored, in reports.
    pub fn leave(&mut self, settings: &Settings) -> Vec<UsageReport> {
        let mut reports = Vec::new();
        self.riding = false;
        while let Some(report) = self.board(settings) {
            reports.push(report);
            (self.unstored, self.riding) = (None, false);
        }
        reports
    }

    /// The message that carried the report is over; `stored` is the number that the ledger has, if it
    /// answered.
    pub fn alight(&mut self, now: Moment, stored: Option<u64>) {
        self.riding = false;
        self.since = now;
        if self.unstored.as_ref().is_some_and(|report| stored >= Some(report.seq)) {
            self.unstored = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_one_line_cannot_hold_is_told_in_several_and_a_price_beyond_that_in_none() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "otherwise": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut tally = Tally::new("b".into());
        let most = MAX_LINE_CREDITS;
        for price in [most, Credits::from_micros(1), most] {
            assert!(tally.count(Moment::ZERO, "key_1", 0, Some(price)));
        }
        assert!(!tally.count(Moment::ZERO, "key_1", 0, most.checked_add(Credits::from_micros(1))));
        let lines = tally.board(&settings).unwrap().lines;
        assert!(lines.iter().all(|line| line.credits <= most), "{lines:?}");
        let sum = lines.iter().fold(Credits::ZERO, |sum, line| sum.saturating_add(line.credits));
        assert_eq!((lines.len(), sum.micros()), (3, 2 * most.micros() + 1));
    }
}
