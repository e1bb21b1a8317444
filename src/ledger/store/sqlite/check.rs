//! Is the file still what was written? Looked at twice: quickly before the ledger starts, and to the end
//! behind its back.
//!
//! At the start SQLite's `quick_check` walks all pages, for at most [`START`]: half a gigabyte, which
//! is a million accounts, takes about a second. Behind the back `integrity_check` also compares every index with its table,
//! and the audit recomputes every balance. What must hold: nothing is written to a file that isn't ours
//! or that is known to be damaged.

use super::done;
use super::fault::unopened;
use crate::api::Audit;
use crate::store::{OpenError, StoreError, queries};
use rusqlite::{Connection, InterruptHandle};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long the start may wait for the check. A larger file is looked at to the end later.
const START: Duration = Duration::from_secs(2);

/// Refuses a file that is damaged, or that something else has written.
pub fn at_start(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| unopened(path, error);
    let tables = "SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_schema";
    let (all, ours): (i64, i64) =
        conn.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    if all > 0 && ours == 0 {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    match for_at_most(START, conn).map_err(failed)? {
        Some(found) if found != "ok" => Err(OpenError::Damaged { path: path.to_owned(), found }),
        Some(_) => Ok(()),
        None => {
            tracing::info!("the database is large; the check of its file goes on in the background");
            Ok(())
        }
    }
}

/// What `quick_check` finds first; `None` when time was up.
fn for_at_most(most: Duration, conn: &Connection) -> rusqlite::Result<Option<String>> {
    let (done, waiting) = mpsc::channel::<()>();
    let handle = conn.get_interrupt_handle();
    let found = std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(most) == Err(mpsc::RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        });
        let found = first(conn, "PRAGMA quick_check(1)");
        drop(done);
        found
    });
    match found {
        Err(error) if is_interrupt(&error) => Ok(None),
        other => other.map(Some),
    }
}

fn first(conn: &Connection, check: &str) -> rusqlite::Result<String> {
    let found: String = conn.query_row(check, [], |row| row.get(0))?;
    Ok(found.lines().filter(|line| !line.starts_with("***")).collect::<Vec<_>>().join("; "))
}

fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
}

/// The check behind the back, on a connection of its own; done once, and stopped when the ledger ends.
pub struct Check {
    conn: Mutex<Option<Connection>>,
    handle: InterruptHandle,
    stopped: AtomicBool,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").finish_non_exhaustive()
    }
}

impl Check {
    /// One that reads with this connection.
    pub fn new(conn: Connection) -> Self {
        let handle = conn.get_interrupt_handle();
        Self { conn: Mutex::new(Some(conn)), handle, stopped: AtomicBool::new(false) }
    }

    /// Looks at everything. `None` when it was stopped, or has been done before.
    pub fn run(&self) -> Result<Option<Audit>, StoreError> {
        let taken = self.conn.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut conn) = taken else { return Ok(None) };
        match self.look(&mut conn) {
            // Stopped: whatever it says comes from that.
            _ if self.stopped.load(Ordering::Relaxed) => Ok(None),
            result => result.map(Some),
        }
    }

    fn look(&self, conn: &mut Connection) -> Result<Audit, StoreError> {
        let found = first(conn, "PRAGMA integrity_check(1)")?;
        if found != "ok" {
            return Err(StoreError::Damaged(found));
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(StoreError::Stopped);
        }
        done(queries::audit::audit(&*conn.transaction()?))
    }

    /// Ends it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.handle.interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::DataDir;
    use super::*;

    #[test]
    fn a_check_that_takes_too_long_is_postponed() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE t (x TEXT); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
             WHERE i < 300000) SELECT hex(randomblob(50)) FROM n",
        )
        .unwrap();
        assert_eq!(for_at_most(Duration::from_millis(1), &conn).unwrap(), None);
        assert_eq!(for_at_most(Duration::from_mins(1), &conn).unwrap().as_deref(), Some("ok"));
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.db");
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
        let before = std::fs::read(&file).unwrap();
        let error = DataDir::enter(dir.path()).unwrap().writer().unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn a_stopped_check_reports_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir::enter(dir.path()).unwrap();
        data_dir.writer().unwrap();
        let check = Check::new(data_dir.reader().unwrap());
        check.stop();
        assert!(check.run().unwrap().is_none());
        let check = Check::new(data_dir.reader().unwrap());
        assert!(check.run().unwrap().unwrap().ok);
    }
}
