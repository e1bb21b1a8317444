//! Requests whose body decides their price: held back until the body is here, then priced, and paid as all others are.
//!
//! What must hold: a request whose body can't be read is refused and never free; what passes is what was priced, but for the
//! changes that are made here.

use super::Gate;
use super::models::ModelLookup;
use super::waiting::ModelWaiter;
use crate::decide::base::head::Head;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::meter::asked::a2a;
use crate::decide::meter::asked::edit::{apply, ask_for_usage};
use crate::decide::outcome::{Arrival, Charge, Outcome, Passage, Payment, Resolution};
use crate::decide::refusal::Refusal;
use crate::decide::request::held::{Held, HeldRequest};
use crate::decide::request::identity::Caller;
use crate::decide::request::quote::{PriceRef, Quote, Unpriced, Unquoted, quote, read_calls, read_model};
use crate::decide::settings::meter::calls::CallProtocol;
use crate::decide::settings::meter::models::{ModelMeter, PriceSource};
use crate::decide::settings::meter::{Meter, MeterKind};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// What is decided about a request whose body is here.
#[derive(Clone, Debug)]
pub struct Priced {
    /// Whether it passes, or waits.
    pub arrival: Arrival,
    /// The body that takes the place of its own.
    pub body: Option<Vec<u8>>,
}

impl<M: SharedMemory> Gate<M> {
    /// Holds a request back until its body is here, unless its sender was refused a moment ago whatever the price, or its head says
    /// what it costs.
    #[inline(never)]
    pub(super) fn await_body(
        &mut self,
        now: Moment,
        context: u32,
        rule: usize,
        head: &Head<'_>,
        caller: Caller<'_>,
    ) -> Arrival {
        let chosen = self.choose(now, caller);
        if let Some(refusal) = self.recent.recall(now, chosen.refused, Credits::ZERO) {
            return Arrival::Decided(self.refuse(rule, refusal));
        }
        let calls = match self.meter(rule).map(|meter| &meter.kind) {
            Some(MeterKind::Calls(calls)) => Some(calls.protocol),
            _ => None,
        };
        let held = Held { rule, request: HeldRequest::of(head, calls.is_some()), chosen };
        if calls == Some(CallProtocol::A2a) && a2a::is_message(&held.request.path) {
            return self.price_body(now, context, Box::new(held), &[]).arrival;
        }
        if held.request.length.is_some_and(|length| self.is_larger(&held, length)) {
            return self.without_reading(now, context, held);
        }
        Arrival::NeedsBody(Box::new(held))
    }

    /// Refuses a held request whose body didn't arrive.
    pub fn without_body(&mut self, held: &Held) -> Outcome {
        let about = "The body of the request didn't arrive in time.";
        self.refuse(held.rule, unpriced(&Unpriced::Unsold(about)))
    }

    /// Decides about a held request whose body is here.
    #[inline(never)]
    pub fn price_body(&mut self, now: Moment, context: u32, held: Box<Held>, body: &[u8]) -> Priced {
        let decided = |arrival| Priced { arrival, body: None };
        let rule = held.rule;
        if held.request.is_compressed && !body.is_empty() {
            let refusal = Refusal::plain(RefusalCode::UnsupportedEncoding);
            return decided(Arrival::Decided(self.refuse(rule, refusal)));
        }
        let Some(meter) = &self.settings.rule(rule).meter else {
            // Only requests of metered rules are held.
            return decided(Arrival::Decided(
                self.refuse(rule, Refusal::plain(RefusalCode::LedgerUnavailable)),
            ));
        };
        let read = match &meter.kind {
            MeterKind::Models(models) => match read_model(models, &held.request, body) {
                Ok(Some(request)) => {
                    let change = if models.ask_for_usage {
                        ask_for_usage(request.shape, &request.asked)
                    } else {
                        None
                    };
                    let unquoted = Unquoted { held, request, strips_usage: change.is_some() };
                    let body = change.map(|change| apply(body, vec![change]));
                    return Priced { arrival: self.price_model(now, context, unquoted), body };
                }
                other => other.map(|_| None),
            },
            MeterKind::Calls(calls) => read_calls(calls, meter.fixed, &held.request, body),
            MeterKind::Amount(_) => Ok(None),
        };
        decided(self.charge_read(now, context, *held, read))
    }

    /// Charges what was read of a request, or refuses it. What does nothing else that has a price costs the fixed price.
    pub(super) fn charge_read(
        &mut self,
        now: Moment,
        context: u32,
        held: Held,
        read: Result<Option<Quote>, Unpriced>,
    ) -> Arrival {
        let fixed = self.meter(held.rule).map_or(Credits::ZERO, |meter| meter.fixed);
        match read {
            Ok(Some(quote)) => self.charge_quote(now, context, held, quote),
            Ok(None) if fixed.is_positive() => self.charge_held(now, context, held, fixed, None),
            Ok(None) => Arrival::Decided(Outcome::Pass(Passage::Free(held.rule))),
            Err(why) => Arrival::Decided(self.refuse(held.rule, unpriced(&why))),
        }
    }

