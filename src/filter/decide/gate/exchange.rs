//! Gathers everything that one worker has to say to the ledger into as few messages as possible, and takes the answers
//! ([`super::serving`]).
//!
//! The host calls [`Gate::next_message`] until it gives none, sends each, and brings every answer or
//! failure to [`Gate::answered`], or to [`Gate::heard`] with what the ledger says beside them. What must hold: a payer is
//! in at most one in-flight message that asks for it; a message that fails loses nothing, because the next one says the
//! same again; a report comes no sooner than the ledger asks for.

use super::Gate;
use super::answer::ResponseHints;
use super::flights::{Flight, Message, PendingEntry, Report};
use super::serving::Sent;
use super::waiting::Waiter;
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::lease::credential::Credential;
use crate::decide::lease::first_contact;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::outcome::{Outcome, Resolution};
use crate::decide::refusal::Refusal;
use crate::decide::usage::strip_newest;
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{
    self, Entry, ExchangeRequest, ExchangeResponse, MAX_HEARTBEAT_MS, OLDEST, Payer, VERSION,
};

/// The maximum number of messages in flight per worker. When the ledger is frozen they time out, and nothing piles up.
const MAX_FLIGHTS: usize = 16;
/// The most payers in one message: keeps it well below the ledger's limits.
const MAX_ENTRIES: usize = exchange::MAX_ENTRIES / 2;
/// After a failure no request waits for the ledger for this long (ms); then one request tries again.
const DOWN_MS: u64 = 500;
/// A ledger that wants fewer messages is asked for waiting callers this often (ms).
const ASK_MS: u64 = 1_000;
/// After a ledger that speaks only the older version, the own one isn't tried again for this long (ms): ledgers of both
/// releases may be behind one address.
const OLDER_MS: u64 = 10_000;
/// Settled charges and the rest of subleases are flushed to shared memory this often (ms).
const FLUSH_MS: u64 = 250;
/// A worker that has not run for this long (ms) was frozen, and probably the whole gateway with it.
const FROZEN_MS: u64 = 1_500;
/// After that, it sends nothing for this long (ms): until every worker has flushed its subleases to their leases.
const THAW_MS: u64 = 300;

