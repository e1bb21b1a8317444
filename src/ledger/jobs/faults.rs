//! Looks whether something is wrong with this ledger, and says so.

use super::rest;
use crate::domain::fault::{BURST, EXPIRES_MS, FaultKind};
use crate::metrics::{ListenerName, Metrics};
use crate::store::Store;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(5);
/// Over how many looks denied requests are counted: a minute.
const LOOKS: usize = 12;

/// Looks as long as the ledger runs.
pub async fn see_faults(store: Store, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let mut denied = VecDeque::from([metrics.denied_gateways()]);
    let mut unbooked = metrics.unbooked_entries.get();
    while rest(&mut stop, EVERY).await {
        let now = Timestamp::now();
        let mut seen = Vec::new();
        denied.push_back(metrics.denied_gateways());
        if denied.len() > LOOKS {
            denied.pop_front();
        }
        let (first, last) = (denied.front().copied(), denied.back().copied());
        if last.unwrap_or(0).saturating_sub(first.unwrap_or(0)) >= BURST {
            seen.push(FaultKind::GatewaysDenied);
        }
        if metrics.unbooked_entries.get() > unbooked {
            seen.push(FaultKind::NotCharged);
        }
        if metrics.books_disagree() {
            seen.push(FaultKind::BooksDisagree);
        }
        let certificates = [
            (ListenerName::Gateway, FaultKind::GatewayCertificate),
            (ListenerName::Admin, FaultKind::AdminCertificate),
        ];
        let soon = now.as_millisecond().saturating_add(EXPIRES_MS) / 1_000;
        for (listener, kind) in certificates {
            if metrics.certificate_expiry(listener).is_some_and(|at| at <= soon) {
                seen.push(kind);
            }
        }
        match store.see_faults(seen, now).await {
            // What couldn't be said is said again.
            Ok(()) => unbooked = metrics.unbooked_entries.get(),
            Err(error) => store.log_failure(&error, "could not say what is wrong"),
        }
    }
}
