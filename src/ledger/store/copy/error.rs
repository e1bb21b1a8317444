//! Why a ledger was not copied. No partial copy is left behind, for any reason.

use super::table::Contents;
use crate::api::Audit;
use crate::store::{OpenError, StoreError};
use std::path::PathBuf;

/// Why a ledger was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the places can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file can't be used.
    #[error("can't use {path}: {why}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        why: std::io::Error,
    },
    /// A backup would overwrite something.
    #[error("{path} exists already; choose another name, or move it away", path = path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// There is no ledger where one should be.
    #[error("{place} is no ledger: {why}; name a file that `faregate backup` made, or a ledger's database")]
    NotALedger {
        /// Where.
        place: String,
        /// How that shows.
        why: String,
    },
    /// It was a ledger once.
    #[error("{place} is damaged: {why}; use another backup")]
    Damaged {
        /// Where.
        place: String,
        /// How that shows.
        why: String,
    },
    /// The file alone is not all that was written.
    #[error("{path} has a log beside it that belongs to it; use `faregate backup --data` on its directory", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// The tables on the server are of another version.
    #[error(
        "{place} is of version {found}, this program writes version {known}; start its ledger once with this program"
    )]
    Older {
        /// Which.
        place: String,
        /// Its version.
        found: i64,
        /// The present one.
        known: i64,
    },
    /// The books don't agree with each other.
    #[error("the books of {place} disagree in {problems} rows, the first: {first}; nothing was copied")]
    Unbalanced {
        /// Whose.
        place: String,
        /// How many rows.
        problems: usize,
        /// The first.
        first: String,
    },
    /// There is something already.
    #[error("{place} is not empty, it has {what}; choose an empty place, or move away what is there")]
    NotEmpty {
        /// Where.
        place: String,
        /// What.
        what: String,
    },
    /// A ledger works on it.
    #[error("a ledger is running on {place}; stop all that do, and try again")]
    Serving {
        /// Where.
        place: String,
    },
    /// The copy is not what it was made from.
    #[error(
        "the copy differs in table {table}: {expected} rows became {found}, or their content changed; nothing was kept"
    )]
    Differs {
        /// Where it differs.
        table: String,
        /// Rows of the original.
        expected: u64,
        /// Rows of the copy.
        found: u64,
    },
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Makes an error of books that don't agree.
pub fn agree(audit: &Audit, place: &str) -> Result<(), CopyError> {
    if audit.agrees() {
        return Ok(());
    }
    let first = audit.problems.first();
    let first = first.map(|p| format!("{}: expected {}, found {}", p.what, p.expected, p.found));
    let (place, first) = (place.to_owned(), first.unwrap_or_default());
    Err(CopyError::Unbalanced { place, problems: audit.problems.len(), first })
}

/// Makes an error of a copy that is not what it was made from.
pub fn same(original: &Contents, copy: &Contents) -> Result<(), CopyError> {
    for (table, content) in original {
        let found = copy.get(table).cloned().unwrap_or_default();
        if found != *content {
            let (expected, found) = (content.rows, found.rows);
            return Err(CopyError::Differs { table: table.clone(), expected, found });
        }
    }
    Ok(())
}
