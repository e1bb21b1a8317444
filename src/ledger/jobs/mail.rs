//! Sends mail about events.
//!
//! What must hold: few mails are under way at once; a server that is down is left alone for a while; and a mail that this ledger doesn't
//! finish is sent by it or by another one later.

use super::rest;
use crate::command::webhooks::{Attempted, DeliveryOutcome};
use crate::domain::mail::{AT_ONCE, MAX_PER_HOUR, STALE_MS};
use crate::mailer::{Mailed, Mailer};
use crate::metrics::Metrics;
use crate::store::queries::mail::DueMail;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How often is looked for new mails.
const EVERY: Duration = Duration::from_millis(500);
/// How long a server that is down is left alone.
const WHEN_DOWN: Duration = Duration::from_secs(5);
/// How long mails that are under way are waited for when the ledger ends.
const LAST: Duration = Duration::from_secs(2);

/// Sends as long as the ledger runs. What is under way at the end is dropped, and sent again later.
pub async fn send_mail(store: Store, mailer: Mailer, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let mut under_way: JoinSet<bool> = JoinSet::new();
    let mut pause = EVERY;
    loop {
        let goes_on = tokio::select! {
            goes_on = rest(&mut stop, pause) => {
                pause = EVERY;
                goes_on
            }
            Some(done) = under_way.join_next() => {
                if done.unwrap_or(false) {
                    pause = WHEN_DOWN;
                }
                // A server that is down isn't asked by the next one at once.
                if pause == WHEN_DOWN {
                    continue;
                }
                true
            }
        };
        if !goes_on {
            let _ = timeout(LAST, async { while under_way.join_next().await.is_some() {} }).await;
            return;
        }
        if let Err(error) = begin(&store, &mailer, &metrics, &mut under_way).await {
            store.log_failure(&error, "could not send mail");
            pause = WHEN_DOWN;
        }
    }
}

async fn begin(
    store: &Store,
    mailer: &Mailer,
    metrics: &Arc<Metrics>,
    under_way: &mut JoinSet<bool>,
) -> Result<(), StoreError> {
    let room = AT_ONCE.saturating_sub(under_way.len());
    if room == 0 {
        return Ok(());
    }
    for (mail, attempt) in store.claim_mails(room, Timestamp::now()).await? {
        let (store, mailer, metrics) = (store.clone(), mailer.clone(), Arc::clone(metrics));
        under_way.spawn(async move { attempt_one(&store, &mailer, &metrics, &mail, attempt).await });
    }
    Ok(())
}

/// Sends a mail, or gives it up. Whether the server is down.
async fn attempt_one(
    store: &Store,
    mailer: &Mailer,
    metrics: &Metrics,
    mail: &DueMail,
    attempt: u32,
) -> bool {
    let now = Timestamp::now();
    let age_ms = now.as_millisecond().saturating_sub(mail.message.time.as_millisecond());
    let mailed = if mail.lately >= MAX_PER_HOUR {
        Mailed::given_up(format!(
            "{MAX_PER_HOUR} mails about the account went to this address within an hour"
        ))
    } else if age_ms > STALE_MS {
        Mailed::given_up("it is older than 3 days")
    } else {
        mailer.send(&mail.id, &mail.address, &mail.message).await
    };
    let (is_down, is_delivered, error) = (mailed.is_down, mailed.error.is_none(), mailed.error.clone());
    let what = Attempted {
        place: mail.place,
        attempt,
        status: mailed.code,
        error: mailed.error,
        is_final: mailed.is_final,
        jitter: getrandom::u32().unwrap_or(0),
    };
    let (address, event) = (mail.id.as_str(), mail.message.id.as_str());
    let outcome = store.attempted(what, Timestamp::now()).await;
    metrics.mail(is_delivered, matches!(outcome, Ok(DeliveryOutcome::GivenUp)));
    match outcome {
        Ok(DeliveryOutcome::GivenUp) => {
            tracing::warn!(address, event, why = error.unwrap_or_default(), "a mail was given up");
        }
        Ok(DeliveryOutcome::Again) if attempt == 1 => {
            let why = error.unwrap_or_default();
            tracing::info!(address, event, why, "a mail was not sent; will try again");
        }
        Ok(_) => {}
        // It is claimed for a minute, and tried again then.
        Err(error) => store.log_failure(&error, "could not note what came of a mail"),
    }
    is_down
}
