//! What `faregate audit` looks at: whether entries, sums, grants and leases say the same.

use super::ModelLedger;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_ledger::domain::entry::Book;
use faregate_ledger::domain::plan::{Version, Versions};
use faregate_ledger::domain::{Grant, Kind};
use faregate_ledger::domain::{PlanNo, period::Period};
use faregate_ledger::store::rows::SubscriptionRow;
use faregate_protocol::Credits;

/// The first thing that is wrong with an account's money.
///
/// # Errors
/// Says what.
pub fn account(model: &ModelLedger, number: usize) -> Result<(), String> {
    let account = model.account(number);
    let books = account.books;
    let wrong = |what: &str| Err(format!("{}: {what}: {books:?}", account.id));
    if !books.agree() {
        return wrong("granted + owed is not available + held + spent + expired + voided");
    }
    let sums =
        [books.available, books.held, books.spent, books.expired, books.owed, books.granted, books.voided];
    if sums.iter().any(|sum| *sum < Credits::ZERO) {
        return wrong("a sum is below zero");
    }
    let mut moved = [0_i64; Book::ALL.len()];
    for kind in Kind::ALL {
        let amount = model.moved(number, kind);
        moved[kind.from() as usize] -= amount;
        moved[kind.to() as usize] += amount;
    }
    let said = [
        (Book::Issued, -books.granted.micros()),
        (Book::Available, books.available.micros()),
        (Book::Held, books.held.micros()),
        (Book::Revenue, books.spent.micros()),
        (Book::Expired, books.expired.micros()),
        (Book::Owed, -books.owed.micros()),
        (Book::Voided, books.voided.micros()),
    ];
    if let Some((book, _)) = said.iter().find(|(book, sum)| moved[*book as usize] != *sum) {
        return wrong(&format!("the entries of book {} don't add up to its sum", book.as_str()));
    }
    let in_grants = model.db.grants.values().filter(|row| row.account == account.no);
    if in_grants.map(|row| row.grant.remaining.micros()).sum::<i64>() != books.available.micros() {
        return wrong("available is not what remains in the grants");
    }
    if books.owed.is_positive() && books.available.is_positive() {
        return wrong("something is owed while something is available");
    }
    let rows = || model.db.leases.values().filter(|row| row.lease.account == account.no);
    let leases = || rows().map(|row| &row.lease);
    if leases().map(|lease| lease.escrow().micros()).sum::<i64>() != books.held.micros() {
        return wrong("held is not what the leases hold");
    }
    if leases().filter(|lease| lease.has_credits()).count() as i64 != account.holders {
        return wrong(&format!("{} holders are counted", account.holders));
    }
    if let Some(row) = rows().find(|row| row.escrow != row.lease.escrow()) {
        return wrong(&format!("a lease's row says something else of what it holds: {row:?}"));
    }
    if let Some(lease) = leases().find(|lease| lease.fast_heartbeat != (account.tight && lease.has_credits()))
    {
        return wrong(&format!("a holder's heartbeat doesn't go by {:?}: {lease:?}", account.tight));
    }
    if let Some(what) = &model.wrong {
        return wrong(what);
    }
    corrections(model, number)?;
    budgets(model, number)?;
    entitlement(model, number)
}

/// Corrections have taken once what they say, or wait for leases to return it.
fn corrections(model: &ModelLedger, number: usize) -> Result<(), String> {
    let account = model.account(number);
    let grants = || model.db.grants.values().filter(|row| row.account == account.no).map(|row| &row.grant);
    let sum = |of: fn(&Grant) -> Credits| grants().map(|grant| of(grant).micros()).sum::<i64>();
    let waiting = sum(|grant| grant.voiding_owed);
    if waiting != account.voiding.micros() {
        return Err(format!("account {number}: {waiting} wait to be owed, and not {}", account.voiding));
    }
    let (mut took, mut gave) = (0, 0);
    for row in model.db.corrections.values().filter(|row| row.account == account.no) {
        let amount = row.amount.micros();
        *if amount < 0 { &mut took } else { &mut gave } += amount.abs();
        if amount < 0 && row.taken.total().micros() != -amount {
            return Err(format!("account {number}: a correction doesn't add up: {row:?}"));
        }
    }
    let voided = account.books.voided.micros();
    if took != voided + waiting + sum(|grant| grant.voiding) {
        return Err(format!("account {number}: {took} were to be taken back, and {voided} were"));
    }
    if gave != model.moved(number, Kind::AdjustUp) {
        return Err(format!("account {number}: adjustments gave {gave}, and the entries say otherwise"));
    }
    let waits = |grant: &&Grant| grant.voiding.is_positive() || grant.voiding_owed.is_positive();
    match grants().filter(waits).find(|grant| grant.remaining.is_positive()) {
        Some(grant) => Err(format!("account {number}: something remains of a voided grant: {grant:?}")),
        None => Ok(()),
    }
}

