//! Deletes what has served its time: remembered answers, old changes, leases that are over.

use super::rest;
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_mins(1);
/// While there is more to delete than fits into a step.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// Prunes as long as the ledger runs.
pub async fn prune(store: Store, mut stop: watch::Receiver<bool>) {
    let mut pause = EVERY;
    while rest(&mut stop, pause).await {
        pause = match store.prune(Timestamp::now()).await {
            Ok(Store::STEP..) => BETWEEN_STEPS,
            Ok(_) => EVERY,
            Err(error) => {
                store.log_failure(&error, "could not prune");
                EVERY
            }
        };
    }
}
