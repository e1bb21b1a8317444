//! A part of an amount, for what is left of a period.
//!
//! What must hold: it is rounded down to a micro-credit, and is never below nothing nor above the whole.

use faregate_protocol::Credits;
use jiff::Timestamp;

/// The part of `amount` that belongs to what is left, at `now`, of the time from `start` to `end`.
pub fn rest(amount: Credits, (start, end): (Timestamp, Timestamp), now: Timestamp) -> Credits {
    let whole = i128::from(end.as_millisecond()).saturating_sub(start.as_millisecond().into());
    let left =
        i128::from(end.as_millisecond()).saturating_sub(now.as_millisecond().into()).clamp(0, whole.max(0));
    let part = i128::from(amount.micros().max(0)).saturating_mul(left).checked_div(whole).unwrap_or(0);
    Credits::from_micros(i64::try_from(part).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_prorated_amount_is_rounded_down() {
        let part = |micros, now| rest(Credits::from_micros(micros), (at(0), at(3)), at(now)).micros();
        assert_eq!([part(100, 0), part(100, 1), part(100, 2), part(100, 3)], [100, 66, 33, 0]);
        assert_eq!([part(100, -5), part(100, 9), part(-7, 1)], [100, 0, 0]);
        assert_eq!(rest(Credits::MAX, (at(5), at(5)), at(5)), Credits::ZERO);
        assert_eq!(rest(Credits::MAX, (Timestamp::MIN, Timestamp::MAX), Timestamp::MIN), Credits::MAX);
    }

    proptest! {
        #[test]
        fn the_prorated_amount_never_grows_over_time(amount in 0_i64..i64::MAX, length in 1_i64..1_000_000, now in 0_i64..1_000_000) {
            let part = |now| rest(Credits::from_micros(amount), (at(0), at(length)), at(now));
            prop_assert!(part(now) <= Credits::from_micros(amount) && part(now + 1) <= part(now));
        }
    }
}
