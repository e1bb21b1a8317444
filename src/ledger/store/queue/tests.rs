//! Scenarios of a queue before a database that takes its time. The clock is virtual.

use super::*;
use crate::domain::{AccountNo, GatewayNo};
use crate::store::Refusal;
use crate::store::directory::Directory;
use crate::store::draft::{Draft, Stop};
use crate::store::engine::{ExpiredAmounts, ExpiryKey, Finder, Lookup, MaintenanceTask, Transaction};
use crate::store::memory::Memory;
use crate::store::record::{Parts, Record, Role, Table};
use crate::store::rows::{ChangeRow, GatewayRow};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A database in memory whose transactions take a while.
#[derive(Debug, Default)]
struct Slow {
    memory: Memory,
    /// Rows that are committed per millisecond.
    rows_per_ms: u64,
    /// How many transactions come to nothing because of others.
    collisions: AtomicUsize,
    /// Nothing can be committed any more.
    gone: AtomicBool,
}

struct SlowTransaction<'a> {
    inner: <Memory as Engine>::Transaction<'a>,
    slow: &'a Slow,
    rows: u64,
}

impl Engine for Slow {
    type Transaction<'a> = SlowTransaction<'a>;
    const SERIAL: bool = true;

    fn directory(&self) -> Arc<Directory> {
        self.memory.directory()
    }

    async fn begin(&self, busy: Busy) -> Result<SlowTransaction<'_>, TxError> {
        Ok(SlowTransaction { inner: self.memory.begin(busy).await?, slow: self, rows: 0 })
    }
}

impl Finder for SlowTransaction<'_> {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        key: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        self.inner.find(lookup, key, keys).await
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        self.inner.lapsed(grants).await
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        self.inner.demand(accounts).await
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        self.inner.count(table).await
    }
}

impl Transaction for SlowTransaction<'_> {
    async fn stamp(&mut self) -> Result<i64, TxError> {
        self.inner.stamp().await
    }

    async fn numbers(&mut self, table: &'static Table, count: usize) -> Result<Vec<i64>, TxError> {
        self.inner.numbers(table, count).await
    }

    async fn recallable(&mut self, gateway: GatewayNo) -> Result<u64, TxError> {
        self.inner.recallable(gateway).await
    }

    async fn recall(&mut self, gateway: GatewayNo) -> Result<(), TxError> {
        self.inner.recall(gateway).await
    }

    async fn insert<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        self.rows += rows.len() as u64;
        self.inner.insert(rows).await
    }

    async fn update<R: Record>(&mut self, rows: &[&R], roles: &'static [Role]) -> Result<(), TxError> {
        self.inner.update(rows, roles).await
    }

    async fn add<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        self.inner.add(rows).await
    }

    async fn delete<R: Record>(&mut self, keys: &[&R::Key]) -> Result<(), TxError> {
        self.inner.delete::<R>(keys).await
    }

    async fn announce(&mut self, changes: &[ChangeRow]) -> Result<(), TxError> {
        self.inner.announce(changes).await
    }

    async fn tend(&mut self, chore: MaintenanceTask) -> Result<(), TxError> {
        self.inner.tend(chore).await
    }

    async fn commit(self) -> Result<(), TxError> {
        if self.slow.gone.load(Ordering::Relaxed) {
            return Err(TxError::Failed(StoreError::Away("it is gone".into())));
        }
        if self.slow.collisions.load(Ordering::Relaxed) > 0 {
            self.slow.collisions.fetch_sub(1, Ordering::Relaxed);
            // The rows are in memory already; as new ones they would be there twice.
            return Err(TxError::Again(StoreError::Overloaded));
        }
        let ms = self.rows.checked_div(self.slow.rows_per_ms).unwrap_or(0).saturating_add(2);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.inner.commit().await
    }
}

/// Names so many gateways, which takes so many rows.
#[derive(Debug)]
struct Name {
    name: &'static str,
    rows: usize,
}

impl Operation for Name {
    type Output = ();

    fn decide(&self, draft: &mut Draft, _: Timestamp) -> Result<(), Stop> {
        for _ in 0..self.rows {
            let no = GatewayNo(draft.number(GatewayRow::TABLE)?);
            draft.put(GatewayRow { no, name: self.name.to_owned(), token: None, version: None });
        }
        if self.name == "bad" {
            return Err(Refusal::NotFound { what: "name", id: self.name.into() }.into());
        }
        Ok(())
    }
}

fn queue() -> Arc<Queue> {
    Arc::new(Queue::new(1, Arc::new(Metrics::default())))
}

fn serve(queue: &Arc<Queue>, slow: &Arc<Slow>) -> tokio::task::JoinHandle<()> {
    let (queue, slow) = (Arc::clone(queue), Arc::clone(slow));
    tokio::spawn(async move { queue.serve(&*slow, |_| ControlFlow::Continue(())).await })
}

