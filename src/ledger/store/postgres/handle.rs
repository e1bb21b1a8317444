//! The handle of the PostgreSQL store: a few tasks serve the queue, and readers have snapshots.

use super::attempt_error::AttemptError;
use super::engine::PostgresEngine;
use super::inspect::inspect;
use super::pool::{Pool, PooledConnection, Task, WRITE_PROBE};
use super::{migrate, settings::Settings};
use crate::api;
use crate::metrics::Metrics;
use crate::store::queries::audit;
use crate::store::queue::Queue;
use crate::store::{OpenError, StoreError, WhereNone};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// An audit reads every entry that was ever made, so it may take longer than any other statement. It never goes through one
/// table for each row of another, however few rows the server expects there.
const AUDIT: &str = "SET LOCAL statement_timeout = '1h'; SET LOCAL enable_nestloop = off";

/// A PostgreSQL database. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
    engine: PostgresEngine,
    queue: Arc<Queue>,
    lanes: Arc<Mutex<JoinSet<()>>>,
}

impl Postgres {
    /// How many transactions run at once: while one waits for its commit, the next is decided.
    pub const LANES: usize = 2;

    /// Connects, finds out whether the server can be relied upon, migrates, and serves the queue. Where there is no ledger,
    /// one begins, if it may. Whether one did.
    pub async fn open(
        settings: &Settings,
        none: WhereNone,
        queue: Arc<Queue>,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, bool), OpenError> {
        let is_new = inspect(settings, none).await?;
        let pool = Pool::new(settings, metrics)?;
        let migrated = pool.transaction(&migrate::Migrate).await;
        migrated
            .map_err(|attempt_error| OpenError::Backend(StoreError::from(attempt_error).to_string()))??;
        let engine = PostgresEngine::new(pool.clone(), settings);
        let mut lanes = JoinSet::new();
        for _ in 0..Self::LANES {
            let (queue, engine) = (Arc::clone(&queue), engine.clone());
            lanes.spawn(async move { queue.serve(&engine, |_| ControlFlow::Continue(())).await });
        }
        Ok((Self { pool, engine, queue, lanes: Arc::new(Mutex::new(lanes)) }, is_new))
    }

    /// Finishes what waits to be written, and closes the database.
    pub async fn close(&self) {
        self.queue.close();
        let mut lanes = std::mem::take(&mut *self.lanes.lock().unwrap_or_else(PoisonError::into_inner));
        while lanes.join_next().await.is_some() {}
        self.pool.close();
    }

    /// Ready when nothing can ever be written any more; tells why.
    pub async fn gone(&self) -> String {
        self.queue.ended().await;
        "whatever writes to the database has ended".to_owned()
    }

    /// Its connections.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// What transactions are made with.
    pub const fn engine(&self) -> &PostgresEngine {
        &self.engine
    }

    /// Begins a new sweep: whatever is read from now on is above the number that this gives.
    pub async fn next_sweep(&self) -> Result<i64, StoreError> {
        Ok(self.pool.transaction(&NextSweep).await?)
    }

    /// Writes this time (ms), to find out whether writing works. It waits for no queue.
    pub async fn probe(&self, at_ms: i64) -> Result<(), StoreError> {
        Ok(self.pool.transaction_within(WRITE_PROBE, &Probe(at_ms)).await?)
    }

    /// A connection on which everything that is read comes from one snapshot.
    pub async fn snapshot(&self) -> Result<PooledConnection, StoreError> {
        self.pool.snapshot().await
    }

    /// Recomputes every balance from the entries.
    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let conn = snapshot.conn()?;
        conn.batch_execute(AUDIT).await.map_err(AttemptError::from)?;
        let audit = audit::audit(conn).await;
        snapshot.end(audit).await
    }
}

struct Probe(i64);

impl Task for Probe {
    type Done = ();

    async fn attempt(&self, conn: &deadpool_postgres::Client) -> Result<(), AttemptError> {
        let probe = conn.prepare_cached("UPDATE write_probe SET at_ms = $1").await?;
        conn.execute(&probe, &[&self.0]).await?;
        Ok(())
    }
}

struct NextSweep;

impl Task for NextSweep {
    type Done = i64;

    async fn attempt(&self, conn: &deadpool_postgres::Client) -> Result<i64, AttemptError> {
        let next = conn.prepare_cached("UPDATE sweep SET number = number + 1 RETURNING number").await?;
        let number: i64 = conn.query_one(&next, &[]).await?.try_get(0)?;
        number.checked_sub(1).ok_or_else(|| StoreError::Backend("the sweep is out of range".into()).into())
    }
}
