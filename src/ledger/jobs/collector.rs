//! The export to a collector, from when the ledger's settings are read until it begins.

use super::export::{export_calls, export_metrics};
use crate::domain::otlp::resource;
use crate::http::App;
use crate::metrics::Metrics;
use crate::otlp::{Exporter, OtlpConfig};
use crate::store::Exports;
use anyhow::Context as _;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A collector, and what is exported to it.
#[derive(Debug)]
pub struct Collector {
    config: OtlpConfig,
    logs: Exporter,
    metrics: Exporter,
    exports: Arc<Exports>,
}

impl Collector {
    /// One that is reached like this.
    pub fn new(config: OtlpConfig, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let exporter = |target| Exporter::new(&config, target).context("can't speak to the collector");
        let (logs, for_metrics) = (exporter(&config.endpoint.logs)?, exporter(&config.endpoint.metrics)?);
        let exports = Arc::new(Exports::new(config.endpoint.url.clone(), Arc::clone(metrics)));
        Ok(Self { config, logs, metrics: for_metrics, exports })
    }

    /// Where records wait for it.
    pub fn exports(&self) -> Arc<Exports> {
        Arc::clone(&self.exports)
    }

    /// Begins to export.
    pub fn begin(self, jobs: &mut JoinSet<()>, app: &Arc<App>, stopping: &watch::Receiver<bool>) {
        let collector = self.exports.destination();
        tracing::info!(collector, "call records are exported");
        let resource = Arc::new(resource(&Uuid::now_v7().to_string()));
        if let Some(every) = self.config.metrics_every {
            let resource = Arc::clone(&resource);
            jobs.spawn(export_metrics(Arc::clone(app), self.metrics, resource, every, stopping.clone()));
        }
        let metrics = Arc::clone(&app.metrics);
        jobs.spawn(export_calls(self.exports, self.logs, resource, metrics, stopping.clone()));
    }
}
