//! One message from a gateway, as the store takes it in: all its entries and its usage in one transaction.

use super::{Bank, Level};
use crate::mutant::Mutant;
use faregate_ledger::domain::answer::needs_demand;
use faregate_ledger::domain::exchange::{ask_again, beat_ms, check, needs_grants, unknown};
use faregate_ledger::domain::{BookError, GatewayNo, Lease, LeaseState, Payer, Purse, Scope};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Payer as Who, UsageReport, VERSION,
};
use jiff::Timestamp;

/// After how many milliseconds a gateway should ask again while others hand back; as in the store.
const RETRY_MS: u32 = 100;

impl Bank {
    /// Takes in a message.
    ///
    /// # Errors
    /// When a sum would leave its range, which no run of the simulation comes near.
    pub fn exchange(
        &mut self,
        request: &ExchangeRequest,
        now: Timestamp,
    ) -> Result<ExchangeResponse, BookError> {
        match self.thief.speaks(now, self.mutant) {
            Ok(unbookable) => self.spoilt = unbookable && self.mutant == Some(Mutant::UnbookableSpoilsOthers),
            Err(what) => self.accuse(what),
        }
        let gateway = self.gateway(&request.gateway);
        let mut entries = Vec::with_capacity(request.entries.len());
        let mut brisk = false;
        for entry in &request.entries {
            assert_eq!(check(entry), Ok(()));
            let (answer, tight) = self.entry(gateway, entry, now)?;
            brisk |= tight;
            entries.push(answer);
        }
        let usage_seq = request.usage.as_ref().map(|report| self.take_usage(gateway, report));
        let (mut seen, mut changes) = (None, Vec::new());
        if let Some(since) = request.seen {
            brisk |= self.is_brisk(gateway);
            let (newest, news) = self.news(gateway, since, now);
            (seen, changes) = (Some(newest), news);
        }
        Ok(ExchangeResponse { protocol: VERSION, seen, beat_ms: beat_ms(brisk), entries, changes, usage_seq })
    }

    fn gateway(&mut self, name: &str) -> GatewayNo {
        let next = GatewayNo(self.gateways.len() as i64 + 1);
        *self.gateways.entry(name.to_owned()).or_insert(next)
    }

    /// The key that an entry names.
    pub fn payer(&self, who: &Who) -> Option<usize> {
        self.keys.iter().position(|row| match who {
            Who::Key(secret) => *secret == row.secret,
            Who::Id(id) => id == row.key.id.as_str(),
            Who::Subject(_) => false,
        })
    }

