//! Which requests are recorded, and what is recorded of them.
//!
//! What must hold: nothing of a request but what a record has fields for, and of its headers only `x-request-id`; and a rule that
//! records nothing costs its requests nothing.

use super::Gate;
use crate::decide::base::moment::Moment;
use crate::decide::calls::BatchAnswer;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::{Arrival, Charge, Outcome, Passage};
use crate::decide::refusal::Refusal;
use crate::decide::settings::{Recorded, Rule};
use crate::decide::usage::Metered;
use faregate_protocol::Credits;
use faregate_protocol::calls::{Call, Decision, MAX_REQUEST_ID_BYTES};
use faregate_protocol::exchange::MAX_ITEM_BYTES;
use faregate_protocol::metering::Quantities;
use std::borrow::Cow;

/// What is kept of a request that may be recorded.
#[derive(Debug)]
pub struct NotedCall {
    /// When it arrived.
    pub began: Moment,
    /// Its identifier.
    pub request_id: Option<String>,
}

impl NotedCall {
    /// Of a request with this `x-request-id`.
    pub fn new(began: Moment, request_id: Option<&[u8]>) -> Self {
        Self { began, request_id: request_id.and_then(sendable).map(str::to_owned) }
    }
}

/// An identifier as it is recorded.
fn sendable(id: &[u8]) -> Option<&str> {
    let id = id.get(..MAX_REQUEST_ID_BYTES).unwrap_or(id);
    std::str::from_utf8(id).ok().filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// When.
    pub at: Moment,
    /// What became of it.
    pub decision: Decision,
    /// The status of its answer, if there was one.
    pub status: Option<u16>,
    /// What it was charged.
    pub charged: Credits,
}

impl<M: SharedMemory> Gate<M> {
    /// Whether something is kept of a request until it ends, because it may be recorded then.
    #[inline(never)]
    pub fn notes(&self, arrival: &Arrival) -> bool {
        if !self.settings.records {
            return false;
        }
        match arrival {
            Arrival::Decided(Outcome::Pass(passage)) => match passage {
                Passage::Free(rule) => self.records_served(*rule),
                Passage::Paid(charge) => self.records_served(charge.rule),
                Passage::Shadow(refusal) => self.records_refusal(refusal),
                Passage::Preflight(_) => false,
            },
            Arrival::Decided(_) => false,
            Arrival::Waits | Arrival::NeedsBody(_) => true,
        }
    }

    fn records_served(&self, rule: usize) -> bool {
        let rule = self.settings.rule(rule);
        rule.record.calls >= if rule.meter.is_some() { Recorded::Metered } else { Recorded::All }
    }

    /// Whether a refusal is recorded, or what would have been one.
    pub fn records_refusal(&self, refusal: &Refusal) -> bool {
        let rule = refusal.rule.unwrap_or(usize::MAX);
        self.settings.records && self.settings.rule(rule).record.calls >= Recorded::Refused
    }

    /// Records a request that was charged, and what it was for, if it is metered.
    #[cold]
    #[inline(never)]
    pub fn record_charge(
        &mut self,
        charge: &Charge,
        metered: Option<&Metered>,
        noted: &NotedCall,
        ended: &Ended,
    ) {
        if !self.records_served(charge.rule) {
            return;
        }
        let rule = self.settings.rule(charge.rule);
        let mut call = facts(rule, noted, ended);
        call.account = Some(Cow::Borrowed(charge.holder.account()));
        call.key = Some(Cow::Borrowed(charge.holder.key()));
        call.hold = charge.price;
        for (_, held) in charge.raised() {
            call.hold = call.hold.saturating_add(*held);
        }
        if let Some(Metered { item, basis, used }) = metered {
            call.item = item.as_deref().map(shortened);
            call.basis = Some(*basis);
            call.used = *used;
        }
        let kept = self.calls.record(rule.record.one_in, ended.at, &call);
        self.counters.calls_dropped += u64::from(!kept);
    }

    /// Records a request that was free.
    #[cold]
    #[inline(never)]
    pub fn record_free(&mut self, rule: usize, noted: &NotedCall, ended: &Ended) {
        if !self.records_served(rule) {
            return;
        }
        let rule = self.settings.rule(rule);
        let kept = self.calls.record(rule.record.one_in, ended.at, &facts(rule, noted, ended));
        self.counters.calls_dropped += u64::from(!kept);
    }

    /// Records a request that was refused, or would have been.
    #[cold]
    #[inline(never)]
    pub fn record_refusal(&mut self, refusal: &Refusal, noted: &NotedCall, ended: &Ended) {
        if !self.records_refusal(refusal) {
            return;
        }
        let rule = self.settings.rule(refusal.rule.unwrap_or(usize::MAX));
        let mut call = facts(rule, noted, ended);
        if let Some(payer) = &refusal.payer {
            call.account =
                Some(payer.account.as_str()).filter(|account| !account.is_empty()).map(Cow::Borrowed);
            call.key = Some(Cow::Borrowed(&payer.key));
        }
        call.code = Some(refusal.code);
        let kept = self.calls.record(rule.record.one_in, ended.at, &call);
        self.counters.calls_dropped += u64::from(!kept);
    }

    /// Whether records wait to be sent.
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The next batch of records, if it is time to send one.
    pub fn next_calls(&mut self, now: Moment) -> Option<Vec<u8>> {
        self.calls.begin_send(now, &self.gateway)
    }

    /// The call with that batch has ended.
    pub fn calls_answered(&mut self, now: Moment, answer: BatchAnswer) {
        self.counters.calls_dropped += self.calls.finish_send(now, answer);
    }
}

/// What every record says.
#[inline(never)]
fn facts<'a>(rule: &'a Rule, noted: &'a NotedCall, ended: &Ended) -> Call<'a> {
    Call {
        at_ms: noted.began.millis_since(Moment::ZERO),
        duration_ms: ended.at.millis_since(noted.began),
        account: None,
        key: None,
        rule: Cow::Borrowed(&rule.name),
        item: None,
        decision: ended.decision,
        code: None,
        charge: ended.charged,
        hold: Credits::ZERO,
        basis: None,
        used: Quantities::default(),
        status: ended.status,
        request_id: noted.request_id.as_deref().map(Cow::Borrowed),
    }
}

fn shortened(item: &str) -> Cow<'_, str> {
    Cow::Borrowed(item.get(..item.floor_char_boundary(MAX_ITEM_BYTES)).unwrap_or(item))
}
