//! Logs what was not charged. A gateway that is wrong, or a thief, may report so a thousand times a second, so only the
//! first few of a minute get a line each.

use crate::domain::unbooked::{Cause, Unbooked};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Over which time lines are counted.
const WINDOW: Duration = Duration::from_mins(1);
/// The most lines in that time.
const LINES: u32 = 10;

/// Counts its lines.
#[derive(Debug, Default)]
pub struct Alarm {
    lately: Mutex<Lately>,
}

#[derive(Debug, Default)]
struct Lately {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Alarm {
    /// Logs what was not charged of what a gateway reported, unless there were many such lines lately.
    pub fn raise(&self, gateway: &str, what: &Unbooked, now: Instant) {
        let Some(left_out) = self.turn(now) else { return };
        let (account, key, epoch) = (&what.account.1, &what.key, what.place.epoch);
        let Unbooked { granted, spent, on_credit, .. } = what;
        match &what.cause {
            Cause::Excess(lost) => tracing::error!(
                %account, %key, gateway, epoch, %granted, %spent, %on_credit, not_charged = %lost, left_out,
                "a gateway reports more than can be true; the rest was not charged and the entry refused; see `faregate audit`"
            ),
            Cause::Failed(why) => tracing::error!(
                %account, %key, gateway, epoch, %granted, %spent, %on_credit, %why, left_out,
                "an entry can't be booked; nothing of it was kept, and its payer is refused at this gateway"
            ),
        }
    }

    /// Whether there is room for a line; if so, how many were left out before it.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            (lately.since, lately.lines) = (Some(now), 0);
        }
        if lately.lines >= LINES {
            lately.left_out = lately.left_out.saturating_add(1);
            return None;
        }
        lately.lines = lately.lines.saturating_add(1);
        Some(std::mem::take(&mut lately.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_logged_in_a_few_lines_that_count_the_rest() {
        let (alarm, start) = (Alarm::default(), Instant::now());
        let lines = (0..1_000).filter(|_| alarm.turn(start).is_some()).count();
        assert_eq!(lines, 10);
        assert_eq!(alarm.turn(start + Duration::from_secs(59)), None);
        assert_eq!(alarm.turn(start + Duration::from_mins(1)), Some(991));
        assert_eq!(alarm.turn(start + Duration::from_mins(1)), Some(0));
    }
}
