//! What the answer says to a payer's gateway: who it is, its lease, its part of the limits.
//!
//! What must hold: nothing here changes anything.

use super::contract::Contract;
use super::limits::{self, Holders};
use super::shortage::Shortage;
use super::{Lease, LeaseState, Payer};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Facts, Granted, Limits};

/// Whether an exchange about an account must know what its leases tell of together.
pub fn needs_demand(contract: Option<&Contract>) -> bool {
    contract.is_some_and(|contract| contract.is_in_force() && !contract.limits.is_none())
}

impl Payer {
    /// What the account's plan says, while it counts.
    pub(super) fn contract(&self) -> Option<&Contract> {
        self.purse.account.contract.as_ref().filter(|contract| contract.is_in_force())
    }

    pub(super) fn facts(&self) -> Facts {
        let account = &self.purse.account;
        Facts {
            key: self.key.id.to_string(),
            account: account.id.to_string(),
            plan: account.plan.clone(),
            products: self.contract().and_then(|contract| contract.products.clone()),
            key_products: self.key.products.clone(),
        }
    }

    pub(super) fn granted(&self, fence: u32, ttl_ms: u64, had_money: bool) -> Option<Granted> {
        let Lease { granted, recall, .. } = self.lease;
        let current = self.lease.state == LeaseState::Open && self.lease.fence == fence;
        current.then(|| Granted { fence, granted, ttl_ms, recall, limits: self.limits(had_money) })
    }

    /// This lease's part of the plan's limits.
    fn limits(&self, had_money: bool) -> Limits {
        let Some(contract) = self.contract() else { return Limits::default() };
        let demand = self.lease.demand;
        let others = self.purse.account.holders.saturating_sub(i64::from(had_money));
        let count = u64::try_from(others).unwrap_or(0).saturating_add(1);
        let all = Holders { count, demand: self.demand.saturating_add(u64::from(demand)) };
        limits::part(&contract.limits, demand, all)
    }

    pub(super) fn shortage(&self, least: Credits) -> Shortage<'_> {
        Shortage {
            least,
            money: self.purse.drawable(),
            owed: self.purse.account.books.owed,
            grants: self.purse.grants(),
            budgets: self.purse.budgets(),
            contract: self.purse.account.contract.as_ref(),
        }
    }
}
