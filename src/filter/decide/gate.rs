//! One worker's gate: what it decides about a request by itself, and what it remembers.
//!
//! A request comes through [`Gate::arrive`], and a charge is closed by [`Gate::finish`]. What the gate can't
//! decide from shared memory waits for the ledger: [`super::broker`] asks and serves, [`super::beat`]
//! reports. What must hold: every request that waits gets exactly one [`Resolution`].

use super::account_view::View;
use super::beat::Beat;
use super::broker::Flights;
use super::ending::End;
use super::fallback::Chosen;
use super::identity::{self, NoCredential};
use super::lease::{self, Admission, Holder, Lease, Purse};
use super::moment::Moment;
use super::price_list::PriceLists;
use super::recent::Recent;
use super::refunds::Refunds;
use super::refusal::dialect::Signs;
use super::refusal::kept::Answers;
use super::refusal::{MOST_REPEATED, Refusal, Surroundings, language};
use super::request::Head;
use super::rules;
use super::settings::{Identity, OnLedgerError, Rule, Settings};
use super::settlement::{Settlements, Sold};
use super::shared::{self, Names, SharedMemory};
use super::table::{Place, Table};
use super::usage::{Fate, NOBODY, Tally};
use super::waiting::{Waiter, Waiting};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// A charge that was admitted; given back to [`Gate::finish`] exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays.
    pub holder: Rc<Holder>,
    /// The number of the rule.
    pub rule: usize,
    /// How much.
    pub price: Credits,
    /// Out of what.
    pub purse: Purse,
    /// Whether its lease must hear when the request is over.
    pub counted: bool,
    /// What was left of the slice out of which it was paid, if it was out of one.
    pub left: Credits,
}

/// What came of an attempt to pay.
pub(super) enum Payment {
    Paid(Charge),
    /// Nothing here covers this price.
    Short(Credits),
    Refused(Refusal),
}

/// How a request goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Free of charge, under the rule of this number.
    Free(usize),
    /// A browser's preflight, which isn't charged, under the rule of this number.
    Preflight(usize),
    /// Paid.
    Paid(Charge),
    /// Not paid, and let through because its rule only watches.
    Shadow(Refusal),
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on to the upstream.
    Pass(Passage),
    /// It is answered by the gate.
    Refuse(Refusal),
    /// It is answered by the gate with what was asked of it.
    Show(View),
}

/// What becomes of a request that has just arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// That is known.
    Decided(Outcome),
    /// It waits for the ledger, and gets a [`Resolution`] later.
    Waits,
}

/// What becomes of a request that has waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The context that was given to [`Gate::arrive`].
    pub context: u32,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What the gate counts, since these were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were paid.
    pub admitted: u64,
    /// Requests that were refused, by cause in the order of [`RefusalCode::ALL`].
    pub refused: [u64; RefusalCode::ALL.len()],
    /// Requests that would have been refused, did their rule not only watch.
    pub shadow: u64,
    /// Requests that waited for the ledger.
    pub waited: u64,
    /// Charges that were released again.
    pub refunds: u64,
    /// Requests let through on credit while the ledger was away.
    pub on_credit: u64,
    /// Messages to the ledger.
    pub exchanges: u64,
    /// Messages to the ledger that failed.
    pub exchange_failures: u64,
    /// Usage that found no room while the ledger was away.
    pub usage_dropped: u64,
    /// Payers whose balance became low.
    pub low_balance: u64,
    /// Callers who were shown how they stand.
    pub views: u64,
    /// Browsers' preflights that were not charged.
    pub preflights: u64,
}

/// One worker's gate.
pub struct Gate<M> {
    pub(super) settings: Settings,
    pub(super) memory: M,
    pub(super) names: Names,
    pub(super) gateway: String,
    pub(super) recent: Recent,
    pub(super) answers: Answers,
    pub(super) price_lists: PriceLists,
    pub(super) settlements: Settlements,
    pub(super) usage: Tally,
    pub(super) waiting: Waiting,
    pub(super) refills: Table<Credits>,
    pub(super) flights: Flights,
    pub(super) beat: Beat,
    pub(super) down_until: Moment,
    pub(super) counters: Counters,
    pub(super) warned: Table<()>,
    pub(super) told_at: Moment,
    pub(super) ran_at: Moment,
    pub(super) quiet_until: Moment,
    pub(super) wake: bool,
}

