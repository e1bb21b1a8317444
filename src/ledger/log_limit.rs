//! Keeps what strangers cause from filling the log: one line per second, which counts those left out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines are logged no more often than this.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// When a line of one kind was last logged, and how many were left out since.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<(Option<Instant>, u64)>);

impl LogLimit {
    /// Whether a line may be logged now, and how many were left out before it.
    pub fn permits(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (logged, others) = &mut *state;
        if logged.is_some_and(|logged| now.saturating_duration_since(logged) < LOG_EVERY) {
            *others = others.saturating_add(1);
            return None;
        }
        *logged = Some(now);
        Some(std::mem::take(others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_second_counts_the_suppressed_ones() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(limit.permits(start), Some(0));
        assert_eq!((limit.permits(after(1)), limit.permits(after(999))), (None, None));
        assert_eq!(limit.permits(after(1_000)), Some(2));
        assert_eq!(limit.permits(after(2_000)), Some(0));
    }
}
