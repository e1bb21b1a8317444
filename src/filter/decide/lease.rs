//! A payer's lease, the gateway's side: how much it may still spend here.
//!
//! What must hold:
//! - `spent` and `returned` never shrink within an epoch, and `spent + returned + held + subleased` never passes
//!   `granted`: nothing is sold that wasn't granted.
//! - After its deadline a lease admits nothing. It is sealed: held credits are carried over until their requests end
//!   ([`Carried`]), subleases count as spent, the final report is kept until the ledger has it, and the next epoch begins empty. So a sublease is returned long before
//!   the deadline, and none is granted near it.
//! - Requests on credit, while the ledger is unreachable, are counted separately and never exceed the rule's limit.

mod cached_status;
mod codec;
pub mod credential;
mod raised;
pub mod shared;
pub mod terms;
mod throttle;

pub use cached_status::{CachedQuota, CachedStatus};
pub use codec::{LeaseHolder, record_price};
pub use raised::Raised;
pub use throttle::{Throttle, Wait};

use crate::decide::base::moment::Moment;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{
    Ask, Ended, Entry, EntryAnswer, Facts, Holds, LeaseReport, Limits, MAX_AMOUNT, Payer,
};

/// A request's charge comes back, or a refill's answer, within this time, or another try is due (ms).
const REFILL_AGAIN_MS: u64 = 1_000;
/// How long a lease should last at the caller's rate (ms).
const HORIZON_MS: i64 = 5_000;
/// The smallest cushion, in multiples of the current request's price.
const CUSHION_PRICES: i64 = 16;
/// A rate over a shorter time than this is noise (ms).
const RATE_OVER_MS: u64 = 500;
/// One sublease takes this fraction of the unspent credits.
const SUBLEASES: i64 = 16;
/// The smallest useful sublease, in multiples of the current request's price.
const SUBLEASE_PRICES: i64 = 4;
/// How long a worker may sell from a sublease (ms). It is returned sooner, whenever the worker flushes its
/// charges.
const SUBLEASE_MS: u64 = 500;
/// When a sublease must be returned (ms). None is granted so late that it could outlive its lease.
const SUBLEASE_BACK_MS: u64 = 2_000;

/// What a request was paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FundingSource {
    /// The lease, under this epoch.
    Lease(u32),
    /// On credit, while the ledger was unreachable.
    Credit,
}

/// Charges on credit while the ledger was unreachable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnCredit {
    /// Served so far; only grows.
    pub spent: Credits,
    /// Set aside for requests under way.
    pub held: Credits,
    /// How much of `spent` the ledger has booked.
    pub booked: Credits,
}

/// Holds of requests that outlived their epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What was carried over, and what became of it.
    pub holds: Holds,
    /// Whether the ledger has booked all of that.
    pub booked: bool,
    /// Until when a worker vouches that their requests are in flight.
    pub alive_until: Moment,
    /// Nothing is held any more for requests of epochs up to this one: it counts as spent.
    pub closed: u32,
}

/// A payer's record in shared memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who pays.
    pub facts: Facts,
    /// Whether it is on the queue of changed leases.
    pub queued: bool,
    /// The ledger says that the payer may not spend. Then credits freed by requests in flight aren't sold again.
    pub stopped: bool,
    /// The current epoch.
    pub epoch: u32,
    /// Granted under it.
    pub granted: Credits,
    /// Spent under it.
    pub spent: Credits,
    /// Handed back under it.
    pub returned: Credits,
    /// Set aside for requests under way.
    pub held: Credits,
    /// Reserved for workers' subleases, a fraction of a second ahead.
    pub subleased: Credits,
    /// When all of that must be returned; what isn't was lost with its worker.
    pub subleases_due: Moment,
    /// Until when it may be spent from; `Moment::ZERO` when the epoch isn't open.
    pub deadline: Moment,
    /// The final report on the previous epoch, until the ledger has it.
    pub ended: Option<Ended>,
    /// Charges on credit.
    pub on_credit: OnCredit,
    /// A refill is asked for when less than this can be spent.
    pub low: Credits,
    /// How much to keep ready beyond current use.
    pub cushion: Credits,
    /// No refill is asked for before this.
    pub refill_at: Moment,
    /// When the rate was last measured, and how much had been sold by then.
    pub marked: (Moment, Credits),
    /// How fast it may be spent from, where the payer's plan limits that.
    pub throttle: Option<Throttle>,
    /// Holds that outlived their epoch, once there were some.
    pub carried: Option<Carried>,
    /// The payer's status for callers ([`CachedStatus`]); empty when unknown.
    pub status: Vec<u8>,
}

