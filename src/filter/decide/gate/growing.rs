//! An answer that grows: more is held for it before its cost passes what is held, and it ends when nothing is left to hold.
//!
//! What must hold: an answer isn't ended while its payer may have credits at the ledger that this gateway hasn't asked for yet,
//! but for [`Gate::patience`]; and it doesn't go on for longer than that without credits.

use super::Gate;
use crate::decide::base::moment::Moment;
use crate::decide::lease::FundingSource;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::meter::framing::Framing;
use crate::decide::meter::reader::Report;
use crate::decide::outcome::Charge;
use crate::decide::refusal::{Refusal, RequestContext, last_event};
use crate::decide::request::quote::so_far;
use crate::decide::settings::OnLedgerError;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Whether the answer to a charged request ends when nothing is left to pay for more of it.
    pub fn stops_at_zero(&self, charge: &Charge) -> bool {
        charge.quote.is_some() && self.model_meter(charge.rule).is_some_and(|(meter, _)| meter.stop_at_zero)
    }

    /// Looks at what an answer has used by now, and holds more for it where that nears what is held. Returns why the answer ends
    /// here, if it does.
    pub fn grow(&mut self, now: Moment, charge: &mut Charge, report: &Report) -> Option<Refusal> {
        let (meter, fixed) = self.model_meter(charge.rule)?;
        let model = charge.quote.as_ref()?.model()?;
        let list = so_far(meter, fixed, model, report);
        let held = charge.price.saturating_add(model.raised.sum());
        let has_room = model.raised.has_room();
        let cost = self.of_plan(charge, Some(list?));
        // A product with a price of its own costs that, however long the answer is.
        let is_fixed = cost == self.of_plan(charge, Some(Credits::ZERO));
        if is_fixed || cost.times(4) <= held.times(3) {
            return None;
        }
        let wanted = cost.saturating_add(cost.split(2)).less(held);
        let (funding, more) =
            if has_room { self.raise(now, charge, wanted) } else { (charge.funding, Credits::ZERO) };
        let quote = Rc::make_mut(charge.quote.as_mut()?).model_mut()?;
        quote.raised.add(funding, more);
        if more < wanted && quote.raised.asks(now) {
            self.refills.insert(charge.holder.lease(), wanted);
            self.wake = true;
        }
        if cost <= held.saturating_add(more) {
            quote.raised.short_since = None;
            return None;
        }
        let since = *quote.raised.short_since.get_or_insert(now);
        let is_down = now < self.down_until;
        if !is_down && now.millis_since(since) < self.patience() {
            return None;
        }
        self.counters.stopped += 1;
        if is_down {
            return Some(Refusal::plain(RefusalCode::LedgerUnavailable));
        }
        Some(Refusal {
            needed: Some(cost),
            available: Some(Credits::ZERO),
            hint: Some(" for the rest of the answer"),
            ..Refusal::plain(RefusalCode::InsufficientFunds)
        })
    }

    /// The event with which an answer ends for this cause.
    pub fn last_event(
        &mut self,
        charge: &Charge,
        framing: Framing,
        refusal: &Refusal,
        around: &RequestContext<'_>,
    ) -> Vec<u8> {
        let Some(quote) = charge.quote.as_ref().and_then(|quote| quote.model()) else { return Vec::new() };
        let around = RequestContext { dialect: last_event::dialect(quote.dialect, quote.shape), ..*around };
        let form = self.answer(refusal, &around);
        last_event::write(quote.dialect, framing, &form, &around)
    }

    /// How long an answer goes on while the ledger is asked for more (ms).
    fn patience(&self) -> u64 {
        u64::from(self.settings.ledger.timeout_ms)
    }

    /// Holds as much of an amount as there is: from the lease, or on credit while the ledger is unreachable and the rule allows that.
    fn raise(&mut self, now: Moment, charge: &Charge, wanted: Credits) -> (FundingSource, Credits) {
        let lease = charge.holder.lease();
        let pending = self.settlements.take(lease);
        let limit = match self.settings.rule(charge.rule).on_ledger_error {
            OnLedgerError::AllowUpTo(limit) if now < self.down_until => Some(limit),
            _ => None,
        };
        let raised = shared::update_counters(&self.memory, lease, |lease, _| {
            pending.flush(lease);
            let held = lease.raise(now, wanted);
            if held.is_zero() && limit.is_some_and(|limit| lease.admit_on_credit(wanted, limit)) {
                return (FundingSource::Credit, wanted);
            }
            (FundingSource::Lease(lease.epoch), held)
        });
        raised.map_or((charge.funding, Credits::ZERO), |(raised, _)| raised)
    }
}
