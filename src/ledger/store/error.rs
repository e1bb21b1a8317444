//! What can go wrong in the store, free of any database's own types.

use crate::domain::plan::InvalidField;
use crate::domain::{BookError, subscription};
use std::path::PathBuf;

/// Why something was not done. Nothing of it was kept, unless the variant says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much waits to be written.
    #[error("the ledger is busy: too many requests wait for the database; try again shortly")]
    Overloaded,
    /// The ledger is shutting down.
    #[error("the ledger is shutting down; try again when it is back")]
    Stopped,
    /// The database can't be reached, or failed during the operation. What was in flight may be committed
    /// all the same; a repetition is safe.
    #[error("the database can't be reached: {0}; try again shortly")]
    Away(String),
    /// What was asked for doesn't go with what is there.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No space is left for what is written.
    #[error("the disk is full: nothing of this was kept; make space, and the ledger goes on by itself")]
    DiskFull,
    /// The disk, or the system, refused to read or to write.
    #[error("the disk failed: {0}; nothing of this was kept; look at the disk's health and the system's log")]
    DiskFailed(String),
    /// The disk refused to make sure of what was written. Whether this was kept is known after a restart.
    #[error("the disk could not sync: {0}; look at the disk's health, then start the ledger again")]
    Unsynced(String),
    /// The database is no longer what was written.
    #[error(
        "the database is damaged: {0}; keep a copy of the data directory, look at the disk's health, and put a backup in place with `faregate restore`"
    )]
    Damaged(String),
    /// The database failed, and what it says is all that is known.
    #[error("the database failed: {0}; look at the ledger's log")]
    Backend(String),
    /// The database's server failed.
    #[error("the database's server failed: {said}; {cure}")]
    Server {
        /// Its words, and its code.
        said: String,
        /// What to do.
        cure: &'static str,
    },
}

impl StoreError {
    /// Whether the database can't be used at all at present: [`super::outage::Outage`] logs that.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl From<BookError> for StoreError {
    fn from(error: BookError) -> Self {
        Self::Refused(Refusal::Book(error))
    }
}

impl From<InvalidField> for StoreError {
    fn from(invalid: InvalidField) -> Self {
        Self::Refused(invalid.into())
    }
}

impl From<subscription::InvalidTransition> for StoreError {
    fn from(wrong: subscription::InvalidTransition) -> Self {
        Self::Refused(wrong.into())
    }
}

impl From<InvalidField> for Refusal {
    fn from(InvalidField { field, why }: InvalidField) -> Self {
        Self::Field { field, why }
    }
}

impl From<subscription::InvalidTransition> for Refusal {
    fn from(wrong: subscription::InvalidTransition) -> Self {
        Self::Subscription(wrong)
    }
}

/// What doesn't go with what is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// Account, key or grant.
        what: &'static str,
        /// What was looked for.
        id: String,
    },
    /// The account's identifier is taken.
    #[error("the account {0:?} exists already; choose another id")]
    AccountExists(String),
    /// The subject is another key's credential.
    #[error("the subject {0:?} is taken; revoke its key first")]
    SubjectTaken(String),
    /// The subject identifies an operator already.
    #[error(
        "the subject identifies the operator {0:?} already; revoke that first: `faregate operator revoke {0} --token {1}`"
    )]
    SubjectLinked(String, String),
    /// The subject signs in to the portal as another account's customer.
    #[error(
        "the subject {0:?} belongs to another account in the portal; `faregate portal subjects --subject` shows which, and there it must be removed first"
    )]
    SubjectOfOther(String),
    /// What is to be rotated is no key that works.
    #[error("{0}")]
    NotRotatable(String),
    /// The account is closed.
    #[error("the account {0:?} is closed; reopen it, which is possible for 30 days, or create another one")]
    AccountClosed(String),
    /// The account was closed too long ago to be reopened.
    #[error(
        "the account {account:?} was closed {}, and can be reopened only for 30 days; create another one",
        closed(.since.as_ref())
    )]
    ClosedTooLong {
        /// Which.
        account: String,
        /// When it was closed, if that is known.
        since: Option<jiff::Timestamp>,
    },
    /// Nothing of the grant can be taken back.
    #[error("nothing of the grant {grant:?} can be taken back: {why}")]
    NothingToVoid {
        /// Which.
        grant: String,
        /// Where its credits are, and what to do.
        why: &'static str,
    },
    /// The plan has subscriptions that aren't over.
    #[error(
        "the plan {0:?} has running subscriptions, or some that change to it; change or cancel them first"
    )]
    PlanInUse(String),
    /// It would be over before it began.
    #[error("{0} is past; choose a time in the future")]
    AlreadyPast(jiff::Timestamp),
    /// More grants with something left than an account may have.
    #[error(
        "the account {account:?} already has {limit} grants with something left; wait until some are used up"
    )]
    TooManyGrants {
        /// Whose.
        account: String,
        /// The most.
        limit: usize,
    },
    /// The team's identifier is taken.
    #[error("the account {account:?} has a team {team:?} already; choose another id")]
    TeamExists {
        /// Whose.
        account: String,
        /// Its identifier.
        team: String,
    },
    /// The plan's name is taken.
    #[error("the plan {0:?} exists already; choose another name, or change it")]
    PlanExists(String),
    /// The account has a subscription that isn't over.
    #[error("plan: the account {account:?} has subscribed to {plan:?} already; cancel that first")]
    Subscribed {
        /// Whose.
        account: String,
        /// To what.
        plan: String,
    },
    /// The subscription is in another state.
    #[error(transparent)]
    Subscription(subscription::InvalidTransition),
    /// The operator's name is taken.
    #[error("the operator {0:?} exists already; make another token for it, or choose another name")]
    OperatorExists(String),
    /// The gateway came with the token of another fleet.
    #[error(
        "gateway: this gateway is tied to another gateway token; send that one, or restart Envoy so that it gets a new name"
    )]
    ForeignGateway,
    /// A field doesn't go with what is there.
    #[error("{field}: {why}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The maximum number of these is reached.
    #[error("there are {limit} {what} already, which is the most; go on with one of these")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        limit: i64,
    },
    /// The idempotency key came with another request before.
    #[error("this idempotency key was used for another request; send a new key with a new request")]
    KeyReused,
    /// The first answer showed a key, which isn't stored.
    #[error("this request has created {0:?}, which is shown only once; revoke it and create another one")]
    KeyAlreadyShown(String),
    /// A sum would leave its range, or the books are damaged.
    #[error(transparent)]
    Book(BookError),
}

