//! Opens the data directory: its lock, its file, and the settings that must be relied upon.

use super::migrate::migrate;
use crate::store::error::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits for the file, which in WAL mode is hardly ever.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 128;
/// After how many pages (4 KiB) the write-ahead log is brought home.
const CHECKPOINT_PAGES: u32 = 4_000;

/// How much of the file the writer keeps in memory, in KiB, so that a batch is not read and written
/// page by page over and over.
const CACHE_KIB: i64 = 64 * 1024;

/// The directory, locked for this process as long as this value lives.
#[derive(Debug)]
pub struct Premises {
    _lock: File,
    database: PathBuf,
}

impl Premises {
    /// Makes the directory if need be, readable by its owner only, and locks it.
    pub fn enter(dir: &Path) -> Result<Self, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |why| OpenError::Io { path, why }
        };
        if !dir.is_dir() {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(dir).map_err(io(dir))?;
        }
        let lock = private_file(&dir.join("ledger.lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(why)) => return Err(io(dir)(why)),
        }
        let database = dir.join("ledger.db");
        // SQLite gives its log and index files the mode of the database file.
        drop(private_file(&database)?);
        Ok(Self { _lock: lock, database })
    }

    /// The connection that writes, on a migrated database.
    pub fn writer(&self) -> Result<Connection, OpenError> {
        let mut conn = connect(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.pragma_update(None, "journal_mode", "WAL").map_err(backend)?;
        conn.pragma_update(None, "synchronous", "FULL").map_err(backend)?;
        conn.pragma_update(None, "foreign_keys", true).map_err(backend)?;
        conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(backend)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB).map_err(backend)?;
        require(&conn, "journal_mode", "wal")?;
        require(&conn, "synchronous", "2")?;
        require(&conn, "foreign_keys", "1")?;
        migrate(&mut conn)?;
        Ok(conn)
    }

    /// A connection that only reads.
    pub fn reader(&self) -> Result<Connection, OpenError> {
        connect(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }
}

fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|why| OpenError::Io { path: path.to_owned(), why })
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(backend)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(backend)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans may not depend on the values that are bound: SQLite would parse and plan a kept statement anew,
    // each time that it is used.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(backend)?;
    Ok(conn)
}

/// Reads a setting back: on some file systems SQLite silently keeps another one.
fn require(conn: &Connection, pragma: &'static str, wanted: &'static str) -> Result<(), OpenError> {
    let found = conn
        .pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0))
        .map_err(backend)?;
    let found = match found {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    if found == wanted { Ok(()) } else { Err(OpenError::Unsafe { pragma, found, wanted }) }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn backend(error: rusqlite::Error) -> OpenError {
    OpenError::Backend(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ledgers_never_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Premises::enter(dir.path()).unwrap();
        let second = Premises::enter(dir.path());
        assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
        drop(first);
        Premises::enter(dir.path()).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let premises = Premises::enter(&data).unwrap();
        let conn = premises.writer().unwrap();
        conn.execute("UPDATE pulse SET at_ms = 1", []).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("ledger.db")), 0o600);
        assert_eq!(mode(&data.join("ledger.db-wal")), 0o600);
    }

    #[test]
    fn a_directory_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Premises::enter(file.path()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
