//! A request arrives: it is decided at once, or waits for the ledger.

use super::Gate;
use super::waiting::Waiter;
use crate::decide::base::head::Head;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::{Arrival, Outcome, Passage, Payment};
use crate::decide::refusal::Refusal;
use crate::decide::request::held::Chosen;
use crate::decide::request::identity::{self, no_credential};
use crate::decide::request::quote::Quote;
use crate::decide::request::rules;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Decides about a request. `context` identifies it should it have to wait, and `property` reads an attribute
    /// of Envoy's.
    pub fn arrive(
        &mut self,
        now: Moment,
        context: u32,
        head: &Head<'_>,
        property: impl Fn(&[String]) -> Option<Vec<u8>>,
    ) -> Arrival {
        if self.is_for_view(head) {
            return self.view(now, context, head, property);
        }
        if head.method() == b"OPTIONS"
            && let Some(outcome) = self.preflight(head, &property)
        {
            return Arrival::Decided(outcome);
        }
        let number = rules::find(&self.settings, head);
        let rule = self.settings.rule(number);
        if rule.retired {
            return Arrival::Decided(self.refuse(number, Refusal::plain(RefusalCode::RouteRetired)));
        }
        let Some(price) = rule.price else {
            return Arrival::Decided(Outcome::Pass(Passage::Free(number)));
        };
        let caller = match identity::find(&self.settings.identities, head, property, self.known_callers()) {
            Ok(caller) => caller,
            Err(why) => {
                let refusal = no_credential(why, &self.settings.identities);
                return Arrival::Decided(self.refuse(number, refusal));
            }
        };
        if rule.meter.as_ref().is_some_and(|meter| meter.max_body().is_some()) {
            return self.await_body(now, context, number, head, caller);
        }
        if let Some(charge) = self.sell(caller.sublease, now, number, price) {
            return Arrival::Decided(Outcome::Pass(Passage::Paid(charge)));
        }
        if let Some(refusal) = self.recent.repeat(now, caller.refused, number) {
            return Arrival::Decided(self.refuse(number, refusal));
        }
        let chosen = self.choose(now, caller);
        let (lease, refused) = (&chosen.lease, chosen.refused);
        if let Some(refusal) = self.recent.repeat(now, refused, number) {
            return Arrival::Decided(self.refuse(number, refusal));
        }
        let price = match self.pay(now, lease, number, price) {
            Payment::Paid(charge) => return Arrival::Decided(Outcome::Pass(Passage::Paid(charge))),
            Payment::Refused(refusal) => return Arrival::Decided(self.refuse(number, refusal)),
            Payment::Short(price) => price,
        };
        if let Some(refusal) = self.recent.recall(now, refused, price) {
            self.recent.looked(now, refused, number, price);
            return Arrival::Decided(self.refuse(number, refusal));
        }
        if now < self.down_until {
            return Arrival::Decided(self.without_ledger(lease, number, price, None));
        }
        self.wait(now, context, chosen, number, Some(price), None)
    }

    /// Makes a request wait for the ledger; one without a price asks only for its sender's status.
    #[inline(never)]
    pub(super) fn wait(
        &mut self,
        now: Moment,
        context: u32,
        chosen: Chosen,
        rule: usize,
        price: Option<Credits>,
        quote: Option<Rc<Quote>>,
    ) -> Arrival {
        let patience = u64::from(self.settings.rule(rule).max_wait_ms);
        let waiter = Waiter {
            context,
            rule,
            price: price.unwrap_or_default(),
            view: price.is_none(),
            waits_until: now.plus_millis(patience),
            deadline: now.plus_millis(patience.saturating_add(u64::from(self.settings.ledger.timeout_ms))),
            fallback: chosen.fallback,
            quote,
        };
        if self.waiting.push(&chosen.lease, chosen.credential, waiter) {
            self.counters.waited += 1;
            self.wake = true;
            return Arrival::Waits;
        }
        Arrival::Decided(if price.is_none() { self.deny(too_many()) } else { self.too_many(rule) })
    }

    /// Refuses a request because too many wait already.
    #[inline(never)]
    pub fn too_many(&mut self, rule: usize) -> Outcome {
        self.refuse(rule, too_many())
    }
}

fn too_many() -> Refusal {
    Refusal {
        hint: Some("Too many requests are waiting for their payment to be checked. Try again soon."),
        ..Refusal::plain(RefusalCode::LedgerUnavailable)
    }
}