/// Budgets hold what the leases in their scope hold, and count what was charged in their period.
fn budgets(model: &ModelLedger, number: usize) -> Result<(), String> {
    let account = model.account(number);
    let of_account = || model.db.budgets.values().filter(|row| row.account == account.no);
    if of_account().count() as i64 != account.budgets {
        return Err(format!("account {number}: {} budgets are counted", account.budgets));
    }
    for row in of_account() {
        let budget = row.budget();
        let wrong = |what: &str| Err(format!("account {number}: {what}: {row:?}"));
        if budget.held.micros() != model.held_in(account.no, budget.scope) {
            return wrong("a budget doesn't hold what the leases in its scope do");
        }
        if budget.spent.micros() != model.metered(row) {
            return wrong("a budget hasn't spent what was charged in its scope and period");
        }
        let Period { start, end, .. } = budget.rhythm.period(budget.start, budget.start);
        if (start, end) != (budget.start, budget.until) {
            return wrong("a budget's period is none of its rhythm");
        }
    }
    Ok(())
}

/// What a subscription means for exchanges.
fn entitlement_of(model: &ModelLedger, row: &SubscriptionRow) -> Option<Entitlement> {
    let subscription = &row.subscription;
    let plan = |no: PlanNo| &model.db.plans[&(no,)];
    let version = |no: PlanNo, number: u32| model.db.plan_versions[&(no, number)].read_as();
    let newest = |no: PlanNo| -> Version { version(no, plan(no).version) };
    let no = subscription.plan;
    let at_once = Some(plan(no).at_once).filter(|number| *number > 0);
    let versions = Versions {
        used: version(no, subscription.version),
        at_once: at_once.map(|number| version(no, number)),
        newest: newest(no),
        next: subscription.next_plan.map(newest),
    };
    Entitlement::of(&plan(no).name, subscription, &versions)
}

/// An account's entitlement is what its newest subscription means, and it is looked at when that is due.
fn entitlement(model: &ModelLedger, number: usize) -> Result<(), String> {
    let account = model.account(number);
    let Some(subscribed) = model.subscribed(number) else {
        return Ok(());
    };
    if account.due != subscribed.due {
        return Err(format!("account {number} is due at {:?}, and not {subscribed:?}", account.due));
    }
    let due = entitlement_of(model, subscribed);
    // Another version may have come since; its quota comes with the next step.
    let same = match (&due, &account.entitlement) {
        (Some(due), Some(kept)) => (due.status, due.overage) == (kept.status, kept.overage),
        (due, kept) => due.is_none() == kept.is_none(),
    };
    if !same {
        return Err(format!("account {number}: its entitlement is {:?}, not {due:?}", account.entitlement));
    }
    // By a clock that is behind the one that ended it, a little may come back from leases for a while.
    let Some(ended_at) = model.seen.ended.get(&subscribed.no) else { return Ok(()) };
    let mut given = model.db.grants.values().filter(|row| row.subscription == Some(subscribed.no));
    match given.find(|row| row.grant.expires_at.is_none_or(|end| end > *ended_at)) {
        None => Ok(()),
        Some(row) => {
            Err(format!("account {number}: its subscription was over at {ended_at}, and not {row:?}"))
        }
    }
}

/// The first thing that is wrong with any account.
///
/// # Errors
/// Says what.
pub fn all(model: &ModelLedger) -> Result<(), String> {
    (0..model.accounts.len()).try_for_each(|number| account(model, number))
}
