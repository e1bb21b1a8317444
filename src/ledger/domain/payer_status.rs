//! The part of a payer's state that callers may see: balance, quota, limits, warning threshold.
//!
//! What must hold: it says no more than the credential's holder may know, comes of what the exchange has loaded
//! already, and nothing is decided by it.

use super::entitlement::{Entitlement, Running};
use super::{Payer, policy};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{MAX_AMOUNT, PayerStatus, Quota};
use jiff::Timestamp;

impl Payer {
    /// Its status now; `None` for a credential that isn't valid any more.
    pub(super) fn payer_status(&self, now: Timestamp) -> Option<PayerStatus> {
        if !self.key.counts(now) {
            return None;
        }
        let entitlement = self.entitlement();
        Some(PayerStatus {
            available: self.shortage(Credits::ZERO).available().min(MAX_AMOUNT),
            quota: entitlement.and_then(|entitlement| quota(entitlement, now)),
            limits: entitlement.map(|entitlement| entitlement.limits).unwrap_or_default(),
            warn_below: entitlement.and_then(|entitlement| entitlement.warn_below),
        })
    }
}

/// The quota that is running. Between a period's end and its renewal, and while a payment is missing, there is none.
fn quota(entitlement: &Entitlement, now: Timestamp) -> Option<Quota> {
    let good = entitlement.status == policy::SubscriptionStatus::Good;
    let running = entitlement.running.as_ref().filter(|running| good && now < running.end)?;
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
