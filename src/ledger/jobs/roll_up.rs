//! Sums up usage that has become old, by hours and later by days.

use super::rest;
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_mins(1);
/// While there is more to sum up than fits into a step.
const BETWEEN_STEPS: Duration = Duration::from_millis(100);

/// Sums up as long as the ledger runs. The first walk is over all usage: the ledger may have been away for long.
pub async fn roll_up(store: Store, mut stop: watch::Receiver<bool>) {
    let (mut pause, mut all) = (EVERY, true);
    while rest(&mut stop, pause).await {
        pause = match store.roll_up(Timestamp::now(), all).await {
            Ok(Store::STEP..) => BETWEEN_STEPS,
            Ok(_) => {
                all = false;
                EVERY
            }
            Err(error) => {
                tracing::error!(%error, "could not sum up old usage; will try again");
                EVERY
            }
        };
    }
}
