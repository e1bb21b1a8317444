//! Lets grants and keys expire whose time is over. An exchange or a command checks
//! expiry by itself; this job is for what they don't touch.

use super::rest;
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

/// Gateways must hear of an expired key within two seconds, and they heartbeat once a second.
const EVERY: Duration = Duration::from_millis(900);

/// Lets things expire as long as the ledger runs.
pub async fn expire(store: Store, mut stop: watch::Receiver<bool>) {
    while rest(&mut stop, EVERY).await {
        match store.expire(Timestamp::now()).await {
            Ok(Store::STEP..) => tracing::info!("many grants or keys expire at once; going on"),
            Ok(_) => {}
            Err(error) => store.log_failure(&error, "could not let grants and keys expire"),
        }
    }
}