    fn entry(
        &mut self,
        gateway: GatewayNo,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(EntryAnswer, bool), BookError> {
        let Some(number) = self.payer(&entry.payer) else {
            return Ok((unknown(entry), false));
        };
        let (mut key, account) = (self.keys[number].key.clone(), self.keys[number].account);
        let stored = self.leases.get(&(gateway, key.no)).map(|row| row.lease.clone());
        let mut lease = stored.unwrap_or_else(|| Lease::never(gateway, key.no, self.accounts[account].no));
        let mut entry = entry.clone();
        let acknowledged = entry.ended;
        if let Some(mutant) = self.mutant {
            mutant.before_entry(&mut entry, &mut lease, &mut key);
        }
        let exact = needs_grants(&self.accounts[account], &lease, &entry);
        let purse = if exact {
            self.purse(account, Some(&lease))
        } else {
            Purse::new(self.accounts[account].clone(), Vec::new())
        };
        let needs_demand = needs_demand(self.accounts[account].contract.as_ref());
        let demand = if needs_demand { self.demand_besides(&lease) } else { 0 };
        let purse = purse.with_budgets(self.budgets_of(account, &key));
        let mut payer = Payer { purse, key, lease, demand };
        if let Some(mutant) = self.mutant {
            mutant.before_verdict(&mut payer);
        }
        let granted = (payer.lease.fence, payer.lease.granted);
        let (mut payer, mut verdict) = payer.exchange(&entry, now, self.ttl_ms);
        let (fence, more) = (payer.lease.fence, payer.lease.granted);
        if more.is_positive() && (fence != granted.0 || more > granted.1) {
            let over = payer.purse.budgets().iter().find(|it| it.spent.saturating_add(it.held) > it.credits);
            if let Some(budget) = over {
                self.accuse(format!("a lease drew beyond a budget: {budget:?}"));
            }
        }
        // What mutants bent of the contract stays as it was.
        payer.purse.account.contract.clone_from(&self.accounts[account].contract);
        if self.mutant == Some(Mutant::FinalWordAcknowledgedUnbooked) {
            verdict.answer.ended = verdict.answer.ended.max(acknowledged.map(|word| word.fence));
        }
        let touched = verdict.touched && payer.lease.state == LeaseState::Open;
        let tight = payer.purse.account.tight;
        let of_key = payer.key.clone();
        self.keep_payer(account, payer, touched, now);
        let mut levels = self.budgets.iter().filter(|((owner, _), _)| *owner == account);
        let over =
            |(owner, level): &(&(usize, Scope), &Level)| owner.1.covers(&of_key) && now >= level.budget.until;
        if let Some((_, level)) = levels.find(over) {
            self.accuse(format!("at {now} a budget's period was over: {level:?}"));
        }
        if let Some(refused) = verdict.answer.refused.as_ref().filter(|refused| refused.code.is_short()) {
            let least = entry.ask.map_or(Credits::ZERO, |ask| ask.least);
            let granted = verdict.answer.lease.map_or(Credits::ZERO, |lease| lease.granted);
            self.note_short(number, refused, least.less(granted), now);
        }
        if let Some(standing) = &verdict.answer.standing {
            self.check_standing(number, standing, exact, now);
        }
        let contested =
            verdict.short.is_some_and(|scope| self.recall_others(account, gateway, number, scope));
        if contested {
            ask_again(&mut verdict.answer, RETRY_MS);
        }
        Ok((verdict.answer, contested || tight))
    }

    fn take_usage(&mut self, gateway: GatewayNo, report: &UsageReport) -> u64 {
        let last = self.brokers.entry((gateway, report.broker.clone())).or_default();
        if report.seq <= *last && self.mutant != Some(Mutant::UsageBookedTwice) {
            return *last;
        }
        *last = report.seq;
        for line in &report.lines {
            let Some(number) = self.payer(&Who::Id(line.payer.clone())) else {
                continue;
            };
            let usage = self.usage.entry((gateway, self.keys[number].key.no)).or_default();
            usage.requests += line.requests;
            usage.micros += line.credits.micros();
            usage.refunds += line.refunds;
        }
        report.seq
    }

    /// What the account's other leases with money tell of together, in requests per second.
    fn demand_besides(&self, lease: &Lease) -> u64 {
        let others = self.leases.values().map(|row| &row.lease).filter(|other| {
            other.account == lease.account && (other.gateway, other.key) != (lease.gateway, lease.key)
        });
        others.filter(|other| other.has_money()).map(|other| u64::from(other.demand)).sum()
    }

    /// Asks an account's other holders in a scope to hand back what they don't need. Tells whether any could.
    fn recall_others(&mut self, account: usize, gateway: GatewayNo, key: usize, scope: Scope) -> bool {
        let (account, key) = (self.accounts[account].no, self.keys[key].key.no);
        let (mut any, mut asked) = (false, false);
        for row in self.leases.values_mut() {
            let lease = &mut row.lease;
            let other = lease.account == account && (lease.gateway, lease.key) != (gateway, key);
            let covered = scope.covers(&self.keys[lease.key.0 as usize - 1].key);
            if other && covered && lease.recallable() > Credits::ZERO {
                any = true;
                asked |= !lease.recall;
                lease.recall = self.mutant != Some(Mutant::RecallForgotten);
            }
        }
        if asked {
            self.announce(account.0, 0, 0);
        }
        any
    }
}
