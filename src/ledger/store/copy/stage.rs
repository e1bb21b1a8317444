//! The stage: a directory of its own for one SQLite file, in which a copy is made, checked and audited before
//! it gets its name. It goes when this is dropped; what a killed program left goes with the next.

use super::error::{CopyError, agree, same};
use super::table::{CHUNK, Contents};
use crate::store::postgres::{self, copy::Link};
use crate::store::rows::TABLES;
use crate::store::sqlite::{copy as sqlite, open};
use rusqlite::Connection;
use serde::Serialize;
use std::fs::{DirBuilder, File};
use std::path::{Path, PathBuf};
use tempfile::{TempDir, TempPath};

/// What the directory's name begins with.
pub const PREFIX: &str = ".faregate-copy-";
/// Locked as long as the directory is in use.
const LOCK: &str = "in-use";

/// A copy that has no name yet.
#[derive(Debug)]
pub struct Stage {
    dir: TempDir,
    _lock: File,
    path: PathBuf,
    /// Keeps ledgers off the source until the copy is where it belongs.
    source: Source,
}

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// How many accounts.
    pub accounts: u64,
    /// How many keys and subjects.
    pub keys: u64,
    /// How many grants.
    pub grants: u64,
    /// How many leases, those that are over as well.
    pub leases: u64,
    /// How many entries.
    pub entries: u64,
    /// How large the copy is as a file.
    pub bytes: u64,
}

/// What is locked of a source.
#[derive(Debug)]
#[expect(dead_code, reason = "it is held, and let go")]
enum Source {
    Nothing,
    Directory(File),
    Server(Box<Link>),
}

/// The directory of a file.
pub fn beside(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file of this name can be made.
pub fn is_free(file: &Path) -> Result<(), CopyError> {
    if file.symlink_metadata().is_ok() {
        return Err(CopyError::Exists { path: file.to_owned() });
    }
    Ok(())
}

fn has_database(dir: &Path) -> Result<PathBuf, CopyError> {
    let path = dir.join(open::DATABASE);
    if path.is_file() {
        return Ok(path);
    }
    let why = format!("there is no {} in it", open::DATABASE);
    Err(CopyError::NotALedger { place: dir.display().to_string(), why })
}

pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CopyError {
    let path = path.to_owned();
    |why| CopyError::Io { path, why }
}

/// Removes the temporary directories of programs that have ended.
fn sweep(room: &Path) {
    for entry in std::fs::read_dir(room).into_iter().flatten().flatten() {
        let left = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        // What can't be removed does no harm.
        let _ = if left {
            std::fs::remove_dir_all(entry.path())
        } else if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            // Killed before it had its lock. One that has something in it stays.
            std::fs::remove_dir(entry.path())
        } else {
            Ok(())
        };
    }
}

impl Stage {
    fn make(room: &Path, source: Source) -> Result<Self, CopyError> {
        sweep(room);
        let locked = || {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(room)?;
            let lock = File::create(dir.path().join(LOCK))?;
            lock.lock()?;
            Ok((dir, lock))
        };
        // Another program may have swept it away before it had its lock.
        let (dir, lock) = locked().or_else(|_: std::io::Error| locked()).map_err(io(room))?;
        let path = dir.path().join(open::DATABASE);
        drop(open::private_file(&path)?);
        Ok(Self { dir, _lock: lock, path, source })
    }

    /// What a directory's database holds at this moment. Until the copy has a name no ledger may run on it
    /// when it must be `at_rest`.
    pub fn of_directory(dir: &Path, at_rest: bool, room: &Path) -> Result<Self, CopyError> {
        let database = has_database(dir)?;
        let source = if at_rest { Source::Directory(open::lock(dir)?) } else { Source::Nothing };
        let stage = Self::make(room, source)?;
        let place = dir.display().to_string();
        sqlite::snapshot(&database, &stage.path).map_err(|error| sqlite::explain(&error, &place))?;
        let stage = stage.checked(&place)?;
        let original = sqlite::open_source(&database)?;
        if at_rest && sqlite::version(&original)? == sqlite::version(&stage.open()?)? {
            same(&sqlite::contents(&original)?, &sqlite::contents(&stage.open()?)?)?;
        }
        Ok(stage)
    }

