//! What a lease counts as spent, held and subleased adds up: every sale is in it once.

use super::*;

/// All that is gone from what was granted, but for what was handed back.
fn counted(lease: &Lease) -> Credits {
    lease.spent.saturating_add(lease.held).saturating_add(lease.subleased)
}

#[test]
fn sales_from_a_sublease_returned_too_late_are_counted_once() {
    let mut lease = rich(64);
    let mut sublease = lease.sublease(at(1), credits(1)).unwrap();
    assert!(sublease.sell(at(1), credits(3)));
    lease.report(at(1).plus_millis(SUBLEASE_BACK_MS), None, false);
    assert_eq!(lease.spent, credits(4), "it was given up, and all of it counts as spent");

    lease.return_sublease(&sublease);
    lease.settle(FundingSource::Lease(1), credits(3), Credits::ZERO);

    assert_eq!((lease.spent, lease.held, lease.subleased), (credits(4), Credits::ZERO, Credits::ZERO));
}

#[test]
fn settling_a_past_epoch_does_not_change_the_next_one() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(1), 2));
    lease.report(at(1_000), None, false);
    lease.merge(at(1_000), Some(1), &EntryAnswer { ended: Some(1), ..grant(2, 5) });
    assert!(paid(&mut lease, at(1_001), 3));

    lease.settle(FundingSource::Lease(1), credits(1), credits(1));

    assert_eq!((lease.spent, lease.held), (Credits::ZERO, credits(3)));
}

#[test]
fn a_final_report_is_resent_until_it_is_acknowledged() {
    let mut lease = open(3);
    assert!(paid(&mut lease, at(1), 2));
    lease.settle(FundingSource::Lease(1), credits(2), Credits::ZERO);
    let final_report = Some(Ended { epoch: 1, spent: credits(2) });
    for ended in [None, Some(0)] {
        assert_eq!(lease.report(at(1_000), None, false).ended, final_report);
        lease.merge(at(1_000), Some(1), &EntryAnswer { ended, ..grant(2, 5) });
        assert_eq!(
            (lease.ended, lease.spendable(at(1_001))),
            (final_report, Credits::ZERO),
            "it has {ended:?}"
        );
    }
    // What was said of the epoch before that comes late.
    lease.merge(at(1_000), Some(0), &EntryAnswer { ended: Some(0), ..grant(2, 5) });
    assert_eq!(lease.ended, final_report);
}

#[test]
fn without_waiting_requests_or_a_due_refill_nothing_is_asked_for() {
    let asks = |mut lease: Lease, refill| lease.report(at(1), None, refill).ask.is_some();
    assert_eq!([true, false].map(|refill| asks(open(10), refill)), [true, false]);
    assert!(!asks(Lease::new(Facts::default()), true), "it is not open");
}

#[test]
fn a_lease_expires_exactly_at_its_deadline() {
    let lease = open(3);
    assert_eq!([999, 1_000].map(|ms| lease.is_fresh(at(ms))), [true, false]);
    assert_eq!([999, 1_000].map(|ms| lease.spendable(at(ms))), [credits(3), Credits::ZERO]);
}

#[test]
fn only_a_concurrency_limit_needs_to_know_when_requests_end() {
    let counted = |limits: [u32; 3]| {
        let mut lease = open(3);
        lease.limit(self::limits(limits));
        match lease.admit(at(1), credits(1)) {
            Admission::Paid { counted, .. } => counted,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([[0, 0, 0], [1_000, 1, 0], [0, 0, 2]].map(counted), [false, false, true]);
}

#[test]
fn a_closed_epoch_waits_for_its_subleases_before_the_final_report() {
    for (comes_back, spent, carried) in [(true, 0, 1), (false, 4, 0)] {
        let mut lease = rich(64);
        let mut sublease = lease.sublease(at(1), credits(1)).unwrap();
        assert!(sublease.sell(at(1), credits(1)));
        lease.merge(at(2), None, &EntryAnswer { ended: Some(1), ..EntryAnswer::default() });
        assert_eq!((lease.report(at(3), None, false).ended, lease.spendable(at(3))), (None, Credits::ZERO));
        if comes_back {
            lease.return_sublease(&sublease);
        }
        let final_report = lease.report(at(2_001), None, false).ended;
        assert_eq!(
            final_report,
            Some(Ended { epoch: 1, spent: credits(spent) }),
            "it comes back: {comes_back}"
        );
        assert_eq!(lease.holds().carried, credits(carried), "it comes back: {comes_back}");
    }
}

proptest! {
    /// Nothing but an admission and a cut sets anything aside; whatever was sold stays counted, even from a sublease
    /// that comes back too late.
    #[test]
    fn every_sale_is_counted_and_only_sales_and_subleases_reserve_credits(
        steps in proptest::collection::vec((0_u8..6, 1_i64..6), 1..80),
    ) {
        let mut lease = Lease { deadline: at(10_000_000), low: Credits::ZERO, ..open(200) };
        let (mut subleases, mut sold, mut now): (Vec<Sublease>, _, _) = (Vec::new(), Credits::ZERO, 1);
        for (step, amount) in steps {
            let before = counted(&lease);
            let any = usize::try_from(amount).unwrap() % subleases.len().max(1);
            let mut aside = Credits::ZERO;
            match step {
                0 => if paid(&mut lease, at(now), amount) {
                    aside = credits(amount);
                    sold = sold.saturating_add(aside);
                },
                1 => lease.settle(FundingSource::Lease(1), credits(amount), Credits::ZERO),
                2 => if let Some(sublease) = lease.sublease(at(now), credits(amount)) {
                    aside = sublease.size;
                    subleases.push(sublease);
                },
                3 => if let Some(sublease) = subleases.get_mut(any) && sublease.sell(at(now), credits(1)) {
                    sold = sold.saturating_add(credits(1));
                },
                4 => if !subleases.is_empty() { lease.return_sublease(&subleases.swap_remove(any)) },
                _ => {
                    now += 400 * amount.unsigned_abs();
                    lease.report(at(now), None, false);
                }
            }
            let now_counted = counted(&lease);
            prop_assert!(now_counted <= before.saturating_add(aside), "{} of {} + {}", now_counted, before, aside);
            prop_assert!(now_counted >= sold, "{} were sold, {} are counted", sold, now_counted);
            prop_assert!(now_counted <= lease.granted);
        }
    }
}
