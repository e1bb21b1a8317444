//! The geometry of charts: which rectangle is where. Pure: templates draw what this says.
//!
//! What must hold: a chart has at most [`MAX_COLUMNS`] columns, each of at most [`MAX_PARTS`] parts; rectangles stay inside the chart and
//! don't overlap; and what is above zero is seen.

/// The width of a chart in its own units, which the page stretches.
pub const WIDTH: i64 = 1_000;
/// The height of a chart in its own units.
pub const HEIGHT: i64 = 1_000;
/// The most columns: the days of a quarter.
pub const MAX_COLUMNS: usize = 100;
/// The most parts of a column: the largest, and the rest together.
pub const MAX_PARTS: usize = 6;
/// The least height of a part that isn't zero, so that it is seen.
const LEAST: i64 = 8;
/// The space between columns, as one in this many of a column's room.
const GAP: i64 = 5;

/// A rectangle, and which part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// The left edge.
    pub x: i64,
    /// The upper edge.
    pub y: i64,
    /// The width.
    pub width: i64,
    /// The height.
    pub height: i64,
    /// Which part: its color.
    pub part: usize,
}

/// A column of a chart: its parts from the ground up.
pub type Column = Vec<u64>;

/// The least round number, of 1, 2 and 5 with zeros behind it, that isn't below a value; at least 1.
pub fn round_up(value: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 5] {
            match power.checked_mul(step) {
                Some(round) if round >= value => return round,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return u64::MAX,
        }
    }
}

/// What the upper edge of a chart means: the largest column fits below it.
pub fn ceiling(columns: &[Column]) -> u64 {
    round_up(columns.iter().map(|parts| sum(parts)).max().unwrap_or(0))
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

/// Where `part` of `whole` ends on a line of this length.
fn scaled(part: u64, whole: u64, length: i64) -> i64 {
    let whole = u128::from(whole.max(1));
    let scaled = u128::from(part).saturating_mul(length.unsigned_abs().into()).checked_div(whole);
    i64::try_from(scaled.unwrap_or(0)).unwrap_or(length).min(length)
}

/// The rectangles of each column, under a ceiling.
pub fn columns(columns: &[Column], ceiling: u64) -> Vec<Vec<Rectangle>> {
    let count = i64::try_from(columns.len().min(MAX_COLUMNS)).unwrap_or(1).max(1);
    let edge = |nth: i64| nth.saturating_mul(WIDTH).checked_div(count).unwrap_or(0);
    let mut all = Vec::new();
    for (nth, parts) in (0_i64..).zip(columns.iter().take(MAX_COLUMNS)) {
        let (left, right) = (edge(nth), edge(nth.saturating_add(1)));
        let room = right.saturating_sub(left);
        let gap = room.checked_div(GAP).unwrap_or(0);
        let (x, width) = (left.saturating_add(gap / 2), room.saturating_sub(gap));
        let mut ground = 0_i64;
        let mut below = 0_u64;
        let mut column = Vec::new();
        for (part, value) in parts.iter().take(MAX_PARTS).enumerate().filter(|(_, value)| **value > 0) {
            below = below.saturating_add(*value);
            let top = scaled(below, ceiling, HEIGHT).max(ground.saturating_add(LEAST)).min(HEIGHT);
            let height = top.saturating_sub(ground);
            if height > 0 {
                column.push(Rectangle { x, y: HEIGHT.saturating_sub(top), width, height, part });
            }
            ground = top;
        }
        all.push(column);
    }
    all
}

/// The parts of a bar beside each other, of a whole that is at least their sum.
pub fn bar(parts: &[u64], whole: u64) -> Vec<Rectangle> {
    let whole = whole.max(sum(parts));
    let (mut before, mut x) = (0_u64, 0_i64);
    let mut all = Vec::new();
    for (part, value) in parts.iter().take(MAX_PARTS).enumerate().filter(|(_, value)| **value > 0) {
        before = before.saturating_add(*value);
        let end = scaled(before, whole, WIDTH).max(x.saturating_add(LEAST)).min(WIDTH);
        let width = end.saturating_sub(x);
        if width > 0 {
            all.push(Rectangle { x, y: 0, width, height: HEIGHT, part });
        }
        x = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ceiling_is_a_round_number() {
        let ceilings = [0, 1, 3, 5, 6, 10, 11, 99, 4_321].map(round_up);
        assert_eq!(ceilings, [1, 1, 5, 5, 10, 10, 20, 100, 5_000]);
        assert_eq!(round_up(u64::MAX), u64::MAX);
        assert_eq!(ceiling(&[]), 1);
        assert_eq!(ceiling(&[vec![3, 4], vec![6]]), 10);
    }

    #[test]
    fn a_column_of_half_the_ceiling_has_half_the_height() {
        let all = columns(&[vec![5], vec![], vec![2, 3]], 10);
        let heights: Vec<Vec<(i64, i64)>> =
            all.iter().map(|column| column.iter().map(|part| (part.y, part.height)).collect()).collect();
        assert_eq!(heights, [vec![(500, 500)], vec![], vec![(800, 200), (500, 300)]]);
    }

    #[test]
    fn little_is_seen_beside_much() {
        assert_eq!(columns(&[vec![1], vec![1_000_000_000]], 1_000_000_000)[0][0].height, LEAST);
        assert_eq!(bar(&[1, 1_000_000], 2_000_000)[0].width, LEAST);
        assert_eq!(bar(&[], 0), []);
    }

    fn apart(all: &[Rectangle], begin: fn(&Rectangle) -> i64, length: fn(&Rectangle) -> i64) -> bool {
        let mut sorted = all.to_vec();
        sorted.sort_by_key(begin);
        sorted.windows(2).all(|two| begin(&two[0]) + length(&two[0]) <= begin(&two[1]))
    }

    proptest! {
        #[test]
        fn rectangles_stay_inside_and_apart(
            values in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0), any::<u64>(), 0..1_000_u64], 0..9), 0..120)
        ) {
            let all = columns(&values, ceiling(&values));
            prop_assert_eq!(all.len(), values.len().min(MAX_COLUMNS));
            let mut right = 0;
            for column in &all {
                for part in column {
                    prop_assert!(part.x >= right && part.width > 0 && part.x + part.width <= WIDTH);
                    prop_assert!(part.y >= 0 && part.height > 0 && part.y + part.height <= HEIGHT);
                }
                prop_assert!(apart(column, |part| part.y, |part| part.height));
                right = column.iter().map(|part| part.x + part.width).max().unwrap_or(right);
            }
        }

        #[test]
        fn a_bar_stays_inside_and_its_parts_apart(values in prop::collection::vec(any::<u64>(), 0..9), whole in any::<u64>()) {
            let all = bar(&values, whole);
            prop_assert!(all.iter().all(|part| part.x >= 0 && part.width > 0 && part.x + part.width <= WIDTH));
            prop_assert!(apart(&all, |part| part.x, |part| part.width));
        }
    }
}
