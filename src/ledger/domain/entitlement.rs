//! What an account's newest subscription means for exchanges: kept with the account, so that an exchange reads
//! neither plans nor subscriptions.
//!
//! What must hold: every change to a subscription, or to what it depends on, rewrites this in the same transaction.

use super::plan::{Terms, Versions};
use super::policy::{OveragePolicy, Remainder, SubscriptionStatus};
use super::subscription::Subscription;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Product};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an account's plan means for exchanges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// The plan's name.
    pub plan: String,
    /// Whether it may be used.
    pub status: SubscriptionStatus,
    /// What pays when the quota is used up.
    #[serde(default)]
    pub overage: OveragePolicy,
    /// When the next quota comes; none when none is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<Timestamp>,
    /// How much the next quota is.
    #[serde(default)]
    pub quota: Credits,
    /// What the whole account may do, all gateways together.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// Which products are included; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<Product>>,
    /// Whose is what a gateway that died had not reported.
    #[serde(default)]
    pub remainder: Remainder,
    /// The period that was running when this was written, and its quota; none before the first, nor when it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// Below how much callers are to be warned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_below: Option<Credits>,
    /// A balance below this is announced as low; zero for never. The default, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_below: Option<Credits>,
}

/// A period and its quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The quota in full.
    pub quota: Credits,
    /// When the period began.
    pub start: Timestamp,
    /// When it ends, or the subscription within it.
    pub end: Timestamp,
}

impl Running {
    /// How long the period is, in seconds.
    pub fn window_s(&self) -> u64 {
        seconds(self.start, self.end)
    }
}

/// Whole seconds from one time to another; zero when that is earlier.
pub fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second().saturating_sub(from.as_second())).unwrap_or(0)
}

impl Entitlement {
    /// What a subscription to the plan of this name means; nothing before it has begun. Once it is over, what was
    /// bought may be spent as without a plan.
    pub fn of(plan: &str, subscription: &Subscription, versions: &Versions) -> Option<Self> {
        let status = subscription.status();
        let over = Self {
            plan: plan.to_owned(),
            status,
            overage: OveragePolicy::Bought,
            renews_at: None,
            quota: Credits::ZERO,
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Customer,
            running: None,
            warn_below: None,
            alert_below: None,
        };
        if status == SubscriptionStatus::Over {
            return Some(over);
        }
        let start = subscription.period_start?;
        let end = subscription.granted_until;
        let end = subscription.ends_at().map_or(end, |over| end.min(over));
        let renews_at = subscription.renews_at();
        let Terms { quota, overage, limits, products, remainder, warn_below, alert_below, .. } =
            &versions.used.terms;
        Some(Self {
            overage: *overage,
            renews_at,
            quota: renews_at.map_or(Credits::ZERO, |_| versions.coming().terms.quota),
            limits: *limits,
            products: products.clone(),
            remainder: *remainder,
            running: Some(Running { quota: *quota, start, end }),
            warn_below: *warn_below,
            alert_below: *alert_below,
            ..over
        })
    }

    /// Whether what the plan says counts: one that is over is as if there were none.
    pub fn is_in_force(&self) -> bool {
        self.status != SubscriptionStatus::Over
    }

    /// Whether only what came with the plan may be spent.
    pub fn refuses_overage(&self) -> bool {
        self.is_in_force() && self.overage == OveragePolicy::Refuse
    }

    /// The same as far as something is decided by it, at gateways or about leases.
    fn for_gateways(&self) -> Self {
        let of_ledger = Self { renews_at: None, quota: Credits::ZERO, running: None, ..self.clone() };
        Self { warn_below: None, alert_below: None, ..of_ledger }
    }
}

/// What follows from one entitlement in place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing to announce now.
    None,
    /// Gateways must return their credits and ask again.
    Recall,
}

impl Effect {
    /// What follows when `old` becomes `new`.
    pub fn of(old: Option<&Entitlement>, new: Option<&Entitlement>) -> Self {
        if old.map(Entitlement::for_gateways) == new.map(Entitlement::for_gateways) {
            Self::None
        } else {
            Self::Recall
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_recalled_when_gateways_hold_outdated_terms() {
        let entitlement = |status, overage| Entitlement {
            plan: "pro".into(),
            status,
            overage,
            renews_at: None,
            quota: Credits::ZERO,
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Customer,
            running: None,
            warn_below: None,
            alert_below: None,
        };
        let bought = entitlement(SubscriptionStatus::Good, OveragePolicy::Bought);
        let refuse = entitlement(SubscriptionStatus::Good, OveragePolicy::Refuse);
        let over = entitlement(SubscriptionStatus::Over, OveragePolicy::Bought);
        let renewed = Entitlement { quota: Credits::MAX, warn_below: Some(Credits::MAX), ..bought.clone() };
        assert_eq!(Effect::of(Some(&bought), Some(&refuse)), Effect::Recall);
        assert_eq!(Effect::of(Some(&bought), Some(&over)), Effect::Recall);
        assert_eq!(Effect::of(None, Some(&refuse)), Effect::Recall, "what was bought doesn't pay any more");
        assert_eq!(Effect::of(None, Some(&bought)), Effect::Recall, "there may be limits and products");
        assert_eq!(Effect::of(Some(&bought), Some(&renewed)), Effect::None);
    }
}