impl<M: SharedMemory> Gate<M> {
    /// Whether a request has given cause for a message since the last call. The host then calls
    /// [`Gate::next_message`] soon, outside of that request.
    pub fn take_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake)
    }

    /// The next message, if one is due.
    #[inline(never)]
    pub fn next_message(&mut self, now: Moment) -> Option<Message> {
        self.run(now);
        if self.flights.under_way.len() >= MAX_FLIGHTS || now < self.quiet_until {
            return None;
        }
        let hold = now < self.hold_until;
        if hold && now.millis_since(self.asked_at) < ASK_MS {
            return None;
        }
        let mut pending_entries: SortedMap<PendingEntry> = SortedMap::default();
        for (lease, credential, least, sum) in self.waiting.ask(now, MAX_ENTRIES) {
            let (credential, asking) = (Some(credential), Some((least, sum)));
            pending_entries.insert(&lease, PendingEntry { credential, asking, ..PendingEntry::default() });
        }
        if now >= self.down_until {
            while pending_entries.len() < MAX_ENTRIES
                && let Some((lease, price)) = self.refills.pop_first()
            {
                if let Some(pending) = pending_entries.entry(&lease, PendingEntry::default) {
                    pending.refill = Some(price);
                }
            }
        }
        let heartbeat = !hold && self.heartbeat_into(now, &mut pending_entries, MAX_ENTRIES * 2);
        let report = heartbeat || (!hold && self.usage.is_due(now));
        let usage = if report { self.usage.begin_send(now, &self.settings) } else { None };
        let models = self.models_to_ask(now, hold);
        if pending_entries.is_empty() && !heartbeat && usage.is_none() && models.is_empty() {
            return None;
        }
        if hold {
            self.asked_at = now;
        }
        Some(self.send(now, pending_entries, heartbeat.then_some(self.heartbeat.seen), usage, models))
    }

    #[inline(never)]
    fn send(
        &mut self,
        now: Moment,
        mut pending_entries: SortedMap<PendingEntry>,
        seen: Option<u64>,
        mut usage: Option<exchange::UsageReport>,
        models: Vec<String>,
    ) -> Message {
        let (mut leases, mut entries) = (Vec::new(), Vec::new());
        while let Some((lease, pending)) = pending_entries.pop_first() {
            if let Some(entry) = self.entry(now, &lease, pending) {
                leases.push((lease, entry.ended.map(|ended| ended.epoch)));
                entries.push(entry);
            }
        }
        self.flights.next += 1;
        let id = self.flights.next;
        let protocol = self.protocol;
        if protocol == OLDEST
            && let Some(report) = &mut usage
        {
            // Sent again in a later version, it has them again. The ledger stores a number once, so one of the two counts.
            strip_newest(report);
        }
        let flight = Flight {
            id,
            protocol,
            sent: now,
            leases,
            heartbeat: seen.is_some(),
            usage: usage.is_some(),
            models: models.clone(),
        };
        self.flights.under_way.push(flight);
        self.counters.exchanges += 1;
        let gateway = self.gateway.clone();
        Message { id, body: ExchangeRequest { protocol, gateway, seen, entries, usage, models } }
    }

    #[inline(never)]
    fn entry(&mut self, now: Moment, lease: &str, pending: PendingEntry) -> Option<Entry> {
        self.settlements.flush(&self.memory, lease);
        let known = shared::update(&self.memory, lease, |lease| {
            if let Some(report) = pending.report {
                lease.queued = false;
                match report {
                    Report::Active => {}
                    Report::Idle => lease.rest(),
                    Report::Forgotten => {
                        lease.settle_forgotten(now);
                        lease.rest();
                    }
                }
            }
            if let Some(price) = pending.refill {
                lease.grow(price);
            }
            let ahead = pending.refill.is_some() || pending.report == Some(Report::Active);
            (lease.report(now, pending.asking, ahead), lease.clone())
        });
        match (known, pending.asking, pending.credential) {
            (Some((entry, record)), ..) => {
                self.heartbeat.reported(now, lease, &record);
                Some(entry)
            }
            (None, Some((least, sum)), Some(who)) => Some(first_contact(payer(who), least, sum)),
            _ => None,
        }
    }

    /// Takes the answer to a message, or `None` when there was none or none to be believed. Returns what
    /// becomes of requests that waited.
    pub fn answered(&mut self, now: Moment, id: u64, answer: Option<ExchangeResponse>) -> Vec<Resolution> {
        self.heard(now, id, answer, ResponseHints::default())
    }

    /// The same, and heeds what the ledger says beside it.
    pub fn heard(
        &mut self,
        now: Moment,
        id: u64,
        answer: Option<ExchangeResponse>,
        aside: ResponseHints,
    ) -> Vec<Resolution> {
        if aside.newest >= VERSION && now >= self.older_until {
            self.protocol = VERSION;
        }
        let Some(at) = self.flights.under_way.iter().position(|flight| flight.id == id) else {
            return Vec::new();
        };
        let flight = self.flights.under_way.swap_remove(at);
        let usable = |answer: &ExchangeResponse| {
            answer.protocol == flight.protocol && answer.entries.len() == flight.leases.len()
        };
        let Some(answer) = answer.filter(usable) else {
            return self.failed(now, &flight, aside);
        };
        self.down_until = Moment::ZERO;
        if flight.usage {
            self.usage.finish_send(now, answer.usage_seq, false);
        }
        let mut resolutions = Vec::new();
        for ((lease, final_report), entry) in flight.leases.iter().zip(&answer.entries) {
            resolutions.extend(self.serve(
                now,
                Sent { at: flight.sent, final_report: *final_report },
                lease,
                entry,
            ));
        }
        if flight.heartbeat {
            self.heartbeat_answered(now, flight.sent, &answer);
        }
        resolutions.extend(self.prices_answered(now, &flight, answer));
        resolutions
    }

    /// Whether this message is repeated in the older version when the ledger doesn't speak its own.
    pub fn falls_back(&self, id: u64) -> bool {
        self.flights.under_way.iter().any(|flight| flight.id == id && flight.protocol > OLDEST)
    }

    /// The version that this worker speaks with the ledger now.
    pub fn protocol(&self) -> u32 {
        self.protocol
    }

    #[inline(never)]
    fn failed(&mut self, now: Moment, flight: &Flight, aside: ResponseHints) -> Vec<Resolution> {
        // Nothing was decided: the message is resent at once in the older version.
        let again = aside.unsupported && flight.protocol > OLDEST;
        if again {
            self.protocol = OLDEST;
            self.older_until = now.plus_millis(OLDER_MS);
        } else {
            self.counters.exchange_failures += 1;
        }
        if flight.usage {
            self.usage.finish_send(now, None, again);
        }
        let mut resolutions = Vec::new();
        for (lease, _) in &flight.leases {
            self.heartbeat.unreported(lease);
            let Some(mut queue) = self.waiting.take(lease) else {
                continue;
            };
            if again {
                queue.asked = false;
                self.waiting.put_back(lease, queue);
                continue;
            }
            for waiter in queue.waiters {
                let outcome = self.give_up(lease, &waiter);
                resolutions.push(Resolution { context: waiter.context, outcome });
            }
        }
        resolutions.extend(self.prices_failed(now, flight, again));
        if flight.heartbeat {
            self.heartbeat.failed(if again { Moment::ZERO } else { now });
        }
        if let Some(ms) = aside.retry_after_ms {
            self.hold_until = now.plus_millis(u64::from(ms.min(MAX_HEARTBEAT_MS)));
        }
        // A report that was sent too early must not keep callers waiting.
        if !again && (aside.retry_after_ms.is_none() || !resolutions.is_empty()) {
            self.down_until = now.plus_millis(DOWN_MS);
        }
        resolutions
    }

    /// The outcome for a request whose wait brought no answer.
    fn give_up(&mut self, lease: &str, waiter: &Waiter) -> Outcome {
        if waiter.view {
            return self.deny(Refusal::plain(RefusalCode::LedgerUnavailable));
        }
        self.without_ledger(lease, waiter.rule, waiter.price, waiter.quote.clone())
    }

    /// Notices that the gateway was frozen. One that is always late still speaks every other time.
    fn run(&mut self, now: Moment) {
        let ran = self.ran_at != Moment::ZERO && self.ran_at >= self.quiet_until;
        if ran && now.millis_since(self.ran_at) >= FROZEN_MS {
            self.quiet_until = now.plus_millis(THAW_MS);
        }
        self.ran_at = now;
    }

    /// What is due by the clock: call it every 50 ms or so, then [`Gate::next_message`].
    #[inline(never)]
    pub fn tick(&mut self, now: Moment) -> Vec<Resolution> {
        self.run(now);
        if now.millis_since(self.flushed_at) >= FLUSH_MS {
            self.flushed_at = now;
            self.settlements.flush_all(&self.memory);
        }
        self.usage.close(now, &self.settings);
        self.vouch_for_all(now);
        self.lead(now);
        let mut resolutions = self.follow_prices(now);
        let timeout = u64::from(self.settings.ledger.timeout_ms).saturating_add(1_000);
        let overdue = |flight: &&Flight| now.millis_since(flight.sent) > timeout;
        let lost = self.flights.under_way.iter().find(overdue).map(|flight| flight.id);
        if let Some(id) = lost {
            // Envoy answers every call, if only with a timeout; this is for the day when it doesn't.
            resolutions.extend(self.answered(now, id, None));
        }
        for (lease, waiter) in self.waiting.expire(now) {
            let outcome = self.give_up(&lease, &waiter);
            resolutions.push(Resolution { context: waiter.context, outcome });
        }
        resolutions
    }
}

fn payer(credential: Credential) -> Payer {
    match credential {
        Credential::Key(key) => Payer::Key(key),
        Credential::Subject(subject) => Payer::Subject(subject),
    }
}
