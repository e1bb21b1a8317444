//! What the operator does about plans, subscriptions and budgets, in worlds that have them.

use crate::bank::Plan;
use crate::bank::plans::Refused;
use crate::conditions::PRODUCTS;
use crate::world::World;
use faregate_ledger::domain::entitlement::{Beyond, Remainder};
use faregate_ledger::domain::period::{Anchor, Rhythm, Unit, zone};
use faregate_ledger::domain::plan::Terms;
use faregate_ledger::domain::subscription::{State, Turn};
use faregate_ledger::domain::{PlanNo, Scope, TeamNo};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Pricing, Product, Rate};
use jiff::{SignedDuration, Timestamp};

/// So many micro-credits.
fn credits(amount: u64) -> Credits {
    Credits::from_micros(amount as i64 * 1_000_000)
}

impl World {
    /// The team of a new key, and the products that it is limited to.
    pub fn membership(&mut self, account: usize) -> (Option<TeamNo>, Option<Vec<String>>) {
        let Some(planned) = &self.conditions.planned else {
            return (None, None);
        };
        let limited = planned.products && self.of_plans.chance(300);
        let team = self.of_plans.chance(600).then_some(TeamNo(account as i64 + 1));
        let only = self.of_plans.pick(&PRODUCTS);
        (team, limited.then(|| vec![only.to_owned()]))
    }

    /// Makes the plans of a world, and what its accounts begin with.
    pub fn open_plans(&mut self) {
        let Some(planned) = self.conditions.planned.clone() else {
            return;
        };
        for _ in 0..planned.plans {
            let terms = self.some_terms();
            self.say(|| format!("a plan: {terms:?}"));
            self.bank.plans.push(Plan { versions: vec![terms], at_once: 0 });
        }
        let now = self.wall_at(0, 0);
        for account in 0..self.bank.accounts.len() {
            if self.of_plans.chance(600) {
                let plan = self.some_plan();
                self.bank.subscribe(account, plan, None, now).expect("a small quota fits");
            }
        }
        for _ in 0..if planned.budgets { 3 } else { 0 } {
            self.set_budget(now);
        }
        self.note_contracts();
    }

    fn some_plan(&mut self) -> PlanNo {
        PlanNo(self.of_plans.below(self.bank.plans.len()) as i64 + 1)
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
        let beyond = random.pick(&Beyond::ALL);
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
            beyond,
            overdraft: if beyond == Beyond::Overdraft { credits(overdraft) } else { Credits::ZERO },
            limits,
            products: (planned.products && random.chance(700)).then_some(products),
            remainder: random.pick(&[Remainder::Customer, Remainder::Customer, Remainder::Operator]),
            ..Terms::plain(credits(quota), rhythm)
        }
    }

    /// Some account's plan or subscription changes.
    pub fn change_plans(&mut self) -> Result<(), String> {
        let account = self.of_plans.below(self.bank.accounts.len());
        let now = self.wall_at(self.time, 0);
        let ahead = SignedDuration::from_secs(self.of_plans.between(60, 20_000) as i64);
        let later: Timestamp = now.checked_add(ahead).map_err(|error| error.to_string())?;
        let plan = self.some_plan();
        let state = self.bank.subscribed(account).map(|it| it.stored.subscription.state);
        let done = match state {
            None | Some(State::Cancelled | State::Expired) => {
                let trial = self.of_plans.chance(200).then_some(later);
                self.trace.count("subscriptions");
                self.bank.subscribe(account, plan, trial, now).map_err(Refused::Books)
            }
            Some(state) => match self.of_plans.between(0, 9) {
                0..=2 => {
                    let (terms, at_once) = (self.some_terms(), self.of_plans.chance(500));
                    self.say(|| format!("plan {plan:?} becomes {terms:?}, at once: {at_once}"));
                    self.trace.count("versions of plans");
                    self.bank.change_plan(plan, terms, at_once);
                    Ok(())
                }
                3..=5 => {
                    let at_once = self.of_plans.pick(&[None, Some(true), Some(false)]);
                    self.trace.count("changes to another plan");
                    self.say(|| format!("account {account} changes to {plan:?}, at once: {at_once:?}"));
                    self.bank.change_subscription(account, plan, at_once, now)
                }
                _ => {
                    let cancel = Turn::Cancel { at_once: self.of_plans.chance(500) };
                    let turn = match state {
                        State::Paused => self.of_plans.pick(&[Turn::Resume, Turn::Resume, cancel]),
                        State::PastDue => {
                            self.of_plans.pick(&[Turn::Activate, Turn::Activate, Turn::PastDue(later)])
                        }
                        _ => self.of_plans.pick(&[
                            Turn::Pause,
                            Turn::PastDue(later),
                            Turn::Activate,
                            cancel,
                            Turn::Resume,
                        ]),
                    };
                    self.trace.count("turns of subscriptions");
                    self.say(|| format!("account {account}, {state:?}: {turn:?}"));
                    self.bank.turn_subscription(account, turn, now)
                }
            },
        };
        match done {
            Ok(()) => {}
            Err(Refused::Wrong) => self.trace.count("changes that could not be"),
            Err(Refused::Books(error)) => return Err(error.to_string()),
        }
        self.check_account(account)
    }

    /// Some budget comes, changes or goes.
    pub fn change_budgets(&mut self) -> Result<(), String> {
        let now = self.wall_at(self.time, 0);
        let all: Vec<(usize, Scope)> = self.bank.budgets.keys().copied().collect();
        if !all.is_empty() && self.of_plans.chance(250) {
            let (account, scope) = self.of_plans.pick(&all);
            self.trace.count("budgets taken away");
            self.bank.clear_budget(account, scope);
        } else {
            self.set_budget(now);
        }
        crate::bank::audit::all(&self.bank)
    }

    fn set_budget(&mut self, now: Timestamp) {
        let key = self.of_plans.below(self.bank.keys.len());
        let account = self.bank.keys[key].account;
        let no = self.bank.keys[key].key.no;
        let team = self.bank.keys[key].key.team;
        let scope = match (self.of_plans.between(0, 2), team) {
            (0, _) => Scope::Account,
            (1, Some(team)) => Scope::Team(team),
            _ => Scope::Key(no),
        };
        let (rhythm, amount) = (self.some_rhythm(Anchor::Calendar), self.of_plans.pick(&[1, 10, 100, 1_000]));
        self.trace.count("budgets set");
        self.say(|| format!("account {account}: {scope:?} may use {amount} per {rhythm:?}"));
        self.bank.set_budget(account, scope, credits(amount), rhythm, now);
    }

    /// Writes down what accounts' contracts have become.
    pub fn note_contracts(&mut self) {
        if self.truth.settled == self.bank.settled {
            return;
        }
        self.truth.settled = self.bank.settled;
        for (row, history) in self.bank.accounts.iter().zip(&mut self.truth.contracts) {
            if history.last().is_none_or(|(_, last)| *last != row.contract) {
                history.push((self.time, row.contract.clone()));
            }
        }
    }
}
