//! Clients: they come, wait, are served or refused, and hang up.

use crate::clock::MS;
use crate::conditions::PATHS;
use crate::event::Event;
use crate::model::ModelLedger;
use crate::mutant::Mutant;
use crate::world::World;
use faregate::decide::base::head::Head;
use faregate::decide::lease::{FundingSource, shared};
use faregate::decide::outcome::{Arrival, Charge, Outcome, Passage, Resolution};
use faregate::decide::request::ending::End;
use faregate::decide::request::view;
use faregate_protocol::Credits;

impl World {
    /// A key's next client comes, to any gateway that runs; and the one after it will.
    pub fn next_client(&mut self, key: usize) {
        if self.healed {
            return;
        }
        let all: Vec<u64> = self.workers.keys().copied().collect();
        if !all.is_empty() {
            for _ in 0..self.random.between(1, self.conditions.burst) {
                let worker = self.random.pick(&all);
                let path = self.random.pick(&PATHS);
                let path = self.conditions.steady.filter(|_| key > 0).unwrap_or(path);
                let path = if self.random.chance(3) { view::PATH } else { path };
                let moment = self.random.between(0, 3 * MS);
                self.later(moment, Event::ArriveAt { worker, key, path });
            }
        }
        // Now and then a pause, long enough for a lease to lie idle.
        let pause = if self.random.chance(5) { self.random.between(1_000, 8_000) * MS } else { 0 };
        let wait = self.random.wait(self.conditions.between_ms * MS) + pause;
        self.later(wait, Event::Arrive { key });
    }

    /// A request is judged.
    pub fn arrive(&mut self, serial: u64, key: usize, path: &'static str) -> Result<(), String> {
        let secret = self.model.keys[key].secret.clone();
        let headers = [(":method", "GET"), (":path", path), ("x-api-key", &secret)]
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let now = self.gateways[worker.gateway].clock.moment(self.time);
        let context = worker.context();
        let arrival = worker.gate.arrive(now, context, &Head::new(&headers), |_| None);
        if worker.gate.take_wake() {
            let soon = self.random.between(1, 1_000_000);
            self.later(soon, Event::Bell { worker: serial });
        }
        match arrival {
            Arrival::Decided(outcome) => {
                self.note_throttle(self.workers[&serial].gateway, key);
                self.carry_out(serial, context, (key, path), outcome)
            }
            Arrival::Waits | Arrival::NeedsBody(_) => {
                let wait = self.conditions.max_wait_ms + self.conditions.timeout_ms;
                let deadline = now.plus_millis(wait);
                let worker = self.workers.get_mut(&serial).expect("it is alive");
                worker.parked.insert(context, (key, path, deadline));
                self.trace.count("requests that waited");
                if self.random.chance(self.conditions.hang_ups) {
                    let after = self.random.between(0, 500) * MS;
                    self.later(after, Event::HangUp { worker: serial, context });
                }
                Ok(())
            }
        }
    }

    /// A client that still waits hangs up.
    pub fn hang_up(&mut self, serial: u64, context: u32) {
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        if worker.parked.remove(&context).is_some() {
            worker.gone.insert(context);
            self.trace.count("clients that hung up");
            self.say(|| format!("the client of request {context} at worker {serial} hangs up"));
        }
    }

    /// Tells requests that waited what becomes of them, each once.
    pub fn resolve(&mut self, serial: u64, resolutions: Vec<Resolution>) -> Result<(), String> {
        for Resolution { context, outcome } in resolutions {
            let worker = self.workers.get_mut(&serial).expect("it is alive");
            if let Some((key, path, _)) = worker.parked.remove(&context) {
                self.carry_out(serial, context, (key, path), outcome)?;
            } else if worker.gone.remove(&context) {
                if let Outcome::Pass(Passage::Paid(charge)) = outcome {
                    self.sold(serial, &charge)?;
                    self.take_back(serial, &charge);
                }
            } else {
                return Err(format!("request {context} at worker {serial} is resolved twice"));
            }
        }
        Ok(())
    }

    fn take_back(&mut self, serial: u64, charge: &Charge) {
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        if self.mutant != Some(Mutant::HangUpCharged) {
            worker.gate.cancel(charge);
        }
        let place = (worker.gateway, ModelLedger::key_number(charge.holder.key()));
        self.oracle.released(place, charge, charge.price.micros());
    }

