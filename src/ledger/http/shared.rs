//! One database check shared by concurrent probes, so that probes without a token cannot keep the database busy.

use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How old an outcome may be when it is given.
pub const KEPT: Duration = Duration::from_millis(500);

/// The last outcome, and when it was had.
#[derive(Debug)]
pub struct Shared<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shared<T> {
    /// The last outcome, if it is new enough; else that of a look, which others who ask wait for.
    pub async fn get(&self, look: impl Future<Output = T>) -> T {
        self.get_within(KEPT, look).await
    }

    /// The same, where an outcome is new enough for so long.
    pub async fn get_within(&self, kept: Duration, look: impl Future<Output = T>) -> T {
        let mut last = self.0.lock().await;
        if let Some((when, outcome)) = &*last
            && when.elapsed() < kept
        {
            return outcome.clone();
        }
        let outcome = look.await;
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn concurrent_callers_share_one_lookup_and_replace_an_abandoned_one() {
        let (shared, looks) = (Shared::default(), AtomicU32::new(0));
        let look = async || looks.fetch_add(1, Ordering::Relaxed);
        let never = std::future::pending::<u32>();
        tokio::select! {
            biased;
            _ = shared.get(never) => panic!("it never ends"),
            () = std::future::ready(()) => {}
        }
        let (first, second) = tokio::join!(shared.get(look()), shared.get(look()));
        assert_eq!((first, second, shared.get(look()).await), (0, 0, 0));
        *shared.0.lock().await = Instant::now().checked_sub(KEPT).map(|then| (then, 7));
        assert_eq!(shared.get(look()).await, 1);
    }
}
