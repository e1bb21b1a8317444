//! Records that wait to be exported to a collector.
//!
//! What must hold: no more wait than [`MAX_WAITING_RECORDS`] and [`MAX_WAITING_BYTES`], and what has no room is counted; to add some
//! waits for nothing; and a batch that a gateway sends again is added once.

use crate::domain::call_log::{ReceivedBatch, StoredCall};
use crate::metrics::{ExportResult, Metrics};
use crate::store::StoreError;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many records wait at most.
pub const MAX_WAITING_RECORDS: usize = 50_000;
/// How much memory they take at most, in bytes.
pub const MAX_WAITING_BYTES: usize = 32 << 20;
/// How many records are exported together, about: a batch of a gateway is not divided.
pub const MAX_TOGETHER: usize = 2_048;
/// How many senders are remembered where records aren't stored.
const MAX_SENDERS: usize = 10_000;

/// The records that wait.
#[derive(Debug)]
pub struct Exports {
    destination: String,
    waiting: Mutex<Waiting>,
    changed: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<ReceivedBatch>,
    records: usize,
    bytes: usize,
    is_closed: bool,
    /// The last batch of each sender, where the log doesn't know them.
    senders: HashMap<String, i64>,
}

impl Exports {
    /// None, yet, for this collector.
    pub fn new(destination: String, metrics: Arc<Metrics>) -> Self {
        Self { destination, waiting: Mutex::default(), changed: Notify::new(), metrics }
    }

    /// Which collector.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Adds a batch that was stored just now for the first time.
    pub(super) fn offer(&self, batch: ReceivedBatch) {
        self.add(&mut self.lock(), batch);
        self.changed.notify_one();
    }

    /// Adds a batch that isn't stored, unless it came before.
    pub(super) fn offer_unstored(&self, batch: ReceivedBatch) -> Result<(), StoreError> {
        {
            let mut waiting = self.lock();
            if waiting.is_closed {
                // Its gateway sends it to another ledger, or to the next one.
                return Err(StoreError::Stopped);
            }
            if waiting.senders.get(&batch.sender).is_some_and(|last| *last >= batch.number) {
                return Ok(());
            }
            if waiting.senders.len() >= MAX_SENDERS {
                waiting.senders.clear();
            }
            waiting.senders.insert(batch.sender.clone(), batch.number);
            self.metrics.lost_calls(batch.lost, 0);
            self.add(&mut waiting, batch);
        }
        self.changed.notify_one();
        Ok(())
    }

    fn add(&self, waiting: &mut Waiting, mut batch: ReceivedBatch) {
        let (all, mut room) = (batch.calls.len(), MAX_WAITING_BYTES.saturating_sub(waiting.bytes));
        let count = MAX_WAITING_RECORDS.saturating_sub(waiting.records).min(all);
        let fits = |call: &&StoredCall| {
            let rest = room.checked_sub(size(call));
            room = rest.unwrap_or(room);
            rest.is_some()
        };
        let kept = batch.calls.iter().take(count).take_while(fits).count();
        self.metrics.exported(ExportResult::NoRoom, all.saturating_sub(kept));
        if kept > 0 {
            batch.calls.truncate(kept);
            waiting.records = waiting.records.saturating_add(kept);
            waiting.bytes = MAX_WAITING_BYTES.saturating_sub(room);
            waiting.batches.push_back(batch);
        }
        self.metrics.waiting_exports(waiting.records);
    }

    /// Adds no more that isn't stored, and lets what waits be taken at once.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits until some records wait; whether there will be any.
    pub async fn wait_for_some(&self) -> bool {
        self.wait(1).await
    }

    /// Waits until there are as many as are exported together, or no more come.
    pub async fn wait_for_many(&self) {
        self.wait(MAX_TOGETHER).await;
    }

