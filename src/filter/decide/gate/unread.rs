//! Requests whose body is larger than what is read: refused; or, if their rule says so, passed on unread with the most held for them
//! that a request may hold.
//!
//! What must hold: nothing that the caller sends makes such a request cheaper than what its answer says that it used. Where the answer
//! doesn't say which model used how much, or that model's prices aren't known here, it costs all that was held.

use super::Gate;
use super::body::place;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::Arrival;
use crate::decide::refusal::Refusal;
use crate::decide::request::answer_reader::Said;
use crate::decide::request::held::Held;
use crate::decide::request::quote::{ModelQuote, PriceRef, Quote, QuoteKind, quote_unread};
use crate::decide::settings::meter::MeterKind;
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Whether a held request's body of so many bytes is larger than what its rule reads.
    pub fn is_larger(&self, held: &Held, size: usize) -> bool {
        usize::try_from(self.max_body(held.rule)).is_ok_and(|limit| size > limit)
    }

    /// Decides about a held request whose body is larger than that.
    pub fn without_reading(&mut self, now: Moment, context: u32, held: Held) -> Arrival {
        let limit = self.max_body(held.rule);
        let Some(meter) = self.meter(held.rule) else { return Arrival::NeedsBody(Box::new(held)) };
        match &meter.kind {
            MeterKind::Models(models) if models.holds_larger => {
                let read = quote_unread(models, meter.fixed, &held.request);
                self.charge_read(now, context, held, read)
            }
            _ => Arrival::Decided(self.refuse(held.rule, Refusal::body_too_large(limit.into()))),
        }
    }

    /// A quote whose prices weren't known, with those of the model that the answer names; `None`: it stays as it is.
    pub(super) fn priced_by_answer(
        &mut self,
        now: Moment,
        rule: usize,
        quote: &Quote,
        said: &Said,
    ) -> Option<Rc<Quote>> {
        let (QuoteKind::Model(model), Said::Model(report)) = (&quote.kind, said) else { return None };
        if model.prices != PriceRef::Unread || report.quantities.is_none() {
            return None;
        }
        let name = quote.item.as_deref().or(report.model.as_deref())?;
        let lookup = self.look_up(now, rule, name);
        let MeterKind::Models(models) = &self.meter(rule)?.kind else { return None };
        let prices = place(models, &lookup, name)?;
        let kind = QuoteKind::Model(Box::new(ModelQuote { prices, ..(**model).clone() }));
        Some(Rc::new(Quote { list: quote.list, item: Some(name.into()), kind }))
    }
}
