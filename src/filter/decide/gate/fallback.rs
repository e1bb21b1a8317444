//! A request that shows two credentials: a trusted subject, and a key or another subject in a later place.
//!
//! The first pays if the ledger knows it. If not, the second is tried: at once if a cached refusal says that the first is
//! unknown, otherwise after the ledger's answer. What must hold: a request is tried with each of them once, and still gets
//! exactly one [`Resolution`].

use super::Gate;
use super::waiting::Waiter;
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::credential::Credential;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::{Charge, Outcome, Passage, Payment, Resolution};
use crate::decide::refusal::Refusal;
use crate::decide::request::held::Chosen;
use crate::decide::request::identity::Caller;
use faregate_protocol::{Credits, RefusalCode};

impl<M: SharedMemory> Gate<M> {
    /// The caller's first credential without a cached refusal as unknown.
    pub(super) fn choose(&mut self, now: Moment, caller: Caller<'_>) -> Chosen {
        let (credential, fallback) = caller.credentials();
        let chosen = self.chosen(credential, fallback);
        match chosen.fallback {
            Some(fallback) if self.is_unknown(now, chosen.refused) => self.chosen(fallback, None),
            fallback => Chosen { fallback, ..chosen },
        }
    }

    fn chosen(&mut self, credential: Credential, fallback: Option<Credential>) -> Chosen {
        let lease = self.names.lease(&credential);
        let refused = self.recent.find(&self.names, &lease);
        Chosen { credential, lease, refused, fallback }
    }

    fn is_unknown(&self, now: Moment, refused: Handle) -> bool {
        let refusal = self.recent.recall(now, refused, Credits::ZERO);
        refusal.is_some_and(|refusal| refusal.code == RefusalCode::InvalidKey)
    }

    /// Tries a request with its other credential, now that the ledger doesn't know the first. `None` where it waits again.
    pub(super) fn fall_back(
        &mut self,
        now: Moment,
        credential: Credential,
        mut waiter: Waiter,
    ) -> Option<Resolution> {
        let (context, rule) = (waiter.context, waiter.rule);
        let lease = self.names.lease(&credential);
        if !waiter.view {
            let quoted = waiter.quote.as_ref().map(|quote| quote.list);
            let list = quoted.or(self.settings.rule(rule).price).unwrap_or(waiter.price);
            match self.pay(now, &lease, rule, list) {
                Payment::Paid(charge) => {
                    let charge = Charge { quote: waiter.quote, ..charge };
                    return Some(Resolution { context, outcome: Outcome::Pass(Passage::Paid(charge)) });
                }
                Payment::Refused(refusal) => {
                    return Some(Resolution { context, outcome: self.refuse(rule, refusal) });
                }
                Payment::Short(price) => waiter.price = price,
            }
        }
        if self.waiting.push(&lease, credential, waiter) {
            self.wake = true;
            return None;
        }
        let outcome = self.refuse(rule, Refusal::plain(RefusalCode::LedgerUnavailable));
        Some(Resolution { context, outcome })
    }
}
