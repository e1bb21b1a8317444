//! Backups, restores and moves: copies the whole content of a ledger.
//!
//! Every way leads through a *stage*: a SQLite file of the present version, whose books were audited. A
//! backup is a stage that got a name; a restore and a move deliver one to a directory or a server. What must
//! hold: a stage is one moment of its source; a source is never changed; a target has either nothing
//! or all of it, audited and compared; and no more than a few thousand rows are in memory at a time.
//!
//! All of this blocks: it is for commands, not for a ledger that serves.

mod error;
mod rewind;
mod stage;
mod table;
mod target;
#[cfg(test)]
mod tests;

pub use error::CopyError;
pub use stage::Holdings;
pub use table::{CHUNK, Content, Contents, Row};

use super::Database;
use stage::Stage;
use std::path::Path;
use target::Target;

/// Writes what a ledger holds at one moment into a new file, while the ledger runs.
pub fn backup(from: &Database, file: &Path) -> Result<Holdings, CopyError> {
    stage::is_free(file)?;
    let stage = match from {
        Database::Directory(dir) => Stage::of_directory(dir, false, stage::beside(file))?,
        Database::Server(settings) => Stage::of_server(settings, false, stage::beside(file))?,
    };
    let holdings = stage.holdings()?;
    stage.put(file)?;
    Ok(holdings)
}

/// Restores a backup to an empty directory or database, from which a ledger can start.
pub fn restore(file: &Path, to: &Database) -> Result<Holdings, CopyError> {
    let target = Target::claim(to)?;
    let stage = Stage::of_file(file, target.room())?;
    rewind::prepare(&stage, jiff::Timestamp::now())?;
    deliver(stage, target)
}

/// Copies a stopped ledger unchanged to an empty directory or database.
pub fn migrate(from: &Database, to: &Database) -> Result<Holdings, CopyError> {
    let target = Target::claim(to)?;
    let stage = match from {
        Database::Directory(dir) => Stage::of_directory(dir, true, target.room())?,
        Database::Server(settings) => Stage::of_server(settings, true, target.room())?,
    };
    deliver(stage, target)
}

fn deliver(stage: Stage, target: Target) -> Result<Holdings, CopyError> {
    let holdings = stage.holdings()?;
    target.take(stage)?;
    Ok(holdings)
}
