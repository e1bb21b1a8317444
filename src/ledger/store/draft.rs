//! What a transaction has loaded, and what changes: plain data, no SQL.
//!
//! Operations ask a draft for rows. A row that isn't loaded yet is noted as wanted, and the operation is decided again
//! once it is there ([`Stop::Missing`]). What an operation has changed is kept with [`Draft::accept`], or undone without a
//! trace with [`Draft::undo`]. At the end all that changed is written, one statement per table and kind of change.
//!
//! What must hold: a row that was changed here is never replaced by an older version from the database; a lookup finds
//! rows as they are in the draft, whatever they are in the database.

mod access;
mod events;
mod find;
mod index;
mod rows;
mod tables;

pub use index::Index;
pub use rows::Rows;
#[cfg(test)]
pub use tables::LOOKUPS;
pub use tables::{Draft, Kept, Savepoint};

use super::{Refusal, StoreError};
use crate::domain::plan::InvalidField;
use crate::domain::{BookError, subscription};

/// Why an operation ends without a result.
#[derive(Clone, Debug)]
pub enum Stop {
    /// Rows are missing, which were noted as wanted.
    Missing,
    /// It can't be done.
    Refused(Refusal),
    /// The ledger is at fault.
    Failed(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BookError> for Stop {
    fn from(error: BookError) -> Self {
        Self::Refused(Refusal::Book(error))
    }
}

impl From<InvalidField> for Stop {
    fn from(invalid: InvalidField) -> Self {
        Self::Refused(invalid.into())
    }
}

impl From<subscription::InvalidTransition> for Stop {
    fn from(wrong: subscription::InvalidTransition) -> Self {
        Self::Refused(wrong.into())
    }
}
