//! What waits to be written, and the loop that writes it: group commit, for every database.
//!
//! Callers wait in a bounded queue for the next transaction, which takes as many operations as fit. Operations with a
//! waiting caller go before reports. What must hold: an answer is given only after the commit; an operation that
//! can't be written fails alone; an operation whose caller has gone away is skipped.

use super::StoreError;
use super::engine::{Busy, Engine, TxError};
use super::operation::{Operation, Task, Work, attempt};
use super::outage::Outage;
use super::pace::{Pace, WAIT_MS};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The most that wait, however light they are.
const MOST: usize = 8_192;
/// How often a transaction is tried that others were in the way of.
const ATTEMPTS: u32 = 6;
/// The longest rest before the second attempt; it doubles with every further one.
const REST: Duration = Duration::from_millis(10);
/// What part of a batch reports get at least, when others wait that come before them.
const REPORTS_SHARE: usize = 4;
/// The longest that a small batch waits for a running transaction, which may be blocked on a lock.
const MAX_HOLD: Duration = Duration::from_millis(100);
/// The shortest time between two updates of the heartbeat.
const STEP: Duration = Duration::from_millis(250);

/// How urgent something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Callers wait for it.
    Urgent,
    /// It can be said again.
    Report,
    /// The ledger does it on its own: it is never refused, and waits as long as it takes.
    Own,
}

/// Operations that are answered together.
trait Group: Send {
    fn works(&mut self) -> Vec<&mut dyn Work>;
    fn is_given_up(&self) -> bool;
    fn answer(self: Box<Self>);
}

struct Asked<O: Operation> {
    tasks: Vec<Task<O>>,
    tell: oneshot::Sender<Vec<Result<O::Output, StoreError>>>,
}

impl<O: Operation> Group for Asked<O> {
    fn works(&mut self) -> Vec<&mut dyn Work> {
        self.tasks.iter_mut().map(|task| task as &mut dyn Work).collect()
    }

    fn is_given_up(&self) -> bool {
        self.tell.is_closed()
    }

    fn answer(self: Box<Self>) {
        let outcomes = self.tasks.into_iter().map(Task::into_outcome).collect();
        // A client that has disconnected will retry.
        let _ = self.tell.send(outcomes);
    }
}

struct Job {
    group: Box<dyn Group>,
    weight: usize,
    urgency: Urgency,
    since: Instant,
}

impl Job {
    fn fail(mut self, error: &StoreError) {
        for work in self.group.works() {
            work.fail(error.clone());
        }
        self.group.answer();
    }

    fn is_too_late(&self, now: Instant) -> bool {
        let waited = now.duration_since(self.since);
        self.urgency != Urgency::Own && waited > Duration::from_millis(WAIT_MS.saturating_mul(2))
    }
}

#[derive(Default)]
struct Inner {
    urgent: VecDeque<Job>,
    reports: VecDeque<Job>,
    /// Of those that wait.
    weight: usize,
    /// Of those that are being written.
    under_way: usize,
    pace: Pace,
    /// What has come since the heartbeat was last reckoned.
    offered: usize,
    turned_away: bool,
    reckoned: Option<Instant>,
    closed: bool,
}

impl Inner {
    fn len(&self) -> usize {
        self.urgent.len().saturating_add(self.reports.len())
    }

    /// Measures the offered load and computes the heartbeat interval.
    fn offer(&mut self, weight: usize, lanes: usize, now: Instant) {
        self.offered = self.offered.saturating_add(weight);
        let passed = now.duration_since(*self.reckoned.get_or_insert(now));
        if passed >= STEP {
            let turned_away = std::mem::take(&mut self.turned_away);
            let pressure = turned_away || self.weight > self.pace.room(lanes) / 2;
            self.pace.adjust(std::mem::take(&mut self.offered), passed, lanes, pressure);
            self.reckoned = Some(now);
        }
    }

    /// Whether it is better to wait for more: another transaction is under way, and a second one beside it costs more
    /// than it brings unless it has enough to do. Callers aren't made to wait.
    fn is_too_little(&self, now: Instant) -> bool {
        let is_young = |job: &Job| now.duration_since(job.since) < MAX_HOLD;
        self.urgent.is_empty()
            && !self.closed
            && self.weight.saturating_mul(2) < self.under_way
            && self.reports.front().is_none_or(is_young)
    }

    /// Takes jobs for a transaction; and those that have waited for too long.
    fn take(&mut self, now: Instant) -> (Vec<Job>, Vec<Job>) {
        let (mut batch, mut late, mut heavy) = (Vec::new(), Vec::new(), 0_usize);
        if self.is_too_little(now) {
            return (batch, late);
        }
        let most = self.pace.batch();
        let for_reports = if self.reports.is_empty() { 0 } else { most / REPORTS_SHARE };
        for (lane, most) in [(&mut self.urgent, most.saturating_sub(for_reports)), (&mut self.reports, most)]
        {
            while heavy < most
                && let Some(job) = lane.pop_front()
            {
                self.weight = self.weight.saturating_sub(job.weight);
                if job.group.is_given_up() {
                    continue;
                }
                if job.is_too_late(now) {
                    late.push(job);
                    continue;
                }
                heavy = heavy.saturating_add(job.weight);
                batch.push(job);
            }
        }
        self.under_way = self.under_way.saturating_add(heavy);
        (batch, late)
    }
}

