//! Requests whose cost is known only at their end: usually below what was held for them, sometimes nothing, and sometimes
//! above.

use crate::clock::MS;
use crate::conditions::LEAST_LONG_MS;
use crate::event::Event;
use crate::model::ModelLedger;
use crate::mutant::Mutant;
use crate::world::World;
use faregate::decide::lease::{FundingSource, Lease};
use faregate::decide::outcome::Charge;
use faregate_protocol::Credits;

/// How often a worker vouches for a request (ms). One that takes no longer needs it not.
const VOUCHES_MS: u64 = 60_000;

impl World {
    /// Draws what a request that has just been admitted will cost, if that is known only at its end. Says how long it takes, if
    /// long.
    pub fn meter(&mut self, serial: u64, context: u32, price: Credits) -> Option<u64> {
        let metered = self.conditions.metered;
        if !self.of_costs.chance(metered.share) {
            return None;
        }
        let held = price.micros() as u64;
        let cost = match self.of_costs.between(0, 99) {
            0..=59 => self.of_costs.between(0, held),
            60..=69 => 0,
            70..=79 => held,
            _ => held + self.of_costs.between(1, 3 * held),
        };
        self.trace.count("requests metered");
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        worker.costs.insert(context, Credits::from_micros(cost as i64));
        // When all is well again, it is known how long the last request takes.
        if !self.of_costs.chance(metered.long) || self.healed {
            return None;
        }
        let takes = self.of_costs.between(LEAST_LONG_MS, metered.long_ms) * MS;
        self.trace.count("requests that take long");
        self.last_over = self.last_over.max(self.time + takes);
        if takes > VOUCHES_MS * MS {
            self.trace.count("requests that a worker vouches for");
            let first = self.of_costs.between(1, VOUCHES_MS) * MS;
            self.later(first, Event::Vouch { worker: serial, context });
        }
        Some(takes)
    }

    /// A worker vouches for a request, as long as it has it.
    pub fn vouch(&mut self, serial: u64, context: u32) {
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let Some(charge) = worker.open.get(&context) else { return };
        let now = self.gateways[worker.gateway].clock.moment(self.time);
        worker.gate.vouch(now, charge);
        self.later(VOUCHES_MS * MS, Event::Vouch { worker: serial, context });
    }

    /// A request has come to its end, and cost so much.
    pub fn settle(
        &mut self,
        serial: u64,
        context: u32,
        charge: &Charge,
        cost: Credits,
    ) -> Result<(), String> {
        let gateway = self.workers[&serial].gateway;
        let place = (gateway, ModelLedger::key_number(charge.holder.key()));
        let (now, before) = (self.moment(gateway), self.record(place.0, place.1));
        let (mut asked, mut bent) = (cost, charge.clone());
        match self.mutant {
            Some(Mutant::AboveHoldUncharged) => asked = cost.min(charge.price),
            Some(Mutant::ReleaseAboveHold) => bent.price = charge.price.times(2),
            _ => {}
        }
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let charged = worker.gate.settle(now, &bent, asked);
        if charged != asked {
            return Err(format!("a request that cost {asked} is charged {charged}"));
        }
        self.say(|| format!("request {context} at worker {serial} ends, held {}, cost {cost}", charge.price));
        self.oracle.moved.insert(place, self.time);
        *self.oracle.kept.entry(place).or_default() += charged.micros();
        let released = charge.price.less(cost).micros();
        if released > 0 && !self.oracle.released(place, charge, released) {
            self.trace.count("charges released that count as spent");
        }
        if cost > charge.price {
            self.above(serial, charge, cost.less(charge.price), (before, self.record(place.0, place.1)))?;
        }
        self.check_under_way(place.0, place.1)
    }

    /// What a request cost above its hold came from the lease as far as that went, and no more than the rest is owed.
    fn above(
        &mut self,
        serial: u64,
        charge: &Charge,
        above: Credits,
        (before, after): (Option<Lease>, Option<Lease>),
    ) -> Result<(), String> {
        self.trace.count("requests that cost more than was held");
        let gateway = self.workers[&serial].gateway;
        let key = ModelLedger::key_number(charge.holder.key());
        let (Some(before), Some(after)) = (before, after) else {
            return Err(format!(
                "gateway {gateway} has no lease of key {key}, which has a request in flight"
            ));
        };
        let on_credit = |lease: &Lease| lease.on_credit.spent.saturating_add(lease.on_credit.held).micros();
        let owed = on_credit(&after) - on_credit(&before);
        let covered = above.micros() - owed;
        if owed < 0 || covered < 0 || (owed > 0 && after.spendable(self.moment(gateway)).is_positive()) {
            return Err(format!("of {above} above its hold {owed} are owed: {after:?}"));
        }
        *self.oracle.credit.entry((gateway, key)).or_default() += owed;
        if owed > 0 {
            self.trace.count("requests that cost more than was left");
        }
        if covered == 0 {
            return Ok(());
        }
        let (now, funding) = (self.moment(gateway), FundingSource::Lease(after.epoch));
        let charge = Charge { price: Credits::from_micros(covered), funding, ..charge.clone() };
        let row = self.model.lease(&self.gateways[gateway].name, key);
        let checked = self.oracle.sold((gateway, key), &charge, now, row);
        checked.map_err(|what| format!("gateway {gateway}, key {key}, above its hold: {what}"))
    }
}
