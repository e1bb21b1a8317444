//! What goes wrong on the way to the database, and what it means for the caller.

use crate::domain::BookError;
use crate::store::{Refusal, StoreError};
use tokio_postgres::error::SqlState;

/// Why a transaction came to nothing.
#[derive(Debug)]
pub enum AttemptError {
    /// The server, or the way to it.
    Database(tokio_postgres::Error),
    /// The request conflicts with existing data.
    Store(StoreError),
}

impl From<tokio_postgres::Error> for AttemptError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for AttemptError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

impl From<BookError> for AttemptError {
    fn from(error: BookError) -> Self {
        Self::Store(error.into())
    }
}

impl AttemptError {
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            Self::Store(_) => None,
        }
    }

    /// The server has dropped the transaction because of another one, or for a cause that is not known here.
    pub fn is_collision(&self) -> bool {
        let again = [
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::IN_FAILED_SQL_TRANSACTION,
        ];
        self.code().is_some_and(|code| again.contains(&code))
    }

    /// The server does not accept a value: retrying cannot help.
    pub fn is_about_data(&self) -> bool {
        self.code().is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23"))
    }
}

impl From<AttemptError> for StoreError {
    fn from(attempt_error: AttemptError) -> Self {
        let busy =
            [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::QUERY_CANCELED, &SqlState::TOO_MANY_CONNECTIONS];
        let busy =
            attempt_error.is_collision() || attempt_error.code().is_some_and(|code| busy.contains(&code));
        match attempt_error {
            AttemptError::Store(error) => error,
            AttemptError::Database(_) if busy => Self::Overloaded,
            AttemptError::Database(error) => match error.as_db_error() {
                // 57P: the server is shutting down; 25006: it is a read-only standby.
                Some(said) if said.code().code().starts_with("57P") || said.code().code() == "25006" => {
                    Self::Away(said.message().to_owned())
                }
                Some(said) => Self::Server {
                    said: format!("{} (SQLSTATE {})", said.message(), said.code().code()),
                    cure: cure(said.code()),
                },
                None if is_connection(&error) => Self::Away(plain(&error)),
                None => Self::Backend(plain(&error)),
            },
        }
    }
}

/// What cures an error of the server's.
fn cure(code: &SqlState) -> &'static str {
    match code.code() {
        "53100" => "make space on the server's disk",
        // Insufficient resources; the configured limit is one of them.
        code if code.starts_with("53") => "give the server more of what it lacks; its log says more",
        // The system, mostly in reading or writing files.
        code if code.starts_with("58") => "look at the health of the server's disk, and at its log",
        code if code.starts_with("XX00") => {
            "look at the server's log; if its data is damaged, put a backup in place"
        }
        "42501" => "grant the ledger's user what it needs; the server's log names the statement",
        _ => "look at the server's log, which names the statement",
    }
}

/// The connection broke, and not what was sent over it.
fn is_connection(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    error.is_closed() || cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// An error with its cause, in one line.
pub fn plain(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
