//! Plans and subscriptions, with the steps that the store takes: load, ask the domain what is due, move the
//! money, write the contract anew, let gateways know.

use super::Bank;
use crate::mutant::Mutant;
use faregate_ledger::domain::contract::{Contract, Effect};
use faregate_ledger::domain::plan::{OVERDRAFT_PRIORITY, Terms, Version, Versions};
use faregate_ledger::domain::subscription::{Step, Subscription, Turn};
use faregate_ledger::domain::{BookError, GrantNo, PlanNo};
use faregate_ledger::store::plans::{STEPS, Stored, TAKE_BACK_MS, Taken};
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};

/// A plan: its versions, of which the first has number 1, and the newest that counts at once.
#[derive(Clone, Debug)]
pub struct Plan {
    pub versions: Vec<Terms>,
    pub at_once: u32,
}

impl Plan {
    fn version(&self, number: u32) -> Version {
        Version { number, terms: self.versions[number as usize - 1].clone() }
    }

    fn newest(&self) -> Version {
        self.version(self.versions.len() as u32)
    }
}

/// A subscription, and when it is to be looked at again.
#[derive(Clone, Debug)]
pub struct Subscribed {
    pub stored: Stored,
    pub due: Option<Timestamp>,
    /// When it was over, by the ledger that found it so.
    pub ended_at: Option<Timestamp>,
    /// The periods for which a quota was given; only the last may be cut short.
    periods: Vec<(Timestamp, Timestamp)>,
}

/// Why nothing was done.
#[derive(Debug)]
pub enum Refused {
    /// It can't be done.
    Wrong,
    /// A sum would leave its range, which no run of the simulation comes near.
    Books(BookError),
}

impl From<BookError> for Refused {
    fn from(error: BookError) -> Self {
        Self::Books(error)
    }
}

/// All that a subscription gave, by the smallest priority.
const ALL: u16 = 0;

fn plan_name(plan: PlanNo) -> String {
    format!("plan_{}", plan.0)
}

impl Bank {
    /// An account's newest subscription.
    pub fn subscribed(&self, account: usize) -> Option<&Subscribed> {
        self.subscriptions.iter().rev().find(|it| it.stored.account.0 as usize == account + 1)
    }

    fn newest_of(&self, account: usize) -> Option<usize> {
        self.subscriptions.iter().rposition(|it| it.stored.account.0 as usize == account + 1)
    }

    fn plan(&self, plan: PlanNo) -> &Plan {
        &self.plans[plan.0 as usize - 1]
    }

    fn versions(&self, subscription: &Subscription) -> Versions {
        let plan = self.plan(subscription.plan);
        Versions {
            used: plan.version(subscription.version),
            at_once: (plan.at_once > 0).then(|| plan.version(plan.at_once)),
            newest: plan.newest(),
            next: subscription.next_plan.map(|next| self.plan(next).newest()),
        }
    }

    /// What a subscription means for exchanges.
    pub fn contract_of(&self, subscribed: &Subscribed) -> Option<Contract> {
        let Stored { plan_name, subscription, .. } = &subscribed.stored;
        Contract::of(plan_name, subscription, &self.versions(subscription))
    }

    /// Subscribes an account; it must not have a plan.
    pub fn subscribe(
        &mut self,
        account: usize,
        plan: PlanNo,
        trial: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), BookError> {
        let no = self.subscriptions.len() as i64 + 1;
        let subscription = Subscription::new((plan, &self.plan(plan).newest()), now, trial, now);
        let stored = Stored {
            no,
            id: format!("sub_{no}"),
            account: self.accounts[account].no,
            account_id: self.accounts[account].id.to_string(),
            plan_name: plan_name(plan),
            next_name: None,
            subscription,
            created_at: now,
        };
        self.subscriptions.push(Subscribed { stored, due: None, ended_at: None, periods: Vec::new() });
        self.advance(self.subscriptions.len() - 1, now)
    }

    /// Does what an operator asks about an account's subscription, and what is due then.
    pub fn turn_subscription(&mut self, account: usize, turn: Turn, now: Timestamp) -> Result<(), Refused> {
        let Some(at) = self.newest_of(account) else { return Ok(()) };
        let mut stored = self.subscriptions[at].stored.clone();
        let versions = self.versions(&stored.subscription);
        stored.turn(turn, &versions.coming().terms, now).map_err(|_| Refused::Wrong)?;
        self.subscriptions[at].stored = stored;
        Ok(self.advance(at, now)?)
    }

