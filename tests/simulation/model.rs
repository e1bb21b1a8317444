//! The ledger's durable state: the tables of its engine in memory, with the shipped operations run on them.
//!
//! Beside the tables the simulator counts for itself what they are held against. What must hold after each operation:
//! [`audit`] finds nothing.

mod announced;
pub mod audit;
mod budgets;
mod exchange;
mod forger;
mod maintenance;
mod news;
mod shortage;
mod witness;

use crate::mutant::Mutant;
use faregate_ledger::command::admin::{Answer, Command, IdempotencyRecord, Once};
use faregate_ledger::command::trail::Origin;
use faregate_ledger::domain::holds;
use faregate_ledger::domain::time::at;
use faregate_ledger::domain::{Account, AccountNo, GatewayNo, Key, KeyNo};
use faregate_ledger::store::memory::{Memory, Tables};
use faregate_ledger::store::operation::{Operation, alone, at_once};
use faregate_ledger::store::rows::SubscriptionRow;
use faregate_ledger::store::{Refusal, StoreError};
use jiff::Timestamp;

pub use faregate_ledger::store::rows::LeaseRow;
pub use shortage::Found;

/// A credential, as its owner knows it.
#[derive(Clone, Debug)]
pub struct Credential {
    pub no: KeyNo,
    pub account: usize,
    pub secret: String,
}

/// Everything that survives a crash.
#[derive(Clone, Debug)]
pub struct ModelLedger {
    pub db: Tables,
    pub accounts: Vec<AccountNo>,
    pub keys: Vec<Credential>,
    pub seen: witness::Seen,
    /// The first thing that an operation did wrong.
    pub wrong: Option<String>,
    /// Where too little was left since this was last taken.
    pub short: Vec<Found>,
    pub ttl_ms: u64,
    pub mutant: Option<Mutant>,
    forger: forger::Forger,
    /// The last message came to nothing, for the mutant in which one entry spoils the others.
    pub spoilt: bool,
    messages: u64,
    commands: u64,
    /// An operator's command is under way, and not a job or a message.
    by_operator: bool,
}

impl ModelLedger {
    /// A model whose leases live for `ttl_ms`.
    pub fn new(ttl_ms: u64, mutant: Option<Mutant>) -> Self {
        Self {
            db: Tables::default(),
            accounts: Vec::new(),
            keys: Vec::new(),
            seen: witness::Seen::default(),
            wrong: None,
            short: Vec::new(),
            ttl_ms,
            mutant,
            forger: forger::Forger::new(),
            spoilt: false,
            messages: 0,
            commands: 0,
            by_operator: false,
        }
    }

    /// Runs an operation in a transaction of its own, as a ledger does, and looks at what it has changed.
    fn run<O: Operation>(&mut self, operation: O, now: Timestamp) -> Result<O::Output, StoreError> {
        let before = witness::rows(&self.db, self.mutant.is_some());
        self.run_after(&before, operation, now)
    }

    fn run_after<O: Operation>(
        &mut self,
        before: &Tables,
        operation: O,
        now: Timestamp,
    ) -> Result<O::Output, StoreError> {
        let memory = Memory::new(std::mem::take(&mut self.db));
        let done = at_once(alone(&memory, operation, now)).expect("memory never waits");
        self.db = std::mem::take(&mut *memory.tables());
        if let Some(mutant) = self.mutant {
            mutant.after_operation(&mut self.db, before);
        }
        self.witness(before, at(now.as_millisecond()));
        done
    }

    /// Does what an operator asks, and asks again: a command that comes again changes nothing, nor does one that is
    /// refused.
    pub fn command(&mut self, command: Command, now: Timestamp) -> Result<(), StoreError> {
        self.commands += 1;
        let (key, origin) = (format!("command {}", self.commands), Origin::default());
        let record = IdempotencyRecord { key, fingerprint: [0; 32], origin };
        let (once, before) = (Once { command, record }, witness::rows(&self.db, true));
        self.by_operator = true;
        let done = self.run(once.clone(), now);
        self.by_operator = false;
        if let Err(error) = done {
            if self.mutant == Some(Mutant::RefusalNotUndone) {
                self.renew(now)?;
            }
            if !witness::is_same(&before, &self.db) {
                self.record_violation(format!("refused ({error}), it changed something: {once:?}"));
            }
            return Err(error);
        }
        if self.mutant == Some(Mutant::RepeatedCommandDone) {
            self.db.idempotency.clear();
        }
        let after = witness::rows(&self.db, true);
        let again = self.run(once.clone(), now);
        let replayed =
            matches!(again, Ok(Answer::Replayed(_)) | Err(StoreError::Refused(Refusal::KeyAlreadyShown(_))));
        if !replayed || !witness::is_same(&after, &self.db) {
            self.record_violation(format!("asked again, it changed something: {once:?}: {again:?}"));
        }
        Ok(())
    }

    fn record_violation(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    /// An account.
    pub fn account(&self, number: usize) -> &Account {
        &self.db.accounts[&(self.accounts[number],)].account
    }

    /// Which account this is.
    pub fn account_at(&self, no: AccountNo) -> usize {
        self.accounts.iter().position(|known| *known == no).expect("it was opened")
    }

    /// An account's newest subscription.
    pub fn subscribed(&self, account: usize) -> Option<&SubscriptionRow> {
        self.db.subscriptions.values().rfind(|row| row.account == self.accounts[account])
    }

    /// A key.
    pub fn key(&self, number: usize) -> &Key {
        &self.db.keys[&(self.keys[number].no,)].key
    }

    /// Which key this is.
    pub fn key_at(&self, no: KeyNo) -> usize {
        self.keys.iter().position(|known| known.no == no).expect("it was opened")
    }

    /// The number of a key by its identifier.
    pub fn key_number(id: &str) -> usize {
        id.strip_prefix("key_").and_then(|number| number.parse().ok()).expect("keys are named by number")
    }

    /// The number of a gateway by its name.
    pub fn gateway(&self, name: &str) -> Option<GatewayNo> {
        self.db.gateways.values().find(|row| row.name == name).map(|row| row.no)
    }

    /// All that was charged for what a gateway sold to a key, also after its epoch was over.
    pub fn charged(&self, gateway: &str, key: usize) -> i64 {
        let places = [self.gateway(gateway), self.gateway(&holds::gateway(gateway))];
        let of = |no: &GatewayNo| self.seen.charged.get(&(*no, self.keys[key].no)).copied().unwrap_or(0);
        places.iter().flatten().map(of).sum()
    }

    /// The lease of a key on a gateway.
    pub fn lease(&self, gateway: &str, key: usize) -> Option<&LeaseRow> {
        self.db.leases.get(&(self.gateway(gateway)?, self.keys[key].no))
    }
}
