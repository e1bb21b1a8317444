//! The call log: records of single requests, apart from the books.
//!
//! In a SQLite ledger each day has a file of its own beside the database, on PostgreSQL a partition. What must hold: whatever happens
//! here, the books don't notice; at most [`MAX_WAITING`] batches wait to be written, and more are turned away; every search ends
//! within [`page::PATIENCE`] and says where it stopped.

mod exports;
mod page;
mod postgres;
mod search;
mod sqlite;
mod statements;

use super::StoreError;
use super::postgres::pool::Pool;
use crate::api;
use crate::domain::call_log::{CallLimits, ReceivedBatch};
use crate::metrics::Metrics;
pub use exports::Exports;
use jiff::Timestamp;
pub use page::CallQuery;
use postgres::PostgresCalls;
use sqlite::SqliteCalls;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// How many batches wait to be written at most: with the largest ones 16 MiB.
const MAX_WAITING: usize = 64;
/// How many records are written in one transaction, unless a single batch has more.
const MAX_TOGETHER: usize = 8_192;

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(SqliteCalls),
    Postgres(PostgresCalls),
}

struct Job {
    batch: ReceivedBatch,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// The call log. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct CallLog {
    backend: Backend,
    limits: CallLimits,
    waiting: mpsc::Sender<Job>,
    /// What the writer takes from; it has it as long as it runs.
    taken: Arc<Mutex<Option<mpsc::Receiver<Job>>>>,
    metrics: Arc<Metrics>,
    /// Where records wait to be exported, if they are.
    exports: Option<Arc<Exports>>,
}

impl CallLog {
    /// The log of a ledger that keeps its data in this folder.
    pub(super) fn in_folder(dir: &Path, limits: CallLimits, metrics: Arc<Metrics>) -> Self {
        Self::on(Backend::Sqlite(SqliteCalls::new(dir)), limits, metrics)
    }

    /// The log of all ledgers on a server.
    pub(super) fn on_server(pool: Pool, limits: CallLimits, metrics: Arc<Metrics>) -> Self {
        Self::on(Backend::Postgres(PostgresCalls::new(pool)), limits, metrics)
    }

    fn on(backend: Backend, limits: CallLimits, metrics: Arc<Metrics>) -> Self {
        let (waiting, taken) = mpsc::channel(MAX_WAITING);
        Self { backend, limits, waiting, taken: Arc::new(Mutex::new(Some(taken))), metrics, exports: None }
    }

    /// The same, with every record exported, too.
    pub fn exported(self, exports: Option<Arc<Exports>>) -> Self {
        Self { exports, ..self }
    }

    /// Where records are exported to, if they are.
    pub fn exported_to(&self) -> Option<&str> {
        self.exports.as_deref().map(Exports::destination)
    }

    /// How much is kept.
    pub const fn limits(&self) -> CallLimits {
        self.limits
    }

    /// Stores a batch. It returns once that is written. Where none are kept, it is exported at most.
    ///
    /// # Errors
    /// Where too many batches wait, or the database fails.
    pub async fn store(&self, batch: ReceivedBatch) -> Result<(), StoreError> {
        if self.limits.days == 0 {
            return self.exports.as_ref().map_or(Ok(()), |exports| exports.offer_unstored(batch));
        }
        let (done, heard) = oneshot::channel();
        self.waiting.try_send(Job { batch, done }).map_err(|full| match full {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        heard.await.map_err(|_| StoreError::Stopped)?
    }

    /// Writes what comes, until the ledger stops.
    pub async fn run(&self, stop: tokio::sync::watch::Receiver<bool>) {
        self.write_until(stop).await;
        if let Some(exports) = &self.exports {
            exports.close();
        }
    }

    async fn write_until(&self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut taken) = taken else { return };
        let mut healthy = true;
        loop {
            let first = tokio::select! {
                job = taken.recv() => job,
                _ = stop.changed() => None,
            };
            let Some(first) = first else { return };
            let mut records = first.batch.calls.len();
            let (mut batches, mut done) = (vec![first.batch], vec![first.done]);
            while records < MAX_TOGETHER
                && let Ok(job) = taken.try_recv()
            {
                records = records.saturating_add(job.batch.calls.len());
                batches.push(job.batch);
                done.push(job.done);
            }
            let written = self.write(batches).await;
            if let Err(error) = &written
                && healthy
            {
                tracing::error!(%error, "call records can't be stored; gateways try again, and drop what they have no room for");
            }
            if written.is_ok() && !healthy {
                tracing::info!("call records are stored again");
            }
            healthy = written.is_ok();
            for one in done {
                // Its gateway may have hung up: then it asks again, and the batch isn't stored twice.
                let _ = one.send(written.clone());
            }
        }
    }

    async fn write(&self, batches: Vec<ReceivedBatch>) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let (stored, batches) = match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(batches, now, self.limits).await?,
            Backend::Postgres(postgres) => (postgres.write(&batches, now, self.limits).await?, batches),
        };
        self.metrics.call_records.inc_by(stored.records);
        self.metrics.lost_calls(stored.lost, stored.dropped);
        if let Some(exports) = &self.exports {
            for (batch, is_new) in batches.into_iter().zip(stored.is_new) {
                if is_new {
                    exports.offer(batch);
                }
            }
        }
        Ok(())
    }

    /// Drops what is too old or too much. Call it now and then.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.prune(now, self.limits).await,
            Backend::Postgres(postgres) => postgres.prune(now, self.limits).await,
        }
    }

    /// Looks for records.
    ///
    /// # Errors
    /// Where the database fails, or too many search at once.
    pub async fn search(&self, query: CallQuery) -> Result<api::Calls, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.search(query).await,
            Backend::Postgres(postgres) => postgres.search(&query).await,
        }
    }
}
