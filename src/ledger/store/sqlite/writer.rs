//! The one thread that writes, with group commit: it takes all jobs that wait (within limits) into
//! one transaction and answers them after its commit. So an answer always tells of something durable,
//! and a busy ledger pays for few syncs.
//!
//! What must hold: a job that fails leaves no trace and spoils no other job of its batch; when the
//! commit fails, every job of the batch is answered with that failure; after a fault (see [`Fault`]) the
//! thread ends without touching the file again.

use super::Work;
use super::fault::Fault;
use super::open::{CHECKPOINT_PAGES, Premises};
use crate::metrics::Metrics;
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// The most jobs that wait.
const QUEUE: usize = 4_096;
/// The most jobs in one transaction.
const MAX_BATCH: usize = 512;
/// Once a transaction has this many entries or rows to deal with, it takes no further job.
const MAX_WEIGHT: usize = 8_192;

/// Tells a job's client how the commit went.
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Does a job's work, unless there is nothing left to work with; says how it went. It gives
/// `None` when its client is gone and nothing was done.
type Run = Box<dyn FnOnce(Option<&Work<'_>>) -> Option<(Result<(), StoreError>, Tell)> + Send>;

enum Job {
    Run { weight: usize, run: Run },
    Stop,
}

/// The way to the thread that writes.
#[derive(Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(
        conn: Connection,
        touches: Arc<AtomicI64>,
        metrics: Arc<Metrics>,
        premises: Arc<Premises>,
        fault: Arc<Fault>,
    ) -> Result<Self, std::io::Error> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let write = move || {
            Thread { conn, touches, metrics, queue, fault, logged: false }.run();
            drop(premises); // only now may another ledger come in
        };
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(write)?;
        Ok(Self { jobs, thread: Mutex::new(Some(thread)) })
    }

    /// Has a job done and committed. `weight` is about how many rows it deals with.
    pub async fn run<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnOnce(&Work<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let run: Run = Box::new(move |with| {
            if tell.is_closed() {
                return None;
            }
            let result = with.map_or(Err(StoreError::Stopped), work);
            let how = result.as_ref().map(|_| ()).map_err(Clone::clone);
            let answer: Tell = Box::new(move |commit| {
                // A client that has gone away meanwhile will ask again.
                let _ = tell.send(commit.and(result));
            });
            Some((how, answer))
        });
        self.jobs.try_send(Job::Run { weight, run }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        told.await.map_err(|_| StoreError::Stopped)?
    }

    /// Ready when the thread is gone, for whatever reason.
    pub async fn gone(&self) {
        self.jobs.closed().await;
    }

    /// Finishes what waits, and ends the thread.
    pub async fn stop(&self) {
        let _ = self.jobs.send(Job::Stop).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

struct Thread {
    conn: Connection,
    touches: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
    queue: mpsc::Receiver<Job>,
    fault: Arc<Fault>,
    /// Whether the log has been told that the write-ahead log can't be brought home.
    logged: bool,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let (batch, stop) = self.collect(first);
            if !batch.is_empty() {
                self.carry_out(batch);
                self.tidy();
            }
            if self.fault.none().is_err() {
                return;
            }
            if stop {
                self.bring_home();
                return;
            }
        }
    }

    /// Brings the write-ahead log home once it is long. SQLite would do this by itself within a commit,
    /// but say nothing when the disk fails to sync.
    fn tidy(&mut self) {
        let log = |mode: &str| -> Result<(i64, i64), StoreError> {
            let pages = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
            Ok(self.conn.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?.query_row([], pages)?)
        };
        let tidied = self.fault.none().and_then(|()| match log("NOOP")? {
            (pages, home) if pages >= CHECKPOINT_PAGES && home < pages => log("PASSIVE").map(|_| ()),
            _ => Ok(()),
        });
        self.fault.look(&tidied);
        let failed = tidied.is_err();
        if let (Err(error), false) = (tidied, self.logged) {
            tracing::error!(%error, "the database's log could not be brought home; will try again");
        }
        self.logged = failed;
    }

    /// Brings the write-ahead log home, so that after an orderly stop the database is one file.
    fn bring_home(&self) {
        let checkpoint =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        match checkpoint {
            Ok(0) => {}
            Ok(_) => tracing::info!("somebody still reads the database; its log is kept beside it"),
            Err(error) => tracing::warn!(%error, "the database's log could not be brought home; it is kept"),
        }
    }

    fn collect(&mut self, first: Job) -> (Vec<Run>, bool) {
        let mut batch = Vec::new();
        let mut weight = 0_usize;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Stop => return (batch, true),
                Job::Run { weight: more, run } => {
                    batch.push(run);
                    weight = weight.saturating_add(more.max(1));
                }
            }
            if batch.len() >= MAX_BATCH || weight >= MAX_WEIGHT {
                break;
            }
            next = self.queue.try_recv().ok();
        }
        (batch, false)
    }

    fn carry_out(&self, batch: Vec<Run>) {
        let began = Instant::now();
        let size = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let mut waiting = Vec::with_capacity(batch.len());
        let begin = || Ok(self.conn.execute_batch("BEGIN IMMEDIATE")?);
        let mut outcome = self.fault.none().and_then(|()| begin());
        for run in batch {
            if outcome.is_ok() {
                outcome = self.one(run, &mut waiting);
            } else if let Some((_, tell)) = run(None) {
                waiting.push(tell); // the transaction is lost already
            }
        }
        let outcome = outcome.and_then(|()| Ok(self.conn.execute_batch("COMMIT")?));
        self.fault.look(&outcome);
        if let Err(error) = &outcome {
            tracing::error!(%error, jobs = waiting.len(), "a transaction failed; nothing of it was kept");
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
        }
        self.metrics.commits.inc();
        self.metrics.batch_size.observe(f64::from(size));
        self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
        for tell in waiting {
            tell(outcome.clone());
        }
    }

    /// Does one job in a savepoint of its own. An error means that the whole transaction is lost:
    /// SQLite rolls everything back when, for example, the disk is full.
    fn one(&self, run: Run, waiting: &mut Vec<Tell>) -> Result<(), StoreError> {
        self.savepoint("SAVEPOINT job")?;
        let work = Work { conn: &self.conn, touches: &self.touches };
        let Some((how, tell)) = run(Some(&work)) else {
            return self.savepoint("RELEASE job");
        };
        waiting.push(tell);
        self.fault.look(&how);
        self.fault.none()?; // a job that met damage ends it for all
        if self.conn.is_autocommit() {
            how.as_ref().map_err(Clone::clone)?;
            return Err(StoreError::Backend("the transaction was rolled back by the database".into()));
        }
        if how.is_err() {
            self.savepoint("ROLLBACK TO job")?;
        }
        self.savepoint("RELEASE job")
    }

    fn savepoint(&self, statement: &str) -> Result<(), StoreError> {
        self.conn.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc as blocking;

    struct Fixture {
        writer: Arc<Writer>,
        premises: Arc<Premises>,
        metrics: Arc<Metrics>,
        _dir: tempfile::TempDir,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let premises = Arc::new(Premises::enter(dir.path()).unwrap());
        let metrics = Arc::new(Metrics::default());
        let conn = premises.writer().unwrap();
        let started =
            Writer::start(conn, Arc::default(), Arc::clone(&metrics), Arc::clone(&premises), Arc::default());
        Fixture { writer: Arc::new(started.unwrap()), premises, metrics, _dir: dir }
    }

    fn name(work: &Work<'_>, name: &str) -> Result<(), StoreError> {
        work.conn.execute("INSERT INTO gateways (name) VALUES (?1)", [name])?;
        Ok(())
    }

    /// Keeps the thread busy with one job until the sender is dropped.
    async fn occupy(writer: &Arc<Writer>) -> blocking::Sender<()> {
        let (free, busy) = blocking::channel::<()>();
        let (started, starting) = oneshot::channel();
        let writer = Arc::clone(writer);
        tokio::spawn(async move {
            let wait = move |_: &Work<'_>| {
                let _ = started.send(());
                let _ = busy.recv();
                Ok(())
            };
            writer.run(1, wait).await
        });
        starting.await.unwrap();
        free
    }

    #[tokio::test]
    async fn a_long_log_is_brought_home() {
        let Fixture { writer, premises, _dir, .. } = fixture();
        let size = || premises.database().metadata().unwrap().len();
        assert!(size() < 100_000);
        // More than four thousand pages, in one transaction.
        writer.run(1, |work| name(work, &"x".repeat(20_000_000))).await.unwrap();
        writer.run(1, |work| name(work, "another")).await.unwrap();
        assert!(size() > 20_000_000, "{}", size());
    }

    #[tokio::test]
    async fn after_a_fault_nothing_is_written() {
        let Fixture { writer, premises, _dir, .. } = fixture();
        let damaged = |work: &Work<'_>| {
            name(work, "written before the damage was met")?;
            Err::<(), _>(StoreError::Damaged("a page is not what it was".into()))
        };
        assert!(matches!(writer.run(1, damaged).await, Err(StoreError::Damaged(_))));
        writer.gone().await;
        assert!(matches!(writer.run(1, |work| name(work, "later")).await, Err(StoreError::Stopped)));
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let reader = premises.reader().unwrap();
        assert_eq!(reader.query_row("SELECT count(*) FROM gateways", [], count).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_job_that_fails_spoils_no_other_of_its_batch() {
        let Fixture { writer, premises, metrics, _dir } = fixture();
        let free = occupy(&writer).await;
        let job = |text: &'static str, fails: bool| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                let work = move |work: &Work<'_>| {
                    name(work, text)?;
                    if fails { Err(StoreError::Backend("no".into())) } else { Ok(()) }
                };
                writer.run(1, work).await
            })
        };
        let jobs = [job("a", false), job("b", true), job("c", false)];
        tokio::task::yield_now().await;
        drop(free);
        let mut kept = Vec::new();
        for job in jobs {
            kept.push(job.await.unwrap().is_ok());
        }
        assert_eq!(kept, [true, false, true]);
        let reader = premises.reader().unwrap();
        let names: String =
            reader.query_row("SELECT group_concat(name, '') FROM gateways", [], |row| row.get(0)).unwrap();
        assert_eq!(names, "ac");
        assert!(metrics.commits.get() <= 3, "jobs that wait share a commit");
        writer.stop().await;
        let after = writer.run(1, |work| name(work, "d")).await;
        assert!(matches!(after, Err(StoreError::Stopped)), "{after:?}");
    }

    #[tokio::test]
    async fn too_many_jobs_are_turned_away_and_those_given_up_are_skipped() {
        let Fixture { writer, premises, _dir, .. } = fixture();
        let free = occupy(&writer).await;
        let mut waiting = Vec::new();
        let full = loop {
            let mut job = Box::pin(writer.run(1, |work| name(work, "x")));
            tokio::select! {
                biased;
                result = &mut job => break result,
                () = std::future::ready(()) => waiting.push(job),
            }
        };
        assert!(matches!(full, Err(StoreError::Overloaded)), "{full:?}");
        assert_eq!(waiting.len(), QUEUE);
        drop(waiting);
        drop(free);
        writer.stop().await;
        let reader = premises.reader().unwrap();
        let count: i64 = reader.query_row("SELECT count(*) FROM gateways", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "nobody waited for these any more");
    }
}
