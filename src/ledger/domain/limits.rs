//! A lease's part of what its account's plan allows per second and at the same time.
//!
//! A quarter of the whole is divided evenly, so that a newcomer gets going; the rest goes where the requests
//! come from. What must hold: together the parts are never more than the whole, but for this: each lease may have
//! one request at a time, so where there are more leases than that, the whole is passed.

use faregate_protocol::exchange::{Limits, Rate};

/// Of how much a part is: the account's leases with money in them, this one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderCounts {
    /// How many there are.
    pub count: u64,
    /// The requests per second that they tell of together.
    pub demand: u64,
}

/// The part of a lease with this demand.
pub fn part(whole: &Limits, demand: u32, all: HolderCounts) -> Limits {
    let of = |amount: u32| share(amount, demand, all).max(1);
    Limits {
        rate: whole
            .rate
            .map(|Rate { milli_per_s, burst }| Rate { milli_per_s: of(milli_per_s), burst: of(burst) }),
        concurrent: whole.concurrent.map(of),
    }
}

/// `amount × (1 ÷ 4n + 3 ÷ 4 × demand ÷ all demand)`, rounded down.
fn share(amount: u32, demand: u32, all: HolderCounts) -> u32 {
    let (amount, own, count) = (u128::from(amount), u128::from(demand), u128::from(all.count.max(1)));
    let demand = u128::from(all.demand).max(own);
    let divided = |part: u128, of: u128| amount.saturating_mul(part).checked_div(of);
    let share = if demand == 0 {
        divided(1, count)
    } else {
        let part = demand.saturating_add(count.saturating_mul(own).saturating_mul(3));
        divided(part, count.saturating_mul(demand).saturating_mul(4))
    };
    u32::try_from(share.unwrap_or(amount).min(amount)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(milli_per_s: u32, burst: u32, concurrent: u32) -> Limits {
        Limits { rate: Some(Rate { milli_per_s, burst }), concurrent: Some(concurrent) }
    }

    #[test]
    fn a_single_lease_gets_the_whole_limit() {
        let whole = limits(10_000, 20, 4);
        assert_eq!(part(&whole, 0, HolderCounts { count: 1, demand: 0 }), whole);
        assert_eq!(part(&whole, 7, HolderCounts { count: 1, demand: 7 }), whole);
        assert!(part(&Limits::default(), 7, HolderCounts { count: 1, demand: 7 }).is_none());
    }

    #[test]
    fn shares_follow_demand_and_a_new_holder_gets_a_minimum() {
        let whole = limits(8_000, 16, 8);
        assert_eq!(part(&whole, 0, HolderCounts { count: 2, demand: 0 }), limits(4_000, 8, 4));
        assert_eq!(part(&whole, 9, HolderCounts { count: 2, demand: 9 }), limits(7_000, 14, 7));
        assert_eq!(part(&whole, 0, HolderCounts { count: 2, demand: 9 }), limits(1_000, 2, 1));
        assert_eq!(
            part(&limits(1, 1, 1), 0, HolderCounts { count: 9, demand: 9 }),
            limits(1, 1, 1),
            "one at least"
        );
    }

    proptest! {
        #[test]
        fn shares_never_exceed_the_whole_limit(
            amount in 1..1_000_000_000_u32, demands in proptest::collection::vec(0..1_000_000_u32, 1..20),
        ) {
            let count = u64::try_from(demands.len()).unwrap();
            let all = HolderCounts { count, demand: demands.iter().map(|demand| u64::from(*demand)).sum() };
            let parts: Vec<u64> = demands.iter().map(|demand| share(amount, *demand, all).into()).collect();
            prop_assert!(parts.iter().sum::<u64>() <= u64::from(amount));
            prop_assert!(parts.iter().all(|part| *part >= u64::from(amount) / (4 * count)));
        }
    }
}
