//! What was announced, held against the balances that the simulator sees for itself.

use super::ModelLedger;
use faregate_ledger::domain::AccountState;
use faregate_ledger::domain::alert::left;
use faregate_ledger::store::memory::Tables;
use faregate_ledger::store::rows::AccountRow;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What was announced of an account.
#[derive(Clone, Debug, Default)]
pub struct Announced {
    seq: i64,
    low: bool,
    refusing: bool,
    /// Of the running quota, by period.
    quota: BTreeSet<(String, u64)>,
}

impl ModelLedger {
    /// Looks at what was announced: every crossing, and each once.
    pub(super) fn note_events(&mut self, before: &Tables, now: Timestamp) {
        let mut wrong = None;
        for (no, row) in &self.db.accounts {
            let seen = self.seen.announced.entry(no.0).or_default();
            let old = before.accounts.get(no);
            if old.map(|old| &old.account.entitlement) != Some(&row.account.entitlement) {
                seen.quota.clear();
            }
            let from = (no.0, seen.seq + 1);
            for (place, event) in self.db.events.range(from..).take_while(|(place, _)| place.0 == no.0) {
                if place.1 != seen.seq + 1 {
                    wrong = Some(format!("an event of {} is missing before {event:?}", row.account.id));
                }
                seen.seq = place.1;
                if let Err(what) = seen.take(&event.kind, &event.data) {
                    wrong = Some(format!("{what}: {event:?}"));
                }
            }
            if old.is_some_and(|old| is_missed(old, row, seen, now)) {
                let (is, below) = (left(&row.account.books), row.alerts.below);
                wrong = Some(format!("{} fell to {is}, below {below:?}, unannounced", row.account.id));
            }
        }
        wrong.into_iter().for_each(|what| self.record_violation(what));
    }
}

impl Announced {
    fn take(&mut self, kind: &str, data: &str) -> Result<(), &'static str> {
        match kind {
            "balance.low" if self.low => return Err("a low balance is announced twice"),
            "balance.recovered" if !self.low => return Err("a balance recovered that wasn't low"),
            "balance.low" | "balance.recovered" => self.low = kind == "balance.low",
            "refusals.began" if self.refusing => return Err("refusals begin twice"),
            "refusals.ended" if !self.refusing => return Err("refusals end that hadn't begun"),
            "refusals.began" | "refusals.ended" => self.refusing = kind == "refusals.began",
            "quota.used" => {
                let data: serde_json::Value = serde_json::from_str(data).expect("it is JSON");
                let (start, percent) = (data["period_started_at"].to_string(), data["percent"].as_u64());
                if !self.quota.insert((start, percent.expect("a number"))) {
                    return Err("a percentage of a quota is announced twice");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a balance has fallen below its threshold, and that wasn't said. While a renewal is due it may wait for that.
fn is_missed(old: &AccountRow, row: &AccountRow, seen: &Announced, now: Timestamp) -> bool {
    let (is, was) = (left(&row.account.books), left(&old.account.books));
    let waits = row.account.due.is_some_and(|due| due <= now) || row.account.state == AccountState::Closed;
    row.alerts.below.is_some_and(|below| is < below && is < was) && !waits && !seen.low
}
