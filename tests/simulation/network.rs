//! Messages on their way: sent, lost, repeated, overtaken, taken in, answered.

use crate::clock::MS;
use crate::event::Event;
use crate::model::ModelLedger;
use crate::mutant::Mutant;
use crate::world::World;
use faregate::decide::gate::answer::ResponseHints;
use faregate::decide::lease::credential::Credential;
use faregate::decide::lease::shared::{self, Names};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse, Holds, Limits, OLDEST, VERSION};
use std::rc::Rc;

/// One message in this many is duplicated at once, and one in this many at the end.
const ECHO: usize = 48;
/// An answer that takes longer (ms) excuses a gate that can't wait for the next.
const LONG_MS: u64 = 100;
/// How long ledgers of one release last, where two take turns.
const RELEASE: u64 = 2_000 * MS;
/// How many reports of a thousand come too soon for a ledger, in worlds with ledgers of two releases.
const TOO_SOON: u64 = 30;

impl World {
    /// A worker's host sends every message that is due.
    pub fn speak(&mut self, serial: u64) -> Result<(), String> {
        loop {
            let worker = self.workers.get_mut(&serial).expect("it is alive");
            let gateway = worker.gateway;
            let clock = self.gateways[gateway].clock;
            let now = clock.moment(self.time);
            let Some(message) = worker.gate.next_message(now) else {
                return Ok(());
            };
            self.note_epochs(gateway);
            let worker = self.workers.get_mut(&serial).expect("it is alive");
            let about = message.body.entries.iter().map(|entry| self.model.payer(&entry.payer)).collect();
            worker.flights.insert(message.id, (now, about));
            self.trace.count("messages");
            let id = message.id;
            self.say(|| format!("worker {serial} of gateway {gateway} sends {id}: {}", words(&message.body)));
            if let Some(error) = self.turns_away(&message.body) {
                self.trace.count("messages turned away");
                let worker = self.workers.get_mut(&serial).expect("it is alive");
                if let Some(ms) = error.retry_after_ms {
                    // So long some callers may wait in vain.
                    worker.failed_at = worker.failed_at.max(Some(self.time + u64::from(ms) * MS));
                }
                let resolutions = worker.gate.heard(now, id, None, error);
                worker.flights.remove(&id);
                self.resolve(serial, resolutions)?;
                continue;
            }
            let timeout = clock.really(u64::from(self.settings.ledger.timeout_ms) * MS);
            self.later(timeout, Event::Answer { worker: serial, id, answer: None });
            let message = Rc::new(message.body);
            for delay in self.journeys(gateway) {
                let message = Rc::clone(&message);
                self.later(delay, Event::Request { worker: serial, id, message });
            }
        }
    }

    /// The newest version that ledgers speak now. In the end all are of the newer release.
    fn spoken(&self) -> u32 {
        let older = self.conditions.releases && !self.healed && (self.time / RELEASE).is_multiple_of(2);
        if older { OLDEST } else { VERSION }
    }

    /// What a ledger says that doesn't take a message in. Reports may wait; nobody waits for them.
    fn turns_away(&mut self, message: &ExchangeRequest) -> Option<ResponseHints> {
        if message.protocol > self.spoken() && self.mutant != Some(Mutant::OlderVersionUnspoken) {
            return Some(ResponseHints { unsupported: true, ..ResponseHints::default() });
        }
        let is_report = message.entries.iter().all(|entry| entry.ask.is_none());
        if self.conditions.releases && !self.conditions.calm && is_report && self.random.chance(TOO_SOON) {
            let retry_after_ms = Some(self.random.between(0, 3_000) as u32);
            return Some(ResponseHints { retry_after_ms, ..ResponseHints::default() });
        }
        None
    }

    /// How long each copy of a message takes that leaves now; none when it is lost.
    fn journeys(&mut self, gateway: usize) -> Vec<u64> {
        let copies = if self.random.chance(self.conditions.repeated) { 2 } else { 1 };
        let mut journeys = Vec::new();
        for copy in 0..copies {
            if copy > 0 {
                self.trace.count("messages repeated");
            }
            if self.gateways[gateway].cut_off || self.random.chance(self.conditions.lost) {
                self.trace.count("messages lost");
                continue;
            }
            let slow = self.random.chance(self.conditions.slow);
            if slow {
                self.trace.count("messages delayed");
            }
            let most = if slow { self.conditions.slow_ms * MS } else { 8 * MS };
            journeys.push(self.random.between(100_000, most));
        }
        journeys
    }

