//! Models' prices and the news of them: asked for in exchanges, heard with every answer, and shared among the workers.
//!
//! Only the worker that sends the heartbeat hears the number of the newest change each second, so the number is in shared
//! memory, with the time at which one of the workers heard it. Where none did for a while, because no heartbeat is due, one
//! worker asks for a model again. What must hold: a worker that knows a model learns of a change within two seconds after the
//! ledger, as long as the ledger answers; one that knows none does nothing here.

use super::Gate;
use super::flights::Flight;
use super::models::{Answered, ModelLookup, SharedNews};
use super::waiting::ModelWaiter;
use crate::decide::base::moment::Moment;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::Resolution;
use faregate_protocol::exchange::ExchangeResponse;

/// How often a worker looks at the shared number (ms).
const LOOK_MS: u64 = 100;
/// How often a worker that hears the same number says so to the others (ms).
const SHARE_MS: u64 = 500;
/// When no worker has heard the number for this long, one asks for it (ms).
const QUIET_MS: u64 = 1_500;

impl<M: SharedMemory> Gate<M> {
    /// The prices of a model by its name. If they aren't known yet, the next message asks for them, and the request can wait with
    /// [`Gate::wait_for_model`].
    pub fn model_prices(&mut self, now: Moment, name: &str) -> ModelLookup {
        let found = self.models.lookup(now, name);
        self.wake |= matches!(found, ModelLookup::NotYet) && self.models.is_due(now);
        found
    }

    /// Makes a request wait for a model that was [`ModelLookup::NotYet`] just now. It is given back if it can't: too many wait, or
    /// the ledger is out of reach or knows no models.
    ///
    /// # Errors
    /// With the request, about which the caller decides without the prices.
    pub fn wait_for_model(&mut self, now: Moment, waiter: ModelWaiter) -> Result<(), ModelWaiter> {
        if now < self.down_until || !self.waiting.has_room() {
            return Err(waiter);
        }
        self.models.wait(waiter)?;
        self.waiting.add_others(1);
        self.counters.waited += 1;
        Ok(())
    }

    /// The models to ask for in the next message.
    pub(super) fn models_to_ask(&mut self, now: Moment, hold: bool) -> Vec<String> {
        if self.models.is_empty() {
            return Vec::new();
        }
        self.models.ask(now, hold || now < self.down_until)
    }

    /// Takes in what an answer says of prices.
    #[inline(never)]
    pub(super) fn prices_answered(
        &mut self,
        now: Moment,
        flight: &Flight,
        answer: ExchangeResponse,
    ) -> Vec<Resolution> {
        if self.models.is_empty() {
            return Vec::new();
        }
        let number = answer.prices.unwrap_or(0);
        self.models.hear(number);
        let SharedNews { number: shared, heard_at, .. } = self.models.shared;
        if number == self.models.newest() && (number != shared || now.millis_since(heard_at) >= SHARE_MS) {
            self.share_number(now, true);
        }
        let answered = self.models.take_in(now, &flight.models, answer.models, number);
        self.resume(now, answered)
    }

    /// A message has failed; `again` if it is sent again at once.
    pub(super) fn prices_failed(&mut self, now: Moment, flight: &Flight, again: bool) -> Vec<Resolution> {
        if self.models.is_empty() {
            return Vec::new();
        }
        let given_up = self.models.lose(now, &flight.models, again);
        self.resume(now, given_up)
    }

    /// What is due by the clock.
    #[inline(never)]
    pub(super) fn follow_prices(&mut self, now: Moment) -> Vec<Resolution> {
        if self.models.is_empty() {
            return Vec::new();
        }
        if now.millis_since(self.models.shared.looked_at) >= LOOK_MS {
            self.share_number(now, false);
            self.models.drop_unused(now);
        }
        let expired = self.models.expire(now);
        self.resume(now, expired)
    }

    fn resume(&mut self, now: Moment, answered: Vec<Answered>) -> Vec<Resolution> {
        self.waiting.remove_others(answered.len());
        let decide = |(waiter, lookup)| self.model_answered(now, waiter, lookup);
        answered.into_iter().filter_map(decide).collect()
    }

    /// Reads the shared number, and writes it if this worker has just heard it, or knows a newer one. When no worker has heard
    /// it for a while, this one claims to have, and asks.
    fn share_number(&mut self, now: Moment, heard: bool) {
        let name = self.names.prices();
        let record = self.memory.get(&name);
        let (number, heard_at) = record.as_ref().and_then(|(bytes, _)| read(bytes)).unwrap_or_default();
        self.models.hear(number);
        let newest = self.models.newest();
        let reachable = now >= self.down_until && now >= self.hold_until;
        let asks = !heard && reachable && now.millis_since(heard_at) >= QUIET_MS;
        let mut shared = SharedNews { looked_at: now, number, heard_at };
        if heard || asks || number < newest {
            let heard_at = if heard || asks { now } else { heard_at };
            let stamp = record.map(|(_, stamp)| stamp);
            // Where another worker was faster, it has said about the same.
            if self.memory.swap(&name, &record_of(newest, heard_at), stamp) {
                shared = SharedNews { number: newest, heard_at, ..shared };
                if asks {
                    self.models.poll();
                }
            }
        }
        self.models.shared = shared;
    }
}

fn read(bytes: &[u8]) -> Option<(u64, Moment)> {
    let (number, heard_at) = bytes.split_first_chunk::<8>()?;
    let heard_at = u64::from_le_bytes(heard_at.try_into().ok()?);
    Some((u64::from_le_bytes(*number), Moment::from_nanos(heard_at)))
}

fn record_of(number: u64, heard_at: Moment) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&number.to_le_bytes());
    second.copy_from_slice(&heard_at.nanos().to_le_bytes());
    bytes
}
