//! Sums over all accounts, counted in the background: in short steps, with rests between, and only while somebody looks.
//!
//! What must hold: a page waits at most [`FIRST_WAIT`] for a sum that was never counted, and for no other; one step is under way at a
//! time, whatever is counted; and but for the first time, counting takes at most one part in [`REST`] of the time.

use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// How old a sum is, at least, when it is counted again.
pub const KEPT: Duration = Duration::from_secs(15);
/// How long a page waits for what was never counted.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How long is counted on after the last look.
const WATCHED: Duration = Duration::from_mins(5);
/// How many times as long as a step took nothing is counted after it.
const REST: u32 = 19;
/// The same while there is nothing to show yet.
const FIRST_REST: u32 = 1;
/// The longest rest.
const MAX_REST: Duration = Duration::from_secs(10);

/// What lets one step run at a time.
pub type Turn = Arc<tokio::sync::Mutex<()>>;

/// Takes the steps of a count.
#[derive(Debug)]
pub struct Pace {
    turn: Turn,
    rest: u32,
}

impl Pace {
    /// A step: what it found, and how long it took.
    pub async fn step<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<(T, Duration), StoreError> {
        let _turn = self.turn.lock().await;
        let began = Instant::now();
        let found = Box::pin(read).await?;
        let took = began.elapsed();
        sleep(took.saturating_mul(self.rest).min(MAX_REST)).await;
        Ok((found, took))
    }
}

/// What was counted, and when that began.
#[derive(Debug)]
pub struct Counted<T> {
    /// What.
    pub value: Arc<T>,
    /// When.
    pub at: Timestamp,
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), at: self.at }
    }
}

/// How something is counted.
pub trait Count: Send + Sync + 'static {
    /// What comes of it.
    type Sum: Send + Sync + 'static;

    /// Counts, from what was counted the last time.
    fn count(
        &self,
        store: &Store,
        earlier: Option<&Self::Sum>,
        pace: &Pace,
        now: Timestamp,
    ) -> impl Future<Output = Result<Self::Sum, StoreError>> + Send;
}

/// A sum that is counted while somebody looks.
#[derive(Debug)]
pub struct Survey<C: Count> {
    last: watch::Sender<Option<Counted<C::Sum>>>,
    looked: Mutex<Option<Instant>>,
    /// Until when pages wait for what was never counted.
    waits_until: Mutex<Option<Instant>>,
    is_running: AtomicBool,
}

impl<C: Count> Default for Survey<C> {
    fn default() -> Self {
        Self {
            last: watch::Sender::new(None),
            looked: Mutex::default(),
            waits_until: Mutex::default(),
            is_running: AtomicBool::new(false),
        }
    }
}

impl<C: Count> Survey<C> {
    /// What was counted last; none where that takes longer than a page should wait.
    pub async fn look(
        self: &Arc<Self>,
        store: &Store,
        turn: &Turn,
        stop: &watch::Receiver<bool>,
        count: C,
    ) -> Option<Counted<C::Sum>> {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let mut last = self.last.subscribe();
        if !self.is_running.swap(true, Ordering::SeqCst) {
            let (survey, store, turn) = (Arc::clone(self), store.clone(), Arc::clone(turn));
            tokio::spawn(survey.goes_on(store, turn, stop.clone(), count));
        }
        let mut until = Instant::now();
        if last.borrow().is_none() {
            // Who comes later, while it is still being counted, doesn't wait again.
            let mut waits_until = self.waits_until.lock().unwrap_or_else(PoisonError::into_inner);
            until = *waits_until.get_or_insert(until + FIRST_WAIT);
        }
        match timeout_at(until, last.wait_for(Option::is_some)).await {
            Ok(Ok(counted)) => counted.clone(),
            _ => None,
        }
    }

    async fn goes_on(self: Arc<Self>, store: Store, turn: Turn, mut stop: watch::Receiver<bool>, count: C) {
        while self.is_watched() {
            let (began, at) = (Instant::now(), Timestamp::now());
            let earlier = self.last.borrow().clone();
            let rest = if earlier.is_some() { REST } else { FIRST_REST };
            let pace = Pace { turn: Arc::clone(&turn), rest };
            let round = async {
                let earlier = earlier.as_ref().map(|counted| &*counted.value);
                match count.count(&store, earlier, &pace, at).await {
                    Ok(sum) => {
                        self.last.send_replace(Some(Counted { value: Arc::new(sum), at }));
                    }
                    Err(error) => tracing::warn!(%error, "sums for the console could not be counted"),
                }
                sleep(KEPT.saturating_sub(began.elapsed())).await;
            };
            tokio::select! {
                () = round => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.is_running.store(false, Ordering::SeqCst);
    }

    fn is_watched(&self) -> bool {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() < WATCHED)
    }
}

/// The length of the next step, which is to take neither much longer than [`SHORT`] nor much longer than it has to begin.
pub fn next_length(length: i64, took: Duration, (least, most): (i64, i64)) -> i64 {
    if took > LONG {
        (length / 2).max(least)
    } else if took < SHORT {
        length.saturating_mul(2).min(most)
    } else {
        length
    }
}

/// A step that took less is made longer.
const SHORT: Duration = Duration::from_millis(20);
/// A step that took more is made shorter.
const LONG: Duration = Duration::from_millis(80);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_becomes_as_long_as_its_time_allows() {
        let after = |length, ms| next_length(length, Duration::from_millis(ms), (10, 1_000));
        assert_eq!([after(100, 5), after(100, 50), after(100, 500)], [200, 100, 50]);
        assert_eq!([after(900, 5), after(15, 500)], [1_000, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn counting_takes_one_part_in_twenty_of_the_time_and_one_step_at_once() {
        let turn = Turn::default();
        let paces = [REST, REST].map(|rest| Pace { turn: Arc::clone(&turn), rest });
        let began = Instant::now();
        let step = async || {
            sleep(Duration::from_millis(50)).await;
            Ok(())
        };
        let (one, other) = tokio::join!(paces[0].step(step()), paces[1].step(step()));
        assert_eq!((one.unwrap().1, other.unwrap().1), ([Duration::from_millis(50); 2]).into());
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }
}
