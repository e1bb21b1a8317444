//! What a lease counts as spent, held and sliced adds up: every sale is in it once.

use super::*;

/// All that is gone from what was granted, but for what was handed back.
fn counted(lease: &Lease) -> Credits {
    lease.spent.saturating_add(lease.held).saturating_add(lease.sliced)
}

#[test]
fn a_slice_that_was_sold_from_and_comes_back_too_late_is_counted_once() {
    let mut lease = rich(64);
    let mut slice = lease.slice(at(1), credits(1)).unwrap();
    assert!(slice.sell(at(1), credits(3)));
    lease.report(at(1).plus_millis(SLICE_BACK_MS), None, false);
    assert_eq!(lease.spent, credits(4), "it was given up, and all of it counts as spent");

    lease.unslice(&slice);
    lease.settle(Purse::Lease(1), credits(3), Credits::ZERO);

    assert_eq!((lease.spent, lease.held, lease.sliced), (credits(4), Credits::ZERO, Credits::ZERO));
}

proptest! {
    /// Nothing but an admission and a cut sets anything aside; whatever was sold stays counted, even from a slice
    /// that comes back too late.
    #[test]
    fn every_sale_is_counted_and_only_sales_and_slices_set_something_aside(
        steps in proptest::collection::vec((0_u8..6, 1_i64..6), 1..80),
    ) {
        let mut lease = Lease { deadline: at(10_000_000), low: Credits::ZERO, ..open(200) };
        let (mut slices, mut sold, mut now): (Vec<Slice>, _, _) = (Vec::new(), Credits::ZERO, 1);
        for (step, amount) in steps {
            let before = counted(&lease);
            let any = usize::try_from(amount).unwrap() % slices.len().max(1);
            let mut aside = Credits::ZERO;
            match step {
                0 => if paid(&mut lease, at(now), amount) {
                    aside = credits(amount);
                    sold = sold.saturating_add(aside);
                },
                1 => lease.settle(Purse::Lease(1), credits(amount), Credits::ZERO),
                2 => if let Some(slice) = lease.slice(at(now), credits(amount)) {
                    aside = slice.size;
                    slices.push(slice);
                },
                3 => if let Some(slice) = slices.get_mut(any) && slice.sell(at(now), credits(1)) {
                    sold = sold.saturating_add(credits(1));
                },
                4 => if !slices.is_empty() { lease.unslice(&slices.swap_remove(any)) },
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