    /// A message reaches one of the ledgers.
    pub fn take_in(&mut self, serial: u64, id: u64, message: &Rc<ExchangeRequest>) -> Result<(), String> {
        let ledger = self.random.below(self.ledgers.len());
        let not_understood =
            self.mutant == Some(Mutant::OlderVersionUnspoken) && message.protocol > self.spoken();
        if !self.ledgers[ledger].up || not_understood {
            return self.send_back(serial, id, None); // The port is closed.
        }
        let (mut commits, mut answers) = (true, true);
        if self.random.chance(self.conditions.failed_commits) {
            self.trace.count("commits of unknown outcome");
            (commits, answers) = (self.random.chance(500), false);
            self.say(|| format!("the outcome of {id} of worker {serial} is unknown; committed: {commits}"));
        }
        let before_commit = self.mutant == Some(Mutant::AnsweredBeforeCommit) && !commits;
        if !commits && !before_commit {
            return self.send_back(serial, id, None);
        }
        let now = self.wall(ledger);
        self.oracle.latest_wall = self.oracle.latest_wall.max(now);
        let spoils = self.mutant == Some(Mutant::UnbookableSpoilsOthers);
        let undo = (before_commit || spoils).then(|| self.model.clone());
        if self.mutant == Some(Mutant::LastWritesLost) {
            self.before_last_write = Some(self.model.clone());
        }
        let answer = self.model.exchange(message, now).map_err(|error| error.to_string())?;
        self.say(|| format!("ledger {ledger} answers {id} of worker {serial}: {}", answer_words(&answer)));
        self.note_short();
        if let Some(undo) = undo.filter(|_| before_commit || self.model.spoilt) {
            self.model = undo;
            if spoils {
                return self.send_back(serial, id, None);
            }
            return self.send_back(serial, id, Some(Rc::new(answer)));
        }
        for account in self.accounts_in(message) {
            self.check_account(account)?;
        }
        if self.random.below(ECHO) == 0 {
            self.trace.count("messages said again at once");
            let mut again = self.model.clone();
            again.exchange(message, now).map_err(|error| error.to_string())?;
            same_money(&self.model, &again, message)?;
            self.letters.push(ExchangeRequest::clone(message));
        }
        self.send_back(serial, id, answers.then(|| Rc::new(answer)))
    }

    /// Notes which of a gateway's leases have begun another epoch, and what they carried over.
    fn note_epochs(&mut self, gateway: usize) {
        for key in 0..self.model.keys.len() {
            if let Some(lease) = self.record(gateway, key) {
                self.oracle.note_epoch((gateway, key), lease.epoch, lease.holds().carried.micros());
            }
        }
    }

    fn accounts_in(&self, message: &ExchangeRequest) -> Vec<usize> {
        let payers = message.entries.iter().filter_map(|entry| self.model.payer(&entry.payer));
        payers.map(|key| self.model.keys[key].account).collect()
    }

    /// Notes for whom the ledger found too little, to judge refusals by.
    fn note_short(&mut self) {
        let forget_before = self.time.saturating_sub(self.refusal_window());
        for found in std::mem::take(&mut self.model.short) {
            self.oracle.note_short(self.time, found, forget_before);
        }
    }

    fn send_back(
        &mut self,
        serial: u64,
        id: u64,
        answer: Option<Rc<ExchangeResponse>>,
    ) -> Result<(), String> {
        let Some(worker) = self.workers.get(&serial) else {
            return Ok(());
        };
        let gateway = worker.gateway;
        for delay in self.journeys(gateway) {
            self.later(delay, Event::Answer { worker: serial, id, answer: answer.clone() });
        }
        Ok(())
    }

    /// A worker's host has an answer, or the certainty that none will come.
    pub fn hear(&mut self, serial: u64, id: u64, answer: Option<Rc<ExchangeResponse>>) -> Result<(), String> {
        let gateway = self.workers[&serial].gateway;
        if answer.is_some() && self.gateways[gateway].cut_off {
            self.trace.count("messages lost");
            return Ok(());
        }
        let mut answer = answer.map(|answer| ExchangeResponse::clone(&answer));
        let now = self.moment(gateway);
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        if let Some((sent, about)) = worker.flights.remove(&id) {
            match &mut answer {
                None => {
                    worker.failed_at = worker.failed_at.max(Some(self.time));
                    self.say(|| format!("worker {serial} gives {id} up"));
                }
                Some(answer) => {
                    if now.millis_since(sent) > LONG_MS {
                        worker.failed_at = worker.failed_at.max(Some(self.time));
                    }
                    for (key, said) in about.iter().zip(&answer.entries) {
                        let (Some(key), Some(granted)) = (*key, said.lease) else { continue };
                        let epoch = self.oracle.epochs.entry((gateway, key, granted.epoch)).or_default();
                        if granted.granted.micros() > epoch.granted {
                            self.oracle.moved.insert((gateway, key), self.time);
                        }
                        epoch.granted = epoch.granted.max(granted.granted.micros());
                        epoch.deadline = epoch.deadline.max(sent.plus_millis(granted.ttl_ms));
                    }
                    self.bend(gateway, now.millis_since(sent), &about, answer);
                }
            }
        }
        let answered = answer.is_some();
        let newest = self.spoken();
        let worker = self.workers.get_mut(&serial).expect("it is alive");
        let aside = ResponseHints { newest: if answered { newest } else { 0 }, ..ResponseHints::default() };
        let resolutions = worker.gate.heard(now, id, answer, aside);
        self.note_epochs(gateway);
        for key in 0..self.model.keys.len() {
            self.note_throttle(gateway, key);
        }
        if answered || self.mutant != Some(Mutant::WaitersForgotten) {
            self.resolve(serial, resolutions)?;
        }
        self.speak(serial)
    }

