//! Leases that are taken back, and what expires.

use super::*;
use crate::command::expiry::{ExpireGrants, ExpireKey};
use crate::command::reclaim::{Reclaim, TakeBack};
use crate::domain::policy::Remainder;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn reclaim(ledger: &Ledger, place: LeaseKey, touch: i64) -> Reclaim {
    Reclaim { place, account: ledger.account().account.no, touch }
}

#[test]
fn a_silent_lease_is_reclaimed_once_and_a_recently_seen_one_is_not() {
    let mut ledger = Ledger::new();
    ledger.grant("grant_1", credits(10)).unwrap();
    let key = ledger.key("key_1");
    let place = ledger.lend(key, "a", credits(4));
    let touch = ledger.tables().leases[&place].touch;
    let opened_at = ledger.tables().leases[&place].changed_at;
    ledger.pass(DAY);
    assert_eq!(ledger.run(reclaim(&ledger, place, touch - 1)).unwrap(), Ok(None));
    assert_eq!(ledger.run(reclaim(&ledger, place, touch)).unwrap(), Ok(Some(credits(4))));
    assert_eq!(ledger.run(reclaim(&ledger, place, touch)).unwrap(), Ok(None));
    let row = ledger.tables().leases[&place].clone();
    assert_eq!((row.lease.state, row.escrow, row.touch), (LeaseState::Reclaimed, credits(0), touch));
    assert!(row.changed_at > opened_at);
    assert_eq!((ledger.available(), ledger.account().account.holders), (credits(10), 0));
    ledger.assert_balanced();
}

#[test]
fn the_plan_decides_who_keeps_the_credits_of_a_reclaimed_lease() {
    let mut ledger = Ledger::new();
    let mut terms = monthly(10);
    terms.remainder = Remainder::Operator;
    ledger.plan("basic", terms);
    ledger.subscribe("basic");
    let key = ledger.key("key_1");
    let places = ["a", "b"].map(|gateway| ledger.lend(key, gateway, credits(3)));
    ledger.run(reclaim(&ledger, places[0], i64::MAX)).unwrap().unwrap();
    assert_eq!((ledger.account().account.books.spent, ledger.available()), (credits(3), credits(4)));
    ledger.run(TakeBack(reclaim(&ledger, places[1], i64::MAX))).unwrap().unwrap();
    assert_eq!((ledger.account().account.books.spent, ledger.available()), (credits(3), credits(7)));
    ledger.assert_balanced();
}

#[test]
fn a_lease_that_draws_on_a_missing_grant_is_left_unchanged() {
    let mut ledger = Ledger::new();
    ledger.grant("grant_1", credits(10)).unwrap();
    let key = ledger.key("key_1");
    let place = ledger.lend(key, "a", credits(4));
    ledger.engine.tables().grants.clear();
    let before = ledger.tables();
    let failed = ledger.run(reclaim(&ledger, place, i64::MAX)).unwrap().unwrap_err();
    assert_eq!(failed.account, AccountId::parse("acme").unwrap());
    assert_eq!((ledger.tables().leases, ledger.tables().entries), (before.leases, before.entries));
}

#[test]
fn new_credits_end_fast_heartbeats_for_all_holders_of_an_account() {
    let mut ledger = Ledger::new();
    ledger.grant("grant_1", credits(10)).unwrap();
    let key = ledger.key("key_1");
    let places = ["a", "b"].map(|gateway| ledger.lend(key, gateway, credits(5)));
    {
        let mut tables = ledger.engine.tables();
        tables.accounts.get_mut(&(AccountNo(1),)).unwrap().account.tight = true;
        for place in &places {
            tables.leases.get_mut(place).unwrap().lease.fast_heartbeat = true;
        }
    }
    ledger.grant("grant_2", credits(10)).unwrap();
    assert!(!ledger.account().account.tight);
    assert!(places.iter().all(|place| !ledger.tables().leases[place].lease.fast_heartbeat));
}

#[test]
fn grants_expire_and_an_expired_key_is_announced_once() {
    let mut ledger = Ledger::new();
    let expires_at = Some(ledger.now.checked_add(DAY).unwrap());
    let Command::Grant { account, id, amount, priority, note, source, .. } = grant("grant_1", credits(5))
    else {
        panic!()
    };
    ledger.done(Command::Grant { account, id, amount, priority, expires_at, note, source });
    let credential = Credential::Subject("alice".into());
    let mut key = NewKey::plain("acme", KeyId::stored("key_1".into()), credential);
    key.expires_at = expires_at;
    ledger.done(Command::CreateKey(key));
    let key = ExpireKey { key: KeyNo(1), account: AccountNo(1) };
    assert!(!ledger.run(key).unwrap(), "it isn't over yet");
    ledger.pass(DAY);
    assert!(ledger.run(ExpireGrants { account: AccountNo(1) }).unwrap());
    assert_eq!((ledger.available(), ledger.account().account.books.expired), (credits(0), credits(5)));
    assert_eq!([ledger.run(key).unwrap(), ledger.run(key).unwrap()], [true, false]);
    assert_eq!(ledger.tables().changes.len(), 1);
    ledger.assert_balanced();
}

#[test]
fn a_recall_covers_the_leases_of_one_gateway_or_of_all() {
    let mut ledger = Ledger::new();
    ledger.grant("grant_1", credits(10)).unwrap();
    let key = ledger.key("key_1");
    let places = ["a", "b"].map(|gateway| ledger.lend(key, gateway, credits(5)));
    let recall = |gateway: Option<&str>| Command::Recall { gateway: gateway.map(str::to_owned) };
    assert_eq!(ledger.try_to(recall(Some("c"))), Err(Refusal::NotFound { what: "gateway", id: "c".into() }));
    assert_eq!(ledger.done(recall(Some("b"))), Done::Recall(api::RecallAnswer { leases: 1 }));
    let recalled = places.map(|place| ledger.tables().leases[&place].lease.recall);
    assert_eq!(recalled, [false, true]);
    assert_eq!(ledger.done(recall(None)), Done::Recall(api::RecallAnswer { leases: 2 }));
    assert_eq!(ledger.tables().changes.len(), 2);
}
