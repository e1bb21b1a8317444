//! Opens the data directory: its lock, its file, and the settings that must be relied upon.

use super::check;
use super::fault::unopened;
use super::migrate::migrate;
use crate::store::error::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits for the file, which in WAL mode is hardly ever.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 128;
/// After how many pages (4 KiB) the write-ahead log is brought home.
pub(super) const CHECKPOINT_PAGES: i64 = 4_000;

/// What `ledger.lock` says once there is a database beside it.
const INHABITED: &[u8] = b"A ledger keeps its data in this directory.\n";

/// The rights of those who are neither the owner nor in its group, which on Kubernetes is the pod's.
#[cfg(unix)]
const OTHERS: u32 = 0o007;

/// How much of the file the writer keeps in memory, in KiB, so that a batch is not read and written
/// page by page over and over.
const CACHE_KIB: i64 = 64 * 1024;

/// The directory, locked for this process as long as this value lives.
#[derive(Debug)]
pub struct DataDir {
    lock: File,
    database: PathBuf,
}

impl DataDir {
    /// Makes the directory if need be, readable by its owner only, and locks it.
    pub fn enter(dir: &Path) -> Result<Self, OpenError> {
        let lock = lock(dir)?;
        let database = dir.join(DATABASE);
        require_own(&database)?;
        let is_empty = database.metadata().map_or(true, |file| file.len() == 0);
        if is_empty && lock.metadata().is_ok_and(|file| file.len() > 0) {
            return Err(OpenError::Gone { path: database });
        }
        // SQLite gives its log and index files the mode of the database file.
        drop(private_file(&database)?);
        Ok(Self { lock, database })
    }

    /// The connection that writes, on a database that was looked at and migrated.
    pub fn writer(&self) -> Result<Connection, OpenError> {
        let backend = |error| unopened(&self.database, error);
        let mut conn = connect(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // What is closed because of a fault must stay as it is; an orderly stop brings the log home by itself.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(backend)?;
        check::at_start(&conn, &self.database)?;
        conn.pragma_update(None, "journal_mode", "WAL").map_err(backend)?;
        conn.pragma_update(None, "synchronous", "FULL").map_err(backend)?;
        conn.pragma_update(None, "foreign_keys", true).map_err(backend)?;
        // The writer does it, and hears of failures.
        conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(backend)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB).map_err(backend)?;
        require(&conn, "journal_mode", "wal")?;
        require(&conn, "synchronous", "2")?;
        require(&conn, "foreign_keys", "1")?;
        // No other program may hold the lock for writing; a ledger that is up to date wouldn't notice before its first write.
        conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(backend)?;
        migrate(&mut conn)?;
        self.move_in().map_err(|why| OpenError::Io { path: self.database.clone(), why })?;
        Ok(conn)
    }

    /// Remembers that there is data here, so that a database which is lost isn't taken for a new one.
    fn move_in(&self) -> std::io::Result<()> {
        if self.lock.metadata()?.len() == 0 {
            (&self.lock).write_all(INHABITED)?;
            self.lock.sync_all()?;
        }
        Ok(())
    }

    /// The database's file.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// A connection that only reads.
    pub fn reader(&self) -> Result<Connection, OpenError> {
        connect(&self.database, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }
}

/// Whether no ledger keeps its data in a directory, nor has ever: a lost database leaves its mark.
pub fn is_free(dir: &Path) -> bool {
    // What can't be looked at for another cause is reported when it is opened.
    let is_empty = |name| match dir.join(name).metadata() {
        Ok(file) => file.len() == 0,
        Err(why) => why.kind() == ErrorKind::NotFound,
    };
    is_empty(DATABASE) && is_empty(LOCK)
}

/// Makes a directory and those above it so that they outlast a power failure.
fn make(dir: &Path) -> std::io::Result<()> {
    let missing = dir.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let made: Vec<&Path> = missing.collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    #[cfg(unix)]
    for above in made.iter().filter_map(|made| made.parent()) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// The file of the database in its directory.
pub const DATABASE: &str = "ledger.db";
/// The file that is locked as long as somebody works on the directory.
pub const LOCK: &str = "ledger.lock";

/// Makes the directory if need be, readable by its owner only, and locks it as long as the file is open.
pub fn lock(dir: &Path) -> Result<File, OpenError> {
    let io = |why| OpenError::Io { path: dir.to_owned(), why };
    if !dir.is_dir() {
        make(dir).map_err(io)?;
    }
    let lock = dir.join(LOCK);
    require_own(&lock)?;
    let lock = private_file(&lock)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(why)) => Err(io(why)),
    }
}