/// What [`Lease::admit`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The price is set aside.
    Paid {
        /// Under which epoch.
        epoch: u32,
        /// Whether a refill is due, and asking for it falls to the caller of this function.
        refill: bool,
        /// Whether the lease must be updated when the request ends.
        counted: bool,
    },
    /// The lease doesn't cover it.
    Short,
    /// A rate limit or the limit of concurrent requests was hit.
    Throttled(Wait),
}

/// A sublease: what a worker may sell without reading the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sublease {
    /// Under which epoch.
    pub epoch: u32,
    /// Until when.
    pub until: Moment,
    /// Its original size.
    pub size: Credits,
    /// How much of it is unsold.
    pub left: Credits,
}

impl Sublease {
    /// Sells from it, if it covers the price.
    pub fn sell(&mut self, now: Moment, price: Credits) -> bool {
        let sold = now < self.until && price <= self.left;
        if sold {
            self.left = self.left.less(price);
        }
        sold
    }
}

impl Lease {
    /// A payer of which only the name is known.
    pub fn new(facts: Facts) -> Self {
        Self { facts, epoch: 1, ..Self::default() }
    }

    /// The counters that the gateway reports to the ledger; only a change of these queues the lease.
    pub fn counters(&self) -> (u32, [Credits; 7]) {
        let credit = self.on_credit;
        let held = self.held.saturating_add(self.subleased);
        let carried = self.holds();
        let settled = carried.kept.saturating_add(carried.released);
        (self.epoch, [self.spent, self.returned, held, self.granted, credit.spent, credit.held, settled])
    }

    /// Holds that outlived their epoch, and what became of them.
    pub fn holds(&self) -> Holds {
        self.carried.map(|carried| carried.holds).unwrap_or_default()
    }

    /// Whether the epoch is open at the ledger, as far as we know.
    pub fn is_open(&self) -> bool {
        self.deadline != Moment::ZERO
    }

    /// Whether what the ledger said of the payer is no older than its lease.
    pub fn is_fresh(&self, now: Moment) -> bool {
        now < self.deadline
    }

    /// Whether nothing is left to report and nothing is reserved.
    pub fn is_at_rest(&self) -> bool {
        !self.is_open()
            && self.ended.is_none()
            && self.on_credit.held.is_zero()
            && self.on_credit.spent == self.on_credit.booked
            && self.carried.is_none_or(|carried| carried.booked && carried.holds.open().is_zero())
    }

    /// Used so far under this epoch, whether settled or not: the level from which demands are counted.
    fn used(&self) -> Credits {
        self.sold().saturating_add(self.returned).saturating_add(self.subleased)
    }

    /// Sold so far under this epoch, whether settled or not.
    pub fn sold(&self) -> Credits {
        self.spent.saturating_add(self.held)
    }

    /// What could still be spent, ignoring the deadline.
    pub fn unspent(&self) -> Credits {
        self.granted.less(self.used())
    }

    /// What may be spent now.
    pub fn spendable(&self, now: Moment) -> Credits {
        if now < self.deadline && !self.stopped { self.unspent() } else { Credits::ZERO }
    }

    /// Sets a price aside if the lease covers it.
    pub fn admit(&mut self, now: Moment, price: Credits) -> Admission {
        let spendable = self.spendable(now);
        if price > spendable {
            return Admission::Short;
        }
        if let Some(throttle) = &mut self.throttle
            && let Err(wait) = throttle.pass(now)
        {
            return Admission::Throttled(wait);
        }
        self.held = self.held.saturating_add(price);
        let refill = spendable.less(price) < self.low && now >= self.refill_at;
        if refill {
            self.refill_at = now.plus_millis(REFILL_AGAIN_MS);
        }
        let counted = self.throttle.as_ref().is_some_and(Throttle::counts);
        Admission::Paid { epoch: self.epoch, refill, counted }
    }

