//! The beat: once a second, or less often where the ledger says so, one worker reports for the whole gateway what changed, hands back what lies
//! idle, and hears what changed at the ledger.
//!
//! One worker leads, by holding an entry in shared memory that runs out unless it is renewed. The others put
//! the names of leases that changed on a queue; a leader that takes over reads the roll of all payers once.
//! What must hold: every lease with something untold is on the queue, or in the leader's [`Live`] list.

use super::broker::{Report, Wish};
use super::gate::Gate;
use super::lease::Lease;
use super::moment::Moment;
use super::shared::{self, SharedMemory};
use super::table::Table;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{ExchangeResponse, MAX_BEAT_MS};

/// How long leadership lasts without renewal (ms).
const LEAD_MS: u64 = 3_000;
/// How often it is renewed (ms).
const RENEW_MS: u64 = 1_000;
/// The beat's pace until the ledger says otherwise (ms).
const BEAT_MS: u64 = 1_000;
/// The quickest pace that the ledger may ask for (ms).
const LEAST_BEAT_MS: u32 = 50;
/// After this long without use a lease's credits go back (ms).
const IDLE_MS: u64 = 5_000;
/// A lease that is still in use is renewed when this much of its life has passed (ms).
const RENEW_LEASE_MS: u64 = 5_000;
/// A request that has not come to an end after this long counts as served (ms).
const FORGOTTEN_MS: u64 = 15 * 60 * 1_000;
/// How many names are taken from the roll and from the queue per tick.
const AT_ONCE: u32 = 5_000;

/// What the beat remembers.
#[derive(Debug)]
pub struct Beat {
    me: String,
    leads: bool,
    renew_at: Moment,
    due_at: Moment,
    under_way: bool,
    seen: u64,
    roll_at: u32,
    live: Table<Live>,
    /// The name of the lease by the key's identifier, for the ledger's changes.
    by_key: Table<String>,
    cursor: String,
    more: bool,
}

/// A lease that has something out or untold.
#[derive(Debug, Default)]
struct Live {
    key: String,
    dirty: bool,
    /// Under which fence, and how much was sold of it and on credit.
    used: (u32, Credits),
    /// When that has changed, and when last by a sale.
    used_at: Moment,
    sold_at: Moment,
    told_at: Moment,
}

