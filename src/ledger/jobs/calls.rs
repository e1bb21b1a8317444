//! Writes call records, and drops those that are too old or too many.

use super::rest;
use crate::store::CallLog;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked for records to drop.
const EVERY: Duration = Duration::from_mins(1);

/// Writes what gateways send, as long as the ledger runs.
pub async fn write_calls(calls: CallLog, stop: watch::Receiver<bool>) {
    calls.run(stop).await;
}

/// Drops old records as long as the ledger runs.
pub async fn prune_calls(calls: CallLog, mut stop: watch::Receiver<bool>) {
    // Those of a ledger that was down for long are dropped at once.
    loop {
        if let Err(error) = calls.prune().await
            && !error.is_outage()
        {
            tracing::error!(%error, "could not drop old call records; will try again");
        }
        if !rest(&mut stop, EVERY).await {
            return;
        }
    }
}
