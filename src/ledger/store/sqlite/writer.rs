//! The one thread that writes: it serves the queue with the engine, and looks after the write-ahead log.
//!
//! What must hold: after a fault (see [`Fault`]) the thread ends without touching the file again.

use super::engine::{SqliteEngine, SqliteTransaction};
use super::fault::Fault;
use super::open::{CHECKPOINT_PAGES, DataDir};
use crate::store::StoreError;
use crate::store::directory::Directory;
use crate::store::engine::{Busy, Engine, TxError};
use crate::store::queue::Queue;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The thread.
#[derive(Debug)]
pub struct Writer {
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(
        engine: SqliteEngine,
        queue: Arc<Queue>,
        data: Arc<DataDir>,
        fault: Arc<Fault>,
    ) -> Result<Self, std::io::Error> {
        // What the engine does never waits; the queue does.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let write = move || {
            let careful = FaultCheckingEngine { engine, fault };
            let mut log = Log::default();
            runtime.block_on(queue.serve(&careful, |outcome| careful.after(outcome, &mut log)));
            if careful.fault.none().is_ok() {
                careful.bring_home();
            }
            drop(careful);
            drop(data); // only now may another ledger come in
        };
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(write)?;
        Ok(Self { thread: Mutex::new(Some(thread)) })
    }

    /// Waits for the end of the thread. The queue must be closed.
    pub async fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Whether the log says already that the write-ahead log can't be checkpointed.
#[derive(Debug, Default)]
struct Log {
    logged: bool,
}

/// The engine, which begins nothing after a fault.
struct FaultCheckingEngine {
    engine: SqliteEngine,
    fault: Arc<Fault>,
}

impl Engine for FaultCheckingEngine {
    type Transaction<'a> = SqliteTransaction<'a>;
    const SERIAL: bool = true;

    fn directory(&self) -> Arc<Directory> {
        self.engine.directory()
    }

    async fn begin(&self, busy: Busy) -> Result<SqliteTransaction<'_>, TxError> {
        self.fault.none()?;
        self.engine.begin(busy).await
    }
}

impl FaultCheckingEngine {
    fn after(&self, outcome: &Result<(), TxError>, log: &mut Log) -> ControlFlow<()> {
        self.fault.look(&outcome.clone().map_err(TxError::into_inner));
        self.tidy(log);
        if self.fault.none().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Brings the write-ahead log home once it is long. SQLite would do this by itself within a commit,
    /// but say nothing when the disk fails to sync.
    fn tidy(&self, log: &mut Log) {
        let checkpoint = |mode: &str| -> Result<(i64, i64), StoreError> {
            let pages = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
            let sql = format!("PRAGMA wal_checkpoint({mode})");
            Ok(self.engine.conn().prepare_cached(&sql)?.query_row([], pages)?)
        };
        let tidied = self.fault.none().and_then(|()| match checkpoint("NOOP")? {
            (pages, home) if pages >= CHECKPOINT_PAGES && home < pages => checkpoint("PASSIVE").map(|_| ()),
            _ => Ok(()),
        });
        self.fault.look(&tidied);
        let failed = tidied.is_err();
        if let (Err(error), false) = (tidied, log.logged) {
            tracing::error!(%error, "the database's log could not be brought home; will try again");
        }
        log.logged = failed;
    }

    /// Brings the write-ahead log home, so that after an orderly stop the database is one file.
    fn bring_home(&self) {
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        match self.engine.conn().query_row(truncate, [], |row| row.get::<_, i64>(0)) {
            Ok(0) => {}
            Ok(_) => tracing::info!("somebody still reads the database; its log is kept beside it"),
            Err(error) => tracing::warn!(%error, "the database's log could not be brought home; it is kept"),
        }
    }
}
