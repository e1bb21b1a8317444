//! One entry of an exchange: a gateway's report on one payer, and its effects.
//!
//! What must hold: counters merge by maximum, so saying something again changes nothing; whatever a
//! gateway says it has sold is charged, however late it says so, up to a ceiling ([`super::unbooked`]); a payer that
//! may not spend gets no lease, though all that it reports is still booked; and an entry that can't be booked changes
//! nothing and fails alone.

use super::entitlement::Entitlement;
use super::key::Owner;
use super::policy::Remainder;
use super::unbooked::{Cause, Unbooked};
use super::{Account, AccountFunds, BookError, Key, Kind, Lease, LeaseState, Scope, sizing};
use faregate_protocol::exchange::{
    Ask, Ended, Entry, EntryAnswer, LeaseReport, MAX_AMOUNT, MAX_UNGRANTED, Refused,
};
use faregate_protocol::{Credits, RefusalCode};

use jiff::Timestamp;

const LATE: (Kind, Kind) = (Kind::LateSpend, Kind::LateSpendOwed);
/// Among how many leases what is left of a key's or a team's budget is divided at most: it has fewer than its
/// account, and they aren't counted.
const NARROW_HOLDERS: i64 = 4;
const ON_CREDIT: (Kind, Kind) = (Kind::OnCredit, Kind::OnCreditOwed);

/// All that an entry can touch.
#[derive(Clone, Debug)]
pub struct Payer {
    /// The account's money.
    pub funds: AccountFunds,
    /// The credential.
    pub key: Key,
    /// The key's current epoch on this gateway ([`Lease::never`] before the first).
    pub lease: Lease,
    /// The key's holds on this gateway that outlived their epoch; only needed where an entry names some.
    pub holds: Option<Lease>,
    /// The requests per second that the account's other leases with money tell of together; only needed where
    /// the plan has limits ([`super::answer::needs_demand`]).
    pub demand: u64,
}

/// What comes of an entry.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The answer to the gateway.
    pub answer: EntryAnswer,
    /// Callers wait for more than was available: other holders in this scope should hand back what they don't
    /// need.
    pub short: Option<Scope>,
    /// The lease was reported while open, so its lifetime restarts.
    pub touched: bool,
    /// What of it was not charged.
    pub unbooked: Option<Unbooked>,
}

/// How a report relates to the epoch that the ledger has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EpochMatch {
    /// It is the open epoch.
    Current,
    /// It could be opened.
    Fresh,
    /// It is over.
    Over,
    /// The message was overtaken, or comes before the final report on the open epoch.
    Elsewhere,
}

/// Whether an account's grants must be loaded for an entry: because it can move available money, or because only the
/// grants tell how much of that may be drawn, and the answer says so.
pub fn needs_grants(account: &Account, lease: &Lease, entry: &Entry) -> bool {
    let moves = |report: &LeaseReport| {
        report.epoch != lease.epoch
            || report.returned > lease.returned
            || (report.spent > lease.spent
                && (lease.state != LeaseState::Open || report.spent.less(lease.spent) > lease.escrow()))
    };
    account.books.owed.is_positive()
        || account.voiding.is_positive()
        || (entry.ask.is_some() && account.entitlement.as_ref().is_some_and(Entitlement::refuses_overage))
        || entry.ended.is_some_and(|final_report| final_report.epoch >= lease.epoch)
        || entry.on_credit > lease.on_credit
        || !entry.holds.is_none()
        || entry.lease.as_ref().is_some_and(moves)
        || entry
            .ask
            .is_some_and(|ask| ask.need.max(ask.want) > lease.granted || lease.state != LeaseState::Open)
}

/// The answer about somebody the ledger doesn't know. A final report and holds are acknowledged all the same, or
/// the gateway would repeat them for ever.
pub fn unknown(entry: &Entry) -> EntryAnswer {
    EntryAnswer {
        refused: Some(refused(RefusalCode::InvalidKey)),
        ended: entry.ended.map(|final_report| final_report.epoch),
        holds: entry.holds,
        ..EntryAnswer::default()
    }
}

/// The answer when other holders were asked to return credits: try again soon.
pub fn ask_again(answer: &mut EntryAnswer, after_ms: u32) {
    if let Some(refused) = &mut answer.refused {
        refused.retry_ms = Some(after_ms);
    }
}

fn refused(code: RefusalCode) -> Refused {
    Refused { code, available: Credits::ZERO, reset: None, top_up: false, retry_ms: None }
}