    async fn wait(&self, count: usize) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let waiting = self.lock();
                if waiting.records >= count || waiting.is_closed {
                    return waiting.records > 0;
                }
            }
            changed.await;
        }
    }

    /// Takes those that are exported together, the oldest first.
    pub fn take(&self) -> Vec<ReceivedBatch> {
        let mut waiting = self.lock();
        let (mut taken, mut count) = (Vec::new(), 0_usize);
        while count < MAX_TOGETHER
            && let Some(batch) = waiting.batches.pop_front()
        {
            count = count.saturating_add(batch.calls.len());
            let bytes = batch.calls.iter().map(size).sum::<usize>();
            waiting.bytes = waiting.bytes.saturating_sub(bytes);
            taken.push(batch);
        }
        waiting.records = waiting.records.saturating_sub(count);
        self.metrics.waiting_exports(waiting.records);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how much memory a record takes, in bytes.
fn size(call: &StoredCall) -> usize {
    let texts = [&call.account, &call.key, &call.item, &call.request_id];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    size_of::<StoredCall>().saturating_add(texts).saturating_add(call.rule.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::Credits;
    use faregate_protocol::calls::{Call, CallBatch, Decision};
    use faregate_protocol::metering::Quantities;
    use jiff::Timestamp;

    fn batch(sender: &str, number: u64, calls: usize, rule: &str) -> ReceivedBatch {
        let call = Call {
            at_ms: 1,
            duration_ms: 1,
            account: None,
            key: None,
            rule: rule.to_owned().into(),
            item: None,
            decision: Decision::Free,
            code: None,
            charge: Credits::ZERO,
            hold: Credits::ZERO,
            basis: None,
            used: Quantities::default(),
            status: None,
            request_id: None,
        };
        let batch = CallBatch {
            protocol: 1,
            gateway: "gw".into(),
            sender: sender.to_owned().into(),
            number,
            now_ms: 1,
            lost: 0,
            calls: vec![call; calls],
        };
        ReceivedBatch::new(batch, Timestamp::UNIX_EPOCH)
    }

    fn exports() -> Exports {
        Exports::new(String::new(), Arc::default())
    }

    fn records(batches: &[ReceivedBatch]) -> usize {
        batches.iter().map(|batch| batch.calls.len()).sum()
    }

    #[test]
    fn what_has_no_room_is_counted_and_the_oldest_stay() {
        let exports = exports();
        for number in 1..=13 {
            exports.offer(batch("a", number, 4_000, "r"));
        }
        let page = exports.metrics.text();
        assert!(page.contains(r#"faregate_otlp_records_total{result="no_room"} 2000"#), "{page}");
        assert!(page.contains("faregate_otlp_waiting_records 50000"), "{page}");
        let mut all = 0;
        loop {
            let taken = exports.take();
            if taken.is_empty() {
                break;
            }
            assert!(records(&taken) <= MAX_TOGETHER + 4_000);
            all += records(&taken);
        }
        assert_eq!((all, exports.lock().bytes), (MAX_WAITING_RECORDS, 0));
    }

    #[test]
    fn long_records_are_bounded_by_their_bytes() {
        let exports = exports();
        let rule = "x".repeat(1 << 20);
        exports.offer(batch("a", 1, 40, &rule));
        exports.offer(batch("a", 2, 1, "short"));
        let counted = || {
            let waiting = exports.lock();
            (waiting.bytes, waiting.records)
        };
        let (bytes, records) = counted();
        assert!(
            bytes <= MAX_WAITING_BYTES && (31..=33).contains(&records),
            "{bytes} bytes, {records} records"
        );
        exports.take();
        assert_eq!(counted(), (0, 0));
    }

    #[tokio::test]
    async fn a_batch_that_is_not_stored_is_exported_once_and_none_after_the_end() {
        let exports = exports();
        for number in [1, 1, 2, 1] {
            exports.offer_unstored(batch("a", number, 3, "r")).unwrap();
        }
        exports.offer_unstored(batch("b", 1, 1, "r")).unwrap();
        assert!(exports.wait_for_some().await);
        exports.close();
        exports.wait_for_many().await;
        assert!(exports.offer_unstored(batch("b", 2, 1, "r")).is_err());
        assert_eq!(records(&exports.take()), 7);
        assert!(!exports.wait_for_some().await);
    }
}
