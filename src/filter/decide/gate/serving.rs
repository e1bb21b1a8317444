//! Serves waiting requests from the ledger's answer about their payer.
//!
//! What must hold: every one of them is admitted, refused, or waits again.

use super::Gate;
use super::waiting::{AGAIN_MS, Queue, Waiter, Waiting};
use crate::decide::base::moment::Moment;
use crate::decide::lease::credential::Credential;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::lease::{self, Admission, CachedStatus, FundingSource, Lease, LeaseHolder};
use crate::decide::outcome::{Charge, Outcome, Passage, Resolution};
use crate::decide::refusal::Refusal;
use faregate_protocol::exchange::EntryAnswer;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// A message that is answered, as far as one payer is concerned.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// When it was sent.
    pub(super) at: Moment,
    /// The epoch whose final report it carried.
    pub(super) final_report: Option<u32>,
}

/// An answer about one payer that was merged into its lease.
struct Merged<'a> {
    lease: &'a str,
    answer: &'a EntryAnswer,
    /// The lease as it is now, if there is one.
    record: Option<Lease>,
    /// The ledger says that the payer may not spend.
    stopped: bool,
}

impl<M: SharedMemory> Gate<M> {
    /// Merges the answer about one payer and admits the requests that the lease now covers.
    #[inline(never)]
    pub(super) fn serve(
        &mut self,
        now: Moment,
        message: Sent,
        lease: &str,
        answer: &EntryAnswer,
    ) -> Vec<Resolution> {
        let mut queue = self.waiting.take(lease);
        let views = queue.as_mut().map(Waiting::take_views).unwrap_or_default();
        self.make_known(lease, answer, !views.is_empty());
        let costs = self.reprice(queue.as_mut(), answer);
        let (admitted, merged) = self.merge(now, message, lease, answer, &costs);
        let Some(mut queue) = queue else {
            return Vec::new();
        };
        let mut resolutions = self.serve_views(now, &merged, views, &queue.credential);
        let mut left = Vec::new();
        for (number, waiter) in std::mem::take(&mut queue.waiters).into_iter().enumerate() {
            let admission = admitted.get(number).copied().flatten();
            let excluded = costs.get(number).and_then(|cost| cost.err());
            match self.served(&merged, &waiter, admission, excluded) {
                Some(outcome) => resolutions.push(Resolution { context: waiter.context, outcome }),
                None => left.push(waiter),
            }
        }
        queue.waiters = left;
        resolutions.extend(self.not_served(now, &merged, queue));
        resolutions
    }

    /// Creates the lease of a payer who has one at the ledger. A payer who asks only for its status is remembered too, so it
    /// may ask as often as it likes.
    fn make_known(&mut self, lease: &str, answer: &EntryAnswer, shown: bool) {
        // A lease that is over matters, too: it was opened by a message whose answer was lost.
        let has_lease = answer.lease.is_some() || answer.ended.is_some();
        if let (Some(facts), true) = (&answer.facts, has_lease || shown) {
            shared::create(&self.memory, &self.names, lease, facts.clone());
        }
    }

