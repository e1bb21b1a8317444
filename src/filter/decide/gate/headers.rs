//! Response headers that show callers their status: the rest of their quota, a request's cost, and a low balance.
//!
//! What must hold: no decision depends on them; they are as exact as this gateway's view, which the ledger updates when
//! the gateway needs more credits, and with every heartbeat for active payers.

use super::Gate;
use crate::decide::base::moment::Moment;
use crate::decide::lease::FundingSource;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::Charge;
use crate::decide::refusal::rate_limit::{Header, fields};
use crate::decide::request::ending::{Answer, End};
use crate::decide::settings::Shown;
use faregate_protocol::Credits;

/// How many warned payers each worker remembers.
const MOST_WARNED: usize = 4_096;

impl<M: SharedMemory> Gate<M> {
    /// Whether the answer to a charged request gets headers, beyond what [`Gate::refunds`] needs to know.
    pub fn shows(&self, charge: &Charge) -> bool {
        self.settings.shown != Shown::default()
            || self.settings.rule(charge.rule).warn_below.is_some()
            || charge.holder.wants_warnings()
    }

    /// The headers of this answer to a charged request. Counts payers that are warned for the first time.
    /// `said` is what the answer to a metered request says that it used.
    pub fn show(&mut self, now: Moment, charge: &Charge, answer: Answer, said: Option<u64>) -> Vec<Header> {
        let rule = self.settings.rule(charge.rule);
        let released = End::Answered(answer).releases(&rule.refund_on);
        // What calls cost is known before they are answered, unless they fail.
        let known = rule.meter.is_none() || said.is_some();
        let cost = if released { Credits::ZERO } else { self.cost(charge, said) };
        let mut headers = Vec::new();
        // What a metered request costs is often known only when the answer is through.
        if self.settings.shown.charge && (known || released) {
            headers.push(("x-faregate-charge", cost.to_string()));
        }
        let (Some(status), FundingSource::Lease(_)) = (charge.holder.status(), charge.funding) else {
            return headers;
        };
        let here = charge.holder.unspent().saturating_add(charge.left);
        let balance = status.balance(here).saturating_add(charge.price.less(cost));
        if self.settings.shown.balance {
            headers.push(("x-faregate-balance", balance.to_string()));
        }
        if self.settings.shown.ratelimit {
            headers.extend(fields(status.policies(now, balance)));
        }
        let low = rule.warn_below.or(status.warn_below).is_some_and(|threshold| balance < threshold);
        if low {
            headers.push(("x-faregate-low-balance", balance.to_string()));
        }
        self.note_low(charge.holder.lease(), low);
        headers
    }

    /// Counts a payer whose balance has become low, once until it is higher again.
    fn note_low(&mut self, lease: &str, low: bool) {
        if !low {
            self.warned.remove(lease);
        } else if self.warned.insert(lease, ()).is_none() {
            self.counters.low_balance += 1;
            if self.warned.len() > MOST_WARNED {
                self.warned.pop_first();
            }
        }
    }
}
