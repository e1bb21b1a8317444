//! What callers may see of a payer: what is left, the quota, the limits, when to warn.
//!
//! What must hold: it says no more than the credential's holder may know, comes of what the exchange has loaded
//! already, and nothing is decided by it.

use super::contract::{Contract, Running};
use super::{Payer, entitlement};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{MAX_AMOUNT, Quota, Standing};
use jiff::Timestamp;

impl Payer {
    /// Its status now; `None` for a credential that isn't valid any more.
    pub(super) fn standing(&self, now: Timestamp) -> Option<Standing> {
        if !self.key.counts(now) {
            return None;
        }
        let contract = self.contract();
        Some(Standing {
            available: self.shortage(Credits::ZERO).available().min(MAX_AMOUNT),
            quota: contract.and_then(|contract| quota(contract, now)),
            limits: contract.map(|contract| contract.limits).unwrap_or_default(),
            warn_below: contract.and_then(|contract| contract.warn_below),
        })
    }
}

/// The quota that is running. Between a period's end and its renewal, and while a payment is missing, there is none.
fn quota(contract: &Contract, now: Timestamp) -> Option<Quota> {
    let good = contract.standing == entitlement::Standing::Good;
    let running = contract.running.as_ref().filter(|running| good && now < running.end)?;
    let Running { quota, end, .. } = running;
    let (resets_at, resets_in_s) = until(*end, now);
    Some(Quota { size: *quota, window_s: running.window_s(), resets_at, resets_in_s })
}

/// A time ahead as text, and how many seconds it is until then; both rounded up.
pub(super) fn until(at: Timestamp, now: Timestamp) -> (String, u64) {
    let ms = at.as_millisecond().saturating_sub(now.as_millisecond());
    let in_s = u64::try_from(ms).unwrap_or(0).div_ceil(1_000).max(1);
    let second = at.as_second().saturating_add(i64::from(at.subsec_nanosecond() > 0));
    (Timestamp::from_second(second).unwrap_or(at).to_string(), in_s)
}
