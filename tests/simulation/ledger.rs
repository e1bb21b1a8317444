//! A ledger process: what it knows only as long as it runs, and its regular jobs on the durable state.

use crate::clock::{Clock, MS};
use crate::conditions::Conditions;
use crate::event::Event;
use crate::mutant::Mutant;
use crate::world::World;
use faregate_ledger::command::reclaim::Reclaim;
use faregate_ledger::domain::holds;
use faregate_ledger::domain::policy::Remainder;
use faregate_ledger::domain::reclaim::Watch;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How often it looks after what expires (ms); as in the ledger's job.
const EXPIRY_MS: u64 = 900;

/// A gateway names holds at least this often (ms), with room.
const NAMED_MS: u64 = 10_000;

/// One process.
pub struct Ledger {
    pub clock: Clock,
    /// How wrong its wall clock is.
    pub off_ms: i64,
    pub up: bool,
    /// Which start of it this is: the jobs of an earlier one are over.
    pub start: u64,
    watch: Watch,
    /// Found overdue, for the mutant that doesn't look again.
    found: Vec<Reclaim>,
}

impl Ledger {
    /// One that is not running yet.
    pub fn new(clock: Clock) -> Self {
        let watch = Watch::new(Duration::ZERO);
        Self { clock, off_ms: 0, up: false, start: 0, watch, found: Vec::new() }
    }
}

impl World {
    /// What a ledger's wall clock shows.
    pub fn wall(&self, ledger: usize) -> Timestamp {
        self.wall_at(self.time, self.ledgers[ledger].off_ms)
    }

    fn patience(&self) -> Duration {
        let grace =
            if self.mutant == Some(Mutant::ReclaimWithoutGrace) { 0 } else { self.conditions.grace_ms };
        Duration::from_millis(self.conditions.ttl_ms + grace)
    }

    fn instant(&self, ledger: usize) -> Instant {
        self.epoch + Duration::from_nanos(self.ledgers[ledger].clock.nanos(self.time))
    }

    /// Starts a ledger on the durable state.
    pub fn start_ledger(&mut self, number: usize) {
        let (patience, now) = (self.patience(), self.instant(number));
        let touch = self.model.db.stamp();
        let ledger = &mut self.ledgers[number];
        ledger.up = true;
        ledger.start += 1;
        ledger.found.clear();
        ledger.watch = Watch::new(patience);
        if self.mutant == Some(Mutant::RestartForgetsPatience) {
            ledger.watch.note(now.checked_sub(patience).expect("it has run for longer"), touch);
        }
        let start = ledger.start;
        self.later(0, Event::Watch { ledger: number, start });
        self.later(0, Event::Expiry { ledger: number, start });
        self.say(|| format!("ledger {number} starts"));
    }

    /// Looks after silent leases.
    pub fn watch(&mut self, number: usize, start: u64) -> Result<(), String> {
        let (patience, now, touch) = (self.patience(), self.instant(number), self.model.db.stamp());
        let ledger = &mut self.ledgers[number];
        if !ledger.up || ledger.start != start {
            return Ok(());
        }
        ledger.watch.note(now, touch);
        let overdue = ledger.watch.overdue(now);
        let mut found = overdue.map(|touch| self.model.overdue(touch)).unwrap_or_default();
        if self.mutant == Some(Mutant::ReclaimUnchecked) {
            std::mem::swap(&mut found, &mut self.ledgers[number].found);
            found.iter_mut().for_each(|overdue| overdue.touch = i64::MAX);
        }
        for overdue in found {
            self.reclaim(number, overdue)?;
        }
        let tick = (patience / 16).clamp(Duration::from_millis(10), Duration::from_millis(500));
        let tick = self.ledgers[number].clock.really(tick.as_nanos() as u64);
        self.later(tick.max(self.tick_ms * MS), Event::Watch { ledger: number, start });
        Ok(())
    }

    fn reclaim(&mut self, number: usize, overdue: Reclaim) -> Result<(), String> {
        let (row, now) = (self.model.db.leases[&overdue.place].clone(), self.wall(number));
        let Some(back) = self.model.reclaim(overdue, now)? else {
            return Ok(());
        };
        let name = &self.model.db.gateways[&(row.lease.gateway,)].name;
        let holds = self.gateways.iter().find(|gateway| holds::gateway(&gateway.name) == *name);
        let name = holds.map_or(name, |gateway| &gateway.name);
        let is_holds = holds.is_some();
        let gateway = self.gateways.iter().position(|gateway| gateway.name == *name);
        let gateway = gateway.expect("only gateways open leases");
        let (account, key) = (self.model.account_at(row.lease.account), self.model.key_at(row.lease.key));
        // Where nothing is lost, a gateway names its holds often enough.
        let Conditions { calm, releases, ttl_ms, .. } = self.conditions;
        if is_holds && calm && !releases && ttl_ms >= NAMED_MS {
            return Err(format!(
                "ledger {number} takes holds of key {key} back, which gateway {gateway} names"
            ));
        }
        let entitlement = self.model.account(account).entitlement.as_ref();
        if entitlement.is_some_and(|entitlement| entitlement.remainder == Remainder::Operator) {
            *self.oracle.forfeited.entry((gateway, key)).or_default() += back.micros();
            self.trace.count(if is_holds { "holds forfeited" } else { "leases forfeited" });
        } else if is_holds {
            // All of it may still be kept, and is charged late then.
            self.oracle.at_large[account] += back.micros();
            self.trace.count("holds taken back");
        } else {
            self.oracle.reclaimed(account, (gateway, key), &row, back.micros());
        }
        self.trace.count("leases reclaimed");
        self.say(|| {
            let epoch = row.lease.epoch;
            let what = if is_holds { "of holds".to_owned() } else { format!("of epoch {epoch}") };
            format!("ledger {number} takes {back} {what} back: gateway {gateway}, key {key}")
        });
        self.check_account(account)
    }

    /// Looks after what expires.
    pub fn let_expire(&mut self, number: usize, start: u64) -> Result<(), String> {
        let ledger = &self.ledgers[number];
        if !ledger.up || ledger.start != start {
            return Ok(());
        }
        let now = self.wall(number);
        let lapsed = self.model.expire(now).map_err(|error| error.to_string())?;
        if lapsed > 0 {
            self.trace.count("expiries");
            self.say(|| format!("ledger {number} lets {lapsed} accounts' grants or keys expire"));
            crate::model::audit::all(&self.model)?;
        }
        let renewed = self.model.renew(now).map_err(|error| error.to_string())?;
        if renewed > 0 {
            self.trace.count("renewals");
            self.say(|| format!("ledger {number} renews {renewed} subscriptions"));
            crate::model::audit::all(&self.model)?;
        }
        let again = self.ledgers[number].clock.really(EXPIRY_MS.max(self.tick_ms) * MS);
        self.later(again, Event::Expiry { ledger: number, start });
        Ok(())
    }
}
