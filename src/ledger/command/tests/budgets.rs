//! Budgets while leases are out.

use super::*;
use crate::command::budgets::{NewBudget, Whose};
use crate::domain::TeamId;
use crate::domain::period::{Anchor, Unit};
use jiff::tz::TimeZone;

fn budget(whose: Whose, whole: i64) -> Command {
    let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Calendar, zone: TimeZone::UTC };
    Command::SetBudget(NewBudget { account: "acme".into(), whose, credits: credits(whole), rhythm })
}

fn set(ledger: &mut Ledger, whose: Whose, whole: i64) -> api::Budget {
    match ledger.done(budget(whose, whole)) {
        Done::Budget(budget) => budget,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_budget_counts_held_credits_and_recalls_their_leases() {
    let mut ledger = Ledger::new();
    let team = TeamId::parse("ops").unwrap();
    ledger.done(Command::CreateTeam { account: "acme".into(), id: team, name: None });
    ledger.grant("grant_1", credits(10)).unwrap();
    let credential = Credential::Subject("in the team".into());
    let mut inside = NewKey::plain("acme", KeyId::stored("inside".into()), credential);
    inside.team = Some("ops".into());
    ledger.done(Command::CreateKey(inside));
    let outside = ledger.key("outside");
    let (inside, outside) = (ledger.lend(KeyNo(1), "a", credits(2)), ledger.lend(outside, "a", credits(3)));
    let shown = set(&mut ledger, Whose::Team("ops".into()), 5);
    assert_eq!((shown.held, shown.left), (credits(2), credits(3)));
    let recalled = |place| ledger.tables().leases[&place].lease.recall;
    assert_eq!((recalled(inside), recalled(outside)), (true, false));
    assert_eq!(ledger.account().account.budgets, 1);
    assert_eq!(ledger.tables().changes.len(), 1);
}

#[test]
fn raising_a_budget_recalls_no_leases() {
    let mut ledger = Ledger::new();
    ledger.grant("grant_1", credits(10)).unwrap();
    set(&mut ledger, Whose::Account, 5);
    let key = ledger.key("key_1");
    let lease = ledger.lend(key, "a", credits(2));
    let recalled = |ledger: &Ledger| ledger.tables().leases[&lease].lease.recall;
    assert_eq!(set(&mut ledger, Whose::Account, 6).held, credits(2), "draws move the budget");
    assert!(!recalled(&ledger));
    set(&mut ledger, Whose::Account, 4);
    assert!(recalled(&ledger));
}

#[test]
fn a_key_budget_may_not_exceed_the_account_budget() {
    let mut ledger = Ledger::new();
    ledger.key("key_1");
    set(&mut ledger, Whose::Account, 5);
    let refused = ledger.try_to(budget(Whose::Key("key_1".into()), 6));
    assert!(matches!(&refused, Err(Refusal::Field { field: "credits", .. })), "{refused:?}");
    set(&mut ledger, Whose::Key("key_1".into()), 5);
    let refused = ledger.try_to(budget(Whose::Account, 4));
    assert!(
        matches!(&refused, Err(Refusal::Field { why, .. }) if why.contains("the budget of key \"key_1\"")),
        "{refused:?}"
    );
}

#[test]
fn a_cleared_budget_can_be_set_again() {
    let mut ledger = Ledger::new();
    let clear = || Command::ClearBudget { account: "acme".into(), whose: Whose::Account };
    assert_eq!(ledger.try_to(clear()), Err(Refusal::NotFound { what: "budget of", id: "acme".into() }));
    set(&mut ledger, Whose::Account, 5);
    ledger.done(clear());
    assert_eq!((ledger.account().account.budgets, ledger.tables().budgets.len()), (0, 0));
    set(&mut ledger, Whose::Account, 5);
    assert_eq!((ledger.account().account.budgets, ledger.tables().budgets.len()), (1, 1));
}
