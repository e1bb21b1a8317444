//! Scenarios of operations, on the engine in memory.

mod budgets;
mod commands;
mod leases;
mod renewals;

use super::admin::{Answer, Command, Done, IdempotencyRecord, Once};
use super::funds;
use super::keys::{Credential, NewKey};
use super::trail::Origin;
use crate::api;
use crate::domain::account::Transition;
use crate::domain::period::Rhythm;
use crate::domain::plan::{PlanName, Terms};
use crate::domain::{AccountId, AccountNo, GrantId, KeyId, KeyNo, Lease, LeaseState};
use crate::store::draft::{Draft, Stop};
use crate::store::memory::{Memory, Tables};
use crate::store::operation::{Operation, alone, at_once};
use crate::store::rows::{AccountRow, LeaseKey};
use crate::store::{Refusal, StoreError};
use faregate_protocol::Credits;
use jiff::{SignedDuration, Timestamp};

const START: &str = "2026-01-01T00:00:00Z";

fn credits(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000_000)
}

/// A ledger in memory, and its clock.
struct Ledger {
    engine: Memory,
    now: Timestamp,
    commands: u32,
}

impl Ledger {
    /// One with an account `acme`.
    fn new() -> Self {
        let mut ledger = Self { engine: Memory::default(), now: START.parse().unwrap(), commands: 0 };
        ledger.done(Command::CreateAccount { id: AccountId::parse("acme").unwrap(), name: None });
        ledger
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    fn run<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        at_once(alone(&self.engine, operation, self.now)).unwrap()
    }

    fn once(&self, command: Command, key: &str, fingerprint: u8) -> Result<Answer, StoreError> {
        let (key, origin) = (key.to_owned(), Origin::default());
        let record = IdempotencyRecord { key, fingerprint: [fingerprint; 32], origin };
        self.run(Once { command, record })
    }

    fn try_to(&mut self, command: Command) -> Result<Done, Refusal> {
        self.commands += 1;
        match self.once(command, &format!("request {}", self.commands), 0) {
            Ok(Answer::First(done)) => Ok(done),
            Err(StoreError::Refused(refusal)) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    fn done(&mut self, command: Command) -> Done {
        self.try_to(command).unwrap()
    }

    fn key(&mut self, id: &str) -> KeyNo {
        let credential = Credential::Subject(id.to_owned());
        self.done(Command::CreateKey(NewKey::plain("acme", KeyId::stored(id.to_owned()), credential)));
        self.tables().keys.last_key_value().unwrap().0.0
    }

    fn grant(&mut self, id: &str, amount: Credits) -> Result<Done, Refusal> {
        self.try_to(grant(id, amount))
    }

    fn plan(&mut self, name: &str, terms: Terms) {
        self.done(Command::CreatePlan { name: PlanName::parse(name).unwrap(), terms });
    }

    fn subscribe(&mut self, plan: &str) -> api::Subscription {
        let asked = api::NewSubscription { plan: plan.to_owned(), starts_at: None, trial_ends_at: None };
        self.commands += 1;
        let id = format!("sub_{}", self.commands);
        match self.done(Command::Subscribe { account: "acme".into(), id, asked }) {
            Done::Subscription(subscription) => subscription,
            other => panic!("{other:?}"),
        }
    }

    fn turn(&mut self, turn: Transition) {
        self.done(Command::TurnAccount { account: "acme".into(), turn });
    }

    /// Lets a gateway draw so much by a key.
    fn lend(&self, key: KeyNo, gateway: &str, amount: Credits) -> LeaseKey {
        self.run(Lend { account: AccountNo(1), key, gateway: gateway.to_owned(), amount }).unwrap()
    }

    fn tables(&self) -> Tables {
        self.engine.tables().clone()
    }

    fn account(&self) -> AccountRow {
        self.tables().accounts[&(AccountNo(1),)].clone()
    }

    fn available(&self) -> Credits {
        self.account().account.books.available
    }

    /// What the account has agrees with its grants, its leases and its entries.
    fn assert_balanced(&self) {
        let (tables, books) = (self.tables(), self.account().account.books);
        assert!(books.agree(), "{books:?}");
        let sum = |of: &mut dyn Iterator<Item = Credits>| of.fold(Credits::ZERO, Credits::saturating_add);
        assert_eq!(books.available, sum(&mut tables.grants.values().map(|row| row.grant.remaining)));
        assert_eq!(books.held, sum(&mut tables.leases.values().map(|row| row.escrow)));
        let given = tables.entries.values().filter(|row| row.place.2 == 1).map(|row| row.amount);
        assert_eq!(books.granted, sum(&mut { given }));
    }
}

fn grant(id: &str, amount: Credits) -> Command {
    Command::Grant {
        account: "acme".into(),
        id: GrantId::stored(id.to_owned()),
        amount,
        priority: 100,
        expires_at: None,
        note: None,
        source: None,
    }
}

/// So many credits a month, from the start on.
fn monthly(quota: i64) -> Terms {
    Terms::plain(credits(quota), Rhythm::default())
}

/// A gateway draws credits, as an exchange does.
struct Lend {
    account: AccountNo,
    key: KeyNo,
    gateway: String,
    amount: Credits,
}

impl Operation for Lend {
    type Output = LeaseKey;

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<LeaseKey, Stop> {
        let (row, mut money) = funds::load(draft, self.account, &[])?.unwrap();
        let key = draft.key(self.key)?.unwrap();
        money = money.with_budgets(funds::budgets(draft, &row.account, &key.key)?);
        let place = (draft.gateway(&self.gateway)?, self.key);
        let before = draft.lease(place)?;
        let never = Lease::never(place.0, place.1, self.account);
        let mut lease = Lease { epoch: 1, state: LeaseState::Open, ..never };
        lease.granted = money.draw(&mut lease, self.amount)?;
        money.account.holders += 1;
        funds::keep_lease(draft, before.as_ref(), &lease, true, now);
        funds::keep(draft, &row, &money, now)?;
        Ok(place)
    }
}