impl Payer {
    /// Takes in one entry; gives the payer as it is then. A lease that the entry renews may be spent from for `ttl_ms`
    /// more. One that can't be booked leaves the payer as it was, and its gateway will say it again.
    pub fn exchange(&self, entry: &Entry, now: Timestamp, ttl_ms: u64) -> (Self, Verdict) {
        let mut after = self.clone();
        match after.take_in(entry, now, ttl_ms) {
            Ok(verdict) => (after, verdict),
            Err(error) => (self.clone(), self.failed(entry, error)),
        }
    }

    /// The verdict on an entry that can't be booked: nothing is acknowledged and nothing granted, and who waits is
    /// refused, because it is no fault of the caller's that credits would cure.
    fn failed(&self, entry: &Entry, error: BookError) -> Verdict {
        let answer = EntryAnswer {
            facts: Some(self.facts()),
            refused: Some(refused(RefusalCode::LedgerUnavailable)),
            on_credit: self.lease.on_credit,
            ..EntryAnswer::default()
        };
        let unbooked = Some(self.unbooked(entry, Cause::Failed(error)));
        Verdict { answer, short: None, touched: false, unbooked }
    }

    /// What of an entry is not charged, for the note that an audit finds.
    fn unbooked(&self, entry: &Entry, cause: Cause) -> Unbooked {
        let spent =
            [entry.ended.map(|final_report| final_report.spent), entry.lease.map(|lease| lease.spent)];
        let account = &self.funds.account;
        Unbooked {
            account: (account.no, account.id.clone()),
            key: self.key.id.clone(),
            place: self.lease.place(),
            granted: self.lease.granted,
            spent: spent.into_iter().flatten().max().unwrap_or_default(),
            on_credit: entry.on_credit,
            cause,
        }
    }

    /// # Errors
    /// When a sum would leave its range, or the account's grants are not all there; then nothing of this may be kept.
    fn take_in(&mut self, entry: &Entry, now: Timestamp, ttl_ms: u64) -> Result<Verdict, BookError> {
        let had_money = self.lease.has_credits();
        let had_holds = self.has_holds();
        self.funds.expire(now)?;
        self.funds.roll(now);
        let mut answer = EntryAnswer { facts: Some(self.facts()), ..EntryAnswer::default() };
        let mut verdict =
            Verdict { answer: EntryAnswer::default(), short: None, touched: false, unbooked: None };

        let mut beyond = self.charge_on_credit(entry.on_credit)?;
        answer.on_credit = self.lease.on_credit;
        if let Some(final_report) = entry.ended {
            beyond = beyond.saturating_add(self.end(final_report, entry.holds.carried, now)?);
            answer.ended = Some(final_report.epoch);
        }
        beyond = beyond.saturating_add(self.settle_holds(entry.holds, now)?);
        answer.holds = entry.holds;
        let mut epoch_match = EpochMatch::Elsewhere;
        if let Some(report) = &entry.lease {
            let (as_is, more) = self.merge(report, now)?;
            (epoch_match, beyond) = (as_is, beyond.saturating_add(more));
            verdict.touched = epoch_match == EpochMatch::Current;
            if epoch_match == EpochMatch::Over {
                answer.ended = Some(report.epoch);
            }
        }
        let account = &self.funds.account;
        let owner = Owner::of(account.state, account.entitlement.as_ref());
        if let Some(code) = self.key.refusal(owner, now) {
            answer.refused = Some(refused(code));
        } else if beyond.is_positive() {
            // A gateway whose counters can't be believed gets nothing more for them.
            answer.refused = Some(refused(RefusalCode::LedgerUnavailable));
        } else if let Some(report) = &entry.lease {
            if let (Some(ask), EpochMatch::Current | EpochMatch::Fresh) = (entry.ask, epoch_match) {
                verdict.touched = true;
                let own = i64::from(had_money).saturating_add(i64::from(had_holds));
                let missing = self.raise(report, epoch_match, ask, own)?;
                if missing.is_positive() {
                    let current = self.lease.state == LeaseState::Open && self.lease.epoch == report.epoch;
                    let granted = if current { self.lease.granted } else { Credits::ZERO };
                    let shortage = self.shortage(ask.least.less(granted));
                    verdict.short = Some(shortage.scope());
                    answer.refused = Some(shortage.refused(now));
                }
            }
            answer.lease = self.granted(report.epoch, ttl_ms, had_money);
        }
        self.count_holders(had_money);
        self.count_holds(had_holds);
        answer.status = entry.ask.and_then(|_| self.payer_status(now));
        verdict.unbooked = beyond.is_positive().then(|| self.unbooked(entry, Cause::Excess(beyond)));
        verdict.answer = answer;
        Ok(verdict)
    }

