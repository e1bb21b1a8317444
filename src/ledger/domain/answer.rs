//! What the answer says to a payer's gateway: who it is, its lease, its part of the limits.
//!
//! What must hold: nothing here changes anything.

use super::entitlement::Entitlement;
use super::limits::{self, HolderCounts};
use super::shortage::Shortage;
use super::{Lease, LeaseState, Payer};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Facts, Granted, Limits};

/// Whether an exchange about an account must know what its leases tell of together.
pub fn needs_demand(entitlement: Option<&Entitlement>) -> bool {
    entitlement.is_some_and(|entitlement| entitlement.is_in_force() && !entitlement.limits.is_none())
}

impl Payer {
    /// What the account's plan says, while it counts.
    pub(super) fn entitlement(&self) -> Option<&Entitlement> {
        self.funds.account.entitlement.as_ref().filter(|entitlement| entitlement.is_in_force())
    }

    pub(super) fn facts(&self) -> Facts {
        let account = &self.funds.account;
        Facts {
            key: self.key.id.to_string(),
            account: account.id.to_string(),
            plan: account.plan.clone(),
            products: self.entitlement().and_then(|entitlement| entitlement.products.clone()),
            key_products: self.key.products.clone(),
        }
    }

    pub(super) fn granted(&self, epoch: u32, ttl_ms: u64, had_money: bool) -> Option<Granted> {
        let Lease { granted, recall, .. } = self.lease;
        let current = self.lease.state == LeaseState::Open && self.lease.epoch == epoch;
        current.then(|| Granted { epoch, granted, ttl_ms, recall, limits: self.limits(had_money) })
    }

    /// This lease's part of the plan's limits.
    fn limits(&self, had_money: bool) -> Limits {
        let Some(entitlement) = self.entitlement() else { return Limits::default() };
        let demand = self.lease.demand;
        let others = self.funds.account.holders.saturating_sub(i64::from(had_money));
        let count = u64::try_from(others).unwrap_or(0).saturating_add(1);
        let all = HolderCounts { count, demand: self.demand.saturating_add(u64::from(demand)) };
        limits::part(&entitlement.limits, demand, all)
    }

    pub(super) fn shortage(&self, least: Credits) -> Shortage<'_> {
        Shortage {
            least,
            money: self.funds.drawable(),
            owed: self.funds.account.books.owed,
            grants: self.funds.grants(),
            budgets: self.funds.budgets(),
            entitlement: self.funds.account.entitlement.as_ref(),
        }
    }
}
