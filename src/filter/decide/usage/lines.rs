//! What of one key waits for the next report: a line per rule, and per cause of refusals; and of metered requests a line per rule,
//! model or tool, and basis.
//!
//! What must hold: no line and no report is above what the ledger accepts; requests that aren't metered are never compared with
//! lines of metered ones.

use crate::decide::settings::{Rule, Settings};
use faregate_protocol::exchange::{
    Basis, MAX_ITEM_BYTES, MAX_LINE_COUNT, MAX_LINE_CREDITS, RefusalLine, UsageLine, UsageReport,
};
use faregate_protocol::metering::{MAX_QUANTITY, Quantities};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// All callers without a known key; no key's identifier is empty.
pub const UNKNOWN_CALLER: &str = "";
/// The most lines with an item that wait of one key; more requests are counted in lines without one.
pub(super) const MAX_ITEM_LINES: usize = 256;
/// A metered line counts as this many in a report: with the longest names and all classes it has about a kilobyte, and a
/// report must leave most of a message to the entries.
pub(super) const METERED_WEIGHT: usize = 3;

/// What a metered request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// The model or the tool, if the rule has any. An empty name is none; one above [`MAX_ITEM_BYTES`] is cut.
    pub item: Option<Rc<str>>,
    /// On what its charge is based.
    pub basis: Basis,
    /// What it used, by class.
    pub used: Quantities,
}

/// Lines of one key; or several of the same kind where one is full.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub sold: Vec<Counts>,
    metered: Vec<MeteredCounts>,
}

/// What became of the requests of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// They were charged, or their charge was released.
    Sold,
    /// They would have been refused, but their rule is in shadow mode.
    Shadow(RefusalCode),
    /// They were refused.
    Refused(RefusalCode),
}

/// Requests under one rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub rule: usize,
    pub kind: LineKind,
    pub requests: u64,
    pub credits: Credits,
    pub refunds: u64,
}

/// Metered requests under one rule, for one model or tool, and on one basis.
#[derive(Debug)]
struct MeteredCounts {
    rule: usize,
    metered: Metered,
    requests: u64,
    credits: Credits,
}

impl MeteredCounts {
    /// Whether a request belongs here, and there is room for it.
    fn takes(&self, rule: usize, item: Option<&str>, price: Credits, metered: &Metered) -> bool {
        let fits = |(class, more)| self.metered.used.get(class).saturating_add(more) <= MAX_QUANTITY;
        self.rule == rule
            && self.metered.basis == metered.basis
            && self.metered.item.as_deref() == item
            && self.requests < MAX_LINE_COUNT
            && self.credits.saturating_add(price) <= MAX_LINE_CREDITS
            && metered.used.iter().all(fits)
    }

    fn add(&mut self, price: Credits, used: &Quantities) {
        self.requests = self.requests.saturating_add(1);
        self.credits = self.credits.saturating_add(price);
        for (class, more) in used.iter() {
            self.metered.used.add(class, more);
        }
    }
}

impl Lines {
    /// Counts a metered request that was charged; a line may be added only if there is `room`. Returns whether one was, or `None`
    /// where that would have been necessary.
    pub fn count_metered(
        &mut self,
        rule: usize,
        price: Credits,
        metered: &Metered,
        room: bool,
    ) -> Option<bool> {
        let mut item = metered.item.as_deref().and_then(sendable);
        loop {
            if let Some(line) = self.metered.iter_mut().find(|line| line.takes(rule, item, price, metered)) {
                line.add(price, &metered.used);
                return Some(false);
            }
            let many = || self.metered.iter().filter(|line| line.metered.item.is_some()).count();
            if item.is_none() || many() < MAX_ITEM_LINES {
                break;
            }
            item = None;
        }
        if !room {
            return None;
        }
        // The name that was given is shared, unless it had to be cut.
        let given = metered.item.as_ref().filter(|given| item == Some(&***given));
        let item = given.cloned().or_else(|| item.map(Rc::from));
        let metered = Metered { item, ..metered.clone() };
        self.metered.push(MeteredCounts { rule, metered, requests: 1, credits: price });
        Some(true)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sold.len() + self.metered.len()
    }

    /// Takes out those for which a report has no room, and lowers its room by the others.
    pub fn split_off(&mut self, room: &mut usize) -> Self {
        let sold = self.sold.split_off(self.sold.len().min(*room));
        *room -= self.sold.len();
        let metered = self.metered.split_off(self.metered.len().min(*room / METERED_WEIGHT));
        *room -= self.metered.len() * METERED_WEIGHT;
        Self { sold, metered }
    }

    /// Moves them into a report, as lines of this payer.
    pub fn move_into(self, report: &mut UsageReport, payer: &str, settings: &Settings) {
        let line = |rule, requests, credits, refunds| {
            let Rule { name, product, .. } = settings.rule(rule);
            let (payer, rule, product) = (payer.to_owned(), name.clone(), product.clone());
            let (item, basis, used) = (None, None, Quantities::default());
            UsageLine { payer, rule, requests, credits, refunds, item, basis, used, product }
        };
        for Counts { rule, kind, requests, credits, refunds } in self.sold {
            let (list, code) = match kind {
                LineKind::Sold => {
                    report.lines.push(line(rule, requests, credits, refunds));
                    continue;
                }
                LineKind::Shadow(code) => (&mut report.shadow, code),
                LineKind::Refused(code) => (&mut report.refused, code),
            };
            let payer = Some(payer).filter(|payer| *payer != UNKNOWN_CALLER).map(str::to_owned);
            list.push(RefusalLine { payer, rule: settings.rule(rule).name.clone(), code, requests });
        }
        for MeteredCounts { rule, metered, requests, credits } in self.metered {
            let Metered { item, basis, used } = metered;
            let (item, basis) = (item.as_deref().map(str::to_owned), Some(basis));
            report.lines.push(UsageLine { item, basis, used, ..line(rule, requests, credits, 0) });
        }
    }
}

/// A name as the ledger accepts it.
fn sendable(name: &str) -> Option<&str> {
    name.get(..name.floor_char_boundary(MAX_ITEM_BYTES)).filter(|name| !name.is_empty())
}

/// Takes out what a ledger of the version before refuses in usage reports.
pub fn strip_newest(report: &mut UsageReport) {
    report.ago_ms = 0;
    report.refused = Vec::new();
    for line in &mut report.lines {
        line.product = None;
    }
}
