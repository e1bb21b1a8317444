//! How gateways hear that prices have changed: by a number that comes with every answer.
//!
//! What must hold: the number differs from all before whenever the list was changed, and whenever an entry has become valid
//! since. So a gateway that asks again when the number differs knows every price in time.

use jiff::{SignedDuration, Timestamp};

/// How far the clocks of two ledgers may be apart: entries that became valid so long before the last change are counted as
/// well, because another ledger may still wait for them.
pub const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);
/// The most moments that are counted between two changes: more than a list has entries.
pub const MAX_MOMENTS: usize = 0xffff;
/// How many bits of the number count moments.
const MOMENT_BITS: u32 = 16;

/// What is known of the list's changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceNews {
    /// How often it was changed.
    pub change: u64,
    /// When its entries become valid, by rising time; those long before the last change are left out.
    pub moments: Vec<Timestamp>,
}

impl PriceNews {
    /// The number that gateways hear; `None` while the list has never changed.
    pub fn number(&self, now: Timestamp) -> Option<u64> {
        let passed = self.moments.partition_point(|moment| *moment <= now).min(MAX_MOMENTS);
        let passed = u64::try_from(passed).unwrap_or(0);
        (self.change > 0).then(|| (self.change << MOMENT_BITS).saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_rises_with_every_change_and_every_moment_that_passes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(PriceNews::default().number(at(5)), None);
        let first = PriceNews { change: 1, moments: vec![at(10), at(20)] };
        let second = PriceNews { change: 2, moments: Vec::new() };
        let numbers =
            [first.number(at(9)), first.number(at(10)), first.number(at(25)), second.number(at(25))];
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(first.number(at(11)), first.number(at(19)));
    }
}
