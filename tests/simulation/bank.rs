//! The ledger's durable state, as the database keeps it, with the ledger's own rules (`domain`) run on it.
//!
//! What the SQL store does around those rules is done here the same way: load, run, keep, tell others. Every
//! function is one transaction. What must hold after each: [`audit`] finds nothing.

pub mod audit;
mod beat;
mod budgets;
mod exchange;
pub mod plans;
mod shortage;
mod thief;
mod upkeep;

use crate::mutant::Mutant;
use faregate_ledger::domain::entry::Book;
use faregate_ledger::domain::{
    Account, AccountId, AccountNo, AccountState, Books, GatewayNo, Grant, GrantNo, Key, KeyId, KeyNo, Kind,
    Lease, Payer, Purse, Scope, TeamNo,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

pub use budgets::Level;
pub use plans::{Plan, Subscribed};
pub use shortage::Found;

/// A credential, and what the gateways are shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRow {
    pub key: Key,
    pub secret: String,
    pub account: usize,
    expiry_told: bool,
}

/// A lease, and the number of the last exchange that named it.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseRow {
    pub lease: Lease,
    pub touch: i64,
}

/// A grant, and what must be known of it besides.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantRow {
    pub account: usize,
    pub grant: Grant,
    pub amount: i64,
    /// Which subscription gave it.
    pub subscription: Option<i64>,
    /// What was taken out of it unused, by the minute.
    pub lapsed: BTreeMap<i64, i64>,
}

/// What was sold, as gateways reported it for invoices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub requests: u64,
    pub micros: i64,
    pub refunds: u64,
}

/// Everything that survives a crash.
#[derive(Clone, Debug)]
pub struct Bank {
    pub accounts: Vec<Account>,
    pub keys: Vec<KeyRow>,
    pub grants: Vec<GrantRow>,
    pub plans: Vec<Plan>,
    /// The newest of an account comes last.
    pub subscriptions: Vec<Subscribed>,
    pub budgets: BTreeMap<(usize, Scope), Level>,
    /// How often a contract may have changed.
    pub settled: u64,
    /// The first thing that a change of plans or budgets did wrong.
    pub wrong: Option<String>,
    /// Where too little was left since this was last taken.
    pub short: Vec<Found>,
    pub gateways: BTreeMap<String, GatewayNo>,
    pub leases: BTreeMap<(GatewayNo, KeyNo), LeaseRow>,
    /// Account, key and gateway of each change; zeros as in the store's table.
    changes: Vec<(i64, i64, i64)>,
    pub touch: i64,
    brokers: BTreeMap<(GatewayNo, String), u64>,
    /// By gateway and key.
    pub usage: BTreeMap<(GatewayNo, KeyNo), Usage>,
    /// By account: what each kind of entry has moved.
    entries: BTreeMap<(usize, Kind), i64>,
    /// All that was charged, for whatever reason, by gateway and key.
    pub charged: BTreeMap<(GatewayNo, KeyNo), i64>,
    pub ttl_ms: u64,
    pub mutant: Option<Mutant>,
    thief: thief::Thief,
    /// The last message came to nothing, for the mutant in which one entry spoils the others.
    pub spoilt: bool,
}

impl Bank {
    /// A bank whose leases live for `ttl_ms`.
    pub fn new(ttl_ms: u64, mutant: Option<Mutant>) -> Self {
        Self {
            accounts: Vec::new(),
            keys: Vec::new(),
            grants: Vec::new(),
            plans: Vec::new(),
            subscriptions: Vec::new(),
            budgets: BTreeMap::new(),
            settled: 0,
            wrong: None,
            short: Vec::new(),
            gateways: BTreeMap::new(),
            leases: BTreeMap::new(),
            changes: Vec::new(),
            touch: 0,
            brokers: BTreeMap::new(),
            usage: BTreeMap::new(),
            entries: BTreeMap::new(),
            charged: BTreeMap::new(),
            ttl_ms,
            mutant,
            thief: thief::Thief::new(),
            spoilt: false,
        }
    }

    /// Opens an account.
    pub fn open_account(&mut self) {
        let number = self.accounts.len();
        self.accounts.push(Account {
            no: AccountNo(number as i64 + 1),
            id: AccountId::stored(format!("account_{number}")),
            state: AccountState::Active,
            books: Books::default(),
            holders: 0,
            tight: false,
            plan: None,
            contract: None,
            budgets: 0,
            due: None,
        });
    }

