//! Exports call records and metrics to a collector.
//!
//! What must hold: a collector that is down, slow or lying costs only what is exported; every record that the collector doesn't get is
//! counted; and a ledger that ends waits for it no longer than [`LAST`].

use super::rest;
use crate::domain::otlp::{self, Verdict, wait};
use crate::http::{App, refresh_metrics};
use crate::log_limit::LogLimit;
use crate::metrics::{ExportResult, Metrics, Signal};
use crate::otlp::Exporter;
use crate::store::Exports;
use axum::body::Bytes;
use jiff::Timestamp;
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long records wait for others to be exported with.
const LINGER: Duration = Duration::from_millis(500);
/// For how long the same records are sent again and again before they are given up.
const RETRY_FOR: Duration = Duration::from_mins(15);
/// How long is exported when the ledger ends, at most.
const LAST: Duration = Duration::from_secs(5);
/// How soon is tried again then.
const LAST_WAIT: Duration = Duration::from_millis(500);
/// How long the last metrics may take.
const LAST_METRICS: Duration = Duration::from_secs(2);

/// What became of some records.
enum Ended {
    /// This many were rejected, the others taken.
    Taken(usize),
    Refused,
    GivenUp,
    /// The ledger ends, and there is no more time.
    OutOfTime,
}

/// Exports call records as long as the ledger runs, and for a while after.
pub async fn export_calls(
    exports: Arc<Exports>,
    exporter: Exporter,
    resource: Arc<Resource>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) {
    let over = {
        let mut stop = stop.clone();
        async move {
            // An error means that the sender is gone: the ledger ends.
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(LAST).await;
        }
    };
    let mut over = pin!(over);
    let mut export = Export { exporter, metrics: &metrics, stop, is_up: true, refusals: LogLimit::default() };
    loop {
        tokio::select! {
            biased;
            more = exports.wait_for_some() => if !more { break },
            () = &mut over => break,
        }
        tokio::select! {
            biased;
            () = exports.wait_for_many() => {}
            () = sleep(LINGER) => {}
        }
        let batches = exports.take();
        let count = batches.iter().map(|batch| batch.calls.len()).sum::<usize>();
        let resource = Arc::clone(&resource);
        let ended = match export.exporter.packed(move || otlp::logs(&resource, &batches)).await {
            Ok(body) => export.deliver(&body, count, over.as_mut()).await,
            Err(why) => {
                export.say_refused(count, &why);
                Ended::Refused
            }
        };
        let rejected = match ended {
            Ended::Taken(rejected) => rejected.min(count),
            Ended::Refused | Ended::GivenUp | Ended::OutOfTime => count,
        };
        metrics.exported(ExportResult::Sent, count.saturating_sub(rejected));
        let lost = match ended {
            Ended::Taken(_) | Ended::Refused => ExportResult::Refused,
            Ended::GivenUp | Ended::OutOfTime => ExportResult::GivenUp,
        };
        metrics.exported(lost, rejected);
        if matches!(ended, Ended::OutOfTime) {
            let lost = count.saturating_add(drop_rest(&exports, &metrics));
            tracing::warn!(lost, "call records were not exported before the ledger ended");
            return;
        }
    }
    let lost = drop_rest(&exports, &metrics);
    if lost > 0 {
        tracing::warn!(lost, "call records were not exported before the ledger ended");
    }
}

/// Gives up what still waits; how many records that are.
fn drop_rest(exports: &Exports, metrics: &Metrics) -> usize {
    let mut lost = 0_usize;
    loop {
        let count = exports.take().iter().map(|batch| batch.calls.len()).sum::<usize>();
        if count == 0 {
            metrics.exported(ExportResult::GivenUp, lost);
            return lost;
        }
        lost = lost.saturating_add(count);
    }
}

struct Export<'a> {
    exporter: Exporter,
    metrics: &'a Metrics,
    stop: watch::Receiver<bool>,
    is_up: bool,
    refusals: LogLimit,
}

