//! The handle of the SQLite store: the thread that writes serves the queue, and readers read.

use super::check::Check;
use super::done;
use super::engine::{SqliteEngine, raise_stamps};
use super::fault::{Fault, unopened};
use super::open::{DataDir, is_free};
use super::readers::Readers;
use super::writer::Writer;
use crate::api;
use crate::store::directory::Directory;
use crate::store::engine::Engine as _;
use crate::store::queries::audit;
use crate::store::queue::Queue;
use crate::store::{OpenError, StoreError, WhereNone};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// One SQLite file. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: Arc<Writer>,
    queue: Arc<Queue>,
    readers: Readers,
    stamps: Arc<AtomicI64>,
    fault: Arc<Fault>,
    check: Arc<Check>,
    directory: Arc<Directory>,
    folder: PathBuf,
}

impl Sqlite {
    /// How many transactions are under way at once: there is one writer.
    pub const LANES: usize = 1;

    /// Opens the database in a directory, and serves the queue. Where there is none, it is made with its directory, if
    /// that may be. Whether it was.
    pub fn open(dir: &Path, none: WhereNone, queue: Arc<Queue>) -> Result<(Self, bool), OpenError> {
        let is_new = is_free(dir);
        if is_new && none == WhereNone::Refuse {
            let cure = "look at --data, and whether its disk or volume is mounted";
            return Err(OpenError::NoLedger { place: dir.display().to_string(), cure });
        }
        let data_dir = Arc::new(DataDir::enter(dir)?);
        let conn = data_dir.writer()?;
        let stamp = raise_stamps(&conn).map_err(|error| unopened(data_dir.database(), error))?;
        let (stamps, fault) = (Arc::new(AtomicI64::new(stamp)), Arc::new(Fault::default()));
        let readers = Readers::open(&data_dir, Arc::clone(&fault))?;
        let check = Arc::new(Check::new(data_dir.reader()?));
        let engine = SqliteEngine::new(conn, Arc::clone(&stamps));
        let directory = engine.directory();
        let writer = Writer::start(engine, Arc::clone(&queue), data_dir, Arc::clone(&fault))
            .map_err(|why| OpenError::Io { path: dir.to_owned(), why })?;
        Ok((
            Self {
                writer: Arc::new(writer),
                queue,
                readers,
                stamps,
                fault,
                check,
                directory,
                folder: dir.to_owned(),
            },
            is_new,
        ))
    }

    /// The data directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Finishes what waits to be written, and closes the database.
    pub async fn close(&self) {
        self.check.stop();
        self.queue.close();
        self.writer.join().await;
        self.readers.close();
    }

    /// Ready when nothing can ever be written any more; tells why.
    pub async fn gone(&self) -> String {
        tokio::select! {
            biased;
            fault = self.fault.comes() => fault.to_string(),
            () = self.queue.ended() => "whatever writes to the database has ended".to_owned(),
        }
    }

    /// Looks through the whole file, and recomputes every balance. `None` when it was stopped, or was done before.
    pub async fn inspect(&self) -> Result<Option<api::Audit>, StoreError> {
        let check = Arc::clone(&self.check);
        let looking = tokio::task::spawn_blocking(move || check.run());
        let result = looking.await.unwrap_or_else(|error| Err(StoreError::Backend(error.to_string())));
        self.fault.look(&result);
        result
    }

    /// Ends [`Self::inspect`].
    pub fn stop_inspecting(&self) {
        self.check.stop();
    }

    /// The stamp of the newest transaction.
    pub fn stamp(&self) -> i64 {
        self.stamps.load(Ordering::Relaxed)
    }

    /// What was seen of keys and gateways.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Reads something from one snapshot.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.run(read).await
    }

    /// Recomputes every balance from the entries.
    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        self.read(|conn| done(audit::audit(conn))).await
    }

    /// The fault with which a write failed a moment ago.
    pub fn recent_fault(&self) -> Result<(), StoreError> {
        self.fault.not_lately()
    }
}
