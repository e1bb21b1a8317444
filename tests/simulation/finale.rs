//! The end: nothing goes wrong any more, the dust settles, and every credit must be accounted for.

use crate::clock::MS;
use crate::event::Event;
use crate::model::audit;
use crate::network::same_money;
use crate::world::World;
use faregate_ledger::domain::Kind;

/// The longest that a request may be under way (ms), and then idle leases go back.
const SETTLES_MS: u64 = 6_000 + 5_000 + 5_000;
/// After this long without use a gateway counts what its lost workers held as spent (ms).
const FORGOTTEN_MS: u64 = 16 * 60 * 1_000;

impl World {
    /// No fault and no client comes any more.
    pub fn heal(&mut self) {
        self.healed = true;
        let conditions = &mut self.conditions;
        (conditions.lost, conditions.repeated, conditions.slow, conditions.failed_commits) = (0, 0, 0, 0);
        for number in 0..self.gateways.len() {
            self.gateways[number].cut_off = false;
            if self.gateways[number].frozen {
                self.thaw(number);
            }
        }
        for number in 0..self.ledgers.len() {
            if !self.ledgers[number].up {
                self.start_ledger(number);
            }
        }
        self.tick_ms = 250;
        let life = (self.conditions.ttl_ms + self.conditions.grace_ms) * 11 / 10;
        // What is still on its way may open an unknown lease; that one is reclaimed, too.
        let rest_ms = self.last_over.saturating_sub(self.time) / MS;
        let settles = SETTLES_MS.max(self.conditions.slow_ms).max(rest_ms + SETTLES_MS);
        self.later((settles + life) * MS, Event::End);
        self.say(|| "all is well again".to_owned());
    }

    /// The dust has settled, unless a lost worker's requests are still set aside.
    pub fn end(&mut self) -> Result<(), String> {
        let mutated = |gateway: &crate::gateway::Gateway| gateway.alive && gateway.mutated;
        let waits = self.tick_ms < 1_000 && self.gateways.iter().any(mutated) && self.is_something_held();
        if waits {
            self.tick_ms = 1_000;
            let life = (self.conditions.ttl_ms + self.conditions.grace_ms) * 11 / 10;
            self.later((FORGOTTEN_MS + life) * MS, Event::End);
            return Ok(());
        }
        self.over = true;
        self.count_rarities();
        self.check_rest()?;
        audit::all(&self.model)?;
        self.model.recount()?;
        self.check_sums()?;
        self.say_again()
    }

    /// Counts in how many worlds something happened that doesn't happen often.
    fn count_rarities(&mut self) {
        for (what, kind) in [
            ("worlds with late spending", Kind::LateSpend),
            ("worlds with late spending beyond the balance", Kind::LateSpendOwed),
            ("worlds with spending on credit", Kind::OnCredit),
            ("worlds with spending on credit beyond the balance", Kind::OnCreditOwed),
            ("worlds with debts paid", Kind::PayOwed),
            ("worlds with breakage", Kind::Breakage),
            ("worlds with voided credits that came back from leases", Kind::VoidReturned),
            ("worlds with voided credits that were spent and are owed", Kind::VoidOwed),
        ] {
            if (0..self.model.accounts.len()).any(|account| self.model.moved(account, kind) > 0) {
                self.trace.count(what);
            }
        }
    }

    fn is_something_held(&self) -> bool {
        self.places().any(|(gateway, key)| {
            let record = self.record(gateway, key);
            record.is_some_and(|lease| {
                let held = [lease.held, lease.subleased, lease.on_credit.held, lease.holds().open()];
                held.iter().any(|amount| amount.is_positive())
            })
        })
    }

