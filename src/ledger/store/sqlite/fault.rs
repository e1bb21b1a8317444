//! What ends the use of the database for good: damage, or a disk that failed to sync.
//!
//! What must hold: after a fault nothing is written and nothing acknowledged. After a failed sync
//! it is unknown which pages reached the disk, and a second sync would claim that all of them did; on
//! a damaged file every further write may destroy more. The fault that came first is kept, and wakes the
//! task that waits for it: `serve` then ends the ledger. A disk that is full or refuses a write is no fault: it may be well
//! again at any moment. It is remembered for a moment, so that a probe whose one page still fits doesn't
//! call a ledger ready that can write nothing else.

use crate::store::{OpenError, StoreError};
use rusqlite::{ErrorCode, ffi};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        let Some(failure) = error.sqlite_error() else { return Self::Backend(said) };
        match (failure.code, failure.extended_code) {
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)
            | (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA) => {
                Self::Damaged(said)
            }
            (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => {
                Self::Unsynced(said)
            }
            (ErrorCode::DiskFull, _) => Self::DiskFull,
            (ErrorCode::DatabaseBusy, _) => Self::Away(
                "another program, such as sqlite3 or a backup tool, has locked the file for more than 5 s; end it".into(),
            ),
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly, _) => {
                Self::DiskFailed(said)
            }
            _ => Self::Backend(said),
        }
    }
}

/// Why the database in this file can't be opened.
pub fn unopened(path: &Path, error: rusqlite::Error) -> OpenError {
    match StoreError::from(error) {
        StoreError::Damaged(found) => OpenError::Damaged { path: path.to_owned(), found },
        StoreError::Away(_) => OpenError::InUse { path: path.to_owned() },
        StoreError::Backend(why) => OpenError::Backend(why),
        other => OpenError::Backend(other.to_string()),
    }
}

/// How long it is remembered that the disk refused something. Gateways write about once a second.
const MEMORY: Duration = Duration::from_secs(3);

/// The first fault, if there was one, and the last time that the disk refused something.
#[derive(Debug)]
pub struct Fault {
    fault: watch::Sender<Option<StoreError>>,
    refused: Mutex<Option<(Instant, StoreError)>>,
}

impl Default for Fault {
    fn default() -> Self {
        Self { fault: watch::Sender::new(None), refused: Mutex::default() }
    }
}

impl Fault {
    /// Looks at how something ended, and keeps the error if nothing may go on after it.
    pub fn look<T>(&self, result: &Result<T, StoreError>) {
        let Err(error) = result else { return };
        if matches!(error, StoreError::DiskFull | StoreError::DiskFailed(_)) {
            let refused = Some((Instant::now(), error.clone()));
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        }
        if !matches!(error, StoreError::Damaged(_) | StoreError::Unsynced(_)) {
            return;
        }
        let first = self.fault.send_if_modified(|fault| {
            let first = fault.is_none();
            fault.get_or_insert_with(|| error.clone());
            first
        });
        if first {
            tracing::error!(%error, "the database can't be used any longer");
        }
    }

    /// An error if there was a fault.
    pub fn none(&self) -> Result<(), StoreError> {
        self.fault.borrow().clone().map_or(Ok(()), Err)
    }

    /// An error if the disk refused something a moment ago.
    pub fn not_lately(&self) -> Result<(), StoreError> {
        match &*self.refused.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((when, error)) if when.elapsed() < MEMORY => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Ready when there is a fault.
    pub async fn comes(&self) -> StoreError {
        let mut fault = self.fault.subscribe();
        match fault.wait_for(Option::is_some).await.map(|fault| fault.clone()) {
            Ok(Some(error)) => error,
            // The sender is `self`, so this is never reached.
            Ok(None) | Err(_) => StoreError::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(extended: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None).into()
    }

    #[test]
    fn only_corruption_and_failed_syncs_are_fatal() {
        for (extended, last) in [
            (ffi::SQLITE_CORRUPT, true),
            (ffi::SQLITE_CORRUPT_INDEX, true),
            (ffi::SQLITE_NOTADB, true),
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_DIR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, false),
            (ffi::SQLITE_FULL, false),
            (ffi::SQLITE_BUSY, false),
        ] {
            let fault = Fault::default();
            fault.look::<()>(&Err(failed(extended)));
            assert_eq!(fault.none().is_err(), last, "{extended}");
        }
    }

    #[tokio::test]
    async fn the_first_fault_is_kept() {
        let fault = Fault::default();
        fault.look::<()>(&Err(failed(ffi::SQLITE_IOERR_FSYNC)));
        fault.look::<()>(&Err(failed(ffi::SQLITE_CORRUPT)));
        assert!(matches!(fault.comes().await, StoreError::Unsynced(_)));
    }
}
