//! How much to put into a lease: what is needed now, and something for the near future as long as
//! there is plenty. So the last credit can be sold, and nothing is stranded.

use faregate_protocol::{Credits, exchange::Ask};

/// By how much to raise a lease whose level is `granted`. `holders` counts the account's leases with
/// money in them, this one included.
///
/// What waits may take all that is available. What is only wished for takes at most half of the rest,
/// divided by the holders. Where not all that waits can be served, but the cheapest can, it gets all.
pub fn raise(granted: Credits, ask: Ask, available: Credits, holders: i64) -> Credits {
    let needed = ask.need.less(granted);
    let wished = ask.want.max(ask.need).less(granted).less(needed);
    if needed <= available {
        let share = available.less(needed).split(holders.max(1).saturating_mul(2));
        needed.saturating_add(wished.min(share))
    } else if granted.saturating_add(available) >= ask.least {
        available
    } else {
        Credits::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credits(micros: i64) -> Credits {
        Credits::from_micros(micros)
    }

    fn ask(least: i64, need: i64, want: i64) -> Ask {
        Ask { least: credits(least), need: credits(need), want: credits(want) }
    }

    #[test]
    fn ample_credits_cover_the_wanted_amount() {
        assert_eq!(raise(credits(0), ask(1, 1, 50), credits(1_000), 1), credits(50));
        assert_eq!(raise(credits(40), ask(40, 40, 50), credits(1_000), 1), credits(10));
        assert_eq!(raise(credits(50), ask(40, 40, 50), credits(1_000), 1), credits(0));
    }

    #[test]
    fn holders_share_scarce_credits() {
        assert_eq!(raise(credits(0), ask(1, 1, 50), credits(41), 2), credits(11));
        assert_eq!(raise(credits(0), ask(0, 0, 50), credits(40), 4), credits(5));
    }

    #[test]
    fn the_last_credit_can_be_sold() {
        assert_eq!(raise(credits(9), ask(10, 10, 50), credits(1), 9), credits(1));
        assert_eq!(raise(credits(9), ask(10, 12, 50), credits(2), 1), credits(2), "some go on");
        assert_eq!(raise(credits(9), ask(11, 12, 50), credits(1), 1), credits(0), "no request could pay");
    }

    proptest! {
        #[test]
        fn a_raise_never_exceeds_what_is_available_or_wanted(
            granted in 0..100_i64, least in 0..100_i64, more in 0..100_i64, most in 0..100_i64,
            available in 0..100_i64, holders in 0..5_i64,
        ) {
            let ask = ask(least, least + more, least + more + most);
            let raised = raise(credits(granted), ask, credits(available), holders);
            prop_assert!(raised >= Credits::ZERO && raised <= credits(available));
            prop_assert!(raised.is_zero() || credits(granted).saturating_add(raised) <= ask.want);
            let reaches = |level: Credits| credits(granted).saturating_add(raised) >= level;
            if granted + available >= least + more { prop_assert!(reaches(ask.need)); }
            else if granted + available >= least { prop_assert!(reaches(ask.least)); }
        }
    }
}
