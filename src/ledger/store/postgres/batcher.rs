//! Group commit: messages that arrive while a transaction is under way wait (in a bounded queue) for
//! the next one, which takes in all of them. So a busy ledger pays for few commits.
//!
//! What must hold: a message is answered only after the commit; when a batch can't be committed because
//! the database refuses one of its values, its messages are tried one by one, so that only the bad one fails.

use super::exchange::{Batch, Message};
use super::gateways::Gateways;
use super::pool::Pool;
use super::trouble::Trouble;
use crate::metrics::Metrics;
use crate::store::{Exchanged, StoreError, weight};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The most messages that wait.
const QUEUE: usize = 4_096;
/// The most messages in one transaction.
const MAX_BATCH: usize = 512;
/// Once a transaction has this many entries and usage lines to deal with, it takes no further message.
const MAX_WEIGHT: usize = 8_192;

type Tell = oneshot::Sender<Result<Exchanged, StoreError>>;

enum Job {
    Take(Box<Message>, Tell),
    Stop,
}

/// The way to the task that commits.
#[derive(Debug)]
pub struct Batcher {
    jobs: mpsc::Sender<Job>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Batcher {
    /// Starts the task.
    pub fn start(pool: Pool, metrics: Arc<Metrics>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let work = Work { gateways: Gateways::default(), pool, metrics };
        let task = tokio::spawn(work.run(queue));
        Self { jobs, task: Mutex::new(Some(task)) }
    }

    /// Has a message taken in.
    pub async fn take(&self, message: Message) -> Result<Exchanged, StoreError> {
        let (tell, told) = oneshot::channel();
        self.jobs.try_send(Job::Take(Box::new(message), tell)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        told.await.map_err(|_| StoreError::Stopped)?
    }

    /// Ready when the task is gone, for whatever reason.
    pub async fn gone(&self) {
        self.jobs.closed().await;
    }

    /// Finishes what waits, and ends the task.
    pub async fn stop(&self) {
        let _ = self.jobs.send(Job::Stop).await;
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct Work {
    gateways: Gateways,
    pool: Pool,
    metrics: Arc<Metrics>,
}

impl Work {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.recv().await {
            let (messages, waiting, stop) = collect(first, &mut queue);
            self.carry_out(messages, waiting).await;
            if stop {
                return;
            }
        }
    }

    async fn carry_out(&mut self, messages: Vec<Message>, waiting: Vec<Tell>) {
        if messages.is_empty() {
            return;
        }
        let outcomes = match self.commit(&messages).await {
            Ok(done) => done.into_iter().map(Ok).collect(),
            Err(trouble) if trouble.is_about_data() && messages.len() > 1 => self.one_by_one(&messages).await,
            Err(trouble) => {
                let error = StoreError::from(trouble);
                tracing::error!(%error, messages = messages.len(), "a transaction failed");
                messages.iter().map(|_| Err(error.clone())).collect()
            }
        };
        for (tell, outcome) in waiting.into_iter().zip(outcomes) {
            // A client that has gone away meanwhile will ask again.
            let _ = tell.send(outcome);
        }
    }

    async fn one_by_one(&mut self, messages: &[Message]) -> Vec<Result<Exchanged, StoreError>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        for message in messages {
            let outcome = self.commit(std::slice::from_ref(message)).await;
            let outcome = outcome.map_err(StoreError::from);
            outcomes.push(outcome.and_then(|mut one| one.pop().ok_or(StoreError::Stopped)));
        }
        outcomes
    }

    async fn commit(&mut self, messages: &[Message]) -> Result<Vec<Exchanged>, Trouble> {
        let began = Instant::now();
        let names = messages.iter().map(|message| message.request.gateway.as_str());
        self.gateways.learn(&self.pool, names).await?;
        let batch = Batch { messages, gateways: self.gateways.known() };
        let outcome = self.pool.transaction(&batch).await;
        self.metrics.commits.inc();
        self.metrics.batch_size.observe(f64::from(u32::try_from(messages.len()).unwrap_or(u32::MAX)));
        self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        outcome
    }
}

/// Takes what waits, within limits; says whether the task should end after that.
fn collect(first: Job, queue: &mut mpsc::Receiver<Job>) -> (Vec<Message>, Vec<Tell>, bool) {
    let (mut messages, mut waiting) = (Vec::new(), Vec::new());
    let mut heavy = 0_usize;
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Stop => return (messages, waiting, true),
            Job::Take(_, tell) if tell.is_closed() => {}
            Job::Take(message, tell) => {
                heavy = heavy.saturating_add(weight(&message.request).max(1));
                messages.push(*message);
                waiting.push(tell);
            }
        }
        if messages.len() >= MAX_BATCH || heavy >= MAX_WEIGHT {
            break;
        }
        next = queue.try_recv().ok();
    }
    (messages, waiting, false)
}
