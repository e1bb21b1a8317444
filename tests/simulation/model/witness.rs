//! What an operation has done, seen in the rows before and after it, and counted apart from the ledger's sums.

use super::ModelLedger;
use super::announced::Announced;
use super::budgets::Meter;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_ledger::domain::entry::Book;
use faregate_ledger::domain::time::minute;
use faregate_ledger::domain::{AccountNo, GatewayNo, GrantNo, KeyNo, Kind};
use faregate_ledger::store::memory::Tables;
use faregate_ledger::store::rows::{BudgetKey, EntryKey};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What was sold, as gateways reported it for invoices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub requests: u64,
    pub micros: i64,
    pub refunds: u64,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    entries: BTreeMap<EntryKey, i64>,
    moved: BTreeMap<(AccountNo, Kind), i64>,
    /// All that was charged, for whatever reason, by gateway and key.
    pub charged: BTreeMap<(GatewayNo, KeyNo), i64>,
    /// By gateway and key.
    pub usage: BTreeMap<(GatewayNo, KeyNo), Usage>,
    pub(super) meters: BTreeMap<BudgetKey, Meter>,
    /// The periods for which a subscription gave a quota; only the last may be cut short.
    periods: BTreeMap<i64, Vec<(Timestamp, Timestamp)>>,
    /// When a subscription was over, by the ledger that found it so.
    pub ended: BTreeMap<i64, Timestamp>,
    pub(super) announced: BTreeMap<AccountNo, Announced>,
}

/// The rows that are compared with what becomes of them: of changes only the newest, of grants, too, unless `all` are
/// asked for. What else moves money leaves its trace there.
pub fn rows(db: &Tables, all: bool) -> Tables {
    let mut rows = Tables::default();
    rows.accounts.clone_from(&db.accounts);
    rows.budgets.clone_from(&db.budgets);
    rows.subscriptions.clone_from(&db.subscriptions);
    rows.changes.extend(db.changes.last_key_value().map(|(key, row)| (*key, row.clone())));
    if all {
        rows.keys.clone_from(&db.keys);
        rows.leases.clone_from(&db.leases);
        rows.grants.clone_from(&db.grants);
        rows.plans.clone_from(&db.plans);
        rows.corrections.clone_from(&db.corrections);
    } else {
        rows.grants.extend(db.grants.last_key_value().map(|(key, row)| (*key, row.clone())));
    }
    rows
}

/// Whether nothing differs from all these rows that a gateway, an operator or an invoice could notice.
pub fn is_same(before: &Tables, db: &Tables) -> bool {
    let (a, b) = (before, db);
    let of_money = a.accounts == b.accounts && a.grants == b.grants && a.leases == b.leases;
    let of_plans = a.plans == b.plans && a.subscriptions == b.subscriptions && a.budgets == b.budgets;
    let of_operator = a.keys == b.keys && a.corrections == b.corrections;
    of_money && of_plans && of_operator && a.changes.last_key_value() == b.changes.last_key_value()
}

impl ModelLedger {
    /// What a kind of entry has moved for an account, in micro-credits.
    pub fn moved(&self, account: usize, kind: Kind) -> i64 {
        self.seen.moved.get(&(self.accounts[account], kind)).copied().unwrap_or(0)
    }

    /// Looks at what has changed.
    pub(super) fn witness(&mut self, before: &Tables, now: Timestamp) {
        let charged = self.note_entries(now);
        self.meter(&charged);
        self.note_periods(before, now);
        self.note_events(before, now);
    }

