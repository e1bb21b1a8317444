//! Renews subscriptions whose period has ended, and ends expired ones.

use super::rest;
use crate::store::Store;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_millis(500);
/// The pause while more is due than fits into a step, as at the beginning of a month.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Renews as long as the ledger runs.
pub async fn renew(store: Store, mut stop: watch::Receiver<bool>) {
    let mut pause = EVERY;
    while rest(&mut stop, pause).await {
        pause = match store.renew(Timestamp::now()).await {
            Ok(Store::RENEWALS..) => BUSY_PAUSE,
            Ok(_) => EVERY,
            Err(error) => {
                store.log_failure(&error, "could not renew subscriptions");
                EVERY
            }
        };
    }
}
