//! Subscriptions as time passes.

use super::*;
use crate::command::renew::{Renew, RenewalOutcome, advance_if_due};
use crate::command::{steps::AGAIN_MS, subscriptions};
use crate::domain::grant::MAX_LIVE_GRANTS;
use crate::domain::plan::Changes;
use crate::domain::policy::OveragePolicy;
use crate::domain::subscription;

const MONTH: SignedDuration = SignedDuration::from_hours(31 * 24);

fn renew(ledger: &Ledger) -> RenewalOutcome {
    let no = ledger.tables().subscriptions.last_key_value().unwrap().0.0;
    ledger.run(Renew { subscription: no, account: AccountNo(1) }).unwrap()
}

/// Looks at the account as an exchange does, and shows its subscription.
struct Serve;

impl Operation for Serve {
    type Output = (Option<RenewalOutcome>, api::Subscription);

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop> {
        let account = draft.account(AccountNo(1))?.unwrap();
        let outcome = advance_if_due(draft, &account, now)?;
        Ok((outcome, subscriptions::show(draft, "acme")?))
    }
}

#[test]
fn a_renewal_grants_the_quota_once_however_often_it_runs() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    let subscription = ledger.subscribe("basic");
    assert_eq!((ledger.available(), ledger.account().account.due), (credits(10), subscription.renews_at));
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![]), "nothing is due yet");
    ledger.pass(MONTH);
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![credits(10)]));
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![]));
    assert_eq!(ledger.run(Serve).unwrap().0, None);
    assert_eq!(ledger.available(), credits(10));
    assert_eq!(ledger.account().account.books.expired, credits(10));
    ledger.assert_balanced();
}

#[test]
fn a_due_renewal_runs_before_the_account_is_served() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    ledger.subscribe("basic");
    ledger.pass(MONTH);
    let (outcome, subscription) = ledger.run(Serve).unwrap();
    assert_eq!(outcome, Some(RenewalOutcome::Done(vec![credits(10)])));
    assert_eq!(subscription.period_started_at, Some(ledger.now));
    assert_eq!(ledger.account().account.due, subscription.renews_at);
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![]), "the job finds it done");
}

#[test]
fn credits_that_expire_in_the_same_transaction_roll_over() {
    let mut ledger = Ledger::new();
    let mut terms = monthly(10);
    terms.rollover = credits(4);
    ledger.plan("basic", terms);
    ledger.subscribe("basic");
    ledger.pass(MONTH);
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![credits(4), credits(10)]));
    assert_eq!(ledger.available(), credits(14));
    ledger.assert_balanced();
}

#[test]
fn a_refused_renewal_is_postponed_and_changes_nothing_else() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    ledger.subscribe("basic");
    ledger.pass(MONTH);
    for n in 0..MAX_LIVE_GRANTS {
        ledger.grant(&format!("grant_{n}"), Credits::from_micros(1)).unwrap();
    }
    let changes = Changes { quota: Some(credits(20)), ..Default::default() };
    ledger.done(Command::ChangePlan { name: "basic".into(), changes, at_once: true });
    let before = ledger.tables();
    let why = Refusal::TooManyGrants { account: "acme".into(), limit: MAX_LIVE_GRANTS };
    let account = AccountId::parse("acme").unwrap();
    assert_eq!(renew(&ledger), RenewalOutcome::Rests { why, account });
    let after = ledger.tables();
    assert_eq!((&after.grants, &after.entries), (&before.grants, &before.entries));
    assert_eq!(after.changes, before.changes);
    let again = ledger.now.checked_add(SignedDuration::from_millis(AGAIN_MS)).unwrap();
    let row = after.subscriptions.values().next().unwrap();
    assert_eq!((row.due, row.subscription.version), (Some(again), 2), "the version's gift is given up");
    assert_eq!(ledger.account().account.due, Some(again));
    assert_eq!(ledger.run(Serve).unwrap().0, None, "exchanges go on");
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![]));
    ledger.assert_balanced();
}

#[test]
fn an_immediate_plan_change_grants_the_difference_once() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    ledger.subscribe("basic");
    let changes = Changes { quota: Some(credits(15)), ..Default::default() };
    ledger.done(Command::ChangePlan { name: "basic".into(), changes, at_once: true });
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![credits(5)]));
    assert_eq!(renew(&ledger), RenewalOutcome::Done(vec![]));
    assert_eq!(ledger.available(), credits(15));
}

#[test]
fn a_downgrade_recalls_leases_to_take_the_excess_back() {
    let mut ledger = Ledger::new();
    ledger.plan("large", monthly(100));
    ledger.plan("small", monthly(10));
    ledger.subscribe("large");
    let key = ledger.key("key_1");
    let lease = ledger.lend(key, "a", credits(60));
    let asked = api::SubscriptionChange { plan: "small".into(), at_once: Some(true) };
    ledger.done(Command::ChangeSubscription { account: "acme".into(), id: "change_1".into(), asked });
    assert_eq!(ledger.available(), credits(0));
    let tables = ledger.tables();
    assert!(tables.leases[&lease].lease.recall);
    let row = tables.subscriptions.values().next().unwrap();
    assert_eq!(row.subscription.excess, credits(50));
    let soon = ledger.now.checked_add(SignedDuration::from_millis(500)).unwrap();
    assert_eq!((row.due, ledger.account().account.due), (Some(soon), Some(soon)), "it looks again soon");
    ledger.assert_balanced();
}

#[test]
fn overdraft_used_excludes_expired_and_leased_credits() {
    let mut ledger = Ledger::new();
    let mut terms = monthly(10);
    (terms.overage, terms.overdraft) = (OveragePolicy::Overdraft, credits(5));
    ledger.plan("basic", terms);
    ledger.subscribe("basic");
    let key = ledger.key("key_1");
    ledger.lend(key, "a", credits(12));
    let (_, shown) = ledger.run(Serve).unwrap();
    assert_eq!(shown.overdraft_used, Some(credits(0)), "two are in a lease");
    ledger.pass(SignedDuration::from_hours(1));
    let cancel = subscription::Transition::Cancel { at_once: true };
    let Done::Subscription(shown) =
        ledger.done(Command::TurnSubscription { account: "acme".into(), turn: cancel })
    else {
        panic!()
    };
    assert_eq!((shown.overdraft_used, shown.state.is_over()), (Some(credits(0)), true));
    assert_eq!(ledger.available(), credits(0));
    ledger.assert_balanced();
}
