//! Random histories: grants, expiries, messages that are lost, repeated and overtaken, silent
//! gateways that come back late. After every step the books must balance; at the end every credit
//! that a gateway sold must be charged exactly once.

mod gate;
mod ledger;
mod steps;

use super::entitlement::Entitlement;
use super::entry::Book;
use super::exchange::needs_grants;
use super::funds::Whereabouts;
use super::period::{Anchor, Rhythm, Unit};
use super::policy::{OveragePolicy, Remainder, SubscriptionStatus};
use super::*;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Ask, Ended, Entry, EntryAnswer, Holds, LeaseReport, Limits, Payer as Who};
use gate::Gate;
use jiff::Timestamp;
use ledger::{Ledger, credits};
use proptest::prelude::*;
use std::collections::BTreeMap;
use steps::{live, live_in, settle, steps, with_corrections};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn credits_are_never_oversold_or_stranded(steps in steps(false)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.owed.is_zero(), "no gateway sold what wasn't there");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
        prop_assert!(sold <= ledger.account.books.granted.micros());
        ledger.check_leases();
    }

    #[test]
    fn a_correction_takes_exactly_its_amount(steps in with_corrections(true)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
        prop_assert!(ledger.account.voiding.is_zero(), "what leases had is taken back, or owed");
        ledger.check_leases();
    }

    #[test]
    fn credits_in_leases_that_are_voided_are_never_oversold(steps in with_corrections(false)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let books = ledger.account.books;
        prop_assert!(gates.iter().map(Gate::sold).sum::<i64>() <= books.granted.micros());
        prop_assert_eq!(ledger.late, 0, "no gateway sold what wasn't set aside");
    }

    #[test]
    fn a_late_report_is_still_charged(steps in steps(true)) {
        let (mut ledger, mut gates) = live(steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert_eq!(ledger.account.books.spent.micros(), sold, "each sale is charged once");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn a_remainder_kept_by_the_operator_is_not_charged_twice(steps in steps(true)) {
        let mut ledger = Ledger::new(3);
        ledger.account.entitlement = Some(Entitlement {
            plan: "pro".into(),
            status: SubscriptionStatus::Good,
            overage: OveragePolicy::Refuse,
            renews_at: None,
            quota: credits(0),
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Operator,
            running: None,
            warn_below: None,
            alert_below: None,
        });
        let (mut ledger, mut gates) = live_in(ledger, steps);
        settle(&mut ledger, &mut gates);
        let sold: i64 = gates.iter().map(Gate::sold).sum();
        prop_assert!(ledger.account.books.spent.micros() >= sold, "each sale is charged");
        prop_assert_eq!(ledger.late, 0, "and none again that was paid by what was taken");
        prop_assert!(ledger.account.books.held.is_zero(), "nothing is stranded");
    }

    #[test]
    fn a_repeated_message_books_nothing(steps in steps(true)) {
        let (mut ledger, gates) = live(steps);
        for (n, gate) in gates.iter().enumerate() {
            let entry = gate.message(None);
            let first = ledger.exchange(n, &entry);
            let (account, lease) = (ledger.account.clone(), (ledger.leases[n].clone(), ledger.holds[n].clone()));
            prop_assert_eq!(ledger.exchange(n, &entry), first);
            prop_assert_eq!(&ledger.account, &account);
            prop_assert_eq!((&ledger.leases[n], &ledger.holds[n]), (&lease.0, &lease.1));
        }
    }

    #[test]
    fn no_message_breaks_the_books(
        amount in 0..1_000_i64,
        letters in proptest::collection::vec(
            (0..5_u32, 0..50_i64, 0..50_i64, 0..50_i64, proptest::option::of((1..5_u32, 0..50_i64)), 0..90_i64, (0..9_i64, 0..50_i64, 0..50_i64, 0..50_i64)),
            0..40,
        ),
    ) {
        let mut ledger = Ledger::new(1);
        if amount > 0 { ledger.grant(amount, 1, None); }
        for (epoch, spent, returned, held, ended, want, (on_credit, carried, kept, released)) in letters {
            let entry = Entry {
                payer: Who::Id("key_1".into()),
                ended: ended.map(|(epoch, spent)| Ended { epoch, spent: credits(spent) }),
                lease: (epoch > 0).then_some(LeaseReport {
                    epoch, spent: credits(spent), returned: credits(returned), held: credits(held), demand: 0,
                }),
                ask: (epoch > 0).then_some(Ask { least: credits(want), need: credits(want), want: credits(want) }),
                on_credit: credits(on_credit),
                holds: Holds { carried: credits(carried), kept: credits(kept), released: credits(released) },
            };
            ledger.exchange(0, &entry);
            ledger.check_leases();
        }
    }
}
