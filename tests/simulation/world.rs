//! The world of one seed: gateways, ledgers, what is under way, and the step from one event to the next.

use crate::clock::{Clock, MS, wall};
use crate::conditions::Conditions;
use crate::event::{Event, EventQueue};
use crate::gateway::{Gateway, Worker};
use crate::ledger::Ledger;
use crate::model::{ModelLedger, audit};
use crate::mutant::Mutant;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::trace::Trace;
use faregate::decide::settings::Settings;
use faregate_protocol::{api_key, exchange::ExchangeRequest};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// What came of one seed.
#[derive(Debug)]
pub struct Outcome {
    pub steps: u64,
    pub trace: Trace,
    /// The first thing that must not have happened.
    pub violation: Option<String>,
}

/// Everything.
pub struct World {
    pub conditions: Conditions,
    pub settings: Settings,
    pub random: Random,
    /// The chance of what happens about plans.
    pub of_plans: Random,
    /// The chance of what is corrected.
    pub of_corrections: Random,
    /// The chance of what requests cost in the end.
    pub of_costs: Random,
    /// When the last request ends that takes long.
    pub last_over: u64,
    pub mutant: Option<Mutant>,
    /// What has really passed (ns).
    pub time: u64,
    pub event_queue: EventQueue,
    pub model: ModelLedger,
    pub ledgers: Vec<Ledger>,
    pub gateways: Vec<Gateway>,
    pub workers: BTreeMap<u64, Worker>,
    pub oracle: Oracle,
    pub trace: Trace,
    /// Some of the messages that the ledger has taken in, to be said again at the end.
    pub letters: Vec<ExchangeRequest>,
    /// What the disk had before the last write, for the mutant that loses it.
    pub before_last_write: Option<ModelLedger>,
    /// No fault and no client any more.
    pub healed: bool,
    pub tick_ms: u64,
    /// The origin of the ledgers' monotonic clocks; only differences to it matter.
    pub epoch: Instant,
    pub named: u64,
    pub over: bool,
}

impl World {
    /// Lives through one seed.
    pub fn run(seed: u64, mutant: Option<Mutant>, trace: Trace) -> Outcome {
        let mut world = Self::new(seed, mutant, trace);
        let mut steps = 0;
        let mut violation = None;
        while let (false, Some((time, event))) = (world.over, world.event_queue.next()) {
            world.time = world.time.max(time);
            steps += 1;
            if let Err(what) = world.happen(event) {
                world.say(|| format!("VIOLATION: {what}"));
                violation = Some(what);
                break;
            }
        }
        for gateway in &world.gateways {
            *world.trace.counts.entry("races lost").or_default() += gateway.memory.races_lost();
        }
        Outcome { steps, trace: world.trace, violation }
    }

    fn new(seed: u64, mutant: Option<Mutant>, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let mut of_plans = Random::new(seed ^ 0x0B1D_5EED);
        let conditions = Conditions::draw(&mut random, &mut of_plans);
        let mut world = Self {
            settings: conditions.settings(),
            model: ModelLedger::new(conditions.ttl_ms, mutant),
            random,
            of_plans,
            of_corrections: Random::new(seed ^ 0x01D5),
            of_costs: Random::new(seed ^ 0xC057),
            last_over: 0,
            mutant,
            time: 0,
            event_queue: EventQueue::default(),
            ledgers: Vec::new(),
            gateways: Vec::new(),
            workers: BTreeMap::new(),
            oracle: Oracle::default(),
            trace,
            letters: Vec::new(),
            before_last_write: None,
            healed: false,
            tick_ms: 50,
            epoch: Instant::now(),
            named: 0,
            over: false,
            conditions,
        };
        world.say(|| format!("seed {seed}, {mutant:?}"));
        let said = format!("{:?}", world.conditions);
        world.say(|| said);
        world.open();
        world
    }

