//! The few connections that only read. In WAL mode they never wait for the writer.

use super::fault::Fault;
use super::open::DataDir;
use crate::store::{OpenError, StoreError};
use rusqlite::{Connection, InterruptHandle};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many read at once.
const READERS: usize = 4;
/// How long to wait for a free one.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections that only read.
#[derive(Clone)]
pub struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
    fault: Arc<Fault>,
    breaks: Arc<Vec<InterruptHandle>>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Readers {
    /// Opens them.
    pub fn open(data_dir: &DataDir, fault: Arc<Fault>) -> Result<Self, OpenError> {
        let free = (0..READERS).map(|_| data_dir.reader()).collect::<Result<Vec<_>, _>>()?;
        let breaks = Arc::new(free.iter().map(Connection::get_interrupt_handle).collect());
        Ok(Self { breaks, free: Arc::new(Mutex::new(free)), turns: Arc::new(Semaphore::new(READERS)), fault })
    }

    /// Reads something from one snapshot, on a thread that may block.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| StoreError::Overloaded)?.map_err(|_| StoreError::Stopped)?;
        let (free, fault) = (Arc::clone(&self.free), Arc::clone(&self.fault));
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let taken = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut conn = taken.ok_or(StoreError::Stopped)?;
            let result = snapshot(&mut conn, read);
            fault.look(&result);
            free.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            result
        });
        reading.await.map_err(|error| StoreError::Backend(error.to_string()))?
    }

    /// Closes those that are not in use, and breaks off what the others read, such as a long audit: the
    /// process could not end before it.
    pub fn close(&self) {
        self.turns.close();
        self.breaks.iter().for_each(InterruptHandle::interrupt);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn snapshot<T>(
    conn: &mut Connection,
    read: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    conn.execute_batch("BEGIN DEFERRED")?;
    let result = read(conn);
    if !conn.is_autocommit() {
        // There is nothing to undo; if even this fails, the next snapshot can't begin, and says so.
        let _ = conn.execute_batch("ROLLBACK");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::open::DataDir;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn closing_interrupts_running_reads() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir::enter(dir.path()).unwrap();
        drop(data_dir.writer().unwrap());
        let readers = Readers::open(&data_dir, Arc::default()).unwrap();
        let (started, starting) = oneshot::channel();
        let reading = tokio::spawn({
            let readers = readers.clone();
            async move {
                let endless = move |conn: &mut Connection| {
                    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n
                        UNION ALL SELECT 0";
                    let _ = started.send(());
                    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)
                };
                readers.run(endless).await
            }
        });
        starting.await.unwrap();
        // The reader may be just about to begin: what was not running yet can't be broken off.
        let broken = tokio::time::timeout(Duration::from_secs(20), async {
            while !reading.is_finished() {
                readers.close();
                tokio::task::yield_now().await;
            }
        });
        broken.await.expect("an end");
        assert!(reading.await.unwrap().unwrap_err().to_string().contains("interrupted"));
    }
}
