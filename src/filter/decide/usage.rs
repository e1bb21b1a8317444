//! Sales per key and rule, for the ledger's usage reports; and what rules in shadow mode would have refused, and why.
//!
//! Money doesn't depend on these lines (the lease's counters carry it); they say what it was for. A report is sent
//! again under its number until the ledger has stored it, so nothing is counted twice.

use crate::decide::base::moment::Moment;
use crate::decide::base::table::{Place, Table};
use crate::decide::settings::Settings;
use faregate_protocol::exchange::{
    MAX_LINE_COUNT, MAX_LINE_CREDITS, MAX_USAGE_LINES, ShadowLine, UsageLine, UsageReport,
};
use faregate_protocol::{Credits, RefusalCode};
use std::collections::VecDeque;

/// A report gets a message of its own when it has been waiting this long (ms).
const PATIENCE_MS: u64 = 5_000;
/// The most lines kept while the ledger is unreachable, and as many of workers that left; any more are counted as
/// dropped.
const MAX_LINES: usize = 20_000;
/// All callers without a known key; no key's identifier is empty.
pub(super) const NOBODY: &str = "";

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was charged this much.
    Kept(Credits),
    /// Its charge was released.
    Released,
    /// It would have been refused, but its rule is in shadow mode.
    Shadow(RefusalCode),
}

/// One worker's tally.
#[derive(Debug)]
pub struct Tally {
    broker: String,
    seq: u64,
    since: Moment,
    /// By key: a line per rule that was used, and per cause in shadow; or several where one is full.
    lines: Table<Vec<Counts>>,
    count: usize,
    unstored: Option<UsageReport>,
    /// Reports of workers that left.
    inherited: VecDeque<UsageReport>,
    inherited_lines: usize,
    /// Whether those are sent back to back: as long as the ledger stores them.
    hurries: bool,
    riding: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    rule: usize,
    shadow: Option<RefusalCode>,
    requests: u64,
    credits: Credits,
    refunds: u64,
}

impl Tally {
    /// For the broker of this name, which the gateway never reuses.
    pub fn new(broker: String) -> Self {
        Self {
            broker,
            seq: 0,
            since: Moment::ZERO,
            lines: Table::default(),
            count: 0,
            unstored: None,
            inherited: VecDeque::new(),
            inherited_lines: 0,
            hurries: false,
            riding: false,
        }
    }

    /// Counts a request; returns false when there was no room for it.
    pub fn count(&mut self, now: Moment, key: &str, rule: usize, fate: Fate) -> bool {
        self.count_at(now, key, &mut Place::default(), rule, fate)
    }