    /// Changes an account's subscription to another plan, now or with the next period.
    pub fn change_subscription(
        &mut self,
        account: usize,
        plan: PlanNo,
        at_once: Option<bool>,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let Some(at) = self.newest_of(account) else { return Ok(()) };
        let before = self.clone();
        self.advance(at, now)?;
        let subscription = &self.subscriptions[at].stored.subscription;
        let used = self.versions(subscription).used;
        let version = self.plan(plan).newest();
        let step = match subscription.change(&used, (plan, &version), at_once, now) {
            Ok(step) => step,
            Err(_) => {
                *self = before;
                return Err(Refused::Wrong);
            }
        };
        let change = format!(" change {}", self.grants.len());
        let taken = self.take(at, &step, (Some(&plan_name(plan)), &change), now)?;
        Ok(self.settle(at, taken.recall, now)?)
    }

    /// Makes another version of a plan.
    pub fn change_plan(&mut self, plan: PlanNo, terms: Terms, at_once: bool) {
        let plan = &mut self.plans[plan.0 as usize - 1];
        plan.versions.push(terms);
        if at_once {
            plan.at_once = plan.versions.len() as u32;
        }
    }

    /// Renews what is due. Tells how many were looked at.
    pub fn renew(&mut self, now: Timestamp) -> Result<u64, BookError> {
        let mut looked_at = 0;
        for at in 0..self.subscriptions.len() {
            let Subscribed { stored, due, .. } = &self.subscriptions[at];
            let subscription = &stored.subscription;
            let newer = self.plan(subscription.plan).at_once > subscription.version;
            let altered = newer && subscription.period_start.is_some() && !subscription.is_unpaid();
            let altered = altered && subscription.state.as_str() != "paused";
            if due.is_some_and(|due| due <= now || altered) {
                self.advance(at, now)?;
                looked_at += 1;
            }
        }
        Ok(looked_at)
    }

    fn advance(&mut self, at: usize, now: Timestamp) -> Result<(), BookError> {
        let mut taken = Taken::default();
        for _ in 0..STEPS {
            let subscription = &self.subscriptions[at].stored.subscription;
            let step = subscription.due(&self.versions(subscription), now);
            if step == Step::Rest {
                break;
            }
            taken.join(self.take(at, &step, (None, ""), now)?);
        }
        self.settle(at, taken.recall, now)
    }

    fn take(
        &mut self,
        at: usize,
        step: &Step,
        (plan, change): (Option<&str>, &str),
        now: Timestamp,
    ) -> Result<Taken, BookError> {
        let (mut taken, mut lapsed_before) = (Taken::default(), Credits::ZERO);
        let account = self.subscriptions[at].stored.account.0 as usize - 1;
        match step {
            Step::End(_) | Step::Restart(_) => {
                self.cut(at, ALL, now)?;
                taken.recall = true;
            }
            Step::Alter(alteration) if alteration.overdraft.is_zero() => {
                taken.recall = self.cut(at, OVERDRAFT_PRIORITY, now)? || alteration.excess.is_positive();
            }
            Step::Alter(alteration) => taken.recall = alteration.excess.is_positive(),
            Step::Renew(_) => {
                self.lapse(account, now)?;
                lapsed_before = self.lapsed(at);
            }
            Step::Rest | Step::Stop | Step::Next(_) => {}
        }
        self.note_period(at, step);
        if matches!(step, Step::End(_)) {
            self.subscriptions[at].ended_at = Some(now);
        }
        let before = self.subscriptions[at].stored.subscription.granted_until;
        self.subscriptions[at].stored.apply(step, plan);
        let stored = &self.subscriptions[at].stored;
        let (no, gifts) = (stored.no, stored.planned_grants(step, lapsed_before, self.overdraft(at), change));
        for gift in gifts {
            taken.given.push(gift.grant.remaining);
            let mut grant = gift.grant;
            if self.mutant == Some(Mutant::QuotaNeverLapses) {
                grant.expires_at = None;
            }
            self.give(account, grant, Some(no), now)?;
        }
        if self.mutant == Some(Mutant::RenewedTwice) && matches!(step, Step::Renew(_)) {
            self.subscriptions[at].stored.subscription.granted_until = before;
        }
        Ok(taken)
    }

    /// No two periods overlap for which a quota was given, but where an operator had one end early.
    fn note_period(&mut self, at: usize, step: &Step) {
        let (renewal, early) = match step {
            Step::Renew(renewal) => (renewal, false),
            Step::Restart(renewal) => (renewal, true),
            _ => return,
        };
        let periods = &mut self.subscriptions[at].periods;
        if let Some((_, end)) = periods.last_mut() {
            if early {
                *end = (*end).min(renewal.start);
            }
            if renewal.start < *end {
                let what = format!("a period begins before {end} again: {renewal:?}");
                self.wrong.get_or_insert(what);
            }
        }
        periods.push((renewal.start, renewal.end));
    }

