//! Looks once after the start for damage that opening the database has not seen. A damaged file ends the
//! ledger, by way of the store; balances that disagree with their entries are reported to the operator.

use crate::metrics::Metrics;
use crate::store::Store;
use std::sync::Arc;
use tokio::sync::watch;

/// Looks at everything, or ends when the ledger does.
pub async fn inspect(store: Store, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let looking = store.inspect();
    tokio::pin!(looking);
    let result = tokio::select! {
        result = &mut looking => result,
        _ = stop.changed() => {
            store.stop_inspecting();
            looking.await
        }
    };
    if let Ok(Some(audit)) = &result {
        metrics.audited(audit.agrees());
    }
    match result {
        Ok(Some(audit)) if audit.agrees() => tracing::debug!(accounts = audit.accounts, "all balances agree"),
        Ok(Some(audit)) => {
            let first = audit.problems.first().map(|problem| problem.what.as_str());
            tracing::error!(
                problems = audit.problems.len(),
                first,
                "balances disagree with their entries; see `faregate audit`"
            );
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "could not look through the database"),
    }
}