impl Export<'_> {
    /// Sends a request until the collector takes it or refuses it, or time is over.
    async fn deliver(
        &mut self,
        body: &Bytes,
        count: usize,
        mut over: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        let began = Instant::now();
        let mut failures = 0_u32;
        loop {
            let verdict = tokio::select! {
                biased;
                verdict = self.exporter.send(body) => verdict,
                () = &mut over => return Ended::OutOfTime,
            };
            self.metrics.exporting(Signal::Logs, matches!(verdict, Verdict::Taken { .. }));
            let (after, why) = match verdict {
                Verdict::Taken { rejected, said } => {
                    self.say_up();
                    let rejected = usize::try_from(rejected).unwrap_or(usize::MAX);
                    if rejected > 0 {
                        self.say_refused(rejected, &said);
                    }
                    return Ended::Taken(rejected);
                }
                Verdict::Refused { why } => {
                    self.say_refused(count, &why);
                    return Ended::Refused;
                }
                Verdict::Again { after, why } => (after, why),
            };
            failures = failures.saturating_add(1);
            self.say_down(&why);
            if began.elapsed() >= RETRY_FOR {
                return Ended::GivenUp;
            }
            let pause = wait(failures, after, getrandom::u32().unwrap_or(0));
            tokio::select! {
                biased;
                () = &mut over => return Ended::OutOfTime,
                () = self.pause(pause) => {}
            }
        }
    }

    /// Waits; not for long if the ledger ends.
    async fn pause(&mut self, time: Duration) {
        if !rest(&mut self.stop, time).await {
            sleep(time.min(LAST_WAIT)).await;
        }
    }

    fn say_down(&mut self, why: &str) {
        if self.is_up {
            tracing::warn!(
                why,
                "call records can't be exported; will try again, and drop what there is no room for"
            );
        }
        self.is_up = false;
    }

    fn say_up(&mut self) {
        if !self.is_up {
            tracing::info!("call records are exported again");
        }
        self.is_up = true;
    }

    fn say_refused(&self, rejected: usize, why: &str) {
        if let Some(others) = self.refusals.permits(Instant::now()) {
            tracing::warn!(rejected, why, others, "the collector refuses call records; they are dropped");
        }
    }
}

/// Exports metrics as long as the ledger runs, and once more at its end. Each time all of them are sent, so none is sent again.
pub async fn export_metrics(
    app: Arc<App>,
    mut exporter: Exporter,
    resource: Arc<Resource>,
    every: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let start = Timestamp::now();
    let mut is_up = true;
    loop {
        let goes_on = rest(&mut stop, every).await;
        let sending = send_metrics(&app, &mut exporter, &resource, start);
        let sent = if goes_on { Ok(sending.await) } else { timeout(LAST_METRICS, sending).await };
        let failure = match sent {
            Ok(Verdict::Taken { .. }) => None,
            Ok(Verdict::Again { why, .. } | Verdict::Refused { why }) => Some(why),
            Err(_) => Some("the collector takes too long".to_owned()),
        };
        app.metrics.exporting(Signal::Metrics, failure.is_none());
        match &failure {
            Some(why) if is_up => tracing::warn!(why, "metrics can't be exported; will try again"),
            None if !is_up => tracing::info!("metrics are exported again"),
            _ => {}
        }
        is_up = failure.is_none();
        if !goes_on {
            return;
        }
    }
}

async fn send_metrics(
    app: &App,
    exporter: &mut Exporter,
    resource: &Arc<Resource>,
    start: Timestamp,
) -> Verdict {
    refresh_metrics(app).await;
    let (page, resource) = (app.metrics.openmetrics(), Arc::clone(resource));
    match exporter.packed(move || otlp::metrics(&resource, &page, start, Timestamp::now())).await {
        Ok(body) => exporter.send(&body).await,
        Err(why) => Verdict::Refused { why },
    }
}
