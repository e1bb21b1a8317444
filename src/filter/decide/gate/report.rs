//! The heartbeat: once a second, or less often if the ledger asks for it, one worker reports the whole gateway's changes,
//! returns unused credits, and learns what changed at the ledger.
//!
//! One worker leads, by holding an entry in shared memory that expires unless it is renewed. The others queue the names of
//! changed leases; a new leader reads the registry of all payers once. What must hold: every lease with unreported
//! changes is on the queue, or in the leader's list ([`super::heartbeat`]).

use super::Gate;
use super::flights::PendingEntry;
use super::heartbeat::{HEARTBEAT_MS, due};
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::lease::Lease;
use crate::decide::lease::shared::{self, SharedMemory};
use faregate_protocol::exchange::{ExchangeResponse, MAX_HEARTBEAT_MS};

/// How long leadership lasts without renewal (ms).
const LEAD_MS: u64 = 3_000;
/// How often it is renewed (ms).
const RENEW_MS: u64 = 1_000;
/// The shortest heartbeat interval that the ledger may ask for (ms).
const LEAST_HEARTBEAT_MS: u32 = 50;
/// How many names are read from the registry and from the queue per tick.
const AT_ONCE: u32 = 5_000;

impl<M: SharedMemory> Gate<M> {
    /// Takes or renews leadership when that is due, and reads the queue of changed leases.
    pub(super) fn lead(&mut self, now: Moment) {
        if now >= self.heartbeat.renew_at {
            self.stand_for_leader(now);
        }
        self.read_news(now);
    }

    #[inline(never)]
    fn stand_for_leader(&mut self, now: Moment) {
        let name = self.names.leader();
        let current = self.memory.get(&name);
        let (until, holder) = current.as_ref().and_then(|(bytes, _)| leader(bytes)).unwrap_or_default();
        let mine = holder == self.heartbeat.me;
        if mine || now >= until {
            let entry = leader_entry(now.plus_millis(LEAD_MS), &self.heartbeat.me);
            let took = self.memory.swap(&name, &entry, current.map(|(_, stamp)| stamp));
            if took && !self.heartbeat.leads {
                self.heartbeat.roll_at = 0;
            }
            self.heartbeat.leads = took;
        } else {
            self.heartbeat.leads = false;
        }
        if !self.heartbeat.leads {
            self.heartbeat.live.clear();
            self.heartbeat.by_key.clear();
            self.heartbeat.under_way = false;
        }
        // Followers check a little later than the leader renews.
        self.heartbeat.renew_at = now.plus_millis(if self.heartbeat.leads { RENEW_MS } else { RENEW_MS / 2 });
    }

    /// Leaves: flushes all that only this worker knows to shared memory, and gives up leadership at once. Called when this
    /// gate's configuration is removed.
    pub fn leave(&mut self) {
        self.settlements.flush_all(&self.memory);
        self.hand_over();
        let name = self.names.leader();
        if let Some((bytes, stamp)) = self.memory.get(&name)
            && leader(&bytes).is_some_and(|(_, holder)| holder == self.heartbeat.me)
        {
            self.memory.swap(&name, &leader_entry(Moment::ZERO, ""), Some(stamp));
        }
    }

    /// Reads the queue of changed leases. After a quiet time the first change waits for more to batch with; but not right
    /// after a takeover, because queued changes have waited already.
    #[inline(never)]
    fn read_news(&mut self, now: Moment) {
        if !self.heartbeat.leads {
            return;
        }
        let quiet = self.heartbeat.live.is_empty() && self.heartbeat.roll_at == u32::MAX;
        for _ in 0..AT_ONCE {
            let Some(lease) = self.memory.pop_dirty() else {
                break;
            };
            if self.names.is_handover(&lease) {
                self.adopt(now);
            } else {
                self.heartbeat.note(now, &lease);
            }
        }
        self.read_registry(now);
        if quiet && !self.heartbeat.live.is_empty() {
            self.heartbeat.due_at = self.heartbeat.due_at.max(now.plus_millis(HEARTBEAT_MS));
        }
    }

    /// A new leader looks at every payer once.
    #[inline(never)]
    fn read_registry(&mut self, now: Moment) {
        if self.heartbeat.roll_at == u32::MAX {
            return;
        }
        let (count, _) = shared::count(&self.memory, &self.names);
        let end = self.heartbeat.roll_at.saturating_add(AT_ONCE).min(count);
        for number in self.heartbeat.roll_at..end {
            if let Some(lease) = shared::in_registry(&self.memory, &self.names, number)
                && shared::read(&self.memory, &lease)
                    .is_some_and(|record| !record.is_at_rest() || record.queued)
            {
                self.heartbeat.note(now, &lease);
            }
        }
        self.heartbeat.roll_at = if end == count { u32::MAX } else { end };
    }

    /// Adds the gateway's report to the next message. Returns whether it is a heartbeat.
    #[inline(never)]
    pub(super) fn heartbeat_into(
        &mut self,
        now: Moment,
        pending_entries: &mut SortedMap<PendingEntry>,
        most: usize,
    ) -> bool {
        if !self.heartbeat.leads || self.heartbeat.under_way || now < self.heartbeat.due_at {
            return false;
        }
        // Continues where the last full message stopped, so that no payer starves.
        let in_turn = self.heartbeat.live.iter_from(&self.heartbeat.cursor);
        let mut stopped_at = None;
        for (lease, report) in in_turn.filter_map(|(lease, live)| Some((lease, due(live, now)?))) {
            if pending_entries.len() >= most {
                stopped_at = Some(lease.to_owned());
                break;
            }
            if let Some(pending) = pending_entries.entry(lease, PendingEntry::default) {
                pending.report = Some(report);
            }
        }
        self.heartbeat.more = stopped_at.is_some();
        self.heartbeat.cursor = stopped_at.unwrap_or_default();
        self.heartbeat.under_way = !self.heartbeat.live.is_empty();
        self.heartbeat.under_way
    }

    /// Takes the answer to a heartbeat.
    #[inline(never)]
    pub(super) fn heartbeat_answered(&mut self, now: Moment, sent: Moment, answer: &ExchangeResponse) {
        self.heartbeat.under_way = false;
        self.heartbeat.seen = answer.seen.unwrap_or(self.heartbeat.seen);
        self.heartbeat.due_at =
            sent.plus_millis(u64::from(answer.heartbeat_ms.clamp(LEAST_HEARTBEAT_MS, MAX_HEARTBEAT_MS)));
        for change in &answer.changes {
            let Some(lease) = self.heartbeat.by_key.get(&change.payer).cloned() else {
                continue;
            };
            let act = if change.refused.is_some() { Lease::stop } else { Lease::hand_back };
            shared::update(&self.memory, &lease, act);
            self.heartbeat.note(now, &lease);
            self.heartbeat.due_at = now;
        }
        if self.heartbeat.more {
            self.heartbeat.due_at = now;
        }
    }
}

fn leader(bytes: &[u8]) -> Option<(Moment, String)> {
    let (until, holder) = bytes.split_first_chunk::<8>()?;
    Some((Moment::from_nanos(u64::from_le_bytes(*until)), String::from_utf8(holder.to_vec()).ok()?))
}

fn leader_entry(until: Moment, holder: &str) -> Vec<u8> {
    let mut bytes = until.nanos().to_le_bytes().to_vec();
    bytes.extend(holder.bytes());
    bytes
}