impl Beat {
    pub(super) fn new(unique: &str) -> Self {
        Self {
            me: unique.to_owned(),
            leads: false,
            renew_at: Moment::ZERO,
            due_at: Moment::ZERO,
            under_way: false,
            seen: 0,
            roll_at: u32::MAX,
            live: Table::default(),
            by_key: Table::default(),
            cursor: String::new(),
            more: false,
        }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// A lease has just been put into a message.
    pub(super) fn reported(&mut self, now: Moment, lease: &str, record: &Lease) {
        let Some(live) = self.live.get_mut(lease) else {
            return;
        };
        let sold = record.sold().saturating_add(record.on_credit.spent);
        if live.used != (record.fence, sold) {
            // A fence that has ended is no sale: what a worker that died had set aside would be forgotten that much later.
            if live.used.0 == record.fence || record.sold().is_positive() {
                live.sold_at = now;
            }
            live.used = (record.fence, sold);
            live.used_at = now;
        }
        // A message that left the lease listed, such as a refill's, doesn't make up for the report: nobody
        // would put the lease on the queue again.
        live.dirty &= record.listed;
        live.told_at = now;
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
        // One that stands on the queue of news is kept until it was reported: what happens to it meanwhile is
        // not put on the queue again.
        if record.is_at_rest() && !record.listed {
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

    /// The beat itself was lost.
    pub(super) fn failed(&mut self, now: Moment) {
        self.under_way = false;
        self.due_at = now.plus_millis(BEAT_MS);
    }

    fn note(&mut self, now: Moment, lease: &str) {
        if let Some(live) = self.live.entry(lease, || Live { used_at: now, sold_at: now, ..Live::default() })
        {
            live.dirty = true;
        }
    }
}

impl<M: SharedMemory> Gate<M> {
    /// Takes or renews the lead, when that is due, and notes what is new.
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
        // Those who don't lead look a little later than the leader renews.
        self.beat.renew_at = now.plus_millis(if self.beat.leads { RENEW_MS } else { RENEW_MS / 2 });
    }

    /// Leaves: tells shared memory all that only this worker knows, and lets another lead at once. For when the
    /// configuration that this gate has is taken down.
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

    /// Notes whose leases have news. The first in a while is given time to be followed by more; but not when the lead was
    /// just taken over, for what is news then has waited already.
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

    /// Adds what the gateway reports to the wishes of the next message. Returns whether it is a beat.
    pub(super) fn beat_into(&mut self, now: Moment, wishes: &mut Table<Wish>, most: usize) -> bool {
        if !self.beat.leads || self.beat.under_way || now < self.beat.due_at {
            return false;
        }
        // Goes on where the last full message stopped, so that no payer is passed over for ever.
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

    /// Takes the answer to a beat.
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

/// What the report must do with a lease now, if anything.
fn due(live: &Live, now: Moment) -> Option<Report> {
    if now.millis_since(live.sold_at) >= FORGOTTEN_MS {
        return Some(Report::Forgotten);
    }
    let idle = now.millis_since(live.used_at);
    if idle >= IDLE_MS {
        let renew = now.millis_since(live.told_at) >= RENEW_LEASE_MS;
        return (live.dirty || renew).then_some(Report::Idle);
    }
    live.dirty.then_some(Report::Active)
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

#[cfg(test)]
mod tests {
    use super::super::lease::OnCredit;
    use super::*;
    use faregate_protocol::exchange::{Ended, Facts};

    const ONE: Credits = Credits::from_micros(1_000_000);

    fn at(ms: u64) -> Moment {
        Moment::from_nanos(1).plus_millis(ms)
    }

    fn leading() -> Beat {
        let mut beat = Beat { leads: true, ..Beat::new("me") };
        beat.note(at(0), "lease");
        beat
    }

    fn lease() -> Lease {
        Lease::new(Facts::default())
    }

    #[test]
    fn a_sale_under_the_next_fence_is_one_and_the_end_of_a_fence_is_none() {
        let mut beat = leading();
        for (ms, fence, held, sold_at) in
            [(1, 1, ONE, 1), (2, 2, Credits::ZERO, 1), (3, 2, ONE, 3), (4, 3, ONE, 4), (5, 3, ONE, 4)]
        {
            beat.reported(at(ms), "lease", &Lease { fence, held, ..lease() });
            let live = beat.live.get("lease").unwrap();
            assert_eq!((live.sold_at, live.told_at), (at(sold_at), at(ms)), "{ms} ms");
        }
    }

    #[test]
    fn what_was_reported_is_said_again_only_if_its_message_was_lost_or_it_stands_on_the_news() {
        let mut beat = leading();
        let due = |beat: &Beat| due(beat.live.get("lease").unwrap(), at(1));
        assert_eq!(due(&beat), Some(Report::Active));
        beat.reported(at(1), "lease", &lease());
        assert_eq!(due(&beat), None);
        beat.unreported("lease");
        assert_eq!(due(&beat), Some(Report::Active));
        beat.reported(at(1), "lease", &Lease { listed: true, ..lease() });
        assert_eq!(due(&beat), Some(Report::Active));
    }

    #[test]
    fn a_final_word_and_credit_that_is_not_booked_are_told_and_what_is_at_rest_is_left_out() {
        let ended = Some(Ended { fence: 1, spent: ONE });
        let on_credit = OnCredit { spent: ONE, ..OnCredit::default() };
        for record in [Lease { ended, ..lease() }, Lease { on_credit, ..lease() }] {
            let mut beat = leading();
            beat.reported(at(1), "lease", &record);
            beat.merged(at(1), "lease", &record);
            assert_eq!(due(beat.live.get("lease").unwrap(), at(1)), Some(Report::Active));
        }
        let mut beat = leading();
        beat.merged(at(1), "lease", &Lease { listed: true, ..lease() });
        assert!(beat.live.get("lease").is_some(), "it stands on the news");
        beat.merged(at(1), "lease", &lease());
        assert!(beat.live.get("lease").is_none());
    }
}
