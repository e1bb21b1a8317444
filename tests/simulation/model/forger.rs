//! Somebody who has stolen the gateway token, and says with every message what can't be true, or can't be booked.
//!
//! The two accounts are the thief's victims alone, beside all others, so that what is true of those stays exact. What
//! must hold: a victim is charged no more than was granted and the ceiling on top; its books stay in range and agree;
//! what was said again changes nothing; and an entry that can't be booked changes nothing and is refused.

use crate::mutant::Mutant;
use faregate_ledger::domain::account::MAX_OWED;
use faregate_ledger::domain::unbooked::Cause;
use faregate_ledger::domain::{
    Account, AccountFunds, AccountId, AccountNo, Books, GatewayNo, Grant, GrantNo, Key, KeyId, KeyNo, Kind,
    Lease, Payer,
};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Ask, Ended, Entry, Holds, LeaseReport, MAX_AMOUNT, MAX_UNGRANTED, Payer as Who,
};
use jiff::Timestamp;

/// From this turn on the second victim's books take nothing more: by then honest gateways have leases.
const BROKEN_FROM: i64 = 60;

/// How far the thief has come.
#[derive(Clone, Debug)]
pub struct Forger {
    turn: i64,
    rich: Payer,
    broken: Payer,
}

fn victim(no: i64, books: Books) -> Payer {
    let account = Account {
        no: AccountNo(no),
        id: AccountId::stored(format!("victim_{no}")),
        books,
        ..Account::default()
    };
    let key = Key { no: KeyNo(no), id: KeyId::stored(format!("stolen_{no}")), ..Key::default() };
    let lease = Lease::never(GatewayNo(1), key.no, account.no);
    Payer {
        funds: AccountFunds::new(account, Vec::new()),
        key,
        lease,
        holds: Some(Lease::no_holds(GatewayNo(2), KeyNo(no), AccountNo(no))),
        demand: 0,
    }
}

impl Forger {
    /// One who has not said anything yet.
    pub fn new() -> Self {
        // As a version without a ceiling may have left it: whatever is sold has no room.
        let broken = Books { spent: Credits::MAX, ..Books::default() };
        Self { turn: 0, rich: victim(1, Books::default()), broken: victim(2, broken) }
    }

    /// Says the next thing. Returns whether anything of it could not be booked.
    ///
    /// # Errors
    /// When a lie did what no lie may do.
    pub fn speaks(&mut self, now: Timestamp, mutant: Option<Mutant>) -> Result<bool, String> {
        self.turn += 1;
        if self.turn % 8 == 1 {
            give(&mut self.rich, self.turn);
        }
        let entry = lie(self.turn, &self.rich.lease);
        let before = self.rich.clone();
        let mut said_to = before.clone();
        while mutant == Some(Mutant::CeilingLifted)
            && entry.on_credit.less(said_to.lease.on_credit) > MAX_UNGRANTED
        {
            let on_credit = said_to.lease.on_credit.saturating_add(MAX_UNGRANTED);
            said_to = fresh_purse(&said_to.exchange(&Entry { on_credit, ..blank() }, now, 1_000).0);
        }
        let (after, verdict) = said_to.exchange(&entry, now, 1_000);
        let charged = after.funds.account.books.spent.less(before.funds.account.books.spent);
        let fresh = before.lease.epoch == after.lease.epoch;
        let granted = if fresh { before.lease.granted.less(before.lease.spent) } else { Credits::ZERO };
        let set_aside = before.holds.as_ref().map_or(Credits::ZERO, Lease::escrow);
        // Four counters may rise at once, each up to the ceiling.
        let most = granted.saturating_add(set_aside).saturating_add(MAX_UNGRANTED.times(4));
        let books = after.funds.account.books;
        if charged > most {
            return Err(format!("{charged} were charged for {entry:?}, of which {granted} were granted"));
        }
        if !books.agree() || !books.are_in_range() || books.owed > MAX_OWED {
            return Err(format!("a thief broke the books with {entry:?}: {books:?}"));
        }
        if verdict.unbooked.is_some() && verdict.answer.refused.is_none() {
            return Err(format!("{entry:?} was not refused: {verdict:?}"));
        }
        let (again, _) = fresh_purse(&after).exchange(&Entry { ask: None, ..entry.clone() }, now, 1_000);
        if again.funds.account.books != books {
            return Err(format!("said again, {entry:?} changed something"));
        }
        self.rich = fresh_purse(&after);
        self.cannot_be_booked(now)
    }

    fn cannot_be_booked(&self, now: Timestamp) -> Result<bool, String> {
        if self.turn < BROKEN_FROM {
            return Ok(false);
        }
        let entry = Entry { on_credit: Credits::from_micros(self.turn), ..blank() };
        let (after, verdict) = self.broken.exchange(&entry, now, 1_000);
        let failed = matches!(verdict.unbooked.as_ref().map(|it| &it.cause), Some(Cause::Failed(_)));
        if !failed || after.lease != self.broken.lease || after.funds.account != self.broken.funds.account {
            return Err(format!("{entry:?} left a trace: {after:?} {verdict:?}"));
        }
        Ok(failed)
    }
}

/// The payer as it is loaded next.
fn fresh_purse(payer: &Payer) -> Payer {
    let funds = AccountFunds::new(payer.funds.account.clone(), payer.funds.grants().to_vec());
    Payer { funds, ..payer.clone() }
}

/// As much as one grant may be; refused when the account can take no more.
fn give(payer: &mut Payer, no: i64) {
    let mut given = fresh_purse(payer);
    let (no, priority, expires_at) = (GrantNo(no), 100, None);
    let grant = Grant { no, priority, expires_at, remaining: MAX_AMOUNT, ..Grant::default() };
    if given.funds.issue(Kind::Grant, grant).is_ok() {
        *payer = fresh_purse(&given);
    }
}

fn blank() -> Entry {
    let payer = Who::Id("stolen".to_owned());
    Entry { payer, ended: None, lease: None, ask: None, on_credit: Credits::ZERO, holds: Holds::default() }
}

fn lie(turn: i64, lease: &Lease) -> Entry {
    let zero = Credits::ZERO;
    let report = |epoch, spent| LeaseReport { epoch, spent, returned: zero, held: zero, demand: 0 };
    let ask = Some(Ask { least: zero, need: zero, want: MAX_AMOUNT });
    match turn % 5 {
        4 => {
            // More than was ever carried over, kept and released as well.
            let level = MAX_UNGRANTED.times(turn).times(turn).min(MAX_AMOUNT);
            let holds = Holds { carried: level, kept: level, released: level };
            let ended = Ended { epoch: lease.epoch.max(1), spent: zero };
            Entry { ended: (turn % 2 == 0).then_some(ended), holds, ..blank() }
        }
        0 => Entry { ended: Some(Ended { epoch: lease.epoch.max(1), spent: MAX_AMOUNT }), ..blank() },
        1 => Entry { lease: Some(report(lease.epoch + 1, zero)), ask, ..blank() },
        2 => {
            let level = lease.on_credit.saturating_add(MAX_UNGRANTED.times(turn)).min(MAX_AMOUNT);
            Entry { on_credit: level, ..blank() }
        }
        // Of the epoch that is open, and of one that the ledger knows nothing of.
        _ => {
            let epoch = if turn % 10 == 3 { lease.epoch.max(1) } else { lease.epoch + 1 };
            Entry { lease: Some(report(epoch, MAX_AMOUNT)), ask, ..blank() }
        }
    }
}