    fn open(&mut self) {
        for account in 0..self.conditions.accounts {
            self.open_account(account);
            self.oracle.at_large.push(0);
            self.oracle.suspended.push((None, None));
            self.oracle.entitlements.push(vec![(0, None)]);
            let micros = self.random.between(0, self.conditions.wealth) as i64 * 1_000_000;
            if micros > 0 {
                let now = self.wall_at(0, 0);
                self.grant(account, micros, 100, None, now).expect("a small grant fits");
            }
        }
        for key in 0..self.conditions.keys {
            let expires = self.random.chance(100).then(|| self.random.between(1_000, 20_000));
            let expires_at = expires.map(|ms| self.wall_at(ms * MS, 0));
            let secret = [key as u8 + 1; api_key::SECRET_LEN];
            let secret = api_key::compose(&secret).expect("small bytes make a key");
            let account = key % self.conditions.accounts;
            self.open_key(account, secret, expires_at);
            self.event_queue.put(self.random.between(0, 500) * MS, Event::Arrive { key });
        }
        self.open_plans();
        for number in 0..self.conditions.ledgers {
            let clock = self.a_clock();
            self.ledgers.push(Ledger::new(clock));
            self.start_ledger(number);
        }
        for _ in 0..self.conditions.gateways {
            let clock = self.a_clock();
            self.start_gateway(clock, None);
        }
        if !self.conditions.troubles.is_empty() {
            let first = self.random.wait(self.conditions.trouble_ms * MS);
            self.event_queue.put(first, Event::AttemptError);
        }
        self.event_queue.put(self.conditions.length_ms * MS, Event::Healed);
    }

    /// The clock of a machine: up to a twentieth wrong.
    pub fn a_clock(&mut self) -> Clock {
        let ppm = self.random.between(0, 100_000) as i64 - 50_000;
        Clock { offset: self.random.between(1_000, 1_000_000_000) * MS, ppm }
    }

    /// What a wall clock shows at `time`, when it is `off_ms` wrong.
    pub fn wall_at(&self, time: u64, off_ms: i64) -> Timestamp {
        wall(time, off_ms, self.conditions.pace())
    }

    /// Writes a line of the trace.
    pub fn say(&mut self, words: impl FnOnce() -> String) {
        self.trace.say(self.time, words);
    }

    /// Puts something down that happens in `nanos` from now.
    pub fn later(&mut self, nanos: u64, event: Event) {
        self.event_queue.put(self.time.saturating_add(nanos), event);
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        let done = self.do_happen(event);
        self.note_contracts();
        done
    }

    fn do_happen(&mut self, event: Event) -> Result<(), String> {
        if let Some(serial) = event.worker() {
            let Some(worker) = self.workers.get(&serial) else {
                return Ok(()); // It was killed.
            };
            let gateway = &mut self.gateways[worker.gateway];
            if gateway.frozen {
                gateway.asleep.push(event);
                return Ok(());
            }
        }
        match event {
            Event::Tick { worker } => self.tick(worker),
            Event::Bell { worker } => self.speak(worker),
            Event::Arrive { key } => {
                self.next_client(key);
                Ok(())
            }
            Event::ArriveAt { worker, key, path } => self.arrive(worker, key, path),
            Event::Over { worker, context } => self.end_request(worker, context),
            Event::Vouch { worker, context } => {
                self.vouch(worker, context);
                Ok(())
            }
            Event::HangUp { worker, context } => {
                self.hang_up(worker, context);
                Ok(())
            }
            Event::Request { worker, id, message } => self.take_in(worker, id, &message),
            Event::Answer { worker, id, answer } => self.hear(worker, id, answer),
            Event::Watch { ledger, start } => self.watch(ledger, start),
            Event::Expiry { ledger, start } => self.let_expire(ledger, start),
            Event::AttemptError => self.trouble(),
            Event::GatewayStarts => {
                let clock = self.a_clock();
                self.start_gateway(clock, None);
                Ok(())
            }
            Event::GatewayThaws { gateway } => {
                self.thaw(gateway);
                Ok(())
            }
            Event::GatewayMended { gateway } => {
                self.gateways[gateway].cut_off = false;
                self.say(|| format!("gateway {gateway} reaches the ledgers again"));
                Ok(())
            }
            Event::LedgerStarts { ledger } => {
                self.start_ledger(ledger);
                Ok(())
            }
            Event::AccountResumed { account } => self.resume(account),
            Event::Healed => {
                self.heal();
                Ok(())
            }
            Event::End => self.end(),
        }
    }

    /// Checks an account after its money may have moved.
    pub fn check_account(&self, account: usize) -> Result<(), String> {
        audit::account(&self.model, account)?;
        self.oracle.check_on_credit(&self.model, account)?;
        self.oracle.check_late(&self.model, account)
    }
}
