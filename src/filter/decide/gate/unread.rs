//! Requests whose body is larger than what is read: refused; or, if their rule says so, passed on unread with the most held for them
//! that a request may hold.
//!
//! What must hold: nothing that the caller sends makes such a request cheaper than what its answer says that it used. Where the answer
//! doesn't say which model used how much, or that model's prices aren't known here, it costs all that was held.

use super::Gate;
use super::body::place;
use super::models::ModelLookup;
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
        let (name, prices) = self.answering(now, rule, name)?;
        let kind = QuoteKind::Model(Box::new(ModelQuote { prices, ..(**model).clone() }));
        Some(Rc::new(Quote { list: quote.list, item: Some(name.into()), kind }))
    }

    /// The name in the price list of the model that an answer names, and its prices. Answers name models with a date behind, which
    /// price lists seldom have: without it, unless that very name has a price.
    fn answering<'a>(&mut self, now: Moment, rule: usize, name: &'a str) -> Option<(&'a str, PriceRef)> {
        let mut lookup = self.look_up(now, rule, name);
        let plain = without_date(name);
        let is_own = match &lookup {
            ModelLookup::Unpriced => false,
            ModelLookup::Known(_) | ModelLookup::NotYet => true,
        };
        let MeterKind::Models(models) = &self.meter(rule)?.kind else { return None };
        if is_own || plain == name || models.lists(name) {
            return Some((name, place(models, &lookup, name)?));
        }
        lookup = self.look_up(now, rule, plain);
        let MeterKind::Models(models) = &self.meter(rule)?.kind else { return None };
        Some((plain, place(models, &lookup, plain)?))
    }
}

/// A model's name without the date behind it: `gpt-5-2026-08-07`, `claude-opus-5-20260807`.
fn without_date(name: &str) -> &str {
    ["-dddddddd", "-dddd-dd-dd"]
        .into_iter()
        .find_map(|date| {
            let (plain, behind) = name.split_at_checked(name.len().checked_sub(date.len())?)?;
            let fits = |(byte, of): (u8, u8)| if of == b'd' { byte.is_ascii_digit() } else { byte == of };
            behind.bytes().zip(date.bytes()).all(fits).then_some(plain)
        })
        .unwrap_or(name)
}