fn named(slow: &Slow) -> Vec<String> {
    slow.memory.tables().gateways.values().map(|row| row.name.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refused_operation_does_not_affect_others_in_its_transaction() {
    let (queue, slow) = (queue(), Arc::new(Slow::default()));
    let one = |name| queue.run(Name { name, rows: 1 }, Timestamp::UNIX_EPOCH, 1, Urgency::Urgent);
    let served = serve(&queue, &slow);
    let (a, bad, c) = tokio::join!(one("a"), one("bad"), one("c"));
    assert!(a.is_ok() && c.is_ok());
    assert!(matches!(bad, Err(StoreError::Refused(_))), "{bad:?}");
    assert_eq!(named(&slow), ["a", "c"]);
    assert!(queue.metrics.commits.get() <= 2, "those who wait share a commit");
    queue.close();
    served.await.unwrap();
    assert!(matches!(one("d").await, Err(StoreError::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn abandoned_operations_are_not_executed() {
    let (queue, slow) = (queue(), Arc::new(Slow::default()));
    let given_up = queue.run(Name { name: "x", rows: 1 }, Timestamp::UNIX_EPOCH, 1, Urgency::Urgent);
    assert!(tokio::time::timeout(Duration::from_millis(1), given_up).await.is_err());
    let served = serve(&queue, &slow);
    queue.close();
    served.await.unwrap();
    assert!(named(&slow).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_fails_every_operation_that_waits_for_it() {
    let (queue, slow) = (queue(), Arc::new(Slow::default()));
    slow.gone.store(true, Ordering::Relaxed);
    let _served = serve(&queue, &slow);
    let one = |name| queue.run(Name { name, rows: 1 }, Timestamp::UNIX_EPOCH, 1, Urgency::Urgent);
    let (a, b) = tokio::join!(one("a"), one("b"));
    assert!(matches!(a, Err(StoreError::Away(_))) && matches!(b, Err(StoreError::Away(_))), "{a:?} {b:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_yield_to_waiting_callers() {
    let queue = queue();
    let room = queue.inner().pace.room(1);
    let ask = |urgency, weight| {
        let queue = Arc::clone(&queue);
        let operation = Name { name: "a", rows: 1 };
        async move { queue.run(operation, Timestamp::UNIX_EPOCH, weight, urgency).await }
    };
    let first = tokio::spawn(ask(Urgency::Report, room / 2));
    let second = tokio::spawn(ask(Urgency::Report, room / 2));
    tokio::task::yield_now().await;
    let third = ask(Urgency::Report, room / 2).await;
    assert!(matches!(third, Err(StoreError::Overloaded)), "{third:?}");
    let urgent = tokio::spawn(ask(Urgency::Urgent, 10));
    let shed = second.await.unwrap();
    assert!(matches!(shed, Err(StoreError::Overloaded)), "{shed:?}");
    let _served = serve(&queue, &Arc::new(Slow::default()));
    urgent.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_small_batch_waits_for_a_running_transaction_but_not_for_a_hanging_one() {
    let (queue, slow) = (queue(), Arc::new(Slow::default()));
    // A large transaction of another lane hangs.
    queue.inner().under_way = 1_000;
    let served = serve(&queue, &slow);
    let began = Instant::now();
    queue.run(Name { name: "a", rows: 1 }, Timestamp::UNIX_EPOCH, 1, Urgency::Report).await.unwrap();
    assert!(began.elapsed() >= MAX_HOLD && began.elapsed() < MAX_HOLD * 3, "{:?}", began.elapsed());
    let began = Instant::now();
    queue.run(Name { name: "b", rows: 1 }, Timestamp::UNIX_EPOCH, 1, Urgency::Urgent).await.unwrap();
    assert!(began.elapsed() < MAX_HOLD, "callers don't wait: {:?}", began.elapsed());
    queue.close();
    served.await.unwrap();
}

/// Offers so many rows per millisecond for a while, in messages of ten rows from gateways that hang up after half a
/// second. How many rows were acknowledged per millisecond.
async fn acknowledged(rows_per_ms: u64, offered: u64) -> u64 {
    const SECONDS: u64 = 10;
    const EACH: usize = 10;
    let (queue, slow) = (queue(), Arc::new(Slow { rows_per_ms, ..Slow::default() }));
    let _served = serve(&queue, &slow);
    let done = Arc::new(AtomicUsize::new(0));
    for tick in 0..SECONDS * 100 {
        for _ in 0..offered * 10 / EACH as u64 {
            let (queue, done) = (Arc::clone(&queue), Arc::clone(&done));
            tokio::spawn(async move {
                let message = Name { name: "a", rows: EACH };
                let answer = queue.run(message, Timestamp::UNIX_EPOCH, EACH, Urgency::Report);
                let answer = tokio::time::timeout(Duration::from_millis(500), answer).await;
                if let Ok(Ok(())) = answer
                    && tick > 200
                {
                    done.fetch_add(EACH, Ordering::Relaxed);
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    done.load(Ordering::Relaxed) as u64 / ((SECONDS * 100 - 200) * 10)
}

#[tokio::test(start_paused = true)]
async fn throughput_holds_at_three_times_the_load() {
    let capacity = 20;
    let at_capacity = acknowledged(capacity, capacity * 9 / 10).await;
    let overloaded = acknowledged(capacity, capacity * 3).await;
    assert!(at_capacity >= capacity * 8 / 10, "{at_capacity} of {capacity}");
    assert!(overloaded * 10 >= at_capacity * 9, "{overloaded} of {at_capacity}");
}
