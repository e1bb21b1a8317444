//! What is left at each level, counted from the rows themselves, to hold against what the ledger says of it.

use super::ModelLedger;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_ledger::domain::policy::SubscriptionStatus;
use faregate_ledger::domain::{Grant, Key, Scope};
use faregate_ledger::store::rows::{BudgetRow, GrantRow};
use faregate_protocol::Credits;
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{PayerStatus as Shown, Refused, Reset};
use jiff::Timestamp;

/// Too little was left for a key.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub key: usize,
    /// For this cause,
    pub code: RefusalCode,
    /// of which so much was left,
    pub left: i64,
    /// and of all causes together so much.
    pub available: i64,
    /// What the cheapest of the requests that were asked for was missing.
    pub least: i64,
}

impl Found {
    /// Whether it is a reason to refuse a request of this price. One that came after the question, and is cheaper
    /// than those that were asked for, may hear why these can't pass.
    pub fn refuses(&self, code: RefusalCode, price: i64) -> bool {
        self.code == code && self.available < price && self.left < price.max(self.least)
    }
}

impl ModelLedger {
    /// Notes what is left for a key that gets a shortage, and whether that is so: by the rows as they are, if its
    /// entry was the `last` of its account.
    pub(super) fn note_short(
        &mut self,
        (key, last): (usize, bool),
        refused: &Refused,
        least: Credits,
        now: Timestamp,
    ) {
        let reset = refused.reset.as_ref().filter(|_| last);
        let checked = reset.map_or(Ok(()), |reset| self.check_reset(key, reset, now));
        let left = self.left_of(key, refused.code, now);
        let said = Some(refused.available.micros()).filter(|_| !last && left.is_some());
        match (said.or(left), checked) {
            (Some(left), Ok(())) => {
                let (available, least) = (refused.available.micros(), least.micros());
                self.short.push(Found { key, code: refused.code, left, available, least });
            }
            (None, _) => {
                self.record_violation(format!("key {key} is refused with {refused:?}, which is not so"))
            }
            (_, Err(why)) => self.record_violation(format!("key {key} is refused with {refused:?}: {why}")),
        }
    }

    /// What callers may see is so. Where the grants were not at hand, those that have just expired still count.
    pub(super) fn check_status(&mut self, key: usize, status: &Shown, asked: bool, now: Timestamp) {
        let account = self.keys[key].account;
        let left = self.budgets_of(key).map(|row| self.left_in(row)).min().unwrap_or(i64::MAX);
        let of_grants = self.drawable(account, now).min(left);
        let books = self.account(account).books.available.micros().min(left);
        let only_grants = asked && self.is_plan_only(account);
        let available = if only_grants || status.available.micros() == of_grants { of_grants } else { books };
        let entitlement =
            self.account(account).entitlement.as_ref().filter(|entitlement| entitlement.is_in_force());
        let limits = entitlement.map(|entitlement| entitlement.limits).unwrap_or_default();
        let over = status
            .quota
            .as_ref()
            .is_some_and(|quota| quota.resets_at.parse().is_ok_and(|at: Timestamp| at <= now));
        if status.available.micros() != available || status.limits != limits || over {
            self.record_violation(format!(
                "key {key} gets {status:?}, and {available} micro-credits are available"
            ));
        }
    }

    fn is_plan_only(&self, account: usize) -> bool {
        self.account(account).entitlement.as_ref().is_some_and(Entitlement::refuses_overage)
    }

    /// What is left at the level that a cause names; `None` when it can't be the cause.
    fn left_of(&self, key: usize, code: RefusalCode, now: Timestamp) -> Option<i64> {
        let Key { no, team, .. } = *self.key(key);
        let account = self.keys[key].account;
        let status = self.account(account).entitlement.as_ref().map(|entitlement| entitlement.status);
        let money = |is_so: bool| is_so.then(|| self.drawable(account, now));
        match code {
            RefusalCode::InsufficientFunds => money(status.is_none()),
            RefusalCode::QuotaExhausted => money(status == Some(SubscriptionStatus::Good)),
            RefusalCode::SubscriptionExpired => money(status == Some(SubscriptionStatus::Over)),
            RefusalCode::KeyBudgetExhausted => self.left(account, Scope::Key(no)),
            RefusalCode::TeamBudgetExhausted => self.left(account, Scope::Team(team?)),
            RefusalCode::AccountBudgetExhausted => self.left(account, Scope::Account),
            _ => None,
        }
    }

    fn left(&self, account: usize, scope: Scope) -> Option<i64> {
        let row = self.db.budgets.get(&BudgetRow::place(self.accounts[account], scope))?;
        Some(self.left_in(row))
    }

    /// What an account's grants have at some time that may be drawn, if nothing happens until then.
    fn drawable(&self, account: usize, at: Timestamp) -> i64 {
        let plan_only = self.is_plan_only(account);
        let counts = |grant: &Grant| !grant.is_expired(at) && (grant.of_plan || !plan_only);
        let of_account = self.db.grants.values().filter(|row| row.account == self.accounts[account]);
        of_account.map(GrantRow::grant).filter(counts).map(|grant| grant.remaining.micros()).sum()
    }

    /// Waiting yields the promised credits if nothing is spent until then.
    ///
    /// # Errors
    /// Says what it brings.
    fn check_reset(&self, key: usize, reset: &Reset, now: Timestamp) -> Result<(), String> {
        let account = self.keys[key].account;
        let at: Timestamp = reset.at.parse().map_err(|error| format!("{error}"))?;
        let entitlement = self.account(account).entitlement.as_ref();
        let renews = entitlement.filter(|it| {
            it.status == SubscriptionStatus::Good && it.renews_at.is_some_and(|renews| renews <= at)
        });
        let owed = self.account(account).books.owed.micros();
        let money = self.drawable(account, at)
            + renews.map_or(0, |entitlement| (entitlement.quota.micros() - owed).max(0));
        let left = self
            .budgets_of(key)
            .map(|row| if at >= row.until { row.credits.micros() } else { self.left_in(row) });
        let most = left.fold(money, i64::min);
        if reset.brings.micros() > most {
            return Err(format!("at {at} there are {most} micro-credits, and not what is promised"));
        }
        let seconds = at.duration_since(now).as_millis().max(0) / 1_000;
        if u128::from(reset.in_s).abs_diff(seconds as u128) > 1 {
            return Err(format!("{at} is in {seconds} s, and not when it is said to be"));
        }
        Ok(())
    }
}