    /// The same, with a cached place of the key's lines; it must never be another key's.
    pub fn count_at(&mut self, now: Moment, key: &str, place: &mut Place, rule: usize, fate: Fate) -> bool {
        if self.lines.is_empty() {
            self.since = now;
        }
        let (price, shadow) = match fate {
            Fate::Kept(price) => (price, None),
            Fate::Released => (Credits::ZERO, None),
            Fate::Shadow(code) => (Credits::ZERO, Some(code)),
        };
        let room = self.count < MAX_LINES && price <= MAX_LINE_CREDITS;
        if self.lines.at(*place).is_none() {
            *place = if room { self.lines.place(key, Vec::new) } else { self.lines.find(key) };
        }
        let Some(lines) = self.lines.at_mut(*place) else {
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
        if fate == Fate::Released {
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
        waits && !self.riding && (full || self.hurries || now.millis_since(self.since) >= PATIENCE_MS)
    }

    /// Whether anything is left to report.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.unstored.is_none() && self.inherited.is_empty()
    }

    /// The report to send now, if there is one and none is in flight.
    pub fn board(&mut self, settings: &Settings) -> Option<UsageReport> {
        if self.riding {
            return None;
        }
        if self.unstored.is_none() {
            // In order: the ledger accepts no number below the last.
            self.unstored = self.inherited.pop_front();
            let lines = self.unstored.as_ref().map_or(0, |report| report.lines.len() + report.shadow.len());
            self.inherited_lines -= lines;
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
                        let payer = Some(payer).filter(|payer| payer != NOBODY);
                        shadow.push(ShadowLine { payer, rule, code, requests });
                    } else {
                        lines.push(UsageLine { payer, rule, requests, credits, refunds });
                    }
                }
            }
            self.unstored = Some(UsageReport { broker: self.broker.clone(), seq: self.seq, lines, shadow });
        }
        self.riding = self.unstored.is_some();
        self.unstored.clone()
    }

    /// Takes over a report of a worker that left, to be sent at once. Returns false when there was no room for it.
    pub fn inherit(&mut self, report: UsageReport) -> bool {
        let lines = self.inherited_lines + report.lines.len() + report.shadow.len();
        let room = lines <= MAX_LINES;
        if room {
            self.inherited_lines = lines;
            self.inherited.push_back(report);
            self.hurries = true;
        }
        room
    }

    /// Hands over all that isn't known to be stored, as reports.
    pub fn leave(&mut self, settings: &Settings) -> Vec<UsageReport> {
        let mut reports = Vec::new();
        self.riding = false;
        while let Some(report) = self.board(settings) {
            reports.push(report);
            (self.unstored, self.riding) = (None, false);
        }
        reports
    }

    /// The message that carried the report has ended; `stored` is the number that the ledger has, if it
    /// answered. `again` if the report is sent again at once.
    pub fn alight(&mut self, now: Moment, stored: Option<u64>, again: bool) {
        self.riding = false;
        self.since = now;
        if self.unstored.as_ref().is_some_and(|report| stored >= Some(report.seq)) {
            self.unstored = None;
        }
        // A ledger that stores nothing is not called more often than usual.
        self.hurries = again || (self.unstored.is_none() && !self.inherited.is_empty());
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
            assert!(tally.count(Moment::ZERO, "key_1", 0, Fate::Kept(price)));
        }
        let more = Fate::Kept(most.saturating_add(Credits::from_micros(1)));
        assert!(!tally.count(Moment::ZERO, "key_1", 0, more));
        let lines = tally.board(&settings).unwrap().lines;
        assert!(lines.iter().all(|line| line.credits <= most), "{lines:?}");
        let sum = lines.iter().fold(Credits::ZERO, |sum, line| sum.saturating_add(line.credits));
        assert_eq!((lines.len(), sum.micros()), (3, 2 * most.micros() + 1));
    }

    #[test]
    fn of_workers_who_are_gone_no_more_is_taken_over_than_one_may_keep() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "otherwise": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let (mut heir, mut gone) = (Tally::new("heir".into()), Tally::new("gone".into()));
        for key in 0..MAX_LINES {
            assert!(gone.count(Moment::ZERO, &format!("key_{key}"), 0, Fate::Released));
        }
        let reports = gone.leave(&settings);
        assert!(reports.iter().all(|report| heir.inherit(report.clone())));
        assert!(!heir.inherit(reports[0].clone()), "it is full");
        let sent = heir.board(&settings).unwrap();
        heir.alight(Moment::ZERO, Some(sent.seq), false);
        assert!(heir.inherit(reports[0].clone()), "there is room for as much as was sent");
        assert!(!heir.inherit(reports[0].clone()));
    }

    #[test]
    fn what_was_sold_and_what_was_watched_share_the_room_of_a_report_and_of_the_tally() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
            "otherwise": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut tally = Tally::new("b".into());
        let one = Fate::Kept(Credits::from_micros(1));
        let watched = Fate::Shadow(RefusalCode::RateLimited);
        for key in 0..MAX_LINES / 2 {
            assert!(tally.count(Moment::ZERO, &format!("key_{key}"), 0, one));
            assert!(tally.count(Moment::ZERO, &format!("key_{key}"), 0, watched));
        }
        assert!(!tally.count(Moment::ZERO, NOBODY, 0, Fate::Shadow(RefusalCode::MissingKey)), "it is full");
        assert!(tally.count(Moment::ZERO, "key_7", 0, watched), "what has its line goes on");

        let (mut sold, mut seen) = (0, 0);
        while let Some(report) = tally.board(&settings) {
            assert!(report.lines.len() + report.shadow.len() <= MAX_USAGE_LINES);
            sold += report.lines.iter().map(|line| line.requests).sum::<u64>();
            seen += report.shadow.iter().map(|line| line.requests).sum::<u64>();
            tally.alight(Moment::ZERO, Some(report.seq), false);
        }
        assert_eq!((sold, seen), (10_000, 10_001));
        assert!(tally.is_empty());
    }

    #[test]
    fn a_report_is_repeated_under_its_number_until_the_ledger_says_that_it_has_it() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "otherwise": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let mut tally = Tally::new("b".into());
        let one = Fate::Kept(Credits::from_micros(1));
        assert!(tally.count(Moment::ZERO, "key_1", 0, one));
        let first = tally.board(&settings).unwrap();
        assert_eq!(first.seq, 1);
        assert!(tally.count(Moment::ZERO, "key_1", 0, one));
        for stored in [None, Some(0)] {
            assert_eq!(tally.board(&settings), None, "one is under way");
            tally.alight(Moment::ZERO, stored, false);
            assert_eq!(tally.board(&settings).as_ref(), Some(&first), "the ledger has {stored:?}");
        }

        tally.alight(Moment::ZERO, Some(1), false);

        let second = tally.board(&settings).unwrap();
        assert_eq!((second.seq, second.lines[0].requests), (2, 1), "what was sold since");
        tally.alight(Moment::ZERO, Some(2), false);
        assert!(tally.is_empty());
    }

    #[test]
    fn a_report_is_due_when_it_has_waited_or_is_full_and_none_is_under_way() {
        let config = json!({
            "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}], "otherwise": {"price": "1"}
        });
        let settings = Settings::from_value(&config).unwrap();
        let (mut tally, start) = (Tally::new("b".into()), Moment::from_nanos(1));
        let [soon, later] = [PATIENCE_MS - 1, PATIENCE_MS].map(|ms| start.plus_millis(ms));
        let sell = |tally: &mut Tally, key: usize| {
            assert!(tally.count(start, &format!("key_{key}"), 0, Fate::Kept(Credits::from_micros(1))));
        };
        assert!(!tally.is_due(later), "there is nothing to say");
        sell(&mut tally, 0);
        assert_eq!([soon, later].map(|now| tally.is_due(now)), [false, true]);
        (1..MAX_USAGE_LINES).for_each(|key| sell(&mut tally, key));
        assert!(tally.is_due(start), "it is full");

        assert_eq!(tally.board(&settings).unwrap().lines.len(), MAX_USAGE_LINES);

        sell(&mut tally, 0);
        assert!(!tally.is_due(later), "one is under way");
        tally.alight(start, Some(1), false);
        assert_eq!([soon, later].map(|now| tally.is_due(now)), [false, true], "there is room again");
    }

    #[test]
    fn a_line_counts_no_further_than_a_ledger_takes() {
        let (mut tally, mut place) = (Tally::new("b".into()), Place::default());
        let one = Fate::Kept(Credits::from_micros(1));
        assert!(tally.count_at(Moment::ZERO, "key_1", &mut place, 0, one));
        tally.lines.at_mut(place).unwrap()[0].requests = MAX_LINE_COUNT - 1;
        for _ in 0..2 {
            assert!(tally.count_at(Moment::ZERO, "key_1", &mut place, 0, one));
        }
        let requests: Vec<u64> = tally.lines.at(place).unwrap().iter().map(|line| line.requests).collect();
        assert_eq!(requests, [MAX_LINE_COUNT, 1]);
    }
}