    /// Counts what is new in the entries. Gives what was charged.
    fn note_entries(&mut self, now: Timestamp) -> Vec<(KeyNo, i64)> {
        let (mut charged, mut wrong) = (Vec::new(), None);
        let Self { db, seen, .. } = self;
        for (no, row) in &db.accounts {
            let plan_only = row.account.entitlement.as_ref().is_some_and(Entitlement::refuses_overage);
            let (key, gateway, grant) = (KeyNo(i64::MIN), GatewayNo(i64::MIN), GrantNo(i64::MIN));
            let from = |minute: i64| (no.0, minute, i64::MIN, key, gateway, 0, grant);
            let minutes = from(minute(now))..from(minute(now) + 1);
            let (mut known, mut news) = (seen.entries.range(minutes.clone()).peekable(), Vec::new());
            for (place, entry) in db.entries.range(minutes) {
                let old = known.next_if(|(known, _)| *known == place).map_or(0, |(_, amount)| *amount);
                if entry.amount.micros() != old {
                    news.push((entry, entry.amount.micros() - old));
                }
            }
            for (entry, more) in news {
                let place = &entry.place;
                seen.entries.insert(*place, entry.amount.micros());
                let (.., number, key, gateway, _, grant) = *place;
                let kind = Kind::ALL.into_iter().find(|kind| kind.number() == number);
                let kind = kind.expect("entries are of a known kind");
                *seen.moved.entry((no.0, kind)).or_default() += more;
                if kind.to() == Book::Revenue {
                    *seen.charged.entry((gateway, key)).or_default() += more;
                    charged.push((key, more));
                }
                if kind == Kind::Draw && plan_only && db.grants[&(grant,)].subscription.is_none() {
                    wrong = Some(format!("{entry:?} is not of the plan, which refuses overage"));
                }
            }
        }
        wrong.into_iter().for_each(|what| self.record_violation(what));
        charged
    }

    /// Adds up the entries again: none was written but where an operation belongs.
    ///
    /// # Errors
    /// Says what is there besides.
    pub fn recount(&self) -> Result<(), String> {
        let sums = |entries: &mut dyn Iterator<Item = (EntryKey, i64)>| {
            entries.filter(|(_, amount)| *amount != 0).collect::<Vec<_>>()
        };
        let counted = sums(&mut self.seen.entries.iter().map(|(place, amount)| (*place, *amount)));
        let kept = sums(&mut self.db.entries.iter().map(|(place, row)| (*place, row.amount.micros())));
        if counted == kept { Ok(()) } else { Err("there are entries that no operation has made".to_owned()) }
    }

    /// No two periods overlap for which a quota was given, but where an operator had one end early and another begin.
    fn note_periods(&mut self, before: &Tables, now: Timestamp) {
        let mut wrong = None;
        let newest = before.grants.last_key_value().map(|(no, _)| *no);
        for row in self.db.subscriptions.values() {
            let (no, old) = (row.no, before.subscriptions.get(&(row.no,)));
            let (old, new) = (old.map(|row| &row.subscription), &row.subscription);
            if old == Some(new) {
                continue;
            }
            if new.state.is_over() && old.is_none_or(|old| !old.state.is_over()) {
                self.seen.ended.insert(no, now);
            }
            let unchanged = old.is_some_and(|old| {
                (old.period_start, old.granted_until) == (new.period_start, new.granted_until)
            });
            let given = self.db.grants.iter().rev().take_while(|(no, _)| Some(**no) > newest);
            let mut given = given.filter(|(_, grant)| grant.subscription == Some(no));
            let (Some(start), false, Some((_, grant))) = (new.period_start, unchanged, given.next()) else {
                continue;
            };
            let periods = self.seen.periods.entry(no).or_default();
            if let Some((_, end)) = periods.last_mut() {
                // By a clock that is behind, the other begins when the first did.
                let restarted = now.max(old.and_then(|old| old.period_start).unwrap_or(now));
                if self.by_operator && start == restarted {
                    *end = (*end).min(start);
                }
                if start < *end {
                    wrong = Some(format!("a period begins before {end} again: {row:?}"));
                }
            }
            periods.push((start, grant.grant.expires_at.unwrap_or(new.granted_until)));
        }
        wrong.into_iter().for_each(|what| self.record_violation(what));
    }
}
