//! Deletes what has served its time: remembered answers, old changes, leases that are over, the trail of what operators did.

use super::rest;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_mins(1);
/// While there is more to delete than fits into a step.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// Prunes as long as the ledger runs; the trail is kept for so long.
pub async fn prune(store: Store, keep_trail: Duration, mut stop: watch::Receiver<bool>) {
    let mut pause = EVERY;
    while rest(&mut stop, pause).await {
        pause = match once(&store, keep_trail, Timestamp::now()).await {
            Ok(Store::STEP..) => BETWEEN_STEPS,
            Ok(_) => EVERY,
            Err(error) => {
                store.log_failure(&error, "could not prune");
                EVERY
            }
        };
    }
}

/// One step of it; the largest number of rows that went.
async fn once(store: &Store, keep_trail: Duration, now: Timestamp) -> Result<usize, StoreError> {
    let keep_ms = i64::try_from(keep_trail.as_millis()).unwrap_or(i64::MAX);
    Ok(store.prune(now).await?.max(store.prune_trail(keep_ms, now).await?))
}
