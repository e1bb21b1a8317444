//! Connections, and transactions on them.
//!
//! What must hold: every wait has an end; a connection on which anything went wrong, or whose user went
//! away halfway, is closed and not used again, and what still ran on it is ended on the server, too; a
//! transaction is tried again only when it is certain that the server has dropped it (a serialization failure
//! or a deadlock), at most [`ATTEMPTS`] times; and none counts as committed that a failover to a synchronous
//! standby could lose, nor does one that only read what such a one wrote.

use super::attempt_error::{AttemptError, plain};
use super::settings::Settings;
use super::tls;
use super::wire::Wire;
use crate::metrics::Metrics;
use crate::store::{OpenError, StoreError};
use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Object, Pool as Connections, PoolError, RecyclingMethod,
    Runtime,
};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often a transaction is tried.
const ATTEMPTS: u32 = 6;
/// The longest rest before the second attempt; it doubles with every further one.
const REST: Duration = Duration::from_millis(10);
/// The silence after which a connection counts as broken.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long a write that only finds out whether writing works may take.
pub const WRITE_PROBE: Duration = Duration::from_secs(1);

/// Commits. With a synchronous standby a transaction that wrote nothing would not wait for it, and could answer from a
/// transaction that was cancelled in that wait, which a failover loses; so it writes a line into the log (WAL).
const COMMIT: &str = "SELECT pg_logical_emit_message(true, 'faregate', '')
    WHERE current_setting('synchronous_standby_names') <> '' AND pg_current_xact_id_if_assigned() IS NULL;
    COMMIT";

/// Every session of a serving ledger shares this advisory lock ("fareserv" in ASCII). Who must be alone
/// with the database, to restore or to move it, takes it alone.
pub const SERVING: i64 = 0x6661_7265_7365_7276;

/// Work for one transaction. It may be done several times, each time from the beginning.
pub trait Task: Sync {
    /// What comes of it.
    type Done: Send;

    /// Does it, between BEGIN and COMMIT.
    fn attempt(&self, conn: &Client) -> impl Future<Output = Result<Self::Done, AttemptError>> + Send;
}

/// The connections of this ledger to its database.
#[derive(Clone)]
pub struct Pool {
    connections: Connections,
    wire: Wire,
    readers: Arc<Semaphore>,
    patience: Duration,
    connect_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({:?})", self.connections.status())
    }
}

