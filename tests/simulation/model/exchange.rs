//! One message from a gateway, taken in by the shipped operation, and what is checked of the answer.
//!
//! Most messages are said entry by entry, so that each answer can be held against the rows as they are right after it.
//! Every third is said at once, as gateways do; then what later entries of the same account move blurs that.

use super::ModelLedger;
use super::witness::Usage;
use crate::mutant::Mutant;
use faregate_ledger::command::exchange::{Exchange, SaidOfGateway};
use faregate_ledger::command::usage::MAX_AGO_MS;
use faregate_ledger::domain::GatewayNo;
use faregate_ledger::domain::exchange::{check, heartbeat_ms};
use faregate_ledger::domain::time::{at, minute};
use faregate_ledger::store::StoreError;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Payer as Who, UsageReport,
};
use jiff::Timestamp;
use std::sync::Arc;

impl ModelLedger {
    /// Takes in a message.
    ///
    /// # Errors
    /// When it can't be, which no run of the simulation comes near.
    pub fn exchange(
        &mut self,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<ExchangeResponse, StoreError> {
        match self.forger.speaks(now, self.mutant) {
            Ok(unbookable) => self.spoilt = unbookable && self.mutant == Some(Mutant::UnbookableSpoilsOthers),
            Err(what) => self.record_violation(what),
        }
        self.messages += 1;
        let now = at(now.as_millisecond());
        let mut response = ExchangeResponse {
            protocol: request.protocol,
            seen: None,
            heartbeat_ms: heartbeat_ms(false),
            entries: Vec::new(),
            changes: Vec::new(),
            usage_seq: None,
            models: Vec::new(),
            prices: None,
        };
        for part in parts(request, self.mutant.is_none() && self.messages.is_multiple_of(3)) {
            let said = self.say(part, now)?;
            response.heartbeat_ms = response.heartbeat_ms.min(said.heartbeat_ms);
            response.usage_seq = said.usage_seq.or(response.usage_seq);
            response.entries.extend(said.entries);
        }
        if let (Some(since), Some(gateway)) = (request.seen, self.gateway(&request.gateway)) {
            let (news, fast_heartbeat) = self.news(gateway, since, now);
            (response.seen, response.changes) = (Some(news.seen), news.changes);
            response.heartbeat_ms = response.heartbeat_ms.min(heartbeat_ms(fast_heartbeat));
        }
        Ok(response)
    }

    /// The key that an entry names.
    pub fn payer(&self, who: &Who) -> Option<usize> {
        match who {
            Who::Key(secret) => self.keys.iter().position(|key| *secret == key.secret),
            Who::Id(id) => Some(Self::key_number(id)),
            Who::Subject(_) => None,
        }
    }

    fn say(&mut self, mut part: ExchangeRequest, now: Timestamp) -> Result<ExchangeResponse, StoreError> {
        part.entries.iter().for_each(|entry| assert_eq!(check(entry), Ok(())));
        let (asked, before) = (part.clone(), super::witness::rows(&self.db, self.mutant.is_some()));
        let payers: Vec<Option<usize>> = asked.entries.iter().map(|entry| self.payer(&entry.payer)).collect();
        let gateway = self.gateway(&part.gateway).unwrap_or_default();
        let lease = |key: usize| Some(&self.db.leases.get(&(gateway, self.keys[key].no))?.lease);
        let had = |key: &Option<usize>| {
            (*key).and_then(lease).map_or((0, Credits::ZERO), |lease| (lease.epoch, lease.granted))
        };
        let had: Vec<(u32, Credits)> = payers.iter().map(had).collect();
        if let Some(mutant) = self.mutant {
            let key = payers.first().copied().flatten().map(|key| self.keys[key].no);
            mutant.before_message(&mut part, &mut self.db, (gateway, key.unwrap_or_default()));
        }
        // In the minute in which the first of the report's requests ended; longer ago than a limit counts as the limit.
        let ago_ms = asked.usage.as_ref().map_or(0, |report| report.ago_ms.min(MAX_AGO_MS));
        let came = Timestamp::from_second(now.as_second() - ago_ms as i64 / 1_000).expect("a time");
        let (usage, is_new) = (self.usage_of(came), self.is_new(&part));
        let (ttl_ms, prices) = (self.ttl_ms, Arc::default());
        let exchange = Exchange { request: part, ttl_ms, prices, gateway_is: SaidOfGateway::default() };
        let done = self.run_after(&before, exchange, now)?;
        let gateway = self.gateway(&asked.gateway).unwrap_or_default();
        done.renewals.iter().for_each(|outcome| self.check_renewal(outcome));
        if !done.unbooked.is_empty() {
            self.record_violation(format!("an honest gateway was not charged: {:?}", done.unbooked));
        }
        let booked = asked.usage.as_ref().filter(|_| is_new).map_or(0, |report| self.count(gateway, report));
        if self.usage_of(came) - usage != booked {
            self.record_violation(format!(
                "{booked} micro-credits of usage were to be booked: {:?}",
                asked.usage
            ));
        }
        let mut response = done.response;
        for (number, (entry, answer)) in asked.entries.iter().zip(&mut response.entries).enumerate() {
            let Some(key) = payers[number] else { continue };
            if self.mutant == Some(Mutant::FinalWordAcknowledgedUnbooked) {
                answer.ended = answer.ended.max(entry.ended.map(|final_report| final_report.epoch));
            }
            if self.mutant == Some(Mutant::CarriedGivenBack) {
                answer.holds = entry.holds;
            }
            let account = self.keys[key].account;
            let mut later = payers.iter().skip(number + 1).flatten();
            let last = later.all(|later| self.keys[*later].account != account);
            let had = had[number];
            self.check_answer((key, last), entry, (had, answer), now);
        }
        Ok(response)
    }

    /// What the answer to an entry says is so. It is judged by the rows as they are now, if the entry was the `last` of
    /// its account.
    fn check_answer(
        &mut self,
        (key, last): (usize, bool),
        entry: &Entry,
        ((epoch, had), answer): ((u32, Credits), &EntryAnswer),
        now: Timestamp,
    ) {
        let begun = self.subscribed(self.keys[key].account);
        let begun = begun.filter(|row| row.subscription.next_due().is_some_and(|due| due <= now));
        let over = self.budgets_of(key).find(|row| now >= row.until);
        let granted = answer.lease.filter(|lease| lease.epoch != epoch || lease.granted > had);
        let drew = granted.filter(|lease| last && lease.granted.is_positive());
        let overage = drew
            .and_then(|_| self.budgets_of(key).find(|row| row.spent.saturating_add(row.held) > row.credits));
        let wrong = [
            begun.map(|row| format!("at {now} key {key} was served before what was due: {row:?}")),
            over.map(|row| format!("at {now} a budget's period was over: {row:?}")),
            overage.map(|row| format!("a lease drew beyond a budget: {row:?}")),
        ];
        wrong.into_iter().flatten().for_each(|what| self.record_violation(what));
        if let Some(refused) = answer.refused.as_ref().filter(|refused| refused.code.is_short()) {
            let least = entry.ask.map_or(Credits::ZERO, |ask| ask.least);
            let granted = answer.lease.map_or(Credits::ZERO, |lease| lease.granted);
            self.note_short((key, last), refused, least.less(granted), now);
        }
        if let Some(status) = answer.status.as_ref().filter(|_| last) {
            self.check_status(key, status, entry.ask.is_some(), now);
        }
    }

    /// Whether a message's usage has not been booked yet.
    fn is_new(&self, request: &ExchangeRequest) -> bool {
        request.usage.as_ref().is_some_and(|report| {
            let gateway = self.gateway(&request.gateway).unwrap_or_default();
            let last = self.db.brokers.get(&(gateway, report.broker.clone()));
            last.is_none_or(|last| last.seq < report.seq)
        })
    }

    /// What invoices say of a minute.
    fn usage_of(&self, now: Timestamp) -> i64 {
        let of_account = |no: &faregate_ledger::domain::AccountNo| {
            let from = |minute: i64| (*no, minute, Default::default(), String::new());
            let rows = self.db.usage.range(from(minute(now))..from(minute(now) + 1));
            rows.map(|(_, row)| row.credits.micros()).sum::<i64>()
        };
        self.accounts.iter().map(of_account).sum()
    }

    /// Counts a report, and what it adds up to.
    fn count(&mut self, gateway: GatewayNo, report: &UsageReport) -> i64 {
        for line in &report.lines {
            let key = self.keys[Self::key_number(&line.payer)].no;
            let Usage { requests, micros, refunds } = self.seen.usage.entry((gateway, key)).or_default();
            *requests += line.requests;
            *micros += line.credits.micros();
            *refunds += line.refunds;
        }
        report.lines.iter().map(|line| line.credits.micros()).sum()
    }
}

/// A message as it is said: at once, or each entry for itself and then the usage.
fn parts(request: &ExchangeRequest, at_once: bool) -> Vec<ExchangeRequest> {
    let whole = ExchangeRequest { seen: None, ..request.clone() };
    if at_once || whole.entries.is_empty() {
        return vec![whole];
    }
    let alone =
        |entry: &Entry| ExchangeRequest { entries: vec![entry.clone()], usage: None, ..whole.clone() };
    let mut parts: Vec<ExchangeRequest> = whole.entries.iter().map(alone).collect();
    if whole.usage.is_some() {
        parts.push(ExchangeRequest { entries: Vec::new(), ..whole.clone() });
    }
    parts
}
