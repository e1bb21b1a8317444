//! What an operation is, and how several are decided in one transaction.

use super::StoreError;
use super::draft::{Draft, Stop};
use super::engine::{Busy, Engine, Finder, TxError};
use crate::command::events;
use crate::domain::time::at;
use jiff::Timestamp;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How often a transaction may load what operations want until all of them are decided. Each finds what it needs by what
/// it found before: whom it is about, then what belongs to that, and so on.
const ROUNDS: usize = 16;

/// Something that the ledger does, all of it or nothing.
pub trait Operation: Send + Sync + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// Runs it on a draft as of `now`. It is run again if rows were missing.
    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<Self::Output, Stop>;
}

/// An operation whose output is kept until the transaction has committed.
pub trait Work: Send {
    /// Decides it on a draft; whether it is decided.
    fn decide(&mut self, draft: &mut Draft) -> bool;

    /// It came to nothing.
    fn fail(&mut self, error: StoreError);
}

/// An operation with its time and its outcome.
#[derive(Debug)]
pub struct Task<O: Operation> {
    operation: O,
    now: Timestamp,
    /// What came of it; none before it is decided.
    pub outcome: Option<Result<O::Output, StoreError>>,
}

impl<O: Operation> Task<O> {
    /// One that isn't decided yet. Times are kept in milliseconds, so that what is answered first is what a later read
    /// says.
    pub fn new(operation: O, now: Timestamp) -> Self {
        Self { operation, now: at(now.as_millisecond()), outcome: None }
    }

    /// What came of it.
    pub fn into_outcome(self) -> Result<O::Output, StoreError> {
        self.outcome.unwrap_or(Err(StoreError::Stopped))
    }
}

impl<O: Operation> Work for Task<O> {
    fn decide(&mut self, draft: &mut Draft) -> bool {
        let decided = self.operation.decide(draft, self.now);
        // What happened is written with what was done, or neither is.
        let decided = decided.and_then(|output| events::settle(draft, self.now).map(|()| output));
        let outcome = match decided {
            Ok(output) => {
                draft.accept();
                self.outcome = Some(Ok(output));
                return true;
            }
            Err(Stop::Missing) => None,
            Err(Stop::Refused(refusal)) => Some(StoreError::Refused(refusal)),
            Err(Stop::Failed(error)) => Some(error),
        };
        draft.undo();
        match outcome {
            Some(error) => self.outcome = Some(Err(error)),
            None => return false,
        }
        true
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }
}

/// Decides works in one transaction, and commits it. An operation that is refused leaves no trace, and the others are
/// done.
pub async fn attempt<E: Engine>(engine: &E, busy: Busy, works: &mut [&mut dyn Work]) -> Result<(), TxError> {
    use super::engine::Transaction as _;
    let mut tx = engine.begin(busy).await?;
    let mut draft = Draft::new(E::SERIAL, engine.directory());
    draft.stamp = tx.stamp().await?;
    let mut open: Vec<&mut dyn Work> = works.iter_mut().map(|work| &mut **work as &mut dyn Work).collect();
    for _ in 0..ROUNDS {
        open.retain_mut(|work| !work.decide(&mut draft));
        if open.is_empty() || !draft.load_to_write(&mut tx).await? {
            break;
        }
    }
    for work in open {
        work.fail(StoreError::Backend("an operation has asked for too much".into()));
    }
    draft.write(&mut tx).await?;
    tx.commit().await?;
    draft.committed();
    Ok(())
}

/// Shows something of one snapshot, in which nothing changes.
pub async fn look<T>(
    finder: &mut impl Finder,
    show: impl Fn(&mut Draft) -> Result<T, Stop>,
) -> Result<T, StoreError> {
    let mut draft = Draft::new(true, Arc::default());
    for _ in 0..ROUNDS {
        match show(&mut draft) {
            Ok(shown) => return Ok(shown),
            Err(Stop::Missing) => drop(draft.load(finder).await.map_err(TxError::into_inner)?),
            Err(Stop::Refused(refusal)) => return Err(refusal.into()),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Err(StoreError::Backend("a look has asked for too much".into()))
}

/// Does one operation in a transaction of its own.
pub async fn alone<E: Engine, O: Operation>(
    engine: &E,
    operation: O,
    now: Timestamp,
) -> Result<O::Output, StoreError> {
    let mut task = Task::new(operation, now);
    attempt(engine, Busy::Wait, &mut [&mut task]).await.map_err(TxError::into_inner)?;
    task.into_outcome()
}

/// What a future gives that never waits: those of an engine on the same thread.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