    /// What has lapsed of what was given for the last period.
    fn lapsed(&self, at: usize) -> Credits {
        let Stored { no, subscription, .. } = &self.subscriptions[at].stored;
        let given = self.grants.iter().filter(|row| {
            row.subscription == Some(*no)
                && row.grant.expires_at == Some(subscription.granted_until)
                && row.grant.priority != OVERDRAFT_PRIORITY
        });
        let from = subscription.granted_until.as_second().div_euclid(60);
        Credits::from_micros(given.flat_map(|row| row.lapsed.range(from..)).map(|(_, amount)| amount).sum())
    }

    /// What may be overdrawn in the running period, used or not.
    fn overdraft(&self, at: usize) -> Credits {
        let Stored { no, subscription, .. } = &self.subscriptions[at].stored;
        let given = self.grants.iter().filter(|row| {
            row.subscription == Some(*no)
                && row.grant.expires_at == Some(subscription.granted_until)
                && row.grant.priority == OVERDRAFT_PRIORITY
        });
        Credits::from_micros(given.map(|row| row.amount).sum())
    }

    /// Has what the subscription gave expire now, from this priority on. Tells whether there was any.
    fn cut(&mut self, at: usize, from: u16, now: Timestamp) -> Result<bool, BookError> {
        let Stored { no, account, .. } = self.subscriptions[at].stored;
        let mut any = false;
        for row in self.grants.iter_mut().filter(|row| row.subscription == Some(no)) {
            if row.grant.priority >= from && row.grant.expires_at.is_some_and(|end| end > now) {
                row.grant.expires_at = Some(now);
                any = true;
            }
        }
        self.lapse(account.0 as usize - 1, now)?;
        Ok(any)
    }

    /// Writes what a subscription means for exchanges, and lets gateways know.
    fn settle(&mut self, at: usize, recall: bool, now: Timestamp) -> Result<(), BookError> {
        self.take_back_excess(at, now)?;
        let subscribed = &self.subscriptions[at];
        let contract = self.contract_of(subscribed);
        let stored = &subscribed.stored;
        let plan = Some(stored.plan_name.clone()).filter(|_| !stored.subscription.state.is_over());
        let account = stored.account.0 as usize - 1;
        let row = &mut self.accounts[account];
        let effect = Effect::of(row.contract.as_ref(), contract.as_ref());
        let effect = effect.max(if recall { Effect::Recall } else { Effect::None });
        let renamed = row.plan != plan;
        (row.plan, row.contract) = (plan, contract);
        self.settled += 1;
        let told = self.mutant != Some(Mutant::PlanChangesUntold);
        if effect == Effect::Recall && told {
            self.recall_account(account);
        }
        if (effect != Effect::None || renamed) && told {
            self.announce(account as i64 + 1, 0, 0);
        }
        let excess = self.subscriptions[at].stored.subscription.excess;
        let waits = excess.is_positive() && self.is_recalled(account);
        let soon = now.checked_add(SignedDuration::from_millis(TAKE_BACK_MS)).unwrap_or(now);
        let next = self.subscriptions[at].stored.subscription.next_due();
        self.subscriptions[at].due = [Some(soon).filter(|_| waits), next].into_iter().flatten().min();
        Ok(())
    }

    fn recall_account(&mut self, account: usize) {
        let of_account = self.leases.values_mut().filter(|row| row.lease.account.0 as usize == account + 1);
        for row in of_account.filter(|row| row.lease.recallable().is_positive()) {
            row.lease.recall = true;
        }
    }

    fn is_recalled(&self, account: usize) -> bool {
        let leases = self.leases.values().map(|row| &row.lease);
        let of_account = leases.filter(|lease| lease.account.0 as usize == account + 1);
        of_account.filter(|lease| lease.has_money()).any(|lease| lease.recall)
    }

    /// Takes back what is there of what was given beyond the quota; what was given last goes first.
    fn take_back_excess(&mut self, at: usize, now: Timestamp) -> Result<(), BookError> {
        let Stored { no, account, subscription, .. } = &self.subscriptions[at].stored;
        if !subscription.excess.is_positive() {
            return Ok(());
        }
        let (account, excess) = (account.0 as usize - 1, subscription.excess);
        let given = self.grants.iter().rev().filter(|row| {
            row.subscription == Some(*no)
                && row.grant.expires_at == Some(subscription.granted_until)
                && row.grant.priority < OVERDRAFT_PRIORITY
                && row.grant.remaining.is_positive()
        });
        let given: Vec<GrantNo> = given.map(|row| row.grant.no).collect();
        let mut purse = self.purse(account, None);
        let cut = purse.cut(&given, excess)?;
        self.keep_purse(account, &purse, now);
        let subscription = &mut self.subscriptions[at].stored.subscription;
        subscription.excess = subscription.excess.less(cut);
        Ok(())
    }
}
