//! The heartbeat: once a second, or less often if the ledger asks for it, one worker reports the whole gateway's changes,
//! returns unused credits, and learns what changed at the ledger.
//!
//! One worker leads, by holding an entry in shared memory that expires unless it is renewed. The others queue the names of
//! changed leases; a new leader reads the registry of all payers once. What must hold: every lease with unreported
//! changes is on the queue, or in the leader's list ([`super::beat`]).

use super::Gate;
use super::beat::{BEAT_MS, due};
use super::flights::Wish;
use crate::decide::base::moment::Moment;
use crate::decide::base::table::Table;
use crate::decide::lease::Lease;
use crate::decide::lease::shared::{self, SharedMemory};
use faregate_protocol::exchange::{ExchangeResponse, MAX_BEAT_MS};

/// How long leadership lasts without renewal (ms).
const LEAD_MS: u64 = 3_000;
/// How often it is renewed (ms).
const RENEW_MS: u64 = 1_000;
/// The shortest heartbeat interval that the ledger may ask for (ms).
const LEAST_BEAT_MS: u32 = 50;
/// How many names are read from the registry and from the queue per tick.
const AT_ONCE: u32 = 5_000;

impl<M: SharedMemory> Gate<M> {
    /// Takes or renews leadership when that is due, and reads the queue of changed leases.
    pub(super) fn lead(&mut self, now: Moment) {
        if now >= self.beat.renew_at {
            self.stand_for_leader(now);
        }
        self.read_news(now);
    }

    fn stand_for_leader(&mut self, now: Moment) {
        let name = self.names.leader();
        let current = self.memory.get(&name);
        let (until, holder) = current.as_ref().and_then(|(bytes, _)| leader(bytes)).unwrap_or_default();
        let mine = holder == self.beat.me;
        if mine || now >= until {
            let entry = leader_entry(now.plus_millis(LEAD_MS), &self.beat.me);
            let took = self.memory.swap(&name, &entry, current.map(|(_, stamp)| stamp));
            if took && !self.beat.leads {
                self.beat.roll_at = 0;
            }
            self.beat.leads = took;
        } else {
            self.beat.leads = false;
        }
        if !self.beat.leads {
            self.beat.live.clear();
            self.beat.by_key.clear();
            self.beat.under_way = false;
        }
        // Followers check a little later than the leader renews.
        self.beat.renew_at = now.plus_millis(if self.beat.leads { RENEW_MS } else { RENEW_MS / 2 });
    }

    /// Leaves: flushes all that only this worker knows to shared memory, and gives up leadership at once. Called when this
    /// gate's configuration is removed.
    pub fn leave(&mut self) {
        self.settlements.tell_all(&self.memory);
        self.bequeath();
        let name = self.names.leader();
        if let Some((bytes, stamp)) = self.memory.get(&name)
            && leader(&bytes).is_some_and(|(_, holder)| holder == self.beat.me)
        {
            self.memory.swap(&name, &leader_entry(Moment::ZERO, ""), Some(stamp));
        }
    }

    /// Reads the queue of changed leases. After a quiet time the first change waits for more to batch with; but not right
    /// after a takeover, because queued changes have waited already.
    fn read_news(&mut self, now: Moment) {
        if !self.beat.leads {
            return;
        }
        let quiet = self.beat.live.is_empty() && self.beat.roll_at == u32::MAX;
        for _ in 0..AT_ONCE {
            let Some(lease) = self.memory.pop_news() else {
                break;
            };
            if self.names.is_legacy(&lease) {
                self.inherit();
            } else {
                self.beat.note(now, &lease);
            }
        }
        self.read_roll(now);
        if quiet && !self.beat.live.is_empty() {
            self.beat.due_at = self.beat.due_at.max(now.plus_millis(BEAT_MS));
        }
    }

    /// A new leader looks at every payer once.
    fn read_roll(&mut self, now: Moment) {
        if self.beat.roll_at == u32::MAX {
            return;
        }
        let (count, _) = shared::count(&self.memory, &self.names);
        let end = self.beat.roll_at.saturating_add(AT_ONCE).min(count);
        for number in self.beat.roll_at..end {
            if let Some(lease) = shared::on_roll(&self.memory, &self.names, number)
                && shared::read(&self.memory, &lease)
                    .is_some_and(|record| !record.is_at_rest() || record.listed)
            {
                self.beat.note(now, &lease);
            }
        }
        self.beat.roll_at = if end == count { u32::MAX } else { end };
    }

    /// Adds the gateway's report to the next message. Returns whether it is a heartbeat.
    pub(super) fn beat_into(&mut self, now: Moment, wishes: &mut Table<Wish>, most: usize) -> bool {
        if !self.beat.leads || self.beat.under_way || now < self.beat.due_at {
            return false;
        }
        // Continues where the last full message stopped, so that no payer starves.
        let in_turn = self.beat.live.iter_from(&self.beat.cursor);
        let mut stopped_at = None;
        for (lease, report) in in_turn.filter_map(|(lease, live)| Some((lease, due(live, now)?))) {
            if wishes.len() >= most {
                stopped_at = Some(lease.to_owned());
                break;
            }
            if let Some(wish) = wishes.entry(lease, Wish::default) {
                wish.report = Some(report);
            }
        }
        self.beat.more = stopped_at.is_some();
        self.beat.cursor = stopped_at.unwrap_or_default();
        self.beat.under_way = !self.beat.live.is_empty();
        self.beat.under_way
    }

    /// Takes the answer to a heartbeat.
    pub(super) fn beat_answered(&mut self, now: Moment, sent: Moment, answer: &ExchangeResponse) {
        self.beat.under_way = false;
        self.beat.seen = answer.seen.unwrap_or(self.beat.seen);
        self.beat.due_at = sent.plus_millis(u64::from(answer.beat_ms.clamp(LEAST_BEAT_MS, MAX_BEAT_MS)));
        for change in &answer.changes {
            let Some(lease) = self.beat.by_key.get(&change.payer).cloned() else {
                continue;
            };
            let act = if change.refused.is_some() { Lease::stop } else { Lease::hand_back };
            shared::update(&self.memory, &lease, act);
            self.beat.note(now, &lease);
            self.beat.due_at = now;
        }
        if self.beat.more {
            self.beat.due_at = now;
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
