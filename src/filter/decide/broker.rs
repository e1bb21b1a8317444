//! The broker: gathers everything that one worker has to say to the ledger into as few messages as
//! possible, and serves those who wait from the answers.
//!
//! The host calls [`Gate::next_message`] until it gives none, sends each, and brings every answer or
//! failure to [`Gate::answered`]. What must hold: a payer stands in at most one message under way that
//! asks for it; a message that fails loses nothing, because the next one says the same again.

use super::gate::{Charge, Gate, Outcome, Passage, Resolution};
use super::identity::Credential;
use super::lease::{self, Admission, Holder, Lease, Purse, Told, first_contact};
use super::moment::Moment;
use super::refusal::Refusal;
use super::shared::{self, SharedMemory};
use super::table::Table;
use super::waiting::{Queue, Waiter, Waiting};
use faregate_protocol::exchange::{self, Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, Payer};
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

/// The most messages under way per worker. When the ledger is frozen these time out, and nothing piles up.
const MAX_FLIGHTS: usize = 16;
/// The most payers in one message: keeps it well below the ledger's limits.
const MAX_ENTRIES: usize = exchange::MAX_ENTRIES / 2;
/// After a failure nobody waits for the ledger for this long (ms); then one request tries again.
const DOWN_MS: u64 = 500;
/// An answer that satisfies nobody and gives no reason is asked again after this (ms).
const AGAIN_MS: u64 = 20;
/// Charges that are over, and what is left of slices, are told to shared memory this often (ms).
const TELL_MS: u64 = 250;
/// A worker that has not run for this long (ms) was frozen, and probably the whole gateway with it.
const FROZEN_MS: u64 = 1_500;
/// After that, it sends nothing for this long (ms): until every worker has told its leases what became of slices.
const THAW_MS: u64 = 300;

/// What a lease still has.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    spendable: Credits,
    sliced: Credits,
}

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// By which its answer is recognised.
    pub id: u64,
    /// What it says.
    pub body: ExchangeRequest,
}

/// Messages under way.
#[derive(Debug, Default)]
pub struct Flights {
    next: u64,
    under_way: Vec<Flight>,
}

#[derive(Debug)]
struct Flight {
    id: u64,
    sent: Moment,
    /// The payers' leases, and of which fence the message carried the final word.
    leases: Vec<(String, Option<u32>)>,
    beat: bool,
    usage: bool,
}

/// Why a payer stands in a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Who it is, for one whom the ledger has not named yet.
    pub(super) credential: Option<Credential>,
    /// The cheapest price that waits, and the sum.
    pub(super) asking: Option<(Credits, Credits)>,
    /// A lease that ran low, and the price at which it did.
    pub(super) refill: Option<Credits>,
    /// The gateway's report.
    pub(super) report: Option<Report>,
}

/// What the gateway's report does with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Tells its counters and asks for what will soon be needed.
    Active,
    /// Hands back what is unused, after a while without use.
    Idle,
    /// Also gives up on requests that never came to an end.
    Forgotten,
}

