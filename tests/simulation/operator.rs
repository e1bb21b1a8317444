//! What the operator does about plans, subscriptions and budgets, in worlds that have them.

use crate::conditions::PRODUCTS;
use crate::model::Credential;
use crate::world::World;
use faregate_ledger::api::{Edit, NewAlerts, NewSubscription, SubscriptionChange};
use faregate_ledger::command::admin::Command;
use faregate_ledger::command::budgets::{NewBudget, Whose};
use faregate_ledger::command::keys::{self, NewKey};
use faregate_ledger::domain::account::Transition as AccountTurn;
use faregate_ledger::domain::key::hash;
use faregate_ledger::domain::period::{Anchor, Rhythm, Unit, zone};
use faregate_ledger::domain::plan::{Changes, PlanName, Terms};
use faregate_ledger::domain::policy::{OveragePolicy, Remainder};
use faregate_ledger::domain::subscription::{State, Transition};
use faregate_ledger::domain::{AccountId, AccountState, GrantId, KeyId, Scope, TeamId};
use faregate_ledger::store::rows::BudgetRow;
use faregate_ledger::store::{Refusal, StoreError};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Pricing, Product, Rate};
use jiff::{SignedDuration, Timestamp};

/// So many micro-credits.
fn credits(amount: u64) -> Credits {
    Credits::from_micros(amount as i64 * 1_000_000)
}

/// The name of every account's team.
const TEAM: &str = "team";

/// A whole plan, as a change of another.
fn changes(terms: Terms) -> Changes {
    let edit = |number: Option<u32>| number.map_or(Edit::Remove, Edit::Set);
    let Terms { limits, rhythm, .. } = terms;
    Changes {
        quota: Some(terms.quota),
        unit: Some(rhythm.unit),
        every: Some(rhythm.every),
        anchor: Some(rhythm.anchor),
        zone: Some(rhythm.zone),
        rollover: Some(terms.rollover),
        overage: Some(terms.overage),
        overdraft: Some(terms.overdraft),
        rate: edit(limits.rate.map(|rate| rate.milli_per_s)),
        burst: limits.rate.map_or(Edit::Keep, |rate| Edit::Set(rate.burst)),
        concurrent: edit(limits.concurrent),
        products: terms.products.map_or(Edit::Remove, Edit::Set),
        remainder: Some(terms.remainder),
        warn_below: Edit::Remove,
        alert_below: terms.alert_below.map_or(Edit::Remove, Edit::Set),
    }
}

impl World {
    fn id(&self, account: usize) -> String {
        self.model.account(account).id.to_string()
    }

    /// Opens an account, with a team.
    pub fn open_account(&mut self, number: usize) {
        let now = self.wall_at(0, 0);
        let id = AccountId::stored(format!("account_{number}"));
        let account = id.to_string();
        let team = TeamId::parse(TEAM).expect("it is a name");
        for command in
            [Command::CreateAccount { id, name: None }, Command::CreateTeam { account, id: team, name: None }]
        {
            self.model.command(command, now).expect("it is not there yet");
        }
        let newest = self.model.db.accounts.last_key_value().map(|(no, _)| no.0);
        self.model.accounts.extend(newest);
        let asked = NewAlerts { balance_below: Some(credits(self.conditions.wealth / 2)) };
        let alerts = Command::SetAlerts { account: Some(self.id(number)), asked };
        self.model.command(alerts, now).expect("it is there");
    }

    /// Gives an account a key, perhaps of its team, and perhaps for some products only.
    pub fn open_key(&mut self, account: usize, secret: String, expires_at: Option<Timestamp>) {
        let (mut team, mut products) = (None, None);
        if let Some(planned) = &self.conditions.planned {
            let limited = planned.products && self.of_plans.chance(300);
            team = self.of_plans.chance(600).then(|| TEAM.to_owned());
            let only = self.of_plans.pick(&PRODUCTS);
            products = limited.then(|| vec![only.to_owned()]);
        }
        let key = NewKey {
            account: self.id(account),
            id: KeyId::stored(format!("key_{}", self.model.keys.len())),
            credential: keys::Credential::Key { hash: hash(&secret), prefix: String::new() },
            expires_at,
            note: None,
            team,
            products,
        };
        let now = self.wall_at(0, 0);
        self.model.command(Command::CreateKey(key), now).expect("it is not there yet");
        let (no,) = *self.model.db.keys.last_key_value().expect("it was made").0;
        self.model.keys.push(Credential { no, account, secret });
    }

    /// Gives an account credits.
    pub fn grant(
        &mut self,
        account: usize,
        micros: i64,
        priority: u16,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let amount = Credits::from_micros(micros);
        let id = GrantId::stored(format!("grant_{}", self.model.db.grants.len()));
        let (account, note, source) = (self.id(account), None, None);
        let grant = Command::Grant { account, id, amount, priority, expires_at, note, source };
        self.model.command(grant, now)
    }