    /// What mutants do to an answer.
    fn bend(&self, gateway: usize, took_ms: u64, about: &[Option<usize>], answer: &mut ExchangeResponse) {
        for (key, said) in about.iter().zip(&mut answer.entries) {
            if let (Some(Mutant::ProductsIgnored), Some(facts)) = (self.mutant, &mut said.facts) {
                (facts.products, facts.key_products) = (None, None);
            }
            if let (Some(Mutant::HoldsAcknowledgedStale), Some(key)) = (self.mutant, *key) {
                said.holds = self.record(gateway, key).map(|lease| lease.holds()).unwrap_or_default();
            }
            let (Some(key), Some(granted)) = (*key, &mut said.lease) else { continue };
            match self.mutant {
                Some(Mutant::DeadlineFromReceipt) => granted.ttl_ms += took_ms,
                Some(Mutant::LimitsIgnored) => granted.limits = Limits::default(),
                Some(Mutant::GrantedMergedBySum) => {
                    let had = self.record(gateway, key).filter(|had| had.epoch == granted.epoch);
                    let had = had.map_or(Credits::ZERO, |had| had.granted);
                    granted.granted = granted.granted.saturating_add(had);
                }
                _ => {}
            }
        }
    }

    /// A key's lease as it is in a gateway's memory.
    pub fn record(&self, gateway: usize, key: usize) -> Option<faregate::decide::lease::Lease> {
        let names = Names::new(&self.settings.ledger.cluster, &self.settings.ledger.authority);
        let name = names.lease(&Credential::Key(self.model.keys[key].secret.clone()));
        shared::read(&self.gateways[gateway].memory, &name)
    }
}

/// A repeated message moves no credits out of reach, and none at all unless it asks for more.
///
/// # Errors
/// Says what changed.
pub fn same_money(
    before: &ModelLedger,
    after: &ModelLedger,
    message: &ExchangeRequest,
) -> Result<(), String> {
    let asks = message.entries.iter().any(|entry| entry.ask.is_some());
    let same = before.seen.charged == after.seen.charged && before.seen.usage == after.seen.usage;
    let books = before.db.accounts.values().zip(after.db.accounts.values()).all(|(a, b)| {
        let (a, b) = (a.account.books, b.account.books);
        (a.spent, a.expired, a.owed, a.granted) == (b.spent, b.expired, b.owed, b.granted)
            && (asks || (a.available, a.held) == (b.available, b.held))
    });
    let budgets = before
        .db
        .budgets
        .values()
        .zip(after.db.budgets.values())
        .all(|(a, b)| a.start != b.start || a.spent == b.spent && (asks || a.held == b.held));
    if same && books && budgets {
        Ok(())
    } else {
        Err(format!("said again, a message changed something: {message:?}"))
    }
}

fn words(message: &ExchangeRequest) -> String {
    let mut words = message.seen.map(|seen| format!("heartbeat, seen {seen}")).unwrap_or_default();
    for entry in &message.entries {
        words += &format!(" [{:?}", entry.payer);
        if let Some(final_report) = entry.ended {
            words += &format!(" ended {} at {}", final_report.epoch, final_report.spent);
        }
        if let Some(lease) = entry.lease {
            let (spent, returned, held) = (lease.spent, lease.returned, lease.held);
            words += &format!(" epoch {} spent {spent} returned {returned} held {held}", lease.epoch);
        }
        if let Some(ask) = entry.ask {
            words += &format!(" asks {}/{}/{}", ask.least, ask.need, ask.want);
        }
        if entry.on_credit.is_positive() {
            words += &format!(" on credit {}", entry.on_credit);
        }
        if !entry.holds.is_none() {
            let Holds { carried, kept, released } = entry.holds;
            words += &format!(" holds {carried} kept {kept} released {released}");
        }
        words += "]";
    }
    words + &message.usage.as_ref().map(|usage| format!(" usage {}", usage.seq)).unwrap_or_default()
}

fn answer_words(answer: &ExchangeResponse) -> String {
    let mut words = String::new();
    for entry in &answer.entries {
        words += "[";
        if let Some(lease) = entry.lease {
            let recall = if lease.recall { ", recalled" } else { "" };
            words += &format!("epoch {} granted {}{recall}", lease.epoch, lease.granted);
        }
        if let Some(refused) = &entry.refused {
            let retry = refused.retry_ms.map(|ms| format!(", ask again in {ms}")).unwrap_or_default();
            words += &format!(" {} ({} available{retry})", refused.code, refused.available);
        }
        if let Some(ended) = entry.ended {
            words += &format!(" ended {ended}");
        }
        words += "]";
    }
    if answer.changes.is_empty() { words } else { words + &format!(" changes {:?}", answer.changes) }
}
