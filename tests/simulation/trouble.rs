//! What goes wrong, and what the operator does at the same time.

use crate::clock::MS;
use crate::conditions::AttemptError;
use crate::event::Event;
use crate::mutant::Mutant;
use crate::world::World;
use faregate_ledger::command::admin::Command;
use faregate_ledger::domain::account::Transition;

impl World {
    /// Something happens, and the next thing is planned.
    pub fn trouble(&mut self) -> Result<(), String> {
        if self.healed {
            return Ok(());
        }
        let next = self.random.wait(self.conditions.trouble_ms * MS);
        self.later(next, Event::AttemptError);
        let troubles = self.conditions.troubles.clone();
        let trouble = self.random.pick(&troubles);
        self.say(|| format!("{trouble:?}"));
        match trouble {
            AttemptError::TopUp => self.give(false),
            AttemptError::ExpiringGrant => self.give(true),
            AttemptError::KeyRevoked => {
                // Seldom, or none would be left.
                if self.random.chance(200) {
                    let key = self.random.below(self.model.keys.len());
                    let (id, now) = (self.model.key(key).id.to_string(), self.wall_at(self.time, 0));
                    let revoked = self.model.command(Command::RevokeKey { id }, now);
                    revoked.map_err(|error| error.to_string())?;
                    self.oracle.revoked.entry(key).or_insert(self.time);
                    self.trace.count("keys revoked");
                }
                Ok(())
            }
            AttemptError::AccountSuspended => self.suspend(),
            AttemptError::RecalledByOperator => {
                let now = self.wall_at(self.time, 0);
                self.trace.count("recalls by the operator");
                let recalled = self.model.command(Command::Recall { gateway: None }, now);
                recalled.map_err(|error| error.to_string())
            }
            AttemptError::PlanChanges => self.change_plans(),
            AttemptError::BudgetChanges => self.change_budgets(),
            AttemptError::Correction => self.correct(),
            AttemptError::LedgerKilled => {
                self.kill_ledger();
                Ok(())
            }
            AttemptError::WallClockJumps => {
                let ledger = self.random.below(self.ledgers.len());
                self.ledgers[ledger].off_ms = self.random.between(0, 7_200_000) as i64 - 3_600_000;
                self.trace.count("wall clocks that jumped");
                Ok(())
            }
            fault => {
                self.at_a_gateway(fault);
                Ok(())
            }
        }
    }

    fn at_a_gateway(&mut self, fault: AttemptError) {
        let alive: Vec<usize> = (0..self.gateways.len()).filter(|at| self.gateways[*at].alive).collect();
        if alive.is_empty() {
            return;
        }
        let number = self.random.pick(&alive);
        let life = self.conditions.ttl_ms + self.conditions.grace_ms;
        let while_ms = self.random.between(100, life * 3 / 2);
        match fault {
            AttemptError::GatewayKilled => {
                self.kill_workers(number);
                self.later(while_ms / 4 * MS, Event::GatewayStarts);
                self.trace.count("gateways killed");
            }
            AttemptError::MemoryWiped => {
                let (clock, name) = (self.gateways[number].clock, self.gateways[number].name.clone());
                self.kill_workers(number);
                let name = (self.mutant == Some(Mutant::NameReusedAfterWipe)).then_some(name);
                self.start_gateway(clock, name);
                self.trace.count("memories wiped");
            }
            AttemptError::WorkerKilled => {
                let at = self.random.below(self.gateways[number].workers.len());
                let worker = self.gateways[number].workers.remove(at);
                self.workers.remove(&worker);
                self.gateways[number].mutated = true;
                self.lose_slices(number);
                self.start_worker(number, None);
                self.trace.count("workers killed");
            }
            AttemptError::GatewayFrozen => {
                self.gateways[number].frozen = true;
                self.later(while_ms * MS, Event::GatewayThaws { gateway: number });
                self.trace.count("gateways frozen");
            }
            _ => {
                self.gateways[number].cut_off = true;
                self.later(while_ms * MS, Event::GatewayMended { gateway: number });
                self.trace.count("gateways cut off");
            }
        }
        self.say(|| format!("… gateway {number}, {while_ms} ms"));
    }

    /// A lost worker's slices are charged, whatever it had sold of them.
    fn lose_slices(&mut self, number: usize) {
        for key in 0..self.model.keys.len() {
            let subleased = self.record(number, key).map_or(0, |lease| lease.subleased.micros());
            if subleased > 0 {
                self.trace.count("slices lost with a worker");
                *self.oracle.lost_slices.entry((number, key)).or_default() += subleased;
            }
        }
    }

    fn kill_ledger(&mut self) {
        let number = self.random.below(self.ledgers.len());
        if !self.ledgers[number].up {
            return;
        }
        self.ledgers[number].up = false;
        if let Some(model) = self.before_last_write.take() {
            self.model = model;
        }
        self.trace.count("ledgers killed");
        let away = self.random.between(50, 5_000) * MS;
        self.later(away, Event::LedgerStarts { ledger: number });
    }

    fn give(&mut self, expires: bool) -> Result<(), String> {
        let account = self.random.below(self.model.accounts.len());
        let micros = self.random.between(1, 60) as i64 * 500_000;
        let now = self.wall_at(self.time, 0);
        let lasts = self.random.between(500, 30_000) * MS;
        let expires_at = expires.then(|| self.wall_at(self.time + lasts, 0));
        let priority = self.random.pick(&[10, 100]);
        self.trace.count(if expires { "grants that expire" } else { "top-ups" });
        self.grant(account, micros, priority, expires_at, now).map_err(|error| error.to_string())?;
        self.check_account(account)
    }

    fn suspend(&mut self) -> Result<(), String> {
        let account = self.random.below(self.model.accounts.len());
        if self.turn_account(account, Transition::Suspend)? {
            self.oracle.suspended[account].0 = Some(self.time);
            self.trace.count("accounts suspended");
            let until = self.random.between(200, 12_000) * MS;
            self.later(until, Event::AccountResumed { account });
        }
        Ok(())
    }

    /// The operator lets an account spend again.
    pub fn resume(&mut self, account: usize) -> Result<(), String> {
        if self.turn_account(account, Transition::Resume)? {
            self.oracle.suspended[account] = (None, Some(self.time));
            self.say(|| format!("account {account} is resumed"));
        }
        Ok(())
    }
}