    /// Reclaims a lease whose gateway has been silent for too long. Where what is left of it counts as spent, all
    /// that its gateway may say later is paid already.
    pub fn reclaim(&mut self, now: Timestamp) -> Result<Credits, BookError> {
        let entitlement = self.funds.account.entitlement.as_ref();
        if entitlement.is_none_or(|entitlement| entitlement.remainder == Remainder::Customer) {
            return self.take_back(now);
        }
        let had_money = self.lease.has_credits();
        self.funds.roll(now);
        let forfeited = self.funds.forfeit(&mut self.lease)?;
        self.lease.spent = self.lease.spent.saturating_add(forfeited);
        self.close(LeaseState::Reclaimed);
        self.count_holders(had_money);
        Ok(forfeited)
    }

    /// Takes back a lease whose gateway may well be there, for instance after a restore; what is left goes back
    /// to the customer.
    pub fn take_back(&mut self, now: Timestamp) -> Result<Credits, BookError> {
        let had_money = self.lease.has_credits();
        self.funds.expire(now)?;
        self.funds.roll(now);
        let back = self.funds.give_back(&mut self.lease, Kind::Reclaimed, Credits::MAX, now)?;
        self.close(LeaseState::Reclaimed);
        self.count_holders(had_money);
        Ok(back)
    }

    /// Books new sales on credit. Returns the amount that was not charged.
    fn charge_on_credit(&mut self, reported: Credits) -> Result<Credits, BookError> {
        let growth = reported.less(self.lease.on_credit);
        if !growth.is_positive() {
            return Ok(Credits::ZERO);
        }
        let charged = self.funds.charge(self.lease.place(), ON_CREDIT, growth.min(MAX_UNGRANTED))?;
        self.lease.on_credit = reported;
        Ok(growth.less(charged))
    }

    /// The final report on an epoch. Returns what of it was not charged.
    fn end(&mut self, final_report: Ended, carried: Credits, now: Timestamp) -> Result<Credits, BookError> {
        if final_report.epoch < self.lease.epoch {
            return Ok(Credits::ZERO); // It was said before: only then the later epoch could open.
        }
        if final_report.epoch > self.lease.epoch {
            let holds = self.holds.as_ref().map_or(Credits::ZERO, |holds| carried.less(holds.granted));
            self.forget_for(final_report.epoch, final_report.spent.saturating_add(holds), now)?;
        }
        let beyond = self.book_spent(final_report.spent)?;
        self.carry_over(final_report.spent, carried);
        self.funds.give_back(&mut self.lease, Kind::Return, Credits::MAX, now)?;
        self.close(LeaseState::Ended);
        Ok(beyond)
    }

    /// An epoch that the ledger has no memory of (its row was pruned, or an older copy of the file was
    /// restored). If it was spent from, it counts as one that is over.
    fn forget_for(&mut self, epoch: u32, spent: Credits, now: Timestamp) -> Result<(), BookError> {
        self.funds.give_back(&mut self.lease, Kind::Reclaimed, Credits::MAX, now)?;
        if spent.is_positive() {
            self.lease.restart(epoch, LeaseState::Reclaimed);
        }
        Ok(())
    }

    fn close(&mut self, state: LeaseState) {
        self.lease.state = state;
        self.lease.held = Credits::ZERO;
        self.lease.recall = false;
        self.lease.demand = 0;
    }

    /// Books what is new in the epoch's spent counter, from the lease as far as it goes. Returns what of it was not
    /// charged. That counts as reported all the same, so that it is noted once, however often it is repeated.
    pub(super) fn book_spent(&mut self, reported: Credits) -> Result<Credits, BookError> {
        self.book_spent_of(self.lease.granted, reported)
    }

    /// The same of a lease of which so much is known to have been granted.
    pub(super) fn book_spent_of(
        &mut self,
        granted: Credits,
        reported: Credits,
    ) -> Result<Credits, BookError> {
        let growth = reported.less(self.lease.spent);
        if !growth.is_positive() {
            return Ok(Credits::ZERO);
        }
        let believed = reported.min(granted.saturating_add(MAX_UNGRANTED)).less(self.lease.spent);
        let covered = self.funds.spend(&mut self.lease, growth)?;
        let late = self.funds.charge(self.lease.place(), LATE, believed.less(covered))?;
        self.lease.spent = reported;
        Ok(growth.less(covered).less(late))
    }

    /// Takes in a report on the current epoch. Also returns what of it was not charged.
    fn merge(&mut self, report: &LeaseReport, now: Timestamp) -> Result<(EpochMatch, Credits), BookError> {
        let open = self.lease.state == LeaseState::Open;
        if report.epoch < self.lease.epoch || (report.epoch > self.lease.epoch && open) {
            return Ok((EpochMatch::Elsewhere, Credits::ZERO));
        }
        if report.epoch > self.lease.epoch {
            if !report.spent.is_positive() {
                return Ok((EpochMatch::Fresh, Credits::ZERO));
            }
            self.forget_for(report.epoch, report.spent, now)?;
        }
        let beyond = self.book_spent(report.spent)?;
        if !open {
            return Ok((EpochMatch::Over, beyond));
        }
        let growth = report.returned.less(self.lease.returned);
        if growth.is_positive() {
            let back = self.funds.give_back(&mut self.lease, Kind::Return, growth, now)?;
            self.lease.returned = self.lease.returned.saturating_add(back);
            self.lease.recall = false;
        }
        self.lease.held = report.held;
        self.lease.demand = report.demand;
        self.lease.recall &= self.lease.recallable().is_positive();
        Ok((EpochMatch::Current, beyond))
    }