    /// What a backup holds. The file is only read.
    pub fn of_file(file: &Path, room: &Path) -> Result<Self, CopyError> {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        if std::fs::metadata(Path::new(&log)).is_ok_and(|log| log.len() > 0) {
            return Err(CopyError::Unfinished { path: file.to_owned() });
        }
        let place = file.display().to_string();
        let mut from = File::open(file).map_err(io(file))?;
        if !from.metadata().map_err(io(file))?.is_file() {
            return Err(CopyError::NotALedger { place, why: "it is no file".into() });
        }
        let stage = Self::make(room, Source::Nothing)?;
        let mut to = File::create(&stage.path).map_err(io(&stage.path))?;
        std::io::copy(&mut from, &mut to).map_err(io(&stage.path))?;
        stage.checked(&place)
    }

    /// What a server's database holds at this moment; `at_rest` as for a directory.
    pub fn of_server(settings: &postgres::Settings, at_rest: bool, room: &Path) -> Result<Self, CopyError> {
        let link = Link::read(settings, at_rest)?;
        let mut stage = Self::make(room, Source::Nothing)?;
        let mut conn = stage.open()?;
        sqlite::prepare(&mut conn)?;
        agree(&link.audit()?, &settings.to_string())?;
        let mut original = Contents::new();
        for table in TABLES {
            let content = original.entry(table.name.to_owned()).or_default();
            link.each(table, CHUNK.0, |rows| {
                content.add_all(&rows);
                Ok(sqlite::write(&conn, table, &rows)?)
            })?;
        }
        sqlite::set_newest(&conn, link.newest()?)?;
        sqlite::finish(&conn)?;
        same(&original, &sqlite::contents(&conn)?)?;
        drop(conn);
        if at_rest {
            stage.source = Source::Server(Box::new(link));
        }
        stage.checked("the copy")
    }

    /// Brings the copy to the present version, and looks at all of it.
    fn checked(self, place: &str) -> Result<Self, CopyError> {
        let mut conn = sqlite::open_stage(&self.path).map_err(|error| sqlite::explain(&error, place))?;
        sqlite::check(&mut conn, place)?;
        agree(&sqlite::audit(&conn)?, place)?;
        drop(conn);
        Ok(self)
    }

    /// A connection to the copy, for as long as it has no name.
    pub fn open(&self) -> Result<Connection, CopyError> {
        sqlite::open_stage(&self.path).map_err(CopyError::from)
    }

    /// What it holds, for people.
    pub fn holdings(&self) -> Result<Holdings, CopyError> {
        let conn = self.open()?;
        let rows = |table| sqlite::count(&conn, table);
        Ok(Holdings {
            accounts: rows("accounts")?,
            keys: rows("keys")?,
            grants: rows("grants")?,
            leases: rows("leases")?,
            entries: rows("entries")?,
            bytes: self.path.metadata().map_err(io(&self.path))?.len(),
        })
    }

    /// Makes it last, and gives it its name, which nothing must have yet.
    pub fn put(self, file: &Path) -> Result<(), CopyError> {
        File::open(&self.path).and_then(|copy| copy.sync_all()).map_err(io(&self.path))?;
        let path = TempPath::try_from_path(&self.path).map_err(io(&self.path))?;
        path.persist_noclobber(file).map_err(|failed| match failed.error.kind() {
            std::io::ErrorKind::AlreadyExists => CopyError::Exists { path: file.to_owned() },
            _ => CopyError::Io { path: file.to_owned(), why: failed.error },
        })?;
        sync_dir(beside(file))?;
        self.dir.close().map_err(io(file))
    }
}

/// Makes the names in a directory last.
pub fn sync_dir(dir: &Path) -> Result<(), CopyError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))
}

/// Makes a directory for its owner only, when it isn't there; tells whether it was made.
pub fn make_dir(dir: &Path) -> Result<bool, CopyError> {
    if dir.is_dir() {
        return Ok(false);
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(io(dir))?;
    Ok(true)
}
