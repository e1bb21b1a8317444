//! What gateways say of epochs that the ledger has no memory of, and what they can't say.

use super::exchange::{Payer, check, unknown};
use super::{
    Account, AccountFunds, AccountId, AccountNo, AccountState, Books, GatewayNo, Key, KeyId, KeyNo, Lease,
    LeaseState, Scope, TeamNo,
};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Ended, Entry, Holds, LeaseReport, MAX_AMOUNT, MAX_UNGRANTED, Payer as Who,
};
use jiff::Timestamp;

const ZERO: Credits = Credits::ZERO;

fn key() -> Key {
    Key {
        no: KeyNo(1),
        id: KeyId::stored("key_1".to_owned()),
        revoked: false,
        expires_at: None,
        team: Some(TeamNo(1)),
        products: None,
    }
}

/// One of whose lease the ledger remembers this, and who has no credits.
fn payer(lease: Lease) -> Payer {
    let account = Account {
        no: AccountNo(1),
        id: AccountId::parse("acme").unwrap(),
        state: AccountState::Active,
        books: Books::default(),
        holders: 0,
        tight: false,
        plan: None,
        entitlement: None,
        budgets: 0,
        due: None,
        voiding: ZERO,
    };
    Payer { funds: AccountFunds::new(account, Vec::new()), key: key(), lease, holds: None, demand: 0 }
}

fn report(epoch: u32, spent: i64) -> LeaseReport {
    LeaseReport { epoch, spent: Credits::from_micros(spent), returned: ZERO, held: ZERO, demand: 0 }
}

fn entry(ended: Option<Ended>, lease: Option<LeaseReport>) -> Entry {
    Entry {
        payer: Who::Id("key_1".to_owned()),
        ended,
        lease,
        ask: None,
        on_credit: ZERO,
        holds: Holds::default(),
    }
}

#[test]
fn sales_of_a_forgotten_epoch_are_charged_in_full_however_reported() {
    let four = Credits::from_micros(4);
    let final_report = entry(Some(Ended { epoch: 3, spent: four }), None);
    for message in [final_report, entry(None, Some(report(3, 4)))] {
        let never = Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1));
        let spent = Credits::from_micros(5);
        let mut payer = payer(Lease { epoch: 1, state: LeaseState::Reclaimed, spent, ..never });
        for _ in 0..2 {
            payer = payer.exchange(&message, Timestamp::UNIX_EPOCH, 20_000).0;
            let books = &payer.funds.account.books;
            assert_eq!(
                (books.spent, books.owed),
                (four, four),
                "once, whatever epoch 1 came to: {message:?}"
            );
            assert_eq!((payer.lease.epoch, payer.lease.spent), (3, four));
        }
    }
}

fn carrying(lease: Lease) -> Payer {
    Payer { holds: Some(Lease::no_holds(GatewayNo(2), KeyNo(1), AccountNo(1))), ..payer(lease) }
}

#[test]
fn holds_of_a_forgotten_epoch_are_charged_when_they_are_kept() {
    let four = Credits::from_micros(4);
    let never = Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1));
    let spent = Credits::from_micros(5);
    let mut payer = carrying(Lease { epoch: 1, state: LeaseState::Ended, spent, ..never });
    for kept in [ZERO, four, four] {
        let holds = Holds { carried: four, kept, released: ZERO };
        let message = Entry { holds, ..entry(Some(Ended { epoch: 3, spent: ZERO }), None) };
        payer = payer.exchange(&message, Timestamp::UNIX_EPOCH, 20_000).0;
        assert_eq!(payer.funds.account.books.spent, kept, "whatever was spent in epoch 1");
    }
}

#[test]
fn holds_that_no_lease_had_are_charged_up_to_the_ceiling() {
    let payer = carrying(Lease::never(GatewayNo(1), KeyNo(1), AccountNo(1)));
    let holds = Holds { carried: MAX_AMOUNT, kept: MAX_AMOUNT, released: ZERO };
    let (after, verdict) =
        payer.exchange(&Entry { holds, ..entry(None, None) }, Timestamp::UNIX_EPOCH, 20_000);
    assert_eq!(after.funds.account.books.spent, MAX_UNGRANTED);
    assert_eq!(verdict.unbooked.map(|what| what.lost()), Some(MAX_AMOUNT.less(MAX_UNGRANTED)));
}

#[test]
fn holds_of_a_payer_who_is_gone_are_acknowledged() {
    let holds = Holds { carried: MAX_AMOUNT, kept: ZERO, released: ZERO };
    assert_eq!(unknown(&Entry { holds, ..entry(None, None) }).holds, holds);
}

#[test]
fn epoch_zero_is_rejected() {
    assert_eq!(check(&entry(Some(Ended { epoch: 0, spent: ZERO }), None)), Err("ended.epoch"));
    assert_eq!(check(&entry(None, Some(report(0, 0)))), Err("lease.epoch"));
    assert_eq!(check(&entry(Some(Ended { epoch: 1, spent: ZERO }), Some(report(2, 0)))), Ok(()));
}

#[test]
fn a_budget_covers_only_its_own_key_or_team() {
    let covers = |scope: Scope| scope.covers(&key());
    assert!(covers(Scope::Account));
    assert_eq!([1, 2].map(|no| covers(Scope::Team(TeamNo(no)))), [true, false]);
    assert_eq!([1, 2].map(|no| covers(Scope::Key(KeyNo(no)))), [true, false]);
    assert!(!Scope::Team(TeamNo(1)).covers(&Key { team: None, ..key() }));
}