impl<M: SharedMemory> Gate<M> {
    /// A gate over the memory of its gateway. `unique` must never have been used before, by any gate
    /// anywhere: it names the broker, and the gateway when this gate is its first.
    pub fn new(settings: Settings, memory: M, unique: &str) -> Self {
        let names = Names::new(&settings.ledger.cluster, &settings.ledger.authority);
        memory.swap(&names.gateway(), unique.as_bytes(), None);
        let gateway = memory.get(&names.gateway()).and_then(|(bytes, _)| String::from_utf8(bytes).ok());
        Self {
            gateway: gateway.unwrap_or_else(|| unique.to_owned()),
            recent: Recent::default(),
            answers: Answers::new(&settings.wording),
            price_lists: PriceLists::default(),
            settlements: Settlements::default(),
            usage: Tally::new(unique.to_owned()),
            waiting: Waiting::default(),
            refills: Table::default(),
            flights: Flights::default(),
            beat: Beat::new(unique),
            down_until: Moment::ZERO,
            counters: Counters::default(),
            warned: Table::default(),
            told_at: Moment::ZERO,
            ran_at: Moment::ZERO,
            quiet_until: Moment::ZERO,
            wake: false,
            settings,
            memory,
            names,
        }
    }

    /// The configuration.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The gateway's name at the ledger.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Takes what was counted since the last call.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// Judges a request. `context` identifies it should it have to wait, and `property` reads an attribute
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
        let caller = match identity::find(&self.settings.identities, head, property, self.acquaintances()) {
            Ok(caller) => caller,
            Err(why) => {
                let refusal = no_credential(why, &self.settings.identities);
                return Arrival::Decided(self.refuse(number, refusal));
            }
        };
        if let Some(charge) = self.sell(caller.slice, now, number, price) {
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
            return Arrival::Decided(self.without_ledger(lease, number, price));
        }
        self.wait(now, context, chosen, number, Some(price))
    }

    /// What surrounds a request whose rule is the one of this number, where it is known.
    pub fn surroundings<'a>(&self, head: &Head<'a>, rule: Option<usize>) -> Surroundings<'a> {
        let signs = Signs::read(head);
        let rule = self.settings.rule(rule.unwrap_or_else(|| rules::find(&self.settings, head)));
        let path = head.path();
        let texts = &self.settings.wording.texts;
        Surroundings {
            path,
            request_id: signs.request_id,
            dialect: rule.error_format.unwrap_or_else(|| signs.dialect(path)),
            language: if texts.is_empty() {
                0
            } else {
                language::choose(head.values("accept-language"), texts)
            },
            origin: signs.origin.and_then(|origin| self.reader(origin)),
            ..Surroundings::default()
        }
    }

    /// The origin of a page that may read what the gate adds to the answer of a request that passes.
    pub fn page<'a>(&self, head: &Head<'a>) -> Option<&'a str> {
        self.reader(head.value("origin")?)
    }

    /// The origin of a page that may read what the gate says.
    #[inline(never)]
    pub(super) fn reader<'a>(&self, origin: &'a [u8]) -> Option<&'a str> {
        let origin = std::str::from_utf8(origin).ok()?;
        let allowed = self.settings.cors_origins.iter().any(|allowed| allowed == "*" || allowed == origin);
        let plain = origin.len() <= MOST_REPEATED && origin.bytes().all(|byte| byte.is_ascii_graphic());
        (allowed && plain).then_some(origin)
    }

    /// Charges whoever has this lease, from a slice or from the lease itself.
    pub(super) fn pay(&mut self, now: Moment, lease: &str, rule: usize, list: Credits) -> Payment {
        let place = self.settlements.find(&self.names, lease);
        match self.sell(place, now, rule, list) {
            Some(charge) => Payment::Paid(charge),
            None => self.pay_from_lease(now, lease, rule, list),
        }
    }

    /// Charges the slice at this place.
    fn sell(&mut self, place: Place, now: Moment, rule: usize, list: Credits) -> Option<Charge> {
        let product = self.settings.rule(rule).product.as_deref();
        let sold = self.settlements.sell(place, now, |holder| holder.price(product, list));
        let Sold { holder, fence, price, left } = sold?;
        self.counters.admitted += 1;
        Some(Charge { holder, rule, price, purse: Purse::Lease(fence), counted: false, left })
    }

    /// Charges the lease itself. While it is rich, a slice is cut for the requests to come.
    fn pay_from_lease(&mut self, now: Moment, lease: &str, rule: usize, list: Credits) -> Payment {
        let product = self.settings.rule(rule).product.as_deref();
        let untold = self.settlements.take(lease);
        let admit = |lease: &mut Lease, record: &[u8]| {
            untold.tell(lease);
            lease.note();
            let price = match lease::price(record, product, list) {
                // What the plan says of a lease that is over may be long ago.
                Err(RefusalCode::PlanExcludesRoute) if !lease.is_fresh(now) => {
                    return Ok((list, Admission::Short, None));
                }
                price => price?,
            };
            let admission = lease.admit(now, price);
            let paid = matches!(admission, Admission::Paid { .. });
            Ok((price, admission, if paid { lease.slice(now, price) } else { None }))
        };
        let Some((admitted, record)) = shared::update_counters(&self.memory, lease, admit) else {
            return Payment::Short(list);
        };
        match admitted {
            Ok((price, Admission::Paid { fence, refill, counted }, slice)) => {
                if refill {
                    self.refills.insert(lease, price);
                    self.wake = true;
                }
                let holder = Rc::new(Holder::of(lease, record));
                let left = slice.map_or(Credits::ZERO, |slice| slice.left);
                if let Some(slice) = slice {
                    self.settlements.cut(&self.names, slice, &holder);
                }
                self.counters.admitted += 1;
                Payment::Paid(Charge { holder, rule, price, purse: Purse::Lease(fence), counted, left })
            }
            Ok((price, Admission::Short, _)) => Payment::Short(price),
            Ok((_, Admission::Throttled(wait), _)) => {
                let holder = Holder::of(lease, record);
                let payer = Some(Rc::new(holder.names()));
                Payment::Refused(Refusal { payer, ..Refusal::throttled(wait, holder.standing()) })
            }
            Err(code) => Payment::Refused(Refusal {
                payer: Some(Rc::new(Holder::of(lease, record).names())),
                ..Refusal::plain(code)
            }),
        }
    }

    /// Has a request wait for the ledger; one without a price asks only how its sender stands.
    pub(super) fn wait(
        &mut self,
        now: Moment,
        context: u32,
        chosen: Chosen,
        rule: usize,
        price: Option<Credits>,
    ) -> Arrival {
        let patience = u64::from(self.settings.rule(rule).patience_ms);
        let waiter = Waiter {
            context,
            rule,
            price: price.unwrap_or_default(),
            view: price.is_none(),
            patient_until: now.plus_millis(patience),
            deadline: now.plus_millis(patience.saturating_add(u64::from(self.settings.ledger.timeout_ms))),
            fallback: chosen.fallback,
        };
        if self.waiting.push(&chosen.lease, chosen.credential, waiter) {
            self.counters.waited += 1;
            self.wake = true;
            return Arrival::Waits;
        }
        let refusal = Refusal {
            hint: Some("Too many requests are waiting for their payment to be checked. Try again soon."),
            ..Refusal::plain(RefusalCode::LedgerUnavailable)
        };
        Arrival::Decided(if price.is_none() { self.deny(refusal) } else { self.refuse(rule, refusal) })
    }

    /// Refuses, or lets through if the rule only watches.
    pub(super) fn refuse(&mut self, rule: usize, mut refusal: Refusal) -> Outcome {
        let Rule { shadow, rate_limited_status, .. } = *self.settings.rule(rule);
        refusal.rule = Some(rule);
        if refusal.code == RefusalCode::RateLimited {
            refusal.status = Some(rate_limited_status);
        }
        if shadow {
            self.counters.shadow += 1;
            let key = refusal.payer.as_ref().map_or(NOBODY, |payer| payer.key.as_str());
            self.tally(key, rule, Fate::Shadow(refusal.code));
            return Outcome::Pass(Passage::Shadow(refusal));
        }
        self.deny(refusal)
    }

    /// Refuses.
    pub(super) fn deny(&mut self, refusal: Refusal) -> Outcome {
        if let Some(count) = self.counters.refused.get_mut(refusal.code as usize) {
            *count += 1;
        }
        Outcome::Refuse(refusal)
    }

    /// Decides without the ledger, as the rule says.
    pub(super) fn without_ledger(&mut self, lease: &str, number: usize, price: Credits) -> Outcome {
        let Rule { on_ledger_error, product, price: list, .. } = self.settings.rule(number);
        if let OnLedgerError::AllowUpTo(limit) = *on_ledger_error {
            let admit = |lease: &mut Lease, record: &[u8]| {
                let included = lease::price(record, product.as_deref(), list.unwrap_or(price)).is_ok();
                included && lease.admit_on_credit(price, limit)
            };
            if let Some((true, record)) = shared::update_counters(&self.memory, lease, admit) {
                self.counters.admitted += 1;
                self.counters.on_credit += 1;
                return Outcome::Pass(Passage::Paid(Charge {
                    holder: Rc::new(Holder::of(lease, record)),
                    rule: number,
                    price,
                    purse: Purse::Credit,
                    counted: false,
                    left: Credits::ZERO,
                }));
            }
        }
        self.refuse(number, Refusal::plain(RefusalCode::LedgerUnavailable))
    }

    /// Which answers release this charge.
    pub fn refunds(&self, charge: &Charge) -> &Refunds {
        &self.settings.rule(charge.rule).refund_on
    }

    /// Closes a charge: keeps it, or releases it when the API failed or was never asked. Returns what was charged in
    /// the end.
    pub fn finish(&mut self, charge: &Charge, end: &End) -> Credits {
        if end.releases(self.refunds(charge)) {
            self.release(charge);
            return Credits::ZERO;
        }
        let (key, mut nowhere) = (charge.holder.key(), Place::default());
        let kept = self.settlements.keep(&charge.holder, charge.purse, charge.price);
        let place = kept.unwrap_or(&mut nowhere);
        let counted = self.usage.count_at(self.told_at, key, place, charge.rule, Fate::Kept(charge.price));
        self.counters.usage_dropped += u64::from(!counted);
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
            self.settlements.tell(&self.memory, charge.holder.lease());
        }
        charge.price
    }

    fn release(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.refunds += 1;
        self.tally(charge.holder.key(), charge.rule, Fate::Released);
    }

    fn give_back(&mut self, charge: &Charge) {
        self.settlements.release(&charge.holder, charge.purse, charge.price);
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
        }
        self.settlements.tell(&self.memory, charge.holder.lease());
        self.recent.look_again(charge.holder.lease());
    }

    fn tally(&mut self, key: &str, rule: usize, fate: Fate) {
        if !self.usage.count(self.told_at, key, rule, fate) {
            self.counters.usage_dropped += 1;
        }
    }

    /// Takes an admission back whose request is gone: its client hung up while it waited.
    pub fn cancel(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.admitted = self.counters.admitted.saturating_sub(1);
    }
}

/// The refusal of one who shows no credential in any of these places.
pub(super) fn no_credential(why: NoCredential, places: &[Identity]) -> Refusal {
    let vouched = places.iter().all(|place| matches!(place, Identity::Property(_)));
    let (code, hint) = match why {
        NoCredential::Missing => (RefusalCode::MissingKey, None),
        NoCredential::Malformed => (
            RefusalCode::InvalidKey,
            Some(
                "What stands where the API key belongs is no key of ours: check that it was copied completely.",
            ),
        ),
        NoCredential::Twice => {
            (RefusalCode::InvalidKey, Some("The API key was sent more than once: send it once."))
        }
    };
    Refusal { hint, vouched, ..Refusal::plain(code) }
}

#[cfg(test)]
mod tests;
