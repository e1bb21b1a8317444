//! Closing a charge: it is kept, or released because the API failed or was never asked.

use super::Gate;
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::outcome::Charge;
use crate::decide::request::answer_reader::Said;
use crate::decide::request::ending::End;
use crate::decide::settings::meter::amounts::{AmountMeter, Measure, Missing};
use crate::decide::settings::meter::{Meter, MeterKind};
use crate::decide::settings::refunds::Refunds;
use crate::decide::usage::{ChargeOutcome, Metered};
use faregate_protocol::Credits;
use faregate_protocol::exchange::Basis;
use faregate_protocol::metering::{Quantities, UsageClass};

/// A worker says this often that it has metered requests in flight (ms). Missed twice, it isn't believed any more.
const VOUCH_MS: u64 = 60_000;
const VOUCHED_MS: u64 = 3 * VOUCH_MS;
const NANOS_PER_S: u64 = 1_000_000_000;

/// What the charge of a metered request came to.
#[derive(Debug)]
pub struct Closed {
    /// The final charge.
    pub charged: Credits,
    /// What the request was for, unless its charge was released.
    pub metered: Option<Metered>,
}

impl<M: SharedMemory> Gate<M> {
    /// Which answers release this charge.
    pub fn refunds(&self, charge: &Charge) -> &Refunds {
        &self.settings.rule(charge.rule).refund_on
    }

    /// Closes a charge: keeps it, or releases it when the API failed or was never asked. Returns the final
    /// charge. A metered request of which nothing was measured is charged as its rule says.
    pub fn finish(&mut self, charge: &Charge, end: &End) -> Credits {
        if self.settings.rule(charge.rule).meter.is_some() {
            return self.finish_answered(Moment::ZERO, charge, end, &Said::Nothing, false).charged;
        }
        if end.releases(self.refunds(charge)) {
            self.release(charge);
            return Credits::ZERO;
        }
        self.keep(charge)
    }

    /// The same of a metered request that used so much; `None`: that isn't known.
    pub fn finish_metered(&mut self, now: Moment, charge: &Charge, end: &End, amount: Option<u64>) -> Closed {
        if end.releases(self.refunds(charge)) {
            return self.release_metered(charge);
        }
        let (cost, metered) = (self.cost(charge, amount), self.usage_of(charge, amount));
        self.settle_metered(now, charge, cost, metered)
    }

    /// What usage says of a request that used so much.
    fn usage_of(&self, charge: &Charge, amount: Option<u64>) -> Metered {
        let rule = self.settings.rule(charge.rule);
        // What costs nothing by the rule costs something only where the product has a price of its own.
        let own = charge.holder.price(rule.product.as_deref(), Credits::ZERO);
        let meter = match rule.meter.as_deref() {
            Some(Meter { kind: MeterKind::Amount(meter), .. }) => Some(meter),
            _ => None,
        };
        let basis = match (amount, meter.map(|meter| meter.missing)) {
            _ if own.is_ok_and(Credits::is_positive) => Basis::Listed,
            (Some(_), _) => Basis::Reported,
            // Without an amount to measure, it costs its fixed price.
            (None, Some(Missing::Free) | None) => Basis::Listed,
            (None, Some(Missing::Hold)) => Basis::Held,
        };
        let mut used = Quantities::default();
        let by_time = meter.is_some_and(|meter| meter.measure == Measure::Duration);
        if let Some(nanos) = amount.filter(|_| by_time) {
            used.set(UsageClass::Second, nanos.div_ceil(NANOS_PER_S));
        }
        Metered { item: None, basis, used }
    }

    /// Releases a metered charge.
    pub(super) fn release_metered(&mut self, charge: &Charge) -> Closed {
        self.end_metered(charge.holder.lease());
        self.release(charge);
        Closed { charged: Credits::ZERO, metered: None }
    }

    /// What a request costs that used so much.
    pub(super) fn cost(&self, charge: &Charge, amount: Option<u64>) -> Credits {
        let rule = self.settings.rule(charge.rule);
        let list = rule.meter.as_deref().and_then(|meter| match (amount, &meter.kind) {
            (Some(amount), _) => meter.cost(amount),
            (None, MeterKind::Amount(AmountMeter { missing: Missing::Free, .. })) => Some(meter.fixed),
            (None, _) => None,
        });
        self.of_plan(charge, list)
    }

    /// What a charge comes to under its payer's plan, by what it is at the rule's prices; `None`: what was held.
    pub(super) fn of_plan(&self, charge: &Charge, list: Option<Credits>) -> Credits {
        let product = self.settings.rule(charge.rule).product.as_deref();
        let price = |list| charge.holder.price(product, list).unwrap_or(charge.price);
        list.map_or(charge.price, price)
    }

    /// What of a charge's answer is measured.
    fn measure(&self, charge: &Charge) -> Option<&Measure> {
        match self.settings.rule(charge.rule).meter.as_deref() {
            Some(Meter { kind: MeterKind::Amount(meter), .. }) => Some(&meter.measure),
            _ => None,
        }
    }

    /// The header of the answer that says what a metered request cost, and whether the caller doesn't see it.
    pub fn cost_header(&self, charge: &Charge) -> Option<(&str, bool)> {
        match self.measure(charge)? {
            Measure::Header { name, strip } => Some((name, *strip)),
            _ => None,
        }
    }

    /// How much a metered request used that `began` then: what its answer `said`, or the size of its body, or the time.
    pub fn measured(
        &self,
        charge: &Charge,
        now: Moment,
        began: Moment,
        said: Option<u64>,
        size: impl FnOnce() -> Option<u64>,
    ) -> Option<u64> {
        match self.measure(charge)? {
            Measure::Header { .. } | Measure::Json(_) => said,
            Measure::ResponseBytes => size(),
            Measure::Duration => Some(now.nanos().saturating_sub(began.nanos())),
        }
    }