    /// Merges an answer, and admits waiting requests as far as the lease covers their cost.
    #[inline(never)]
    fn merge<'a>(
        &mut self,
        now: Moment,
        message: Sent,
        lease: &'a str,
        answer: &'a EntryAnswer,
        costs: &[Result<Credits, RefusalCode>],
    ) -> (Vec<Option<Admission>>, Merged<'a>) {
        let stopped = answer.refused.as_ref().is_some_and(|refused| !refused.code.is_short());
        self.recent.look_again(lease);
        let done = shared::update(&self.memory, lease, |record| {
            record.merge(message.at, message.final_report, answer);
            record.record_status(now, answer);
            if stopped {
                record.stop();
            }
            let admit = |cost: &Result<Credits, RefusalCode>| {
                record.note();
                cost.as_ref().ok().map(|price| record.admit(now, *price))
            };
            (costs.iter().map(admit).collect::<Vec<_>>(), record.clone())
        });
        let (admitted, record) =
            done.map_or((Vec::new(), None), |(admitted, record)| (admitted, Some(record)));
        if let Some(record) = &record {
            self.heartbeat.merged(now, lease, record);
        }
        (admitted, Merged { lease, answer, record, stopped })
    }

    /// Answers requests for the view; or tries their other credential.
    #[inline(never)]
    fn serve_views(
        &mut self,
        now: Moment,
        merged: &Merged<'_>,
        views: Vec<Waiter>,
        credential: &Credential,
    ) -> Vec<Resolution> {
        let trusted_identity = matches!(credential, Credential::Subject(_));
        let unknown = is_unknown(merged.answer);
        let mut resolutions = Vec::new();
        for mut waiter in views {
            if let Some(fallback) = waiter.fallback.take().filter(|_| unknown) {
                resolutions.extend(self.fall_back(now, fallback, waiter));
                continue;
            }
            let Merged { lease, answer, record, .. } = merged;
            let outcome = self.served_view(now, lease, answer, record.as_ref(), trusted_identity);
            resolutions.push(Resolution { context: waiter.context, outcome });
        }
        resolutions
    }

    /// The outcome of a waiting request; `None` if the lease doesn't cover it.
    fn served(
        &mut self,
        merged: &Merged<'_>,
        waiter: &Waiter,
        admission: Option<Admission>,
        excluded: Option<RefusalCode>,
    ) -> Option<Outcome> {
        let refusal = match (admission, &merged.record, excluded) {
            (Some(Admission::Paid { epoch, counted, .. }), Some(record), _) => {
                self.counters.admitted += 1;
                return Some(Outcome::Pass(Passage::Paid(Charge {
                    holder: Rc::new(LeaseHolder::of(merged.lease, record.encode())),
                    rule: waiter.rule,
                    price: waiter.price,
                    funding: FundingSource::Lease(epoch),
                    counted,
                    left: Credits::ZERO,
                    quote: waiter.quote.clone(),
                })));
            }
            (Some(Admission::Throttled(wait)), record, _) => {
                let status = record.as_ref().and_then(|record| CachedStatus::decode(&record.status));
                Refusal::throttled(wait, status)
            }
            (.., Some(code)) if !merged.stopped => Refusal::plain(code),
            _ => return None,
        };
        let payer = merged.answer.facts.clone().map(Rc::new);
        Some(self.refuse(waiter.rule, Refusal { payer, ..refusal }))
    }

    /// Reprices waiting requests, now that the ledger has named their payer.
    #[inline(never)]
    fn reprice(&self, queue: Option<&mut Queue>, answer: &EntryAnswer) -> Vec<Result<Credits, RefusalCode>> {
        let Some(queue) = queue else {
            return Vec::new();
        };
        let matters = queue.waiters.iter().any(|waiter| self.settings.rule(waiter.rule).product.is_some());
        let facts = answer.facts.as_ref().filter(|_| matters);
        let record = facts.map(|facts| Lease::new(facts.clone()).encode());
        let reprice = |waiter: &mut Waiter| {
            let rule = self.settings.rule(waiter.rule);
            let list = waiter.quote.as_ref().map(|quote| quote.list).or(rule.price);
            if let (Some(record), Some(list)) = (&record, list) {
                waiter.price = lease::record_price(record, rule.product.as_deref(), list)?;
            }
            Ok(waiter.price)
        };
        queue.waiters.iter_mut().map(reprice).collect()
    }

    /// Requests that the lease does not cover ask again, or are refused if the ledger has no more credits.
    #[inline(never)]
    fn not_served(&mut self, now: Moment, merged: &Merged<'_>, mut queue: Queue) -> Vec<Resolution> {
        let Merged { lease, answer, record, .. } = merged;
        queue.asked = false;
        let Some(refused) = &answer.refused else {
            // Another worker's requests took what was granted for these. Patience bounds the rounds.
            queue.ask_again(now);
            self.waiting.put_back(lease, queue);
            return Vec::new();
        };
        let spendable = record.as_ref().map_or(Credits::ZERO, |record| record.spendable(now));
        let subleased = record.as_ref().is_some_and(|record| record.subleased.is_positive());
        let available = refused.available.saturating_add(spendable);
        let funds = refused.code.is_short();
        // Credits that the ledger has recalled from other gateways, and unsold ones of this gateway's workers.
        let subleases = (funds && subleased).then_some(AGAIN_MS);
        let on_its_way = refused.retry_ms.map(u64::from).or(subleases);
        let terms = record.as_ref().filter(|_| funds).map(Lease::encode).unwrap_or_default();
        self.fit_all(&terms, &mut queue.waiters, available);
        // A request that came after the message was sent may be cheap enough for the rest.
        let affordable = |waiter: &Waiter| funds && waiter.price <= available;
        if queue.waiters.iter().any(affordable) {
            queue.ask_again(now);
        } else if let Some(after) = on_its_way {
            queue.ask_at = now.plus_millis(after);
        }
        let waits =
            |waiter: &Waiter| affordable(waiter) || (on_its_way.is_some() && now < waiter.waits_until);
        let trusted_identity = matches!(queue.credential, Credential::Subject(_));
        let (stay, go): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(&mut queue.waiters).into_iter().partition(waits);
        queue.waiters = stay;
        self.waiting.put_back(lease, queue);
        let payer = answer.facts.clone().map(Rc::new);
        let refusal = |price: Credits, fits: Option<u64>| Refusal {
            fits,
            needed: Some(price),
            available: Some(available),
            reset: refused.reset.clone(),
            top_up: refused.top_up,
            payer: payer.clone(),
            trusted_identity,
            ..Refusal::plain(refused.code)
        };
        if let Some(price) = go.iter().map(|waiter| waiter.price).min() {
            self.recent.remember(now, lease, refusal(price, None));
        }
        let unknown = is_unknown(answer);
        go.into_iter()
            .filter_map(|mut waiter| {
                if let Some(fallback) = waiter.fallback.take().filter(|_| unknown) {
                    return self.fall_back(now, fallback, waiter);
                }
                let fits = self.fitted(&terms, &waiter, available).and_then(|quote| quote.fitted());
                let outcome = self.refuse(waiter.rule, refusal(waiter.price, fits));
                Some(Resolution { context: waiter.context, outcome })
            })
            .collect()
    }
}

/// Whether the ledger doesn't know this credential.
fn is_unknown(answer: &EntryAnswer) -> bool {
    answer.refused.as_ref().is_some_and(|refused| refused.code == RefusalCode::InvalidKey)
}
