//! Answers callers who ask for their status ([`crate::decide::request::view`]).
//!
//! What must hold: it is free, holds no credits and counts against no limit; and a caller that asks all the time causes at
//! most one ledger request per second and worker.

use super::Gate;
use crate::decide::base::head::Head;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::lease::{CachedStatus, Lease};
use crate::decide::outcome::{Arrival, Outcome};
use crate::decide::refusal::Refusal;
use crate::decide::request::identity::{self, no_credential};
use crate::decide::request::view::{Caller, PATH, view};
use faregate_protocol::exchange::EntryAnswer;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// How long a status from the ledger may be shown to other requests (ms).
const FRESH_MS: u64 = 1_000;

impl<M: SharedMemory> Gate<M> {
    /// Whether a request is for the view, and not for the API.
    pub fn is_for_view(&self, head: &Head<'_>) -> bool {
        self.is_at_view(head) && (head.method() == b"GET" || head.method() == b"HEAD")
    }

    /// Whether a request is for the view's path.
    pub(super) fn is_at_view(&self, head: &Head<'_>) -> bool {
        head.path() == PATH.as_bytes() && self.settings.account_view
    }

    /// Answers a request for the view, or makes it wait for the ledger.
    #[inline(never)]
    pub(super) fn view(
        &mut self,
        now: Moment,
        context: u32,
        head: &Head<'_>,
        property: impl Fn(&[String]) -> Option<Vec<u8>>,
    ) -> Arrival {
        let chosen = match identity::find(&self.settings.identities, head, property, self.known_callers()) {
            Ok(caller) => self.choose(now, caller),
            Err(identity::NoCredential::Missing) if self.settings.publish_prices => {
                return Arrival::Decided(self.shown(None));
            }
            Err(why) => {
                let refusal = no_credential(why, &self.settings.identities);
                return Arrival::Decided(self.deny(refusal));
            }
        };
        if let Some(record) = shared::read(&self.memory, &chosen.lease) {
            let status = CachedStatus::decode(&record.status);
            if let Some(status) = status.filter(|status| now.millis_since(status.received_at) < FRESH_MS) {
                let (facts, here) = (&record.facts, record.spendable(now));
                let caller = Caller { facts, told: Some(&status), here, now };
                return Arrival::Decided(self.shown(Some(&caller)));
            }
        }
        if let Some(refusal) = self.recent.recall(now, chosen.refused, Credits::ZERO) {
            return Arrival::Decided(self.deny(Refusal { needed: None, ..refusal }));
        }
        if now < self.down_until {
            return Arrival::Decided(self.deny(Refusal::plain(RefusalCode::LedgerUnavailable)));
        }
        // It waits for no credits, so any rule's `max_wait_ms` will do.
        let rule = self.settings.rules.len();
        self.wait(now, context, chosen, rule, None, None)
    }

    fn shown(&mut self, caller: Option<&Caller<'_>>) -> Outcome {
        self.counters.views += 1;
        Outcome::Show(view(&self.settings, &mut self.price_lists, caller))
    }

    /// The outcome of requests that wait for the view, now that the ledger has answered.
    pub(super) fn served_view(
        &mut self,
        now: Moment,
        lease: &str,
        answer: &EntryAnswer,
        record: Option<&Lease>,
        trusted_identity: bool,
    ) -> Outcome {
        let refused = answer.refused.as_ref().map(|refused| refused.code).filter(|code| !code.is_short());
        match (&answer.facts, refused) {
            (Some(facts), None) => {
                let status = answer.status.as_ref();
                let status =
                    status.and_then(|status| CachedStatus::decode(&CachedStatus::encode(now, status)));
                let here = record.map_or(Credits::ZERO, |record| record.spendable(now));
                self.shown(Some(&Caller { facts, told: status.as_ref(), here, now }))
            }
            (facts, refused) => {
                let code = refused.unwrap_or(RefusalCode::InvalidKey);
                let refusal =
                    Refusal { payer: facts.clone().map(Rc::new), trusted_identity, ..Refusal::plain(code) };
                self.recent.remember(now, lease, refusal.clone());
                self.deny(refusal)
            }
        }
    }
}
