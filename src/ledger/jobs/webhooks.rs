//! Delivers events to endpoints, and does their replays.
//!
//! What must hold: each endpoint has its own share of what is under way, so that none waits for another; a delivery that this ledger
//! doesn't finish is tried again by it or by another one.

use super::rest;
use crate::command::webhooks::{Attempted, DeliveryOutcome};
use crate::domain::outgoing::Message;
use crate::domain::webhook::{AT_ONCE, WebhookState};
use crate::metrics::Metrics;
use crate::outgoing::Sender;
use crate::store::rows::{DeliveryKey, WebhookRow};
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How often is looked for new events.
const EVERY: Duration = Duration::from_millis(500);
/// How long deliveries that are under way are waited for when the ledger ends.
const LAST: Duration = Duration::from_secs(2);

/// Delivers as long as the ledger runs. What is under way at the end is dropped, and tried again later.
pub async fn deliver(store: Store, sender: Sender, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let mut under_way: JoinSet<i64> = JoinSet::new();
    let mut busy: HashMap<i64, usize> = HashMap::new();
    loop {
        let goes_on = tokio::select! {
            goes_on = rest(&mut stop, EVERY) => goes_on,
            Some(done) = under_way.join_next() => {
                finish(&mut busy, done.ok());
                true
            }
        };
        if !goes_on {
            // What is under way may be done, so that it needn't be delivered again.
            let _ = timeout(LAST, async { while under_way.join_next().await.is_some() {} }).await;
            return;
        }
        while let Some(done) = under_way.try_join_next() {
            finish(&mut busy, done.ok());
        }
        // A task that has panicked has taken its share with it.
        if under_way.is_empty() {
            busy.clear();
        }
        let begun = begin(&store, &sender, &metrics, &mut under_way, &mut busy).await;
        if let Err(error) = begun {
            store.log_failure(&error, "could not deliver events");
            if !rest(&mut stop, EVERY).await {
                return;
            }
        }
    }
}

fn finish(busy: &mut HashMap<i64, usize>, done: Option<i64>) {
    if let Some(share) = done.and_then(|webhook| busy.get_mut(&webhook)) {
        *share = share.saturating_sub(1);
    }
}

/// Begins what each endpoint has room for.
async fn begin(
    store: &Store,
    sender: &Sender,
    metrics: &Arc<Metrics>,
    under_way: &mut JoinSet<i64>,
    busy: &mut HashMap<i64, usize>,
) -> Result<(), StoreError> {
    store.refresh_alerts().await?;
    let now = Timestamp::now();
    for endpoint in store.busy_webhooks(now).await? {
        store.replay(&endpoint, now).await?;
        let share = busy.entry(endpoint.no).or_default();
        let room = AT_ONCE.saturating_sub(*share);
        if room == 0 || endpoint.state != WebhookState::Active {
            continue;
        }
        for (place, attempt, message) in store.claim_deliveries(endpoint.no, room, now).await? {
            *share = share.saturating_add(1);
            let (store, sender, metrics) = (store.clone(), sender.clone(), Arc::clone(metrics));
            let endpoint = endpoint.clone();
            under_way.spawn(async move {
                attempt_one(&store, &sender, &metrics, &endpoint, (place, attempt), &message).await;
                endpoint.no
            });
        }
    }
    Ok(())
}

async fn attempt_one(
    store: &Store,
    sender: &Sender,
    metrics: &Metrics,
    endpoint: &WebhookRow,
    (place, attempt): (DeliveryKey, u32),
    message: &Message,
) {
    let answered = sender.deliver(endpoint, message, Timestamp::now()).await;
    metrics.delivery(answered.error.is_none());
    let jitter = getrandom::u32().unwrap_or(0);
    let error = answered.error.clone();
    let (status, is_final) = (answered.status, false);
    let what = Attempted { place, attempt, status, error: answered.error, is_final, jitter };
    match store.attempted(what, Timestamp::now()).await {
        Ok(DeliveryOutcome::GivenUp) => {
            let (webhook, why) = (endpoint.id.as_str(), error.unwrap_or_default());
            tracing::warn!(
                webhook,
                why,
                "an event could not be delivered for 3 days: the webhook is paused; `faregate webhook resume` goes on"
            );
        }
        Ok(DeliveryOutcome::Again) if attempt == 1 => {
            let (webhook, event) = (endpoint.id.as_str(), message.id.as_str());
            tracing::info!(
                webhook,
                event,
                why = error.unwrap_or_default(),
                "an event was not delivered; will try again"
            );
        }
        Ok(_) => {}
        // It is claimed for a minute, and tried again then.
        Err(error) => store.log_failure(&error, "could not note what came of a delivery"),
    }
}