    /// Suspends or resumes an account. Returns whether that changed anything.
    pub fn turn_account(&mut self, account: usize, turn: AccountTurn) -> Result<bool, String> {
        let state = |world: &Self| -> AccountState { world.model.account(account).state };
        let before = state(self);
        let now = self.wall_at(self.time, 0);
        let turned = self.model.command(Command::TurnAccount { account: self.id(account), turn }, now);
        turned.map_err(|error| error.to_string())?;
        Ok(state(self) != before)
    }

    /// Makes the plans of a world, and what its accounts begin with.
    pub fn open_plans(&mut self) {
        let Some(planned) = self.conditions.planned.clone() else {
            return;
        };
        let now = self.wall_at(0, 0);
        for _ in 0..planned.plans {
            let terms = self.some_terms();
            self.say(|| format!("a plan: {terms:?}"));
            let name = format!("plan_{}", self.model.db.plans.len());
            let name = PlanName::parse(&name).expect("it is a name");
            self.model.command(Command::CreatePlan { name, terms }, now).expect("it is not there yet");
        }
        for account in 0..self.model.accounts.len() {
            if self.of_plans.chance(600) {
                let plan = self.some_plan();
                self.subscribe(account, plan, None, now).expect("a small quota fits");
            }
        }
        for _ in 0..if planned.budgets { 3 } else { 0 } {
            self.set_budget(now).expect("a small budget fits");
        }
        self.note_contracts();
    }

    fn subscribe(
        &mut self,
        account: usize,
        plan: String,
        trial_ends_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id = format!("sub_{}", self.model.db.subscriptions.len());
        let asked = NewSubscription { plan, starts_at: None, trial_ends_at };
        self.model.command(Command::Subscribe { account: self.id(account), id, asked }, now)
    }

    fn some_plan(&mut self) -> String {
        format!("plan_{}", self.of_plans.below(self.model.db.plans.len()))
    }

    fn some_rhythm(&mut self, anchor: Anchor) -> Rhythm {
        let (unit, every) =
            self.of_plans.pick(&[(Unit::Hour, 1), (Unit::Hour, 1), (Unit::Hour, 3), (Unit::Day, 1)]);
        Rhythm { unit, every, anchor, zone: zone("UTC").expect("it is known") }
    }

    fn some_terms(&mut self) -> Terms {
        let planned = self.conditions.planned.clone().expect("this world has plans");
        let anchor = self.of_plans.pick(&[Anchor::Start, Anchor::Calendar]);
        let rhythm = self.some_rhythm(anchor);
        let random = &mut self.of_plans;
        let quota = random.pick(&[5, 30, 200, 2_000]);
        let overage = random.pick(&OveragePolicy::ALL);
        let overdraft = random.between(1, quota);
        let per_s = random.pick(&[1, 5, 20]);
        let has = [planned.limits && random.chance(700), planned.limits && random.chance(700)];
        let limits = Limits {
            rate: has[0].then_some(Rate { milli_per_s: per_s * 1_000, burst: per_s * 2 }),
            concurrent: has[1].then(|| random.pick(&[1, 3, 10])),
        };
        let mut products = Vec::new();
        for name in PRODUCTS {
            let factor = random.pick(&[500_000, 2_000_000]);
            let pricing =
                [Pricing::List, Pricing::Times(Credits::from_micros(factor)), Pricing::Fixed(credits(2))];
            if random.chance(700) {
                products.push(Product { name: name.to_owned(), pricing: random.pick(&pricing) });
            }
        }
        Terms {
            rollover: credits(random.pick(&[0, quota / 2, quota * 2])),
            overage,
            overdraft: if overage == OveragePolicy::Overdraft { credits(overdraft) } else { Credits::ZERO },
            limits,
            products: (planned.products && random.chance(700)).then_some(products),
            remainder: random.pick(&[Remainder::Customer, Remainder::Customer, Remainder::Operator]),
            ..Terms::plain(credits(quota), rhythm)
        }
    }