    /// Prices a request to a model, or asks the ledger for the model's prices.
    fn price_model(&mut self, now: Moment, context: u32, unquoted: Unquoted) -> Arrival {
        let rule = unquoted.held.rule;
        let lookup = self.look_up(now, rule, &unquoted.request.model);
        if matches!(lookup, ModelLookup::NotYet) {
            let patience = u64::from(self.settings.rule(rule).max_wait_ms);
            let timeout = u64::from(self.settings.ledger.timeout_ms);
            let deadline = now.plus_millis(patience.saturating_add(timeout));
            let model = unquoted.request.model.clone();
            let waiter = ModelWaiter { context, model, deadline, unquoted: Box::new(unquoted) };
            return match self.wait_for_model(now, waiter) {
                Ok(()) => Arrival::Waits,
                Err(_) => Arrival::Decided(self.refuse(rule, Refusal::plain(RefusalCode::LedgerUnavailable))),
            };
        }
        self.quote_model(now, context, unquoted, &lookup)
    }

    /// What the ledger says of a model, if the rule's prices are there.
    pub(super) fn look_up(&mut self, now: Moment, rule: usize, model: &str) -> ModelLookup {
        match self.meter(rule).map(|meter| &meter.kind) {
            Some(MeterKind::Models(models)) if models.prices == PriceSource::Ledger => {
                self.model_prices(now, model)
            }
            _ => ModelLookup::Unpriced,
        }
    }

    /// Quotes a request to a model, now that its prices are known.
    fn quote_model(
        &mut self,
        now: Moment,
        context: u32,
        unquoted: Unquoted,
        lookup: &ModelLookup,
    ) -> Arrival {
        let Unquoted { held, request, strips_usage } = unquoted;
        let rule = held.rule;
        let quoted = self.meter(rule).and_then(|meter| {
            let MeterKind::Models(models) = &meter.kind else { return None };
            let place = place(models, lookup, &request.model)?;
            let prices = place.clone();
            let prices = prices.get(models)?;
            Some(quote(models, meter.fixed, &request, (place, prices), strips_usage))
        });
        let Some(quote) = quoted else {
            return Arrival::Decided(self.refuse(rule, Refusal::unknown_model(&request.model)));
        };
        self.charge_quote(now, context, *held, quote)
    }

    /// The outcome of a request that has waited for its model's prices; `None` if it waits for its payer now. `lookup` is `None` if
    /// the ledger didn't say.
    pub(super) fn model_answered(
        &mut self,
        now: Moment,
        waiter: ModelWaiter,
        lookup: Option<ModelLookup>,
    ) -> Option<Resolution> {
        let ModelWaiter { context, unquoted, .. } = waiter;
        let arrival = if let Some(lookup) = lookup {
            self.quote_model(now, context, *unquoted, &lookup)
        } else {
            let refusal = Refusal::plain(RefusalCode::LedgerUnavailable);
            Arrival::Decided(self.refuse(unquoted.held.rule, refusal))
        };
        match arrival {
            Arrival::Decided(outcome) => Some(Resolution { context, outcome }),
            Arrival::Waits | Arrival::NeedsBody(_) => None,
        }
    }

    /// Charges what a quote says.
    fn charge_quote(&mut self, now: Moment, context: u32, held: Held, quote: Quote) -> Arrival {
        let list = quote.list;
        self.charge_held(now, context, held, list, Some(Rc::new(quote)))
    }

    fn charge_held(
        &mut self,
        now: Moment,
        context: u32,
        held: Held,
        list: Credits,
        quote: Option<Rc<Quote>>,
    ) -> Arrival {
        let Held { rule, chosen, .. } = held;
        let price = match self.pay(now, &chosen.lease, rule, list) {
            Payment::Paid(charge) => {
                return Arrival::Decided(Outcome::Pass(Passage::Paid(Charge { quote, ..charge })));
            }
            Payment::Refused(refusal) => return Arrival::Decided(self.refuse(rule, refusal)),
            Payment::Short(price) => price,
        };
        if let Some(refusal) = self.recent.recall(now, chosen.refused, price) {
            return Arrival::Decided(self.refuse(rule, refusal));
        }
        if now < self.down_until {
            return Arrival::Decided(self.without_ledger(&chosen.lease, rule, price, quote));
        }
        self.wait(now, context, chosen, rule, Some(price), quote)
    }

    /// The largest body that a rule allows (bytes).
    pub fn max_body(&self, rule: usize) -> u32 {
        self.meter(rule).and_then(Meter::max_body).unwrap_or(0)
    }

    pub(super) fn meter(&self, rule: usize) -> Option<&Meter> {
        self.settings.rule(rule).meter.as_deref()
    }
}

/// Where a model's prices are, by what the ledger says of it; `None`: it has none, or they aren't known yet.
pub(super) fn place(models: &ModelMeter, lookup: &ModelLookup, model: &str) -> Option<PriceRef> {
    match lookup {
        ModelLookup::Known(prices) => Some(PriceRef::Ledger(Rc::clone(prices))),
        ModelLookup::Unpriced => models.find(model).map(PriceRef::Listed),
        ModelLookup::NotYet => None,
    }
}

/// The refusal of a request that has no price.
fn unpriced(why: &Unpriced) -> Refusal {
    match why {
        Unpriced::Body(error) => Refusal::invalid_body(error),
        Unpriced::Headers(error) => Refusal::invalid_headers(error),
        Unpriced::Unsold(about) => {
            Refusal { about: Some((*about).into()), ..Refusal::plain(RefusalCode::InvalidBody) }
        }
    }
}