/// The queue.
pub struct Queue {
    inner: Mutex<Inner>,
    arrived: Notify,
    ended: Notify,
    lanes: usize,
    metrics: Arc<Metrics>,
    log: LogLimit,
    outage: Outage,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({} jobs)", self.inner().len())
    }
}

impl Queue {
    /// An empty one, from which so many transactions at once are served.
    pub fn new(lanes: usize, metrics: Arc<Metrics>) -> Self {
        let (arrived, ended) = (Notify::new(), Notify::new());
        Self {
            inner: Mutex::default(),
            arrived,
            ended,
            lanes,
            metrics,
            log: LogLimit::default(),
            outage: Outage::default(),
        }
    }

    /// Whether the database can be used.
    pub const fn outage(&self) -> &Outage {
        &self.outage
    }

    /// How many operations wait for a transaction.
    pub fn waiting(&self) -> usize {
        self.inner().len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation that touches about this many rows.
    pub async fn run<O: Operation>(
        &self,
        operation: O,
        now: Timestamp,
        weight: usize,
        urgency: Urgency,
    ) -> Result<O::Output, StoreError> {
        let tasks = vec![Task::new(operation, now)];
        let mut outcomes = self.run_all(tasks, weight, urgency).await?;
        outcomes.pop().unwrap_or(Err(StoreError::Stopped))
    }

    /// Does operations in one transaction, each with an outcome of its own.
    pub async fn run_all<O: Operation>(
        &self,
        tasks: Vec<Task<O>>,
        weight: usize,
        urgency: Urgency,
    ) -> Result<Vec<Result<O::Output, StoreError>>, StoreError> {
        let (tell, results) = oneshot::channel();
        let group = Box::new(Asked { tasks, tell });
        self.push(Job { group, weight: weight.max(1), urgency, since: Instant::now() })?;
        results.await.map_err(|_| StoreError::Stopped)
    }

    fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(StoreError::Stopped);
        }
        inner.offer(job.weight, self.lanes, job.since);
        let mut shed = None;
        if job.urgency != Urgency::Own && self.is_full(&inner, job.weight) {
            inner.turned_away = true;
            self.log_overload(&inner);
            // A report yields to a waiting caller; its gateway resends it.
            let gives_way = |other: &Job| other.urgency == Urgency::Report && job.urgency == Urgency::Urgent;
            let newest = inner.reports.iter().rposition(gives_way);
            let Some(report) = newest.and_then(|at| inner.reports.remove(at)) else {
                return Err(StoreError::Overloaded);
            };
            inner.weight = inner.weight.saturating_sub(report.weight);
            shed = Some(report);
        }
        inner.weight = inner.weight.saturating_add(job.weight);
        match job.urgency {
            Urgency::Urgent => inner.urgent.push_back(job),
            Urgency::Report | Urgency::Own => inner.reports.push_back(job),
        }
        drop(inner);
        self.arrived.notify_one();
        if let Some(report) = shed {
            report.fail(&StoreError::Overloaded);
        }
        Ok(())
    }

    /// Says in the log that there is too much.
    fn log_overload(&self, inner: &Inner) {
        if let Some(left_out) = self.log.permits(std::time::Instant::now()) {
            let (waiting, rows) = (inner.len(), inner.weight);
            tracing::warn!(
                waiting,
                rows,
                left_out,
                "more is asked of the database than it commits; some of it is turned away, and gateways are asked to come less often"
            );
        }
    }

    fn is_full(&self, inner: &Inner, weight: usize) -> bool {
        if inner.len() >= MOST {
            return true;
        }
        let oldest = inner.urgent.front().into_iter().chain(inner.reports.front()).map(|job| job.since).min();
        let stuck = oldest.is_some_and(|oldest| oldest.elapsed() > Duration::from_millis(WAIT_MS));
        let weight = inner.weight.saturating_add(weight);
        stuck || (inner.weight > 0 && weight > inner.pace.room(self.lanes))
    }

    /// The time between heartbeats that gateways are asked for because there is too much (ms).
    pub fn heartbeat_ms(&self) -> Option<u32> {
        self.inner().pace.heartbeat_ms()
    }

    /// Whether a report of about this weight would be rejected now. If so, it is counted as rejected.
    pub fn refuses(&self, weight: usize) -> bool {
        let (now, mut inner) = (Instant::now(), self.inner());
        let refused = !inner.closed && self.is_full(&inner, weight);
        if refused {
            inner.offer(weight, self.lanes, now);
            inner.turned_away = true;
            self.log_overload(&inner);
        }
        refused
    }

    /// Takes in nothing more; what waits is done.
    pub fn close(&self) {
        self.inner().closed = true;
        self.arrived.notify_waiters();
        self.arrived.notify_one();
    }

    /// Resolves when the queue is no longer served.
    pub async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.inner().closed {
                return;
            }
            ended.await;
        }
    }

    /// Serves it until it is closed, or `after` a transaction something says that it can't go on.
    pub async fn serve<E: Engine>(
        &self,
        engine: &E,
        mut after: impl FnMut(&Result<(), TxError>) -> ControlFlow<()>,
    ) {
        while let Some(batch) = self.next().await {
            let outcome = self.carry_out(engine, batch).await;
            if after(&outcome).is_break() {
                break;
            }
        }
        // Another lane may be waiting.
        self.close();
        let left = {
            let mut inner = self.inner();
            let urgent: Vec<Job> = inner.urgent.drain(..).collect();
            urgent.into_iter().chain(inner.reports.drain(..).collect::<Vec<_>>())
        };
        for job in left {
            job.fail(&StoreError::Stopped);
        }
        self.ended.notify_waiters();
    }

    async fn next(&self) -> Option<Vec<Job>> {
        loop {
            let arrived = self.arrived.notified();
            let (batch, late, closed, held) = {
                let mut inner = self.inner();
                let (batch, late) = inner.take(Instant::now());
                if !late.is_empty() {
                    inner.turned_away = true;
                    self.log_overload(&inner);
                }
                // What is too little for a second transaction is taken when the first has ended.
                if !batch.is_empty() && inner.len() > 0 {
                    self.arrived.notify_one();
                }
                (batch, late, inner.closed, inner.len() > 0)
            };
            for job in late {
                job.fail(&StoreError::Overloaded);
            }
            if !batch.is_empty() {
                return Some(batch);
            }
            if closed {
                return None;
            }
            if held { drop(tokio::time::timeout(MAX_HOLD, arrived).await) } else { arrived.await }
        }
    }

    async fn carry_out<E: Engine>(&self, engine: &E, mut batch: Vec<Job>) -> Result<(), TxError> {
        let (began, weight) = (Instant::now(), batch.iter().map(|job| job.weight).sum());
        let size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let outcome = self.commit(engine, &mut batch).await;
        let took = began.elapsed();
        self.metrics.commits.inc();
        self.metrics.batch_size.observe(f64::from(size));
        self.metrics.commit_seconds.observe(took.as_secs_f64());
        self.learn(weight, took);
        let done = outcome.clone().map_err(TxError::into_inner);
        self.outage.note(&done);
        if let Err(error) = done.as_ref()
            && !error.is_outage()
        {
            tracing::error!(%error, jobs = size, "a transaction failed; nothing of it was kept");
        }
        for job in batch {
            job.group.answer();
        }
        outcome
    }

    fn learn(&self, weight: usize, took: Duration) {
        let mut inner = self.inner();
        inner.pace.learn(weight, took);
        inner.under_way = inner.under_way.saturating_sub(weight);
        if inner.len() > 0 {
            self.arrived.notify_one();
        }
    }

    async fn commit<E: Engine>(&self, engine: &E, batch: &mut [Job]) -> Result<(), TxError> {
        let mut works: Vec<&mut dyn Work> = batch.iter_mut().flat_map(|job| job.group.works()).collect();
        let outcome = persist(engine, Busy::Wait, &mut works, &self.metrics).await;
        let error = match outcome {
            Ok(()) => return Ok(()),
            // One of them may be at fault for all; so each is tried alone.
            Err(TxError::Value(_) | TxError::Again(_)) if batch.len() > 1 => {
                for job in batch {
                    if let Err(error) =
                        persist(engine, Busy::Wait, &mut job.group.works(), &self.metrics).await
                    {
                        fail(std::slice::from_mut(job), &error);
                    }
                }
                return Ok(());
            }
            Err(error) => error,
        };
        fail(batch, &error);
        // One that asked for what can't be written is at fault itself.
        if let TxError::Failed(_) = error { Err(error) } else { Ok(()) }
    }
}

/// Decides operations in one transaction and commits it; retries on conflicts.
pub async fn persist<E: Engine>(
    engine: &E,
    busy: Busy,
    works: &mut [&mut dyn Work],
    metrics: &Metrics,
) -> Result<(), TxError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match attempt(engine, busy, works).await {
            Err(TxError::Again(_)) if tried < ATTEMPTS => {
                metrics.transaction_retries.inc();
                tokio::time::sleep(rest(tried)).await;
            }
            outcome => return outcome,
        }
    }
}

fn fail(batch: &mut [Job], error: &TxError) {
    for work in batch.iter_mut().flat_map(|job| job.group.works()) {
        work.fail(error.clone().into_inner());
    }
}

/// A random delay, so that transactions that collided do not collide again.
fn rest(tried: u32) -> Duration {
    let most = REST.saturating_mul(1 << tried.min(6));
    // Without randomness the rest is just as long for all, which is allowed.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
