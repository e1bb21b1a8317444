//! A gateway's side of a history.

use super::*;

/// A gateway's side of one lease.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    pub epoch: u32,
    pub granted: i64,
    pub spent: i64,
    pub returned: i64,
    /// Set aside for requests in flight.
    pub held: i64,
    pub holds: Holds,
    pub final_report: Option<Ended>,
    pub sold_before: i64,
    pub stopped: bool,
}

impl Gate {
    pub fn message(&self, ask: Option<Ask>) -> Entry {
        Entry {
            payer: Who::Id("key_1".into()),
            ended: self.final_report,
            lease: Some(LeaseReport {
                epoch: self.epoch,
                spent: credits(self.spent),
                returned: credits(self.returned),
                held: Credits::ZERO,
                demand: 0,
            }),
            ask,
            on_credit: Credits::ZERO,
            holds: self.holds,
        }
    }

    pub fn free(&self) -> i64 {
        if self.stopped { 0 } else { self.granted - self.spent - self.returned - self.held }
    }

    pub fn seal(&mut self) {
        let final_report = Ended { epoch: self.epoch, spent: credits(self.spent) };
        self.holds.carried = self.holds.carried.saturating_add(credits(self.held));
        *self = Self {
            holds: self.holds,
            epoch: self.epoch + 1,
            final_report: Some(final_report),
            sold_before: self.sold_before + self.spent,
            ..Self::default()
        };
    }

    /// Only an answer to a message that carried the final report acknowledges it: `ended` may also mean
    /// that the ledger took the epoch back without having heard the report.
    pub fn hear(&mut self, asked: &Entry, answer: &EntryAnswer) {
        if self.final_report.is_some()
            && self.final_report == asked.ended
            && answer.ended >= asked.ended.map(|final_report| final_report.epoch)
        {
            self.final_report = None;
        }
        if let Some(lease) = answer.lease
            && lease.epoch == self.epoch
        {
            self.granted = self.granted.max(lease.granted.micros());
        }
        if answer.ended == Some(self.epoch) {
            self.seal();
        }
    }

    /// A request ends: of what it held, so much is kept, and the rest released.
    pub fn settle(&mut self, held: i64, kept: i64) {
        let now = held.min(self.held);
        self.held -= now;
        self.spent += kept.min(now);
        let late = (held - now).min(self.holds.open().micros());
        let kept = kept.min(late);
        self.holds.kept = self.holds.kept.saturating_add(credits(kept));
        self.holds.released = self.holds.released.saturating_add(credits(late - kept));
    }

    pub fn sold(&self) -> i64 {
        self.sold_before + self.spent + self.holds.kept.micros()
    }
}