impl<M: SharedMemory> Gate<M> {
    /// Whether a request has given cause for a message since the last call. The host then calls
    /// [`Gate::next_message`] soon, outside of that request.
    pub fn take_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake)
    }

    /// The next message, if one is due.
    pub fn next_message(&mut self, now: Moment) -> Option<Message> {
        self.run(now);
        if self.flights.under_way.len() >= MAX_FLIGHTS || now < self.quiet_until {
            return None;
        }
        let mut wishes: Table<Wish> = Table::default();
        for (lease, credential, least, sum) in self.waiting.ask(now, MAX_ENTRIES) {
            let (credential, asking) = (Some(credential), Some((least, sum)));
            wishes.insert(&lease, Wish { credential, asking, ..Wish::default() });
        }
        if now >= self.down_until {
            while wishes.len() < MAX_ENTRIES
                && let Some((lease, price)) = self.refills.pop_first()
            {
                if let Some(wish) = wishes.entry(&lease, Wish::default) {
                    wish.refill = Some(price);
                }
            }
        }
        let beat = self.beat_into(now, &mut wishes, MAX_ENTRIES * 2);
        let usage = if beat || self.usage.is_due(now) { self.usage.board(&self.settings) } else { None };
        if wishes.is_empty() && !beat && usage.is_none() {
            return None;
        }
        Some(self.send(now, wishes, beat.then_some(self.beat.seen()), usage))
    }

    fn send(
        &mut self,
        now: Moment,
        mut wishes: Table<Wish>,
        seen: Option<u64>,
        usage: Option<exchange::UsageReport>,
    ) -> Message {
        let (mut leases, mut entries) = (Vec::new(), Vec::new());
        while let Some((lease, wish)) = wishes.pop_first() {
            if let Some(entry) = self.entry(now, &lease, wish) {
                leases.push((lease, entry.ended.map(|ended| ended.fence)));
                entries.push(entry);
            }
        }
        self.flights.next += 1;
        let id = self.flights.next;
        let flight = Flight { id, sent: now, leases, beat: seen.is_some(), usage: usage.is_some() };
        self.flights.under_way.push(flight);
        self.counters.exchanges += 1;
        let gateway = self.gateway.clone();
        Message { id, body: ExchangeRequest { protocol: exchange::VERSION, gateway, seen, entries, usage } }
    }

    fn entry(&mut self, now: Moment, lease: &str, wish: Wish) -> Option<Entry> {
        self.settlements.tell(&self.memory, lease);
        let known = shared::update(&self.memory, lease, |lease| {
            if let Some(report) = wish.report {
                lease.listed = false;
                match report {
                    Report::Active => {}
                    Report::Idle => lease.rest(),
                    Report::Forgotten => {
                        lease.settle_forgotten();
                        lease.rest();
                    }
                }
            }
            if let Some(price) = wish.refill {
                lease.grow(price);
            }
            let ahead = wish.refill.is_some() || wish.report == Some(Report::Active);
            (lease.report(now, wish.asking, ahead), lease.clone())
        });
        match (known, wish.asking, wish.credential) {
            (Some((entry, record)), ..) => {
                self.beat.reported(now, lease, &record);
                Some(entry)
            }
            (None, Some((least, sum)), Some(who)) => Some(first_contact(payer(who), least, sum)),
            _ => None,
        }
    }

    /// Takes the answer to a message, or `None` when there was none or none to be believed. Returns what
    /// becomes of requests that waited.
    pub fn answered(&mut self, now: Moment, id: u64, answer: Option<ExchangeResponse>) -> Vec<Resolution> {
        let Some(at) = self.flights.under_way.iter().position(|flight| flight.id == id) else {
            return Vec::new();
        };
        let flight = self.flights.under_way.swap_remove(at);
        let usable = |answer: &ExchangeResponse| {
            answer.protocol == exchange::VERSION && answer.entries.len() == flight.leases.len()
        };
        let Some(answer) = answer.filter(usable) else {
            return self.failed(now, &flight);
        };
        self.down_until = Moment::ZERO;
        if flight.usage {
            self.usage.alight(now, answer.usage_seq);
        }
        let mut resolutions = Vec::new();
        for ((lease, word), entry) in flight.leases.iter().zip(&answer.entries) {
            resolutions.extend(self.serve(now, (flight.sent, *word), lease, entry));
        }
        if flight.beat {
            self.beat_answered(now, flight.sent, &answer);
        }
        resolutions
    }

    fn failed(&mut self, now: Moment, flight: &Flight) -> Vec<Resolution> {
        self.counters.exchange_failures += 1;
        self.down_until = now.plus_millis(DOWN_MS);
        if flight.usage {
            self.usage.alight(now, None);
        }
        let mut resolutions = Vec::new();
        for (lease, _) in &flight.leases {
            self.beat.unreported(lease);
            let Some(queue) = self.waiting.take(lease) else {
                continue;
            };
            for waiter in queue.waiters {
                let outcome = self.give_up(lease, &waiter);
                resolutions.push(Resolution { context: waiter.context, outcome });
            }
        }
        if flight.beat {
            self.beat.failed(now);
        }
        resolutions
    }

    /// What becomes of one who waited in vain.
    fn give_up(&mut self, lease: &str, waiter: &Waiter) -> Outcome {
        if waiter.view {
            return self.deny(Refusal::plain(RefusalCode::LedgerUnavailable));
        }
        self.without_ledger(lease, waiter.rule, waiter.price)
    }

    /// Merges the answer about one payer and lets those go on whom the lease now covers.
    fn serve(
        &mut self,
        now: Moment,
        (sent, word): (Moment, Option<u32>),
        lease: &str,
        answer: &EntryAnswer,
    ) -> Vec<Resolution> {
        // A lease that is over concerns us, too: it was opened by a message whose answer was lost.
        let has_lease = answer.lease.is_some() || answer.ended.is_some();
        let mut queue = self.waiting.take(lease);
        let views = queue.as_mut().map(Waiting::take_views).unwrap_or_default();
        // One who is shown how it stands is remembered, too, so that it may ask as often as it likes.
        if let (Some(facts), true) = (&answer.facts, has_lease || !views.is_empty()) {
            shared::create(&self.memory, &self.names, lease, facts.clone());
        }
        let costs = self.reprice(queue.as_mut(), answer);
        let stopped = answer.refused.as_ref().is_some_and(|refused| !refused.code.is_short());
        self.recent.look_again(lease);
        let served = shared::update(&self.memory, lease, |record| {
            record.merge(sent, word, answer);
            record.tell(now, answer);
            if stopped {
                record.stop();
            }
            let admit = |cost: &Result<Credits, RefusalCode>| {
                record.note();
                cost.as_ref().ok().map(|price| record.admit(now, *price))
            };
            (costs.iter().map(admit).collect::<Vec<_>>(), record.clone())
        });
        let (admitted, record) =
            served.map_or((Vec::new(), None), |(admitted, record)| (admitted, Some(record)));
        if let Some(record) = &record {
            self.beat.merged(now, lease, record);
        }
        let Some(mut queue) = queue.take() else {
            return Vec::new();
        };
        let vouched = matches!(queue.credential, Credential::Subject(_));
        let mut resolutions = Vec::new();
        let unknown = is_unknown(answer);
        for mut waiter in views {
            let fallback = waiter.fallback.take().filter(|_| unknown);
            if let Some(fallback) = fallback {
                resolutions.extend(self.fall_back(now, fallback, waiter));
                continue;
            }
            let outcome = self.served_view(now, lease, answer, record.as_ref(), vouched);
            resolutions.push(Resolution { context: waiter.context, outcome });
        }
        let mut left = Vec::new();
        for (number, waiter) in std::mem::take(&mut queue.waiters).into_iter().enumerate() {
            let excluded = costs.get(number).and_then(|cost| cost.err());
            let outcome = match (admitted.get(number).copied().flatten(), &record, excluded) {
                (Some(Admission::Paid { fence, counted, .. }), Some(record), _) => {
                    self.counters.admitted += 1;
                    Outcome::Pass(Passage::Paid(Charge {
                        holder: Rc::new(Holder::of(lease, record.encode())),
                        rule: waiter.rule,
                        price: waiter.price,
                        purse: Purse::Lease(fence),
                        counted,
                        left: Credits::ZERO,
                    }))
                }
                (Some(Admission::Throttled(wait)), ..) => {
                    let told = record.as_ref().and_then(|record| Told::decode(&record.standing));
                    let refusal = Refusal {
                        payer: answer.facts.clone().map(Rc::new),
                        ..Refusal::throttled(wait, told)
                    };
                    self.refuse(waiter.rule, refusal)
                }
                (.., Some(code)) if !stopped => {
                    let refusal =
                        Refusal { payer: answer.facts.clone().map(Rc::new), ..Refusal::plain(code) };
                    self.refuse(waiter.rule, refusal)
                }
                _ => {
                    left.push(waiter);
                    continue;
                }
            };
            resolutions.push(Resolution { context: waiter.context, outcome });
        }
        queue.waiters = left;
        let left = record.map_or_else(Left::default, |record| Left {
            spendable: record.spendable(now),
            sliced: record.sliced,
        });
        resolutions.extend(self.not_served(now, lease, queue, answer, left));
        resolutions
    }

    /// What those who wait have to pay, now that the ledger has said who they are.
    fn reprice(&self, queue: Option<&mut Queue>, answer: &EntryAnswer) -> Vec<Result<Credits, RefusalCode>> {
        let Some(queue) = queue else {
            return Vec::new();
        };
        let matters = queue.waiters.iter().any(|waiter| self.settings.rule(waiter.rule).product.is_some());
        let facts = answer.facts.as_ref().filter(|_| matters);
        let record = facts.map(|facts| Lease::new(facts.clone()).encode());
        let reprice = |waiter: &mut Waiter| {
            let rule = self.settings.rule(waiter.rule);
            if let (Some(record), Some(list)) = (&record, rule.price) {
                waiter.price = lease::price(record, rule.product.as_deref(), list)?;
            }
            Ok(waiter.price)
        };
        queue.waiters.iter_mut().map(reprice).collect()
    }

    /// Those whom the lease didn't cover ask again, or are refused when the ledger says that there is no more.
    fn not_served(
        &mut self,
        now: Moment,
        lease: &str,
        mut queue: Queue,
        answer: &EntryAnswer,
        left: Left,
    ) -> Vec<Resolution> {
        queue.asked = false;
        let Some(refused) = &answer.refused else {
            // Another worker's requests took what was granted for these. Patience bounds the rounds.
            queue.ask_at = if queue.rounds == 0 { now } else { now.plus_millis(AGAIN_MS) };
            queue.rounds += 1;
            self.waiting.put_back(lease, queue);
            return Vec::new();
        };
        let available = refused.available.saturating_add(left.spendable);
        let funds = refused.code.is_short();
        // What the ledger has asked back from others, and what this gateway's workers may not have sold.
        let slices = (funds && left.sliced.is_positive()).then_some(AGAIN_MS);
        let on_its_way = refused.retry_ms.map(u64::from).or(slices);
        // One who came after the question was asked may be cheap enough for what is left.
        let affordable = |waiter: &Waiter| funds && waiter.price <= available;
        if queue.waiters.iter().any(affordable) {
            queue.ask_at = if queue.rounds == 0 { now } else { now.plus_millis(AGAIN_MS) };
            queue.rounds += 1;
        } else if let Some(after) = on_its_way {
            queue.ask_at = now.plus_millis(after);
        }
        let waits =
            |waiter: &Waiter| affordable(waiter) || (on_its_way.is_some() && now < waiter.patient_until);
        let vouched = matches!(queue.credential, Credential::Subject(_));
        let (stay, go): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(&mut queue.waiters).into_iter().partition(waits);
        queue.waiters = stay;
        self.waiting.put_back(lease, queue);
        let payer = answer.facts.clone().map(Rc::new);
        let refusal = |price: Credits| Refusal {
            needed: Some(price),
            available: Some(available),
            reset: refused.reset.clone(),
            top_up: refused.top_up,
            payer: payer.clone(),
            vouched,
            ..Refusal::plain(refused.code)
        };
        if let Some(price) = go.iter().map(|waiter| waiter.price).min() {
            self.recent.remember(now, lease, refusal(price));
        }
        let unknown = is_unknown(answer);
        go.into_iter()
            .filter_map(|mut waiter| {
                if let Some(fallback) = waiter.fallback.take().filter(|_| unknown) {
                    return self.fall_back(now, fallback, waiter);
                }
                let outcome = self.refuse(waiter.rule, refusal(waiter.price));
                Some(Resolution { context: waiter.context, outcome })
            })
            .collect()
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
    pub fn tick(&mut self, now: Moment) -> Vec<Resolution> {
        self.run(now);
        if now.millis_since(self.told_at) >= TELL_MS {
            self.told_at = now;
            self.settlements.tell_all(&self.memory);
        }
        self.lead(now);
        let mut resolutions = Vec::new();
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
/// Whether the ledger knows nobody of this credential.
fn is_unknown(answer: &EntryAnswer) -> bool {
    answer.refused.as_ref().is_some_and(|refused| refused.code == RefusalCode::InvalidKey)
}
