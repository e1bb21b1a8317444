//! Where a copy goes: an empty directory, or a server's database without content. It is taken at once,
//! so that no ledger starts there during the copy, and left as it was if anything fails.

use super::error::{CopyError, agree, same};
use super::stage::{self, PREFIX, Stage, io, make_dir};
use super::table::CHUNK;
use crate::store::Database;
use crate::store::postgres::copy::Link;
use crate::store::rows::TABLES;
use crate::store::sqlite::{copy as sqlite, open};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A place that was empty, and belongs to us.
#[derive(Debug)]
pub enum Target {
    /// A directory.
    Directory(Room),
    /// A database on a server, in a transaction that was begun.
    Server(Box<Link>, PathBuf),
}

/// An empty directory, locked.
#[derive(Debug)]
pub struct Room {
    dir: PathBuf,
    made: bool,
    lock: Option<File>,
    taken: bool,
}

impl Target {
    /// Takes a place, if it is empty.
    pub fn claim(place: &Database) -> Result<Self, CopyError> {
        match place {
            Database::Directory(dir) => Room::claim(dir).map(Self::Directory),
            Database::Server(settings) => {
                Ok(Self::Server(Box::new(Link::fill(settings)?), std::env::temp_dir()))
            }
        }
    }

    /// Where a copy for it is made.
    pub fn room(&self) -> &Path {
        match self {
            Self::Directory(room) => &room.dir,
            Self::Server(_, dir) => dir,
        }
    }

    /// Gives it the copy, all of it or nothing.
    pub fn take(self, stage: Stage) -> Result<(), CopyError> {
        match self {
            Self::Directory(mut room) => {
                stage.put(&room.dir.join(open::DATABASE))?;
                room.taken = true;
                Ok(())
            }
            Self::Server(link, _) => fill(*link, &stage),
        }
    }
}

fn fill(link: Link, stage: &Stage) -> Result<(), CopyError> {
    let conn = stage.open()?;
    for table in TABLES {
        sqlite::each(&conn, table, CHUNK, |rows| link.write(table, &rows))?;
    }
    link.finish(sqlite::newest(&conn)?, sqlite::next_touch(&conn)?)?;
    agree(&link.audit()?, link.place())?;
    same(&sqlite::contents(&conn)?, &link.contents(CHUNK.0)?)?;
    link.commit()
}

impl Room {
    fn claim(dir: &Path) -> Result<Self, CopyError> {
        let mut room = Self { dir: dir.to_owned(), made: make_dir(dir)?, lock: None, taken: false };
        room.is_empty()?;
        room.lock = Some(open::lock(dir)?);
        // Another one may have been quicker.
        room.is_empty()?;
        Ok(room)
    }

    fn is_empty(&self) -> Result<(), CopyError> {
        for entry in std::fs::read_dir(&self.dir).map_err(io(&self.dir))? {
            let name = entry.map_err(io(&self.dir))?.file_name().to_string_lossy().into_owned();
            if name != open::LOCK && !name.starts_with(PREFIX) {
                let place = self.dir.display().to_string();
                return Err(CopyError::NotEmpty { place, what: name });
            }
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.taken {
            // It is there: what fails now is no failure.
            let _ = stage::sync_dir(stage::beside(&self.dir));
        } else if self.lock.is_some() {
            let _ = std::fs::remove_file(self.dir.join(open::LOCK));
        }
        if !self.taken && self.made {
            // It is kept if it is not empty.
            let _ = std::fs::remove_dir(&self.dir);
        }
    }
}