/// What to do where there is no ledger yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhereNone {
    /// Begin one.
    Begin,
    /// Refuse: the place is probably a mistake.
    Refuse,
}

/// When an account was closed.
fn closed(since: Option<&jiff::Timestamp>) -> String {
    since.map_or_else(|| "by an older version".to_owned(), |since| format!("at {since}"))
}

/// Why the store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it can't be used.
    #[error("can't use {path}: {why}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        why: std::io::Error,
    },
    /// A file of the ledger's is a link: its log would lie elsewhere, and the lock in this directory would protect nothing.
    #[error("{path} is a link; give the directory in which the file itself is", path = path.display())]
    Link {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("another ledger is running on {path}; stop it, or choose another data directory", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A later version has written it.
    #[error(
        "the database is of version {found}, this program knows versions up to {known}; use a newer faregate"
    )]
    Newer {
        /// The version of the file.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The file is not what a ledger wrote.
    #[error(
        "{path} is damaged: {found}; nothing was changed. Keep a copy of the data directory, look at the disk's health, and put a backup in place with `faregate restore`", path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// Another program has written it.
    #[error("{path} is a database of another program; choose another data directory", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// There is no ledger here, and it isn't said that one may begin.
    #[error(
        "there is no ledger in {place} yet; if a new, empty one is to begin there, add --init; if there should be one, {cure}"
    )]
    NoLedger {
        /// The directory, or host, port and database.
        place: String,
        /// What to look at.
        cure: &'static str,
    },
    /// Another program has a lock on the file.
    #[error(
        "{path} is locked by another program, such as sqlite3 or a backup tool; end it (`fuser -v {path}` names it) and start again. To copy a ledger that runs, use `faregate backup`", path = path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There was data here.
    #[error(
        "{path} is empty or gone, but a ledger has kept its data here; put a backup in place with `faregate restore`, or start with an empty ledger in another data directory", path = path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// SQLite doesn't do what must be relied upon.
    #[error(
        "the database runs with {pragma} = {found} instead of {wanted}; put the data directory on a local disk"
    )]
    Unsafe {
        /// The setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The server doesn't answer, or doesn't let us in.
    #[error("can't connect to {place}: {why}")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// What happened.
        why: String,
    },
    /// What answers is a connection pooler that gives each transaction another connection.
    #[error(
        "{place} is a connection pooler in transaction mode (as PgBouncer with pool_mode = transaction): the transactions of one connection ran in several server processes. A ledger keeps locks and settings in its session; connect it to PostgreSQL itself, or set pool_mode = session for this database"
    )]
    Pooler {
        /// Host, port and database.
        place: String,
    },
    /// The user may not do what a ledger needs.
    #[error("the user {user:?} {lacks} in {place}; {cure}")]
    Rights {
        /// Who the ledger is to the server.
        user: String,
        /// What it may not.
        lacks: String,
        /// Host, port and database.
        place: String,
        /// What to do.
        cure: String,
    },
    /// The server is too old.
    #[error("the server is PostgreSQL {found}; use {oldest} or later")]
    OldServer {
        /// Its major version.
        found: i32,
        /// The oldest that will do.
        oldest: i32,
    },
    /// The server could lose what it has committed.
    #[error(
        "the server runs with {setting} = {found}; set it to on (in postgresql.conf, or for the role or the database), for a ledger must not lose what it has committed"
    )]
    UnsafeServer {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
    },
    /// TLS can't be set up.
    #[error("can't encrypt the connection to the database: {0}")]
    Tls(String),
    /// Anything else.
    #[error("can't open the database: {0}")]
    Backend(String),
}