    /// Some account's plan or subscription changes.
    pub fn change_plans(&mut self) -> Result<(), String> {
        let account = self.of_plans.below(self.model.accounts.len());
        let now = self.wall_at(self.time, 0);
        let ahead = SignedDuration::from_secs(self.of_plans.between(60, 20_000) as i64);
        let later: Timestamp = now.checked_add(ahead).map_err(|error| error.to_string())?;
        let plan = self.some_plan();
        let state = self.model.subscribed(account).map(|row| row.subscription.state);
        let done = match state {
            None | Some(State::Cancelled | State::Expired) => {
                let trial = self.of_plans.chance(200).then_some(later);
                self.trace.count("subscriptions");
                self.subscribe(account, plan, trial, now)
            }
            Some(state) => match self.of_plans.between(0, 9) {
                0..=2 => {
                    let (terms, at_once) = (self.some_terms(), self.of_plans.chance(500));
                    self.say(|| format!("{plan} becomes {terms:?}, at once: {at_once}"));
                    self.trace.count("versions of plans");
                    let changes = changes(terms);
                    self.model.command(Command::ChangePlan { name: plan, changes, at_once }, now)
                }
                3..=5 => {
                    let at_once = self.of_plans.pick(&[None, Some(true), Some(false)]);
                    self.trace.count("changes to another plan");
                    self.say(|| format!("account {account} changes to {plan}, at once: {at_once:?}"));
                    let (id, asked) = (format!("{}", self.time), SubscriptionChange { plan, at_once });
                    let account = self.id(account);
                    self.model.command(Command::ChangeSubscription { account, id, asked }, now)
                }
                _ => {
                    let cancel = Transition::Cancel { at_once: self.of_plans.chance(500) };
                    let turn = match state {
                        State::Paused => {
                            self.of_plans.pick(&[Transition::Resume, Transition::Resume, cancel])
                        }
                        State::PastDue => self.of_plans.pick(&[
                            Transition::Activate,
                            Transition::Activate,
                            Transition::PastDue(later),
                        ]),
                        _ => self.of_plans.pick(&[
                            Transition::Pause,
                            Transition::PastDue(later),
                            Transition::Activate,
                            cancel,
                            Transition::Resume,
                        ]),
                    };
                    self.trace.count("turns of subscriptions");
                    self.say(|| format!("account {account}, {state:?}: {turn:?}"));
                    self.model.command(Command::TurnSubscription { account: self.id(account), turn }, now)
                }
            },
        };
        self.allow_refusal(done)?;
        self.check_account(account)
    }

    /// Some budget comes, changes or goes.
    pub fn change_budgets(&mut self) -> Result<(), String> {
        let now = self.wall_at(self.time, 0);
        let all: Vec<_> = self.model.db.budgets.keys().copied().collect();
        if !all.is_empty() && self.of_plans.chance(250) {
            let row = &self.model.db.budgets[&self.of_plans.pick(&all)];
            let account = self.id(self.model.account_at(row.account));
            let whose = self.whose(row);
            self.trace.count("budgets taken away");
            let done = self.model.command(Command::ClearBudget { account, whose }, now);
            done.map_err(|error| error.to_string())?;
        } else {
            self.set_budget(now)?;
        }
        crate::model::audit::all(&self.model)
    }

    /// What can't be is refused; what can be must be done.
    pub fn allow_refusal(&mut self, done: Result<(), StoreError>) -> Result<(), String> {
        match done {
            Err(StoreError::Refused(Refusal::Book(error))) => Err(error.to_string()),
            Err(StoreError::Refused(_)) => {
                self.trace.count("changes that could not be");
                Ok(())
            }
            other => other.map_err(|error| error.to_string()),
        }
    }

    fn whose(&self, row: &BudgetRow) -> Whose {
        match row.whose() {
            Scope::Account => Whose::Account,
            Scope::Team(_) => Whose::Team(TEAM.to_owned()),
            Scope::Key(no) => Whose::Key(self.model.key(self.model.key_at(no)).id.to_string()),
        }
    }

    fn set_budget(&mut self, now: Timestamp) -> Result<(), String> {
        let key = self.of_plans.below(self.model.keys.len());
        let account = self.model.keys[key].account;
        let whose = match (self.of_plans.between(0, 2), self.model.key(key).team) {
            (0, _) => Whose::Account,
            (1, Some(_)) => Whose::Team(TEAM.to_owned()),
            _ => Whose::Key(self.model.key(key).id.to_string()),
        };
        let (rhythm, amount) = (self.some_rhythm(Anchor::Calendar), self.of_plans.pick(&[1, 10, 100, 1_000]));
        self.trace.count("budgets set");
        self.say(|| format!("account {account}: {whose:?} may use {amount} per {rhythm:?}"));
        let asked = NewBudget { account: self.id(account), whose, credits: credits(amount), rhythm };
        let done = self.model.command(Command::SetBudget(asked), now);
        self.allow_refusal(done)
    }

    /// Writes down what accounts' entitlements have become.
    pub fn note_contracts(&mut self) {
        if self.oracle.settled == self.model.db.stamp() {
            return;
        }
        self.oracle.settled = self.model.db.stamp();
        for (number, history) in self.oracle.entitlements.iter_mut().enumerate() {
            let entitlement = &self.model.account(number).entitlement;
            if history.last().is_none_or(|(_, last)| last != entitlement) {
                history.push((self.time, entitlement.clone()));
            }
        }
    }
}