impl Pool {
    /// A pool; it connects only when it is asked for a connection.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let mut server = settings.server.clone();
        server.connect_timeout(settings.connect_timeout).tcp_user_timeout(settings.patience());
        server.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE).keepalives_retries(3);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let wire = Wire::new(server.clone(), tls::connector(settings)?);
        let manager = Manager::from_connect(server, wire.clone(), recycling);
        let limits = limits(settings);
        let size = settings.pool_size.max(2);
        let connections = Connections::builder(manager)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.connect_timeout))
            .create_timeout(Some(settings.connect_timeout))
            .recycle_timeout(Some(settings.connect_timeout))
            .post_create(Hook::async_fn(move |conn, _| {
                let limits = limits.clone();
                Box::pin(async move {
                    conn.batch_execute(&limits).await.map_err(HookError::Backend)?;
                    let serving = "SELECT pg_try_advisory_lock_shared($1)";
                    let row = conn.query_one(serving, &[&SERVING]).await.map_err(HookError::Backend)?;
                    if !row.try_get::<_, bool>(0).map_err(HookError::Backend)? {
                        return Err(HookError::message("it is being restored or moved"));
                    }
                    match unsafe_setting(conn).await.map_err(HookError::Backend)? {
                        None => Ok(()),
                        Some((setting, found)) => {
                            Err(HookError::message(OpenError::UnsafeServer { setting, found }.to_string()))
                        }
                    }
                })
            }))
            .build()
            .map_err(|error| OpenError::Backend(error.to_string()))?;
        Ok(Self {
            connections,
            wire,
            readers: Arc::new(Semaphore::new(size / 2)),
            patience: settings.patience(),
            connect_timeout: settings.connect_timeout,
            metrics,
        })
    }

    /// A connection for a caller that will give it back.
    pub async fn checkout(&self) -> Result<PooledConnection, StoreError> {
        match self.connections.get().await {
            Ok(conn) => Ok(PooledConnection { conn: Some(conn), wire: self.wire.clone(), turn: None }),
            Err(PoolError::Closed) => Err(StoreError::Stopped),
            Err(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => Err(StoreError::Overloaded),
            Err(PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)))
                if error.as_db_error().is_none() =>
            {
                Err(StoreError::Away(plain(&error)))
            }
            Err(PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error))) => {
                Err(AttemptError::from(error).into())
            }
            Err(PoolError::PostCreateHook(HookError::Message(why))) => {
                Err(StoreError::Away(why.into_owned()))
            }
            Err(other) => Err(StoreError::Away(other.to_string())),
        }
    }

    /// A connection on which everything that is read comes from one snapshot. Readers never take the
    /// last connections: exchanges need them.
    pub async fn snapshot(&self) -> Result<PooledConnection, StoreError> {
        let turn =
            tokio::time::timeout(self.connect_timeout, Arc::clone(&self.readers).acquire_owned()).await;
        let turn = turn.map_err(|_| StoreError::Overloaded)?.map_err(|_| StoreError::Stopped)?;
        let mut borrowed = self.checkout().await?;
        borrowed.turn = Some(turn);
        let begin = borrowed.conn()?.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        begin.await.map_err(AttemptError::from)?;
        Ok(borrowed)
    }

    /// Does some work in a transaction, and gives its result once that is committed.
    pub async fn transaction<T: Task>(&self, task: &T) -> Result<T::Done, AttemptError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.try_once(task).await {
                Err(attempt_error) if attempt_error.is_collision() && tried < ATTEMPTS => {
                    self.metrics.transaction_retries.inc();
                    tokio::time::sleep(rest(tried)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The same for work that is given up sooner, with what the server waits for.
    pub async fn transaction_within<T: Task>(
        &self,
        limit: Duration,
        task: &T,
    ) -> Result<T::Done, AttemptError> {
        let mut work = std::pin::pin!(self.transaction(task));
        match tokio::time::timeout(limit, &mut work).await {
            Ok(done) => done,
            // The look comes first: what is given up is ended, and waits no more.
            Err(_) => Err(StoreError::Away(self.wire.why_late(limit).await).into()),
        }
    }

    async fn try_once<T: Task>(&self, task: &T) -> Result<T::Done, AttemptError> {
        let mut borrowed = self.checkout().await?;
        let work = async {
            let conn = borrowed.conn()?;
            conn.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            let done = task.attempt(conn).await;
            match done {
                Ok(_) => borrowed.commit().await?,
                Err(AttemptError::Store(_)) => conn.batch_execute("ROLLBACK").await?,
                Err(AttemptError::Database(_)) => {}
            }
            done
        };
        let mut work = Box::pin(work);
        let Ok(done) = tokio::time::timeout(self.patience, &mut work).await else {
            // The look comes first: what is given up is ended, and waits no more.
            return Err(StoreError::Away(self.wire.why_late(self.patience).await).into());
        };
        drop(work);
        match done {
            Err(AttemptError::Database(_)) => borrowed.close(),
            _ => borrowed.give_back(),
        }
        done
    }

    /// Closes idle connections and hands out no more.
    pub fn close(&self) {
        self.readers.close();
        self.connections.close();
    }
}

/// A random delay, so that transactions that collided do not collide again.
fn rest(tried: u32) -> Duration {
    let most = REST.saturating_mul(1 << tried.min(6));
    // Without randomness the rest is just as long for all, which is allowed.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A borrowed connection. Dropped before it was given back, it is closed, and what runs on it is ended.
pub struct PooledConnection {
    conn: Option<Object>,
    wire: Wire,
    /// A reader's turn, which ends when this is dropped.
    turn: Option<OwnedSemaphorePermit>,
}

impl PooledConnection {
    /// The connection.
    pub fn conn(&self) -> Result<&Client, StoreError> {
        self.conn.as_ref().ok_or(StoreError::Stopped)
    }

    /// Nothing went wrong: the connection may be reused.
    pub fn give_back(&mut self) {
        drop(self.conn.take());
    }

    /// Something went wrong, but no statement is running: the connection is not reused.
    pub fn close(&mut self) {
        drop(self.conn.take().map(Object::take));
    }

    /// Commits what was done on it.
    pub async fn commit(&self) -> Result<(), AttemptError> {
        let before = self.wire.warnings();
        self.conn()?.batch_execute(COMMIT).await?;
        // Another transaction's warning may be taken for this one's: then it is asked for again, which is safe.
        if self.wire.warnings() != before {
            let why = "the server stopped waiting for its synchronous standby, so a commit is not certain";
            return Err(StoreError::Away(why.into()).into());
        }
        Ok(())
    }

    /// What a server waits for that has not answered within this time.
    pub async fn why_late(&self, waited: Duration) -> String {
        self.wire.why_late(waited).await
    }

    /// Ends a snapshot, and gives the connection back when it still answers.
    pub async fn end<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(result, Err(StoreError::Away(_))) || self.conn()?.batch_execute("COMMIT").await.is_err() {
            self.close();
        } else {
            self.give_back();
        }
        result
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.wire.end(&conn);
            drop(Object::take(conn));
        }
        drop(self.turn.take());
    }
}

/// What every session begins with. A ledger that is frozen in the middle of a transaction must not
/// keep the others waiting.
fn limits(settings: &Settings) -> String {
    let ms = |time: Duration| time.as_millis().max(1);
    format!(
        "SET statement_timeout = {0}; SET lock_timeout = {1}; SET idle_in_transaction_session_timeout = {0}",
        ms(settings.statement_timeout),
        ms(settings.lock_timeout)
    )
}

/// A setting under which what is committed could be lost, if there is one.
pub async fn unsafe_setting(
    conn: &tokio_postgres::Client,
) -> Result<Option<(&'static str, String)>, tokio_postgres::Error> {
    let row = conn
        .query_one(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')",
            &[],
        )
        .await?;
    let commit: String = row.try_get(0)?;
    // With `remote_write` or `local` what was committed is lost with the server's machine, or its disk.
    if !["on", "remote_apply"].contains(&commit.as_str()) {
        return Ok(Some(("synchronous_commit", commit)));
    }
    for (n, setting) in [(1, "fsync"), (2, "full_page_writes")] {
        let found: String = row.try_get(n)?;
        if found != "on" {
            return Ok(Some((setting, found)));
        }
    }
    Ok(None)
}
