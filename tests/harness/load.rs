//! Load without a pause while things go wrong, until it is stopped.

use crate::gateway::Gateway;
use crate::traffic::{Tally, eventually, flood};
use crate::upstream::Upstream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Gateways under load.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<(Vec<Gateway>, Tally)>,
}

impl Load {
    /// Has four callers share this key.
    pub fn start(gateways: Vec<Gateway>, key: &str) -> Self {
        let (stop, key) = (Arc::<AtomicBool>::default(), key.to_owned());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut all = Tally::new();
            while !stopped.load(Ordering::SeqCst) {
                for (status, count) in flood(&gateways, &key, 300, 4).await {
                    *all.entry(status).or_default() += count;
                }
            }
            (gateways, all)
        });
        Self { stop, task }
    }

    /// Waits until so many more requests have reached the upstream.
    pub async fn wait_for_progress(&self, upstream: &Upstream, requests: u64) {
        let target = upstream.served() + requests;
        eventually("the load goes on", Duration::from_secs(60), async || upstream.served() >= target).await;
    }

    /// Stops it: the gateways, and how often each status came.
    pub async fn stop(self) -> (Vec<Gateway>, Tally) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("callers that don't panic")
    }
}