    /// A charged request goes on to the API. Returns whether it is metered: then it is closed with [`Gate::finish_metered`], and
    /// however long it takes, what is held for it isn't given up.
    pub fn begin(&mut self, charge: &Charge) -> bool {
        let metered = self.settings.rule(charge.rule).meter.is_some();
        if metered && let Some(count) = self.metered.entry(charge.holder.lease(), || 0) {
            *count += 1;
        }
        metered
    }

    /// The request of a charge that began leaves this stream, and goes on in another one.
    pub fn suspend(&mut self, charge: &Charge) {
        if self.settings.rule(charge.rule).meter.is_some() {
            self.end_metered(charge.holder.lease());
        }
    }

    fn end_metered(&mut self, lease: &str) {
        let Some(count) = self.metered.get_mut(lease) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.metered.remove(lease);
        }
    }

    /// Vouches for all metered requests that are in flight on this worker.
    pub(super) fn vouch_for_all(&mut self, now: Moment) {
        if self.metered.is_empty() || now < self.vouch_at {
            return;
        }
        self.vouch_at = now.plus_millis(VOUCH_MS);
        for (lease, _) in self.metered.iter_from("") {
            shared::update(&self.memory, lease, |lease| lease.keep_alive(now.plus_millis(VOUCHED_MS)));
        }
    }

    fn keep(&mut self, charge: &Charge) -> Credits {
        let (key, mut nowhere) = (charge.holder.key(), Handle::default());
        let kept = self.settlements.keep(&charge.holder, charge.funding, charge.price);
        let handle = kept.unwrap_or(&mut nowhere);
        let counted =
            self.usage.count_at(self.flushed_at, key, handle, charge.rule, ChargeOutcome::Kept(charge.price));
        self.counters.usage_dropped += u64::from(!counted);
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
            self.settlements.flush(&self.memory, charge.holder.lease());
        }
        charge.price
    }

    /// Closes a charge that was held for a request whose cost is known only at its end: keeps what it cost, and releases the rest.
    /// A cost above what was held is charged as well: from the lease as far as that goes, and the rest is owed. Returns the
    /// final charge.
    pub fn settle(&mut self, now: Moment, charge: &Charge, cost: Credits) -> Credits {
        self.count_outcome(charge.holder.key(), charge.rule, ChargeOutcome::Kept(cost));
        self.close(now, charge, cost)
    }

    /// The same, with what the request was for.
    pub(super) fn settle_metered(
        &mut self,
        now: Moment,
        charge: &Charge,
        cost: Credits,
        metered: Metered,
    ) -> Closed {
        self.count_metered_outcome(charge.holder.key(), charge.rule, ChargeOutcome::Kept(cost), &metered);
        Closed { charged: self.close(now, charge, cost), metered: Some(metered) }
    }

    fn close(&mut self, now: Moment, charge: &Charge, cost: Credits) -> Credits {
        let kept = cost.min(charge.price);
        let (mut released, mut above) = (charge.price.less(kept), cost.less(charge.price));
        let lease = charge.holder.lease();
        self.end_metered(lease);
        self.settlements.settle(&charge.holder, charge.funding, kept, released);
        for (funding, held) in charge.raised() {
            let kept = above.min(*held);
            above = above.less(kept);
            released = released.saturating_add(held.less(kept));
            self.settlements.settle(&charge.holder, *funding, kept, held.less(kept));
        }
        if charge.counted {
            self.settlements.leave(lease);
        }
        if above.is_positive() {
            self.counters.above_hold += 1;
            let pending = self.settlements.take(lease);
            shared::update_counters(&self.memory, lease, |lease, _| {
                pending.flush(lease);
                lease.charge_above_hold(now, above);
            });
        } else if released.is_positive() || charge.counted {
            self.settlements.flush(&self.memory, lease);
            self.recent.look_again(lease);
        }
        cost
    }

    /// Says that the request of a charge is still in flight, so that its hold isn't given up. The worker that has it calls this
    /// about once a minute.
    pub fn vouch(&mut self, now: Moment, charge: &Charge) {
        let until = now.plus_millis(VOUCHED_MS);
        shared::update(&self.memory, charge.holder.lease(), |lease| lease.keep_alive(until));
    }

    fn release(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.refunds += 1;
        self.count_outcome(charge.holder.key(), charge.rule, ChargeOutcome::Released);
    }

    fn give_back(&mut self, charge: &Charge) {
        self.settlements.release(&charge.holder, charge.funding, charge.price);
        for (funding, held) in charge.raised() {
            self.settlements.release(&charge.holder, *funding, *held);
        }
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
        }
        self.settlements.flush(&self.memory, charge.holder.lease());
        self.recent.look_again(charge.holder.lease());
    }

    pub(super) fn count_outcome(&mut self, key: &str, rule: usize, outcome: ChargeOutcome) {
        if !self.usage.count(self.flushed_at, key, rule, outcome) {
            self.counters.usage_dropped += 1;
        }
    }

    /// The same, with what a metered request was for.
    pub(super) fn count_metered_outcome(
        &mut self,
        key: &str,
        rule: usize,
        outcome: ChargeOutcome,
        metered: &Metered,
    ) {
        if !self.usage.count_metered(self.flushed_at, key, rule, outcome, metered) {
            self.counters.usage_dropped += 1;
        }
    }

    /// Cancels the charge of a request whose client disconnected while it waited.
    pub fn cancel(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.admitted = self.counters.admitted.saturating_sub(1);
    }
}
