//! What a payer who can't pay a request to a model could pay: the largest limit of its output that fits.
//!
//! What must hold: a limit is only ever lowered.

use super::Gate;
use super::waiting::Waiter;
use crate::decide::lease;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::request::quote::{Quote, fit};
use crate::decide::settings::meter::models::ModelMeter;
use crate::decide::settings::meter::{Meter, MeterKind};
use faregate_protocol::Credits;
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Lowers the limits of requests to what their payer can pay, where their rules say so. `terms` is the payer's record.
    pub(super) fn fit_all(&self, terms: &[u8], waiters: &mut [Waiter], available: Credits) {
        for waiter in waiters.iter_mut().filter(|waiter| waiter.quote.is_some() && waiter.price > available) {
            if self.model_meter(waiter.rule).is_some_and(|(meter, _)| meter.fit)
                && let Some(quote) = self.fitted(terms, waiter, available)
                && let Some(price) = self.plan_price(terms, waiter.rule, quote.list)
            {
                (waiter.price, waiter.quote) = (price, Some(Rc::new(quote)));
            }
        }
    }

    /// The largest request like this one that its payer can pay.
    pub(super) fn fitted(&self, terms: &[u8], waiter: &Waiter, available: Credits) -> Option<Quote> {
        let (meter, fixed) = self.model_meter(waiter.rule)?;
        let pays = |list| self.plan_price(terms, waiter.rule, list).is_some_and(|price| price <= available);
        fit(meter, fixed, waiter.quote.as_deref()?, pays)
    }

    /// What the payer's plan makes of a price.
    fn plan_price(&self, terms: &[u8], rule: usize, list: Credits) -> Option<Credits> {
        lease::record_price(terms, self.settings.rule(rule).product.as_deref(), list).ok()
    }

    pub(super) fn model_meter(&self, rule: usize) -> Option<(&ModelMeter, Credits)> {
        match self.settings.rule(rule).meter.as_deref()? {
            Meter { fixed, kind: MeterKind::Models(meter) } => Some((meter, *fixed)),
            _ => None,
        }
    }
}