    /// Gives an account a key, of a team if it says so, and for some products only.
    pub fn open_key(
        &mut self,
        account: usize,
        secret: String,
        expires_at: Option<Timestamp>,
        (team, products): (Option<TeamNo>, Option<Vec<String>>),
    ) {
        let number = self.keys.len();
        let id = KeyId::stored(format!("key_{number}"));
        let key = Key { no: KeyNo(number as i64 + 1), id, revoked: false, expires_at, team, products };
        self.keys.push(KeyRow { key, secret, account, expiry_told: false });
    }

    /// The number of a key by its identifier.
    pub fn key_number(id: &str) -> usize {
        id.strip_prefix("key_").and_then(|number| number.parse().ok()).expect("keys are named by number")
    }

    /// What a kind of entry has moved for an account, in micro-credits.
    pub fn moved(&self, account: usize, kind: Kind) -> i64 {
        self.entries.get(&(account, kind)).copied().unwrap_or(0)
    }

    /// The lease of a key on a gateway.
    pub fn lease(&self, gateway: &str, key: usize) -> Option<&LeaseRow> {
        self.leases.get(&(*self.gateways.get(gateway)?, self.keys[key].key.no))
    }

    fn purse(&self, account: usize, lease: Option<&Lease>) -> Purse {
        let drawn = |no: GrantNo| lease.is_some_and(|lease| lease.draws.iter().any(|draw| draw.grant == no));
        let of_account = self.grants.iter().filter(|row| row.account == account);
        let live = of_account.filter(|row| row.grant.remaining.is_positive() || drawn(row.grant.no));
        Purse::new(self.accounts[account].clone(), live.map(|row| row.grant.clone()).collect())
    }

    fn keep_payer(&mut self, account: usize, payer: Payer, touched: bool, now: Timestamp) {
        let lease = payer.lease;
        let place = (lease.gateway, lease.key);
        if lease.fence > 0 || lease.on_credit.is_positive() {
            if touched {
                self.touch += 1;
            }
            let touch = self.touch;
            match self.leases.get_mut(&place) {
                Some(row) => *row = LeaseRow { lease, touch: if touched { touch } else { row.touch } },
                None => {
                    self.leases.insert(place, LeaseRow { lease, touch: if touched { touch } else { 0 } });
                }
            }
        }
        self.keep_budgets(account, &payer.key, payer.purse.budgets());
        self.keep_purse(account, &payer.purse, now);
        self.meter(account, &payer.key, payer.purse.postings());
    }

    fn keep_purse(&mut self, account: usize, purse: &Purse, now: Timestamp) {
        for grant in purse.changed_grants() {
            self.grants[grant.no.0 as usize - 1].grant.remaining = grant.remaining;
        }
        let plan_only = self.accounts[account].contract.as_ref().is_some_and(|it| it.refuses_beyond());
        for posting in purse.postings() {
            let amount = posting.amount.micros();
            if posting.kind == Kind::Expire {
                let minute = now.as_second().div_euclid(60);
                *self.grants[posting.grant.0 as usize - 1].lapsed.entry(minute).or_default() += amount;
            }
            let bought = || self.grants[posting.grant.0 as usize - 1].subscription.is_none();
            if plan_only && posting.kind == Kind::Draw && bought() {
                self.accuse(format!("{posting:?} is not of the plan, which refuses beyond"));
            }
            *self.entries.entry((account, posting.kind)).or_default() += amount;
            if posting.kind.to() == Book::Revenue {
                *self.charged.entry((posting.place.gateway, posting.place.key)).or_default() += amount;
            }
        }
        let was_tight = std::mem::replace(&mut self.accounts[account], purse.account.clone()).tight;
        if was_tight != purse.account.tight {
            let of_account = self.leases.values_mut().filter(|row| row.lease.account == purse.account.no);
            for row in of_account.filter(|row| row.lease.escrow().is_positive()) {
                row.lease.brisk = purse.account.tight;
            }
        }
    }

    fn accuse(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn announce(&mut self, account: i64, key: i64, gateway: i64) {
        self.changes.push((account, key, gateway));
    }
}
