//! Admin commands and their repetition.

use super::*;
use crate::domain::subscription::State;

#[test]
fn a_repeated_request_gets_the_first_response_and_changes_nothing() {
    let ledger = Ledger::new();
    let first = ledger.once(grant("grant_1", credits(5)), "a", 1).unwrap();
    let Answer::First(done) = first else { panic!("{first:?}") };
    let before = ledger.tables();
    let again = ledger.once(grant("grant_2", credits(5)), "a", 1).unwrap();
    assert_eq!(again, Answer::Replayed(serde_json::to_string(&done).unwrap()));
    assert_eq!(ledger.tables().grants, before.grants);
    assert_eq!(ledger.available(), credits(5));
}

#[test]
fn an_idempotency_key_belongs_to_one_request() {
    let ledger = Ledger::new();
    ledger.once(grant("grant_1", credits(5)), "a", 1).unwrap();
    let other = ledger.once(grant("grant_2", credits(6)), "a", 2);
    assert!(matches!(other, Err(StoreError::Refused(Refusal::KeyReused))), "{other:?}");
}

#[test]
fn a_key_is_shown_once_and_never_stored() {
    let ledger = Ledger::new();
    let key = || {
        let credential = Credential::Key { hash: [7; 32], prefix: "fg_abc".into() };
        Command::CreateKey(NewKey::plain("acme", KeyId::stored("key_1".into()), credential))
    };
    assert!(matches!(ledger.once(key(), "a", 1), Ok(Answer::First(_))));
    let again = ledger.once(key(), "a", 1);
    assert!(
        matches!(&again, Err(StoreError::Refused(Refusal::KeyAlreadyShown(id))) if id == "key_1"),
        "{again:?}"
    );
    assert_eq!(ledger.tables().idempotency[&("a".to_owned(),)].body, None);
    assert_eq!(ledger.tables().keys.len(), 1);
}

#[test]
fn a_refused_command_leaves_no_trace_and_may_succeed_later() {
    let mut ledger = Ledger::new();
    let before = ledger.tables();
    let closed = Command::CreateAccount { id: AccountId::parse("acme").unwrap(), name: Some("again".into()) };
    let refused = ledger.once(closed, "a", 1);
    assert!(matches!(refused, Err(StoreError::Refused(Refusal::AccountExists(_)))), "{refused:?}");
    let after = ledger.tables();
    assert_eq!(
        (after.accounts, after.idempotency, after.changes),
        (before.accounts, before.idempotency, before.changes)
    );
    assert!(matches!(ledger.once(grant("grant_1", credits(1)), "a", 1), Ok(Answer::First(_))));
    assert_eq!(ledger.grant("grant_2", credits(1)).map(|_| ledger.available()), Ok(credits(2)));
}

#[test]
fn a_subject_can_be_reused_once_its_key_is_revoked() {
    let mut ledger = Ledger::new();
    let subject = |id: &str| {
        let credential = Credential::Subject("alice".into());
        Command::CreateKey(NewKey::plain("acme", KeyId::stored(id.into()), credential))
    };
    ledger.done(subject("key_1"));
    assert_eq!(ledger.try_to(subject("key_2")), Err(Refusal::SubjectTaken("alice".into())));
    for _ in 0..2 {
        let Done::Key(key) = ledger.done(Command::RevokeKey { id: "key_1".into() }) else { panic!() };
        assert_eq!(key.state, api::KeyState::Revoked);
    }
    assert_eq!(ledger.tables().changes.len(), 1, "gateways hear of it once");
    ledger.done(subject("key_2"));
}

#[test]
fn closing_an_account_ends_its_subscription_and_removes_its_quota() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    ledger.subscribe("basic");
    ledger.grant("grant_1", credits(3)).unwrap();
    assert_eq!(ledger.available(), credits(13));
    ledger.turn(Transition::Close);
    let row = ledger.account();
    assert_eq!((row.account.plan, row.account.due), (None, None));
    assert_eq!(row.account.books.available, credits(3), "what was bought stays");
    let subscriptions = ledger.tables().subscriptions;
    let subscription = subscriptions.values().next().unwrap();
    assert_eq!((subscription.subscription.state, subscription.due), (State::Cancelled, None));
    ledger.assert_balanced();
    let changes = ledger.tables().changes.len();
    ledger.turn(Transition::Close);
    assert_eq!(ledger.tables().changes.len(), changes, "closing it again changes nothing");
    assert_eq!(ledger.grant("grant_2", credits(1)), Err(Refusal::AccountClosed("acme".into())));
}

#[test]
fn plan_names_are_unique_and_versions_are_consecutive() {
    let mut ledger = Ledger::new();
    ledger.plan("basic", monthly(10));
    let again = Command::CreatePlan { name: PlanName::parse("basic").unwrap(), terms: monthly(20) };
    assert_eq!(ledger.try_to(again), Err(Refusal::PlanExists("basic".into())));
    for version in 2..4 {
        let changes = crate::domain::plan::Changes { quota: Some(credits(version)), ..Default::default() };
        let change = Command::ChangePlan { name: "basic".into(), changes, at_once: version == 2 };
        let Done::Plan(plan) = ledger.done(change) else { panic!() };
        assert_eq!((i64::from(plan.version), plan.quota), (version, credits(version)));
    }
    let plans = ledger.tables().plans;
    let plan = plans.values().next().unwrap();
    assert_eq!((plan.version, plan.at_once), (3, 2));
}
