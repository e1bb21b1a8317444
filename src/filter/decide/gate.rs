//! One worker's gate: what it decides about a request on its own, and what it remembers.
//!
//! This file holds its state; its operations are in the others:
//! - [`arrival`]: a request is decided, or waits ([`waiting`]); [`payment`]: it is charged; [`closing`]: its charge is settled.
//! - [`body`]: a request whose body decides its price; [`unread`]: one whose body is too large to be read; [`price_news`] and [`models`]: models' prices, as the ledger says.
//! - [`exchange`], [`serving`] and [`answer`]: one exchange with the ledger for all waiting requests; [`flights`]: messages in flight.
//! - [`report`] and [`heartbeat`]: the gateway's heartbeat; [`handover`]: when a worker leaves before it is sent.
//! - [`growing`]: an answer that costs more than was held at first; [`fitting`]: what a payer could pay instead; [`settling`]: charges whose answer was read.
//! - [`recording`]: records of single requests.
//! - [`fallback`]: a key behind a subject that the ledger doesn't know; [`preflight`]: CORS preflights.
//! - [`refusals`], [`headers`] and [`view`]: what callers see.
//!
//! What must hold: every waiting request gets exactly one [`Resolution`](super::outcome::Resolution).

pub mod answer;
mod arrival;
pub mod body;
mod closing;
mod exchange;
mod fallback;
mod fitting;
mod flights;
mod growing;
mod handover;
mod headers;
mod heartbeat;
pub mod models;
mod payment;
mod preflight;
mod price_news;
pub mod recording;
mod refusals;
mod report;
mod serving;
mod settling;
mod unread;
mod view;
pub mod waiting;

use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::SortedMap;
use crate::decide::calls::CallBuffer;
use crate::decide::lease::shared::{Names, SharedMemory};
use crate::decide::refusal::response_cache::ResponseCache;
use crate::decide::request::identity::KnownCallers;
use crate::decide::request::price_list::PriceLists;
use crate::decide::request::recent::RefusalCache;
use crate::decide::settings::Settings;
use crate::decide::settlement::Settlements;
use crate::decide::usage::UsageBuffer;
use faregate_protocol::exchange::VERSION;
use faregate_protocol::{Credits, RefusalCode};
use flights::Flights;
use heartbeat::Heartbeat;
use models::Models;
use waiting::Waiting;

/// The gate's counters since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were paid.
    pub admitted: u64,
    /// Requests that were refused, by cause in the order of [`RefusalCode::ALL`].
    pub refused: [u64; RefusalCode::ALL.len()],
    /// Requests that would have been refused, but their rule is in shadow mode.
    pub shadow: u64,
    /// Requests that waited for the ledger.
    pub waited: u64,
    /// Charges that were released again.
    pub refunds: u64,
    /// Requests admitted on credit while the ledger was unreachable.
    pub on_credit: u64,
    /// Metered requests that cost more than was held for them.
    pub above_hold: u64,
    /// Answers that were ended because nothing was left to pay for more of them.
    pub stopped: u64,
    /// Messages to the ledger.
    pub exchanges: u64,
    /// Messages to the ledger that failed.
    pub exchange_failures: u64,
    /// Usage dropped for lack of room while the ledger was unreachable.
    pub usage_dropped: u64,
    /// Call records dropped for lack of room, or because the ledger doesn't take them.
    pub calls_dropped: u64,
    /// Payers whose balance became low.
    pub low_balance: u64,
    /// Callers who were shown their status.
    pub views: u64,
    /// Browsers' preflights that were not charged.
    pub preflights: u64,
}

/// One worker's gate.
pub struct Gate<M> {
    settings: Settings,
    memory: M,
    names: Names,
    gateway: String,
    recent: RefusalCache,
    responses: ResponseCache,
    price_lists: PriceLists,
    settlements: Settlements,
    usage: UsageBuffer,
    calls: CallBuffer,
    waiting: Waiting,
    refills: SortedMap<Credits>,
    /// Metered requests in flight, by lease.
    metered: SortedMap<u32>,
    vouch_at: Moment,
    flights: Flights,
    models: Models,
    heartbeat: Heartbeat,
    down_until: Moment,
    /// The ledger wants no report until then.
    hold_until: Moment,
    /// When callers made it be asked all the same.
    asked_at: Moment,
    /// The version that is spoken, and until when no newer one is tried.
    protocol: u32,
    older_until: Moment,
    counters: Counters,
    warned: SortedMap<()>,
    flushed_at: Moment,
    ran_at: Moment,
    quiet_until: Moment,
    wake: bool,
}

impl<M: SharedMemory> Gate<M> {
    /// A gate over the memory of its gateway. `unique` must never have been used before, by any gate
    /// anywhere: it names the broker, and the gateway when this gate is its first. What comes before the first tick is counted as
    /// of `now`.
    #[inline(never)]
    pub fn new(settings: Settings, memory: M, unique: &str, now: Moment) -> Self {
        let names = Names::new(&settings.ledger.cluster, &settings.ledger.authority);
        memory.swap(&names.gateway(), unique.as_bytes(), None);
        let gateway = memory.get(&names.gateway()).and_then(|(bytes, _)| String::from_utf8(bytes).ok());
        Self {
            gateway: gateway.unwrap_or_else(|| unique.to_owned()),
            recent: RefusalCache::default(),
            responses: ResponseCache::new(&settings.wording),
            price_lists: PriceLists::default(),
            settlements: Settlements::default(),
            usage: UsageBuffer::new(unique.to_owned()),
            calls: CallBuffer::new(unique),
            waiting: Waiting::default(),
            refills: SortedMap::default(),
            metered: SortedMap::default(),
            vouch_at: Moment::ZERO,
            flights: Flights::default(),
            models: Models::default(),
            heartbeat: Heartbeat::new(unique),
            down_until: Moment::ZERO,
            hold_until: Moment::ZERO,
            asked_at: Moment::ZERO,
            protocol: VERSION,
            older_until: Moment::ZERO,
            counters: Counters::default(),
            warned: SortedMap::default(),
            flushed_at: now,
            ran_at: Moment::ZERO,
            quiet_until: Moment::ZERO,
            wake: false,
            settings,
            memory,
            names,
        }
    }

    /// The configuration.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The gateway's name at the ledger.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Takes what was counted since the last call.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.counters)
    }

    /// The callers that this worker knows.
    fn known_callers(&self) -> KnownCallers<'_> {
        KnownCallers { subleases: &self.settlements, refused: &self.recent, names: &self.names }
    }
}

#[cfg(test)]
mod tests;
