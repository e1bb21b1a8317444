//! What a transaction has loaded of accounts, and what has changed since: plain data, no SQL.
//!
//! Several messages work on one sheet, one after the other, each on a [`Draft`]. A draft that is
//! dropped leaves no trace; one that is accepted becomes part of the sheet, to be written at the end.

use crate::domain::unbooked::Unbooked;
use crate::domain::{
    Account, AccountNo, BookError, Budget, GatewayNo, Grant, GrantNo, Key, KeyNo, Lease, Payer, Posting,
    Purse, Scope,
};
use crate::store::minute;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An account with those of its grants that were loaded.
#[derive(Clone, Debug)]
pub struct Money {
    pub account: Account,
    pub grants: Vec<Grant>,
}

/// A lease with the number of the epoch in which it was last named.
#[derive(Clone, Debug)]
pub struct Stamped {
    pub lease: Lease,
    pub touch: i64,
    pub changed_ms: i64,
}

/// By what a lease is found.
pub type LeaseRow = (GatewayNo, KeyNo);

/// By what an entry is found: account, minute, kind, key, gateway, fence, grant.
pub type EntryRow = [i64; 7];

/// What was loaded, and what has changed.
#[derive(Debug, Default)]
pub struct Sheet {
    /// What `epoch` stands at.
    pub epoch: i64,
    pub money: HashMap<AccountNo, Money>,
    pub keys: HashMap<KeyNo, (Key, AccountNo)>,
    pub leases: HashMap<LeaseRow, Stamped>,
    pub budgets: HashMap<(AccountNo, Scope), Budget>,
    /// Of accounts whose plan has limits: what their leases told of together when this was loaded.
    pub demand: HashMap<AccountNo, u64>,
    /// How much of that each loaded lease had told of.
    pub told: HashMap<LeaseRow, u64>,
    pub changed: Changed,
}

/// What must be written.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    pub accounts: BTreeSet<AccountNo>,
    /// Those whose holders beat faster now, or no longer.
    pub turned: BTreeSet<AccountNo>,
    pub grants: BTreeMap<GrantNo, Credits>,
    pub leases: BTreeSet<LeaseRow>,
    pub budgets: BTreeSet<(AccountNo, Scope)>,
    pub entries: BTreeMap<EntryRow, i64>,
    /// What was reported and will never be charged.
    pub unbooked: BTreeMap<LeaseRow, UnbookedRow>,
}

/// What one lease's gateway reported and will never be charged: on top of what is stored.
#[derive(Clone, Copy, Debug)]
pub struct UnbookedRow {
    pub account: AccountNo,
    pub fence: u32,
    pub reports: i64,
    pub credits: Credits,
    pub last_ms: i64,
}

impl Sheet {
    /// The lease of a key on a gateway; [`Lease::never`] when there is none.
    pub fn lease(&self, gateway: GatewayNo, key: KeyNo, account: AccountNo) -> Stamped {
        let never = || Stamped { lease: Lease::never(gateway, key, account), touch: 0, changed_ms: 0 };
        self.leases.get(&(gateway, key)).cloned().unwrap_or_else(never)
    }

    /// A sheet of paper on top of this one.
    pub fn draft(&self, now: Timestamp) -> Draft<'_> {
        Draft { sheet: self, now, own: Own::default() }
    }

    /// Takes over what a draft has changed.
    pub fn accept(&mut self, own: Own) {
        self.money.extend(own.money);
        self.leases.extend(own.leases);
        self.budgets.extend(own.budgets);
        let Changed { accounts, turned, grants, leases, budgets, entries, unbooked } = own.changed;
        self.changed.accounts.extend(accounts);
        self.changed.turned.extend(turned);
        self.changed.grants.extend(grants);
        self.changed.leases.extend(leases);
        self.changed.budgets.extend(budgets);
        for (row, amount) in entries {
            add(&mut self.changed.entries, row, amount);
        }
        for (row, more) in unbooked {
            join(&mut self.changed.unbooked, row, more);
        }
    }
}

/// What one message changes.
#[derive(Debug)]
pub struct Draft<'a> {
    sheet: &'a Sheet,
    now: Timestamp,
    own: Own,
}

/// The changes of a draft, on their own.
#[derive(Debug, Default)]
pub struct Own {
    money: HashMap<AccountNo, Money>,
    leases: HashMap<LeaseRow, Stamped>,
    budgets: HashMap<(AccountNo, Scope), Budget>,
    changed: Changed,
}

