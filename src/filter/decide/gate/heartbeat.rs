//! What the worker that reports for its gateway remembers: which leases have something pending, and what was said of them last.
//!
//! What must hold: every lease with something pending is on the queue of news, or in the leader's [`Live`] list.

use super::flights::Report;
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::lease::Lease;
use faregate_protocol::Credits;

/// The heartbeat's pace until the ledger says otherwise (ms).
pub(super) const HEARTBEAT_MS: u64 = 1_000;
/// After this long without use a lease's credits go back (ms).
const IDLE_MS: u64 = 5_000;
/// A lease that is still in use is renewed when this much of its life has passed (ms).
const RENEW_LEASE_MS: u64 = 5_000;
/// A request that has not come to an end after this long counts as served (ms).
const ABANDONED_AFTER_MS: u64 = 15 * 60 * 1_000;

/// What the heartbeat remembers.
#[derive(Debug)]
pub struct Heartbeat {
    pub(super) me: String,
    pub(super) leads: bool,
    pub(super) renew_at: Moment,
    pub(super) due_at: Moment,
    pub(super) under_way: bool,
    pub(super) seen: u64,
    pub(super) roll_at: u32,
    pub(super) live: SortedMap<Live>,
    /// The name of the lease by the key's identifier, for the ledger's changes.
    pub(super) by_key: SortedMap<String>,
    pub(super) cursor: String,
    pub(super) more: bool,
}

/// A lease that has something out or pending.
#[derive(Debug, Default)]
pub(super) struct Live {
    key: String,
    dirty: bool,
    /// Under which epoch, and how much was sold of it and on credit.
    used: (u32, Credits),
    /// When that has changed, and when last by a sale.
    used_at: Moment,
    sold_at: Moment,
    reported_at: Moment,
}

impl Heartbeat {
    pub(super) fn new(unique: &str) -> Self {
        Self {
            me: unique.to_owned(),
            leads: false,
            renew_at: Moment::ZERO,
            due_at: Moment::ZERO,
            under_way: false,
            seen: 0,
            roll_at: u32::MAX,
            live: SortedMap::default(),
            by_key: SortedMap::default(),
            cursor: String::new(),
            more: false,
        }
    }

    /// A lease has just been put into a message.
    pub(super) fn reported(&mut self, now: Moment, lease: &str, record: &Lease) {
        let Some(live) = self.live.get_mut(lease) else {
            return;
        };
        let sold = record.sold().saturating_add(record.on_credit.spent);
        if live.used != (record.epoch, sold) {
            // An epoch that has ended is no sale: what a worker that died had set aside would be forgotten that much later.
            if live.used.0 == record.epoch || record.sold().is_positive() {
                live.sold_at = now;
            }
            live.used = (record.epoch, sold);
            live.used_at = now;
        }
        // A message that left the lease queued, such as a refill's, doesn't replace the report: nothing
        // would queue the lease again.
        live.dirty &= record.queued;
        live.reported_at = now;
        if live.key != record.facts.key {
            live.key.clone_from(&record.facts.key);
            self.by_key.insert(&record.facts.key, lease.to_owned());
        }
    }

    /// An answer about a lease has just been merged.
    pub(super) fn merged(&mut self, now: Moment, lease: &str, record: &Lease) {
        if !self.leads {
            return;
        }
        // A queued lease is kept until it was reported: changes until then don't
        // queue it again.
        if record.is_at_rest() && !record.queued {
            if let Some(live) = self.live.remove(lease) {
                self.by_key.remove(&live.key);
            }
        } else if record.ended.is_some() || record.on_credit.spent != record.on_credit.booked {
            self.note(now, lease);
        }
    }

    /// A message about a lease was lost.
    pub(super) fn unreported(&mut self, lease: &str) {
        if let Some(live) = self.live.get_mut(lease) {
            live.dirty = true;
        }
    }

    /// The heartbeat itself was lost.
    pub(super) fn failed(&mut self, now: Moment) {
        self.under_way = false;
        self.due_at = now.plus_millis(HEARTBEAT_MS);
    }

    pub(super) fn note(&mut self, now: Moment, lease: &str) {
        if let Some(live) = self.live.entry(lease, || Live { used_at: now, sold_at: now, ..Live::default() })
        {
            live.dirty = true;
        }
    }
}

/// What the report must do with a lease now, if anything.
pub(super) fn due(live: &Live, now: Moment) -> Option<Report> {
    if now.millis_since(live.sold_at) >= ABANDONED_AFTER_MS {
        return Some(Report::Forgotten);
    }
    let idle = now.millis_since(live.used_at);
    if idle >= IDLE_MS {
        let renew = now.millis_since(live.reported_at) >= RENEW_LEASE_MS;
        return (live.dirty || renew).then_some(Report::Idle);
    }
    live.dirty.then_some(Report::Active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lease::OnCredit;
    use faregate_protocol::exchange::{Ended, Facts};

    const ONE: Credits = Credits::from_micros(1_000_000);

    fn at(ms: u64) -> Moment {
        Moment::from_nanos(1).plus_millis(ms)
    }

    fn leading() -> Heartbeat {
        let mut heartbeat = Heartbeat { leads: true, ..Heartbeat::new("me") };
        heartbeat.note(at(0), "lease");
        heartbeat
    }

    fn lease() -> Lease {
        Lease::new(Facts::default())
    }

    #[test]
    fn a_sale_in_the_next_epoch_counts_and_the_end_of_an_epoch_does_not() {
        let mut heartbeat = leading();
        for (ms, epoch, held, sold_at) in
            [(1, 1, ONE, 1), (2, 2, Credits::ZERO, 1), (3, 2, ONE, 3), (4, 3, ONE, 4), (5, 3, ONE, 4)]
        {
            heartbeat.reported(at(ms), "lease", &Lease { epoch, held, ..lease() });
            let live = heartbeat.live.get("lease").unwrap();
            assert_eq!((live.sold_at, live.reported_at), (at(sold_at), at(ms)), "{ms} ms");
        }
    }

    #[test]
    fn a_lease_is_reported_again_only_if_its_message_was_lost_or_it_is_queued() {
        let mut heartbeat = leading();
        let due = |heartbeat: &Heartbeat| due(heartbeat.live.get("lease").unwrap(), at(1));
        assert_eq!(due(&heartbeat), Some(Report::Active));
        heartbeat.reported(at(1), "lease", &lease());
        assert_eq!(due(&heartbeat), None);
        heartbeat.unreported("lease");
        assert_eq!(due(&heartbeat), Some(Report::Active));
        heartbeat.reported(at(1), "lease", &Lease { queued: true, ..lease() });
        assert_eq!(due(&heartbeat), Some(Report::Active));
    }

    #[test]
    fn final_reports_and_unbooked_credit_are_due_and_idle_leases_are_dropped() {
        let ended = Some(Ended { epoch: 1, spent: ONE });
        let on_credit = OnCredit { spent: ONE, ..OnCredit::default() };
        for record in [Lease { ended, ..lease() }, Lease { on_credit, ..lease() }] {
            let mut heartbeat = leading();
            heartbeat.reported(at(1), "lease", &record);
            heartbeat.merged(at(1), "lease", &record);
            assert_eq!(due(heartbeat.live.get("lease").unwrap(), at(1)), Some(Report::Active));
        }
        let mut heartbeat = leading();
        heartbeat.merged(at(1), "lease", &Lease { queued: true, ..lease() });
        assert!(heartbeat.live.get("lease").is_some(), "it is queued");
        heartbeat.merged(at(1), "lease", &lease());
        assert!(heartbeat.live.get("lease").is_none());
    }
}
