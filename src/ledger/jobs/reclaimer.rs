//! Takes back leases of gateways that have fallen silent.

use super::rest;
use crate::domain::reclaim::Watch;
use crate::store::Store;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Looks after the leases as long as the ledger runs. `patience` is a lease's time to live plus the
/// grace on top.
pub async fn reclaim(
    store: Store,
    silence: Arc<Mutex<Watch>>,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let tick = (patience / 16).clamp(Duration::from_millis(10), Duration::from_millis(500));
    loop {
        match store.touches().await {
            Ok(touch) => {
                let overdue = look(&silence, touch);
                if let Some(touch) = overdue {
                    take_back(&store, touch).await;
                }
            }
            Err(error) => {
                // While the database is unreachable, no gateway can report.
                silence.lock().unwrap_or_else(PoisonError::into_inner).forget();
                store.log_failure(&error, "could not look for silent leases");
            }
        }
        if !rest(&mut stop, tick).await {
            return;
        }
    }
}

/// Notes the line that was just drawn; tells up to which one leases are overdue.
fn look(silence: &Mutex<Watch>, touch: i64) -> Option<i64> {
    let mut silence = silence.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    silence.note(now, touch);
    silence.overdue(now)
}

async fn take_back(store: &Store, touch: i64) {
    match store.reclaim(touch, Timestamp::now()).await {
        Ok((0, _)) => {}
        Ok((leases, credits)) => {
            tracing::warn!(leases, %credits, "took leases back from gateways that fell silent");
        }
        Err(error) => store.log_failure(&error, "could not take overdue leases back"),
    }
}