    /// Grants a sublease to a worker that has just sold something at `price`; none when little is left, or the deadline is near.
    pub fn sublease(&mut self, now: Moment, price: Credits) -> Option<Sublease> {
        let spendable = self.spendable(now);
        let size = spendable.split(SUBLEASES);
        let enough = size >= price.times(SUBLEASE_PRICES) && spendable.less(size) >= self.low;
        let due = now.plus_millis(SUBLEASE_BACK_MS);
        // Limits are for all workers together, so each request must look at the lease.
        if !enough || due >= self.deadline || self.throttle.is_some() {
            return None;
        }
        self.subleased = self.subleased.saturating_add(size);
        self.subleases_due = due;
        Some(Sublease { epoch: self.epoch, until: now.plus_millis(SUBLEASE_MS), size, left: size })
    }

    /// Takes a sublease back: the sold part is held like any other charge. One that was given up, or whose epoch
    /// has been sealed since, is spent already.
    pub fn return_sublease(&mut self, sublease: &Sublease) {
        if sublease.epoch == self.epoch {
            let size = sublease.size.min(self.subleased);
            self.subleased = self.subleased.less(size);
            self.held = self.held.saturating_add(size.less(sublease.left));
        }
    }

    /// Counts subleases that were never returned as spent: how much of them was sold is unknown.
    fn give_up_subleases(&mut self, now: Moment) {
        if now >= self.subleases_due {
            self.spent = self.spent.saturating_add(std::mem::take(&mut self.subleased));
        }
    }

    /// Sets a price aside on credit, if what isn't booked yet stays within `limit`.
    pub fn admit_on_credit(&mut self, price: Credits, limit: Credits) -> bool {
        let open = self.on_credit.spent.saturating_add(self.on_credit.held).less(self.on_credit.booked);
        let fits = open.saturating_add(price) <= limit;
        if fits {
            self.on_credit.held = self.on_credit.held.saturating_add(price);
        }
        fits
    }

    /// Turns what was set aside into spent (`kept`) or frees it again (`released`). What was set aside under an epoch that has
    /// been sealed since was carried over.
    pub fn settle(&mut self, funding: FundingSource, kept: Credits, released: Credits) {
        let (held, spent) = match funding {
            FundingSource::Lease(epoch) if epoch == self.epoch => (&mut self.held, &mut self.spent),
            FundingSource::Lease(epoch) => {
                // What counts as spent must not be settled out of other requests' holds.
                if self.carried.is_some_and(|carried| epoch > carried.closed) {
                    self.settle_carried(kept, released);
                }
                return;
            }
            FundingSource::Credit => (&mut self.on_credit.held, &mut self.on_credit.spent),
        };
        let kept = kept.min(*held);
        *held = held.less(kept);
        *spent = spent.saturating_add(kept);
        *held = held.less(released);
    }

    fn settle_carried(&mut self, kept: Credits, released: Credits) {
        let Some(carried) = &mut self.carried else { return };
        let before = carried.holds;
        let holds = &mut carried.holds;
        holds.kept = holds.kept.saturating_add(kept.min(holds.open()));
        holds.released = holds.released.saturating_add(released.min(holds.open()));
        carried.booked &= *holds == before;
    }

    /// Charges what a request cost above its hold: from the lease as far as it goes, and the rest is owed.
    pub fn charge_above_hold(&mut self, now: Moment, cost: Credits) {
        let covered = cost.min(self.spendable(now));
        self.spent = self.spent.saturating_add(covered);
        self.on_credit.spent = self.on_credit.spent.saturating_add(cost.less(covered));
    }

    /// A worker vouches that requests of this payer are in flight.
    pub fn keep_alive(&mut self, until: Moment) {
        let carried = self.carry();
        carried.alive_until = carried.alive_until.max(until);
    }

    fn carry(&mut self) -> &mut Carried {
        self.carried.get_or_insert(Carried { booked: true, ..Carried::default() })
    }

    /// Ends the epoch: nothing more is spent from it. The final report on the previous one has arrived by then,
    /// because an epoch opens only with the answer that acknowledges it. What requests in flight hold is carried over.
    fn seal(&mut self) {
        if self.held.is_positive() {
            let held = std::mem::take(&mut self.held);
            let carried = self.carry();
            carried.holds.carried = carried.holds.carried.saturating_add(held);
            carried.booked = false;
        }
        self.ended = Some(Ended { epoch: self.epoch, spent: self.sold().saturating_add(self.subleased) });
        self.epoch = self.epoch.saturating_add(1);
        (self.granted, self.spent, self.returned, self.held, self.subleased) = Default::default();
        self.deadline = Moment::ZERO;
        self.marked = Default::default();
    }