    /// Raises the lease to the requested amount and opens it if necessary. Returns the shortfall of waiting callers.
    fn raise(
        &mut self,
        report: &LeaseReport,
        epoch_match: EpochMatch,
        ask: Ask,
        own: i64,
    ) -> Result<Credits, BookError> {
        let granted = if epoch_match == EpochMatch::Current { self.lease.granted } else { Credits::ZERO };
        let wanted = ask.want.max(ask.need).less(granted);
        if !wanted.is_positive() {
            return Ok(Credits::ZERO);
        }
        let others = self.funds.account.holders.saturating_sub(own);
        let shortage = self.shortage(wanted);
        let available = shortage.available();
        let narrow = shortage.scope() != Scope::Account;
        let account = &mut self.funds.account;
        // Where a key or a team is short, the account's other holders have nothing to share with it.
        account.tight = available < wanted && if narrow { account.tight } else { others > 0 };
        let most = if narrow { NARROW_HOLDERS } else { i64::MAX };
        let more = sizing::raise(granted, ask, available, others.saturating_add(1).min(most));
        if more.is_positive() {
            if epoch_match == EpochMatch::Fresh {
                self.lease.restart(report.epoch, LeaseState::Open);
                self.lease.held = report.held;
                self.lease.demand = report.demand;
            }
            let drawn = self.funds.draw(&mut self.lease, more)?;
            self.lease.granted = granted.saturating_add(drawn);
            return Ok(ask.need.less(self.lease.granted));
        }
        Ok(ask.need.less(granted))
    }

    fn has_holds(&self) -> bool {
        self.holds.as_ref().is_some_and(Lease::has_credits)
    }

    /// Counts the lease among its account's holders.
    fn count_holders(&mut self, had_money: bool) {
        self.count(had_money, self.lease.has_credits());
        self.lease.fast_heartbeat = self.funds.account.tight && self.lease.has_credits();
    }

    /// Counts its holds as well.
    fn count_holds(&mut self, had_money: bool) {
        self.count(had_money, self.has_holds());
        let tight = self.funds.account.tight;
        if let Some(holds) = &mut self.holds {
            holds.fast_heartbeat = tight && holds.has_credits();
        }
    }

    fn count(&mut self, had_money: bool, has_credits: bool) {
        let account = &mut self.funds.account;
        let change = i64::from(has_credits).saturating_sub(i64::from(had_money));
        account.holders = account.holders.saturating_add(change).max(0);
        if account.holders == 0 {
            account.tight = false;
        }
    }
}

/// When a gateway should heartbeat next, in milliseconds.
pub const fn heartbeat_ms(fast_heartbeat: bool) -> u32 {
    if fast_heartbeat { 100 } else { 1_000 }
}

/// Whether all amounts and levels of an entry make sense; says which does not.
pub fn check(entry: &Entry) -> Result<(), &'static str> {
    let fits = |amount: Credits| amount >= Credits::ZERO && amount <= MAX_AMOUNT;
    let fields = [
        ("on_credit", Some(entry.on_credit)),
        ("holds.carried", Some(entry.holds.carried)),
        ("holds.kept", Some(entry.holds.kept)),
        ("holds.released", Some(entry.holds.released)),
        ("ended.spent", entry.ended.map(|final_report| final_report.spent)),
        ("lease.spent", entry.lease.map(|lease| lease.spent)),
        ("lease.returned", entry.lease.map(|lease| lease.returned)),
        ("lease.held", entry.lease.map(|lease| lease.held)),
        ("ask.least", entry.ask.map(|ask| ask.least)),
        ("ask.need", entry.ask.map(|ask| ask.need)),
        ("ask.want", entry.ask.map(|ask| ask.want)),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, amount)| !amount.is_none_or(fits)) {
        return Err(field);
    }
    if entry.ask.is_some() && entry.lease.is_none() {
        return Err("ask");
    }
    match (entry.ended, entry.lease) {
        (Some(final_report), _) if final_report.epoch == 0 => Err("ended.epoch"),
        (_, Some(lease)) if lease.epoch == 0 => Err("lease.epoch"),
        _ => Ok(()),
    }
}
