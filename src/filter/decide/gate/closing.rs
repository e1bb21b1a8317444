//! Closing a charge: it is kept, or released because the API failed or was never asked.

use super::Gate;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::Charge;
use crate::decide::request::ending::End;
use crate::decide::settings::refunds::Refunds;
use crate::decide::usage::ChargeOutcome;
use faregate_protocol::Credits;

impl<M: SharedMemory> Gate<M> {
    /// Which answers release this charge.
    pub fn refunds(&self, charge: &Charge) -> &Refunds {
        &self.settings.rule(charge.rule).refund_on
    }

    /// Closes a charge: keeps it, or releases it when the API failed or was never asked. Returns the final
    /// charge.
    pub fn finish(&mut self, charge: &Charge, end: &End) -> Credits {
        if end.releases(self.refunds(charge)) {
            self.release(charge);
            return Credits::ZERO;
        }
        let (key, mut nowhere) = (charge.holder.key(), Handle::default());
        let kept = self.settlements.keep(&charge.holder, charge.funding, charge.price);
        let handle = kept.unwrap_or(&mut nowhere);
        let counted =
            self.usage.count_at(self.flushed_at, key, handle, charge.rule, ChargeOutcome::Kept(charge.price));
        self.counters.usage_dropped += u64::from(!counted);
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
            self.settlements.flush(&self.memory, charge.holder.lease());
        }
        charge.price
    }

    fn release(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.refunds += 1;
        self.count_outcome(charge.holder.key(), charge.rule, ChargeOutcome::Released);
    }

    fn give_back(&mut self, charge: &Charge) {
        self.settlements.release(&charge.holder, charge.funding, charge.price);
        if charge.counted {
            self.settlements.leave(charge.holder.lease());
        }
        self.settlements.flush(&self.memory, charge.holder.lease());
        self.recent.look_again(charge.holder.lease());
    }

    pub(super) fn count_outcome(&mut self, key: &str, rule: usize, outcome: ChargeOutcome) {
        if !self.usage.count(self.flushed_at, key, rule, outcome) {
            self.counters.usage_dropped += 1;
        }
    }

    /// Cancels the charge of a request whose client disconnected while it waited.
    pub fn cancel(&mut self, charge: &Charge) {
        self.give_back(charge);
        self.counters.admitted = self.counters.admitted.saturating_sub(1);
    }
}
