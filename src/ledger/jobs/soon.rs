//! Announces what ends soon.

use super::rest;
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(5);
/// While more ends than fits into a step.
const BETWEEN_STEPS: Duration = Duration::from_millis(200);

/// Announces as long as the ledger runs.
pub async fn announce_endings(store: Store, mut stop: watch::Receiver<bool>) {
    let mut pause = EVERY;
    while rest(&mut stop, pause).await {
        pause = match store.announce_endings(Timestamp::now()).await {
            Ok(Store::STEP..) => BETWEEN_STEPS,
            Ok(_) => EVERY,
            Err(error) => {
                store.log_failure(&error, "could not announce what ends soon");
                EVERY
            }
        };
    }
}