/// A file that is there is no link, and that others may read or change it is logged.
fn require_own(path: &Path) -> Result<(), OpenError> {
    let Ok(found) = path.symlink_metadata() else { return Ok(()) };
    if found.is_symlink() {
        return Err(OpenError::Link { path: path.to_owned() });
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & OTHERS != 0 {
            let path = path.display();
            tracing::warn!(%path, mode = format_args!("{mode:04o}"), "others can read this file; `chmod o= FILE` cures it");
        }
    }
    Ok(())
}

pub fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|why| OpenError::Io { path: path.to_owned(), why })
}

pub fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let backend = |error| unopened(path, error);
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(backend)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(backend)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans may not depend on the values that are bound: SQLite would parse and plan a cached statement again
    // each time that it is used.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(backend)?;
    Ok(conn)
}

/// Reads a setting back: on some file systems SQLite silently keeps another one.
fn require(conn: &Connection, pragma: &'static str, wanted: &'static str) -> Result<(), OpenError> {
    let found = conn
        .pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0))
        .map_err(|error| unopened(Path::new(conn.path().unwrap_or_default()), error))?;
    let found = match found {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    if found == wanted { Ok(()) } else { Err(OpenError::Unsafe { pragma, found, wanted }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ledgers_never_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::enter(dir.path()).unwrap();
        let second = DataDir::enter(dir.path());
        assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
        drop(first);
        DataDir::enter(dir.path()).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read_the_data() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let data_dir = DataDir::enter(&data).unwrap();
        let conn = data_dir.writer().unwrap();
        conn.execute("UPDATE write_probe SET at_ms = 1", []).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("ledger.db")), 0o600);
        assert_eq!(mode(&data.join("ledger.db-wal")), 0o600);
    }

    #[test]
    #[cfg(unix)]
    fn a_linked_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (there, here) = (dir.path().join("there"), dir.path().join("here"));
        drop(DataDir::enter(&there).unwrap().writer().unwrap());
        for name in [DATABASE, LOCK] {
            std::fs::create_dir(&here).unwrap();
            std::os::unix::fs::symlink(there.join(name), here.join(name)).unwrap();
            let error = DataDir::enter(&here).unwrap_err();
            assert!(matches!(&error, OpenError::Link { path } if path.ends_with(name)), "{error}");
            std::fs::remove_dir_all(&here).unwrap();
        }
        std::os::unix::fs::symlink(&there, &here).unwrap();
        DataDir::enter(&here).expect("the directory itself may be a link, as mounted volumes are");
    }

    #[test]
    fn a_lost_database_is_not_mistaken_for_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::enter(dir.path()).unwrap());
        DataDir::enter(dir.path()).unwrap().writer().unwrap();
        std::fs::remove_file(dir.path().join("ledger.db")).unwrap();
        let error = DataDir::enter(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Gone { .. }), "{error}");
        assert!(!dir.path().join("ledger.db").exists());
    }

    #[test]
    fn a_directory_is_free_until_a_ledger_has_begun_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        assert!(is_free(&data));
        let entered = DataDir::enter(&data).unwrap();
        assert!(is_free(&data), "one that began and got no further may begin again");
        entered.writer().unwrap();
        drop(entered);
        assert!(!is_free(&data));
        std::fs::remove_file(data.join(DATABASE)).unwrap();
        assert!(!is_free(&data), "what is lost isn't new");
    }

    #[test]
    fn a_path_that_is_not_a_directory_is_reported() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::enter(file.path()).unwrap_err().to_string();
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    }
}