    /// Gateways that are alive, with every key.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let alive = (0..self.gateways.len()).filter(|gateway| self.gateways[*gateway].alive);
        alive.flat_map(|gateway| (0..self.model.keys.len()).map(move |key| (gateway, key)))
    }

    /// Nothing is stranded: no lease holds money, and no gateway has anything left to report.
    fn check_rest(&self) -> Result<(), String> {
        for row in self.model.db.leases.values() {
            if row.lease.escrow().is_positive() {
                return Err(format!("money is stranded in a lease: {:?}", row.lease));
            }
        }
        for row in self.model.db.accounts.values() {
            let account = &row.account;
            if account.books.held.is_positive() || account.holders != 0 {
                return Err(format!("money is stranded: {account:?}"));
            }
            if account.voiding.is_positive() {
                return Err(format!(
                    "what leases had of voided grants is neither back nor owed: {account:?}"
                ));
            }
        }
        for (gateway, key) in self.places() {
            if let Some(lease) = self.record(gateway, key)
                && !lease.is_at_rest()
            {
                return Err(format!("gateway {gateway} is not at rest: {lease:?}"));
            }
        }
        match self.workers.iter().find(|(_, worker)| !worker.parked.is_empty()) {
            Some((worker, _)) => Err(format!("requests still wait at worker {worker}")),
            None => Ok(()),
        }
    }

    /// What was charged is what was sold, exactly; and no more was sold than was given.
    fn check_sums(&self) -> Result<(), String> {
        let mut lost = vec![0_i64; self.model.accounts.len()];
        for (number, gateway) in self.gateways.iter().enumerate() {
            for key in 0..self.model.keys.len() {
                let place = self.model.gateway(&gateway.name).map(|no| (no, self.model.keys[key].no));
                let charged = self.model.charged(&gateway.name, key);
                let sold = self.oracle.total(number, key);
                let slices = self.oracle.lost_slices.get(&(number, key)).copied().unwrap_or(0);
                let forfeited = self.oracle.forfeited.get(&(number, key)).copied().unwrap_or(0);
                if charged > sold + slices + forfeited || (gateway.alive && charged < sold) {
                    return Err(format!("gateway {number} sold {sold} to key {key}, charged {charged}"));
                }
                // What was forfeited is charged though perhaps not sold; it makes up for no other loss.
                let least = if forfeited > 0 { 0 } else { i64::MIN };
                lost[self.model.keys[key].account] += (sold - charged).max(least);
                let booked =
                    place.and_then(|place| self.model.seen.usage.get(&place)).map_or(0, |u| u.micros);
                let kept = self.oracle.kept.get(&(number, key)).copied().unwrap_or(0);
                let whole = gateway.alive && !gateway.mutated;
                if booked > kept || (whole && booked != kept) {
                    return Err(format!("gateway {number} kept {kept} of key {key}, usage says {booked}"));
                }
            }
        }
        for (account, lost) in lost.into_iter().enumerate() {
            let at_large = self.oracle.at_large[account] + self.unbooked_credit(account);
            if lost > at_large {
                return Err(format!("account {account}: {lost} sold and never charged, {at_large} at large"));
            }
        }
        Ok(())
    }

    /// What gateways that were lost had let through on credit and not reported.
    fn unbooked_credit(&self, account: usize) -> i64 {
        let of_account = self.oracle.credit.iter().filter(|((gateway, key), _)| {
            !self.gateways[*gateway].alive && self.model.keys[*key].account == account
        });
        let unbooked = of_account.map(|((gateway, key), sold)| {
            let row = self.model.lease(&self.gateways[*gateway].name, *key);
            sold - row.map_or(0, |row| row.lease.on_credit.micros())
        });
        unbooked.sum()
    }

    /// Said once more, no message changes anything but what it asks to hold ready, and that comes back.
    fn say_again(&mut self) -> Result<(), String> {
        let now = self.wall(0);
        self.model.expire(now).map_err(|error| error.to_string())?;
        self.model.renew(now).map_err(|error| error.to_string())?;
        let before = self.model.clone();
        let mut letters = std::mem::take(&mut self.letters);
        for at in (1..letters.len()).rev() {
            letters.swap(at, self.random.below(at + 1));
        }
        for letter in &letters {
            self.trace.count("messages said again at the end");
            let before = self.model.clone();
            self.model.exchange(letter, now).map_err(|error| error.to_string())?;
            same_money(&before, &self.model, letter)?;
        }
        for overdue in self.model.overdue(i64::MAX) {
            self.model.take_back(overdue, now)?;
        }
        audit::all(&self.model)?;
        let books = |model: &crate::model::ModelLedger| {
            model.db.accounts.values().map(|row| row.account.books).collect::<Vec<_>>()
        };
        if books(&before) == books(&self.model) {
            return Ok(());
        }
        Err("what messages took that were said again did not come back".to_owned())
    }
}
