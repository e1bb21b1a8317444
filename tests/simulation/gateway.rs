//! One Envoy: its workers' gates over their shared memory, driven as the filter's host drives them.

use crate::clock::{Clock, MS};
use crate::event::Event;
use crate::memory::Memory;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::world::World;
use faregate::decide::base::moment::Moment;
use faregate::decide::gate::Gate;
use faregate::decide::outcome::Charge;
use faregate_protocol::Credits;
use std::collections::{BTreeMap, BTreeSet};

/// A process that was started once. One that is killed and started again is another.
pub struct Gateway {
    pub name: String,
    pub memory: Memory,
    pub clock: Clock,
    pub workers: Vec<u64>,
    pub alive: bool,
    /// It doesn't run, though its clock does; what arrives waits.
    pub frozen: bool,
    pub asleep: Vec<Event>,
    /// Nothing gets through between it and the ledgers.
    pub cut_off: bool,
    /// When it last ran on after it had been frozen.
    pub thawed_at: Option<u64>,
    /// A worker was lost with what it had not reported.
    pub mutated: bool,
}

/// One worker.
pub struct Worker {
    pub gateway: usize,
    pub gate: Gate<Memory>,
    /// Requests that wait: their key and path, and their end by the gateway's clock.
    pub parked: BTreeMap<u32, (usize, &'static str, Moment)>,
    /// Requests that waited until their client hung up.
    pub gone: BTreeSet<u32>,
    /// Requests that are under way.
    pub open: BTreeMap<u32, Charge>,
    /// What those of them cost whose cost is known only at their end.
    pub costs: BTreeMap<u32, Credits>,
    /// Messages under way: when they were sent, and about whom.
    pub flights: BTreeMap<u64, (Moment, Vec<Option<usize>>)>,
    /// When a message of its last failed, or took long.
    pub failed_at: Option<u64>,
    next_context: u32,
}

impl Worker {
    /// The next request's number.
    pub fn context(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context
    }
}

impl World {
    /// What a gateway's clock shows.
    pub fn moment(&self, gateway: usize) -> Moment {
        self.gateways[gateway].clock.moment(self.time)
    }

    /// Starts an Envoy with empty memory. `name` is only given by a mutant; it must be new.
    pub fn start_gateway(&mut self, clock: Clock, name: Option<String>) {
        let lies = self.mutant == Some(Mutant::LostRaceUnnoticed);
        let random = Random::new(self.random.any());
        let memory = Memory::new(random, self.conditions.races, lies);
        let number = self.gateways.len();
        self.gateways.push(Gateway {
            name: String::new(),
            memory,
            clock,
            workers: Vec::new(),
            alive: true,
            frozen: false,
            asleep: Vec::new(),
            cut_off: false,
            thawed_at: None,
            mutated: false,
        });
        let mut name = name;
        for _ in 0..self.conditions.workers {
            self.start_worker(number, name.take());
        }
        self.say(|| format!("gateway {number} starts"));
    }

    /// Starts a worker of a gateway.
    pub fn start_worker(&mut self, gateway: usize, name: Option<String>) {
        self.named += 1;
        let serial = self.named;
        let unique = name.unwrap_or_else(|| format!("envoy:{serial:016x}"));
        let (memory, now) = (self.gateways[gateway].memory.clone(), self.moment(gateway));
        let gate = Gate::new(self.settings.clone(), memory, &unique, now);
        gate.gateway().clone_into(&mut self.gateways[gateway].name);
        self.gateways[gateway].workers.push(serial);
        let worker = Worker {
            gateway,
            gate,
            parked: BTreeMap::new(),
            gone: BTreeSet::new(),
            open: BTreeMap::new(),
            costs: BTreeMap::new(),
            flights: BTreeMap::new(),
            failed_at: None,
            next_context: 0,
        };
        self.workers.insert(serial, worker);
        let first = self.random.between(0, 50) * MS;
        self.later(first, Event::Tick { worker: serial });
    }

    /// A worker's host ticks: first due timers, then messages.
    pub fn tick(&mut self, serial: u64) -> Result<(), String> {
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let clock = self.gateways[worker.gateway].clock;
        let now = clock.moment(self.time);
        let resolutions = worker.gate.tick(now);
        self.resolve(serial, resolutions)?;
        self.speak(serial)?;
        let worker = &self.workers[&serial];
        if let Some((context, (key, ..))) = worker.parked.iter().find(|(_, (.., deadline))| *deadline <= now)
        {
            return Err(format!(
                "request {context} of key {key} still waits at worker {serial} after its time"
            ));
        }
        let again = clock.really(self.tick_ms * MS);
        self.later(again, Event::Tick { worker: serial });
        Ok(())
    }

    /// Lets a frozen gateway run on: it does all that has arrived, in order.
    pub fn thaw(&mut self, number: usize) {
        let gateway = &mut self.gateways[number];
        gateway.frozen = false;
        gateway.thawed_at = Some(self.time);
        for event in std::mem::take(&mut gateway.asleep) {
            self.event_queue.put(self.time, event);
        }
        self.say(|| format!("gateway {number} runs on"));
    }

    /// Takes a gateway's workers away, with all that they knew.
    pub fn kill_workers(&mut self, number: usize) {
        let gateway = &mut self.gateways[number];
        gateway.alive = false;
        gateway.asleep.clear();
        for worker in std::mem::take(&mut gateway.workers) {
            self.workers.remove(&worker);
        }
    }
}
