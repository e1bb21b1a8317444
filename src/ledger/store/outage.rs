//! Keeps a database that can't be reached from filling the log: it is said once, then every half minute with a count, and
//! once more when it is over.
//!
//! What must hold: everything that fails with [`StoreError::Away`] is noted here and logged nowhere else; and a database that
//! comes and goes is logged no more often than one that stays away.

use crate::store::error::StoreError;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often an outage that goes on is logged.
const REMIND: Duration = Duration::from_secs(30);

/// Whether the database can be reached, and what was logged of it.
#[derive(Debug, Default)]
pub struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the outage began, if there is one.
    began: Option<Instant>,
    /// When a line about any outage was logged last.
    logged: Option<Instant>,
    /// Whether the log says that there is one.
    is_logged: bool,
    /// What failed since it began.
    failures: u64,
}

/// What is to be logged.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Began,
    GoesOn { lasts: Duration, failures: u64 },
    Over { lasted: Duration, failures: u64 },
}

impl Outage {
    /// Notes how something ended that needs the database.
    pub fn note<T>(&self, outcome: &Result<T, StoreError>) {
        match outcome {
            Ok(_) => self.over(),
            Err(error) => self.failed(error),
        }
    }

    /// Notes an error, if it is one of these.
    pub fn failed(&self, error: &StoreError) {
        if !error.is_outage() {
            return;
        }
        match self.fail(Instant::now()) {
            Some(Line::GoesOn { lasts, failures }) => {
                tracing::error!(%error, lasts = seconds(lasts), failures, "the database still can't be used");
            }
            Some(_) => tracing::error!(
                %error,
                "the database can't be used; gateways go on with the leases that they have, and the ledger tries again"
            ),
            None => {}
        }
    }

    /// Notes that the database took a write.
    pub fn over(&self) {
        if let Some(Line::Over { lasted, failures }) = self.work(Instant::now()) {
            tracing::warn!(lasted = seconds(lasted), failures, "the database can be used again");
        }
    }

    fn fail(&self, now: Instant) -> Option<Line> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let began = *state.began.get_or_insert(now);
        state.failures = state.failures.saturating_add(1);
        if state.logged.is_some_and(|logged| now.saturating_duration_since(logged) < REMIND) {
            return None;
        }
        let goes_on = state
            .is_logged
            .then(|| Line::GoesOn { lasts: now.saturating_duration_since(began), failures: state.failures });
        (state.logged, state.is_logged) = (Some(now), true);
        Some(goes_on.unwrap_or(Line::Began))
    }

    fn work(&self, now: Instant) -> Option<Line> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, failures) = (state.began.take()?, std::mem::take(&mut state.failures));
        let lasted = now.saturating_duration_since(began);
        std::mem::take(&mut state.is_logged).then_some(Line::Over { lasted, failures })
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_once_and_then_every_half_minute_with_a_count() {
        let (outage, start) = (Outage::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(outage.work(start), None);
        assert_eq!(outage.fail(start), Some(Line::Began));
        for ms in (200..30_000).step_by(200) {
            assert_eq!(outage.fail(after(ms)), None);
        }
        let lasts = Duration::from_secs(30);
        assert_eq!(outage.fail(after(30_000)), Some(Line::GoesOn { lasts, failures: 151 }));
        assert_eq!(outage.fail(after(30_001)), None);
        let lasted = Duration::from_secs(40);
        assert_eq!(outage.work(after(40_000)), Some(Line::Over { lasted, failures: 152 }));
        assert_eq!(outage.work(after(40_001)), None);
    }

    #[test]
    fn a_database_that_comes_and_goes_is_logged_no_more_often() {
        let (outage, start) = (Outage::default(), Instant::now());
        let mut lines = 0;
        for ms in (0..60_000).step_by(100) {
            let now = start + Duration::from_millis(ms);
            lines += usize::from(outage.fail(now).is_some()) + usize::from(outage.work(now).is_some());
        }
        assert_eq!(lines, 4);
    }
}