    /// Seals a lease whose deadline has passed, once its subleases are returned or given up: their unsold rest isn't spent.
    pub fn seal_if_over(&mut self, now: Moment) {
        if self.is_open() && now >= self.deadline && self.subleased.is_zero() {
            self.seal();
        }
    }

    /// Returns all credits that aren't reserved, because another gateway needs them.
    pub fn hand_back(&mut self) {
        self.returned = self.returned.saturating_add(self.unspent());
        // Past sales are no reason to ask for more at once: the rate is measured from scratch.
        self.cushion = Credits::ZERO;
        self.marked = Default::default();
    }

    /// Keeps the payer's status if the answer has one. A stale answer is ignored: it counts credits that were granted
    /// since as still available.
    pub fn record_status(&mut self, now: Moment, answer: &EntryAnswer) {
        let known = (self.epoch, self.granted);
        let overtaken = answer.lease.is_some_and(|lease| (lease.epoch, lease.granted) < known);
        if let Some(status) = answer.status.as_ref().filter(|_| !overtaken) {
            self.status = CachedStatus::encode(now, status);
        }
    }

    /// Sells nothing more until the ledger grants credits again, because the payer may not spend.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.status.clear();
        self.hand_back();
    }

    /// Returns all credits that aren't reserved, and ends the epoch when none are.
    pub fn rest(&mut self) {
        if self.held.is_zero() && self.subleased.is_zero() && self.is_open() {
            self.seal();
        } else {
            self.hand_back();
        }
    }

    /// Counts credits as spent that were reserved for longer than any request may take, unless a worker vouches for one.
    pub fn settle_forgotten(&mut self, now: Moment) {
        if self.carried.is_some_and(|carried| now < carried.alive_until) {
            return;
        }
        let open = self.holds().open();
        self.settle_carried(open, Credits::ZERO);
        if open.is_positive() || self.held.is_positive() {
            self.spent = self.spent.saturating_add(std::mem::take(&mut self.held));
            // Their requests may end all the same. Others are of a later epoch.
            if self.is_open() {
                self.seal();
            }
            self.carry().closed = self.epoch.saturating_sub(1);
        }
        self.on_credit.spent = self.on_credit.spent.saturating_add(std::mem::take(&mut self.on_credit.held));
        if let Some(throttle) = &mut self.throttle {
            throttle.under_way = 0;
        }
    }

    /// Counts a request, admitted or not.
    pub fn note(&mut self) {
        if let Some(throttle) = &mut self.throttle {
            throttle.note();
        }
    }

    /// Counts this many requests as ended.
    pub fn leave(&mut self, requests: u32) {
        if let Some(throttle) = &mut self.throttle {
            throttle.leave(requests);
        }
    }

    /// The lease's report to the ledger. `asking` holds the cheapest of the waiting prices and their sum; `None`
    /// when no request waits: then only what will soon be needed is asked for, and nothing at all when
    /// `refill` is false.
    pub fn report(&mut self, now: Moment, asking: Option<(Credits, Credits)>, refill: bool) -> Entry {
        self.give_up_subleases(now);
        self.seal_if_over(now);
        self.measure(now);
        let used = self.used();
        let ask = (asking.is_some() || (refill && self.is_open())).then(|| {
            let (least, sum) = asking.unwrap_or_default();
            let need = used.saturating_add(sum);
            let cushion = self.cushion.max(least.times(CUSHION_PRICES));
            ask(used.saturating_add(least), need, need.saturating_add(cushion))
        });
        let report = LeaseReport {
            epoch: self.epoch,
            spent: self.spent,
            returned: self.returned,
            held: self.held,
            demand: self.throttle.as_ref().map_or(0, |throttle| throttle.demand),
        };
        Entry {
            payer: Payer::Id(self.facts.key.clone()),
            ended: self.ended,
            lease: (self.is_open() || ask.is_some()).then_some(report),
            ask,
            on_credit: self.on_credit.spent,
            // Repeated while requests are in flight, so that the ledger knows they will be settled.
            holds: self
                .carried
                .filter(|carried| !(carried.booked && carried.holds.open().is_zero()))
                .map(|carried| carried.holds)
                .unwrap_or_default(),
        }
    }

    /// Sizes the cushion by the recent rate: it grows at once and shrinks slowly.
    fn measure(&mut self, now: Moment) {
        let (at, level) = self.marked;
        let passed = now.millis_since(at);
        let sold = self.sold();
        if at == Moment::ZERO {
            self.marked = (now, sold);
            if let Some(throttle) = &mut self.throttle {
                throttle.came = 0;
            }
        } else if passed >= RATE_OVER_MS {
            let over_horizon =
                sold.less(level).times(HORIZON_MS).split(i64::try_from(passed).unwrap_or(i64::MAX));
            self.cushion = over_horizon.max(self.cushion.split(4).times(3));
            self.marked = (now, sold);
            if let Some(throttle) = &mut self.throttle {
                throttle.measure(passed);
            }
        }
    }

    /// Asks for more next time: the lease ran low before the horizon was over. A payer who gets no more is
    /// low all the time; so it asks for no more than four times what it ever got.
    pub fn grow(&mut self, price: Credits) {
        self.cushion =
            self.cushion.min(self.granted).times(4).max(self.cushion).max(price.times(CUSHION_PRICES));
    }

    /// Takes this gateway's share of the limits from the ledger.
    fn limit(&mut self, limits: Limits) {
        let throttle = self.throttle.take().filter(|_| !limits.is_none());
        if !limits.is_none() {
            self.throttle = Some(Throttle { limits, ..throttle.unwrap_or_default() });
        }
    }

    /// Takes the ledger's answer to a message sent at `sent` that carried the final report on epoch `final_report`, if
    /// on any. Merging takes the maximum, so a repeated or stale answer changes nothing.
    ///
    /// The ledger also reports `ended` for an epoch that it closed for lack of heartbeats. So only an answer to a
    /// message that carried our final report acknowledges that report.
    pub fn merge(&mut self, sent: Moment, final_report: Option<u32>, answer: &EntryAnswer) {
        if let Some(facts) = &answer.facts {
            self.facts = facts.clone();
        }
        self.on_credit.booked = self.on_credit.booked.max(answer.on_credit);
        if let Some(carried) = &mut self.carried {
            carried.booked |= answer.holds == carried.holds;
        }
        if final_report.is_some()
            && self.ended.map(|ended| ended.epoch) == final_report
            && answer.ended >= final_report
        {
            self.ended = None;
        }
        if answer.ended == Some(self.epoch) && self.subleased.is_zero() {
            // The ledger closed it for lack of heartbeats.
            self.seal();
        } else if answer.ended == Some(self.epoch) {
            // It is over, and sealed once the subleases are returned.
            self.deadline = sent;
        }
        let Some(granted) = answer.lease.filter(|lease| lease.epoch == self.epoch && self.ended.is_none())
        else {
            return;
        };
        self.stopped = false;
        self.limit(granted.limits);
        if granted.granted > self.granted {
            self.granted = granted.granted;
            self.low = self.unspent().split(4);
        }
        self.refill_at = Moment::ZERO;
        self.deadline = self.deadline.max(sent.plus_millis(granted.ttl_ms));
        if granted.recall {
            self.hand_back();
        }
    }
}

/// Levels that a ledger takes.
fn ask(least: Credits, need: Credits, want: Credits) -> Ask {
    let [least, need, want] = [least, need, want].map(|level| level.min(MAX_AMOUNT));
    Ask { least, need, want }
}

/// What a gateway sends for an unknown payer: a request for the first epoch.
pub fn first_contact(payer: Payer, least: Credits, sum: Credits) -> Entry {
    let zero = Credits::ZERO;
    Entry {
        payer,
        ended: None,
        lease: Some(LeaseReport { epoch: 1, spent: zero, returned: zero, held: zero, demand: 0 }),
        ask: Some(ask(least, sum, sum.saturating_add(least.times(CUSHION_PRICES)))),
        on_credit: zero,
        holds: Holds::default(),
    }
}

#[cfg(test)]
mod tests;