    fn carry_out(
        &mut self,
        serial: u64,
        context: u32,
        (key, path): (usize, &str),
        outcome: Outcome,
    ) -> Result<(), String> {
        match outcome {
            Outcome::Pass(Passage::Paid(charge)) => {
                self.trace.count("requests served");
                self.sold(serial, &charge)?;
                let worker = self.workers.get_mut(&serial).expect("it is alive");
                let price = charge.price;
                worker.open.insert(context, charge);
                let most = if self.random.chance(20) { 6_000 } else { 300 };
                let takes = self.random.between(1, most) * MS;
                let takes = self.meter(serial, context, price).unwrap_or(takes);
                self.later(takes, Event::Over { worker: serial, context });
                Ok(())
            }
            Outcome::Pass(other) => {
                Err(format!("request {context} passes as {other:?}, but all rules charge"))
            }
            Outcome::Show(view) => {
                self.trace.count("callers shown how they stand");
                let names_it = view.body.contains(&format!("\"key\":\"key_{key}\""));
                if path == view::PATH && names_it {
                    return Ok(());
                }
                Err(format!("key {key} asked for {path} and is shown {}", view.body))
            }
            Outcome::Refuse(refusal) => {
                self.trace.count("requests refused");
                self.check_refusal(serial, key, path, &refusal)
            }
        }
    }

    /// A charge was admitted: writes it down, and checks that it may have been.
    fn sold(&mut self, serial: u64, charge: &Charge) -> Result<(), String> {
        let gateway = self.workers[&serial].gateway;
        let key = ModelLedger::key_number(charge.holder.key());
        let now = self.moment(gateway);
        self.say(|| {
            format!("gateway {gateway} sells {} to key {key} from {:?}", charge.price, charge.funding)
        });
        self.oracle.moved.insert((gateway, key), self.time);
        if self.record(gateway, key).is_some_and(|lease| lease.subleased.is_positive()) {
            self.trace.count("requests sold while a slice is out");
        }
        let row = self.model.lease(&self.gateways[gateway].name, key);
        let checked = self.oracle.sold((gateway, key), charge, now, row);
        checked.map_err(|what| format!("gateway {gateway}, key {key}: {what}"))?;
        if !matches!(charge.funding, FundingSource::Lease(_)) {
            return Ok(());
        }
        self.check_stopped(gateway, key)?;
        self.check_purse(gateway, key)?;
        self.check_price(key, charge)?;
        self.check_pace(gateway, key, charge)
    }

    /// An admitted request has come to its end.
    pub fn end_request(&mut self, serial: u64, context: u32) -> Result<(), String> {
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let Some(mut charge) = worker.open.remove(&context) else {
            return Ok(());
        };
        charge.counted &= self.mutant != Some(Mutant::EndsUntold);
        let end = match self.random.between(0, 99) {
            0..=84 => End::answered(200),
            85..=92 => End::answered(503),
            93..=95 => End::Cut,
            _ => End::NeverAsked,
        };
        let epoch = self.epoch_of(serial, &charge);
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let cost = worker.costs.remove(&context).filter(|_| !end.releases(worker.gate.refunds(&charge)));
        if let Some(cost) = cost {
            return self.settle(serial, context, &charge, cost);
        }
        let place = (worker.gateway, ModelLedger::key_number(charge.holder.key()));
        let charged = worker.gate.finish(&charge, &end);
        self.oracle.moved.insert(place, self.time);
        if charged == Credits::ZERO {
            self.trace.count("charges released");
            if self.mutant == Some(Mutant::RefundedTwice) {
                worker.gate.cancel(&charge);
            }
            if charge.funding != FundingSource::Credit
                && epoch.map(FundingSource::Lease) != Some(charge.funding)
            {
                self.trace.count("charges released after their epoch was sealed");
            }
            if !self.oracle.released(place, &charge, charge.price.micros()) {
                self.trace.count("charges released that count as spent");
            }
        } else {
            *self.oracle.kept.entry(place).or_default() += charged.micros();
        }
        self.say(|| format!("request {context} at worker {serial} ends: {end:?}, charged {charged}"));
        self.check_under_way(place.0, place.1)
    }

    /// At which epoch the lease of a charge is now.
    fn epoch_of(&self, serial: u64, charge: &Charge) -> Option<u32> {
        let memory = &self.gateways[self.workers[&serial].gateway].memory;
        shared::read(memory, charge.holder.lease()).map(|lease| lease.epoch)
    }
}