impl Draft<'_> {
    /// All that an entry about this key can touch; `None` when there is no such key.
    pub fn payer(&self, gateway: GatewayNo, key: KeyNo) -> Option<Payer> {
        let (key, account) = self.sheet.keys.get(&key)?;
        let scopes = [Some(Scope::Account), key.team.map(Scope::Team), Some(Scope::Key(key.no))];
        let budgets = scopes.into_iter().flatten().filter_map(|scope| self.budget(*account, scope));
        let purse = self.purse(*account)?.with_budgets(budgets.cloned().collect());
        let own = self.own.leases.get(&(gateway, key.no)).cloned();
        let lease = own.unwrap_or_else(|| self.sheet.lease(gateway, key.no, *account)).lease;
        let told = self.sheet.told.get(&(gateway, key.no)).copied().unwrap_or(0);
        let demand = self.sheet.demand.get(account).copied().unwrap_or(0).saturating_sub(told);
        Some(Payer { purse, key: key.clone(), lease, demand })
    }

    fn budget(&self, account: AccountNo, scope: Scope) -> Option<&Budget> {
        self.own.budgets.get(&(account, scope)).or_else(|| self.sheet.budgets.get(&(account, scope)))
    }

    /// An account's money; `None` when the account was not loaded.
    pub fn purse(&self, account: AccountNo) -> Option<Purse> {
        let money = self.own.money.get(&account).or_else(|| self.sheet.money.get(&account))?;
        Some(Purse::new(money.account.clone(), money.grants.clone()))
    }

    /// Keeps what has changed of an account's money.
    pub fn keep_purse(&mut self, before: &Account, purse: &Purse) {
        let no = purse.account.no;
        if *before != purse.account {
            self.own.changed.accounts.insert(no);
        }
        if before.tight != purse.account.tight {
            self.own.changed.turned.insert(no);
        }
        self.own.changed.grants.extend(purse.changed_grants().map(|grant| (grant.no, grant.remaining)));
        for budget in purse.budgets() {
            if self.budget(no, budget.scope) != Some(budget) {
                self.own.budgets.insert((no, budget.scope), budget.clone());
                self.own.changed.budgets.insert((no, budget.scope));
            }
        }
        for posting in purse.postings() {
            let row = entry_row(no, self.now, posting);
            add(&mut self.own.changed.entries, row, posting.amount.micros());
        }
        let money = Money { account: purse.account.clone(), grants: purse.grants().to_vec() };
        self.own.money.insert(no, money);
    }

    /// Keeps what has changed of a payer. A lease whose gateway has just named it is stamped, unless it
    /// has this epoch's stamp already.
    pub fn keep_payer(&mut self, before: &Payer, payer: &Payer, touched: bool) {
        let row = (payer.lease.gateway, payer.lease.key);
        let own = self.own.leases.get(&row).cloned();
        let old = own.unwrap_or_else(|| self.sheet.lease(row.0, row.1, payer.lease.account));
        let touch = if touched { self.sheet.epoch } else { old.touch };
        let has_row = payer.lease.fence > 0 || payer.lease.on_credit.is_positive();
        if has_row && (before.lease != payer.lease || touch != old.touch) {
            let stamped =
                Stamped { lease: payer.lease.clone(), touch, changed_ms: self.now.as_millisecond() };
            self.own.leases.insert(row, stamped);
            self.own.changed.leases.insert(row);
        }
        self.keep_purse(&before.purse.account, &payer.purse);
    }

    /// Notes what gateways said they had sold and will never be charged.
    pub fn note_unbooked(&mut self, what: &Unbooked) {
        let (account, fence, credits) = (what.account.0, what.place.fence, what.lost());
        if credits.is_positive() {
            let row = UnbookedRow { account, fence, reports: 1, credits, last_ms: self.now.as_millisecond() };
            join(&mut self.own.changed.unbooked, (what.place.gateway, what.place.key), row);
        }
    }

    /// Lets expire whatever is due.
    pub fn expire(&mut self, account: AccountNo) -> Result<(), BookError> {
        if let Some(mut purse) = self.purse(account) {
            let before = purse.account.clone();
            purse.expire(self.now)?;
            self.keep_purse(&before, &purse);
        }
        Ok(())
    }

    /// The changes on their own, to be accepted.
    pub fn finish(self) -> Own {
        self.own
    }
}

fn entry_row(account: AccountNo, now: Timestamp, posting: &Posting) -> EntryRow {
    let place = posting.place;
    let kind = posting.kind.number();
    [account.0, minute(now), kind, place.key.0, place.gateway.0, i64::from(place.fence), posting.grant.0]
}

fn join(unbooked: &mut BTreeMap<LeaseRow, UnbookedRow>, row: LeaseRow, more: UnbookedRow) {
    let known = unbooked.remove(&row);
    let (reports, credits) = known.map_or((0, Credits::ZERO), |known| (known.reports, known.credits));
    let (reports, credits) = (more.reports.saturating_add(reports), more.credits.saturating_add(credits));
    unbooked.insert(row, UnbookedRow { reports, credits, ..more });
}

fn add(entries: &mut BTreeMap<EntryRow, i64>, row: EntryRow, amount: i64) {
    let sum = entries.entry(row).or_default();
    // Beyond the range of a column the database refuses it, and nothing of the message is kept.
    *sum = sum.saturating_add(amount);
}
