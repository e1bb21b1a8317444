//! The causes for which a caller is refused, by the names that stand on the wire.

use serde::{Deserialize, Serialize};

/// Why a caller is refused. The name in `snake_case` is the `code` member of the refusal's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The request carries no credential where the gate looks for one.
    MissingKey,
    /// The credential is malformed, unknown or revoked.
    InvalidKey,
    /// The key has passed its expiry.
    KeyExpired,
    /// The account's credits don't cover the price.
    InsufficientFunds,
    /// The plan's quota for the period is used up, and nothing else pays.
    QuotaExhausted,
    /// The account's subscription is over, and nothing else pays.
    SubscriptionExpired,
    /// A payment of the subscription failed, and the time in which that is tolerated is over.
    PaymentPastDue,
    /// The plan doesn't include the rule's product.
    PlanExcludesRoute,
    /// The key is limited to other products.
    KeyExcludesRoute,
    /// The route is retired: nothing is sold there any more.
    RouteRetired,
    /// The key's own budget for the period is used up.
    KeyBudgetExhausted,
    /// The budget of the key's team for the period is used up.
    TeamBudgetExhausted,
    /// The account's budget for the period is used up.
    AccountBudgetExhausted,
    /// More requests than the plan allows per second, or at the same time.
    RateLimited,
    /// The account is suspended or closed.
    AccountSuspended,
    /// The ledger can't be reached, or is too busy to answer in time: our own fault.
    LedgerUnavailable,
}

impl RefusalCode {
    /// Every code, in the order in which they are documented.
    pub const ALL: [Self; 16] = [
        Self::MissingKey,
        Self::InvalidKey,
        Self::KeyExpired,
        Self::InsufficientFunds,
        Self::QuotaExhausted,
        Self::SubscriptionExpired,
        Self::PaymentPastDue,
        Self::PlanExcludesRoute,
        Self::KeyExcludesRoute,
        Self::RouteRetired,
        Self::KeyBudgetExhausted,
        Self::TeamBudgetExhausted,
        Self::AccountBudgetExhausted,
        Self::RateLimited,
        Self::AccountSuspended,
        Self::LedgerUnavailable,
    ];

    /// Whether credits are short: a cheaper request might pass, and more credits could cure it.
    pub const fn is_short(self) -> bool {
        matches!(
            self,
            Self::InsufficientFunds
                | Self::QuotaExhausted
                | Self::SubscriptionExpired
                | Self::KeyBudgetExhausted
                | Self::TeamBudgetExhausted
                | Self::AccountBudgetExhausted
        )
    }

    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingKey => "missing_key",
            Self::InvalidKey => "invalid_key",
            Self::KeyExpired => "key_expired",
            Self::InsufficientFunds => "insufficient_funds",
            Self::QuotaExhausted => "quota_exhausted",
            Self::SubscriptionExpired => "subscription_expired",
            Self::PaymentPastDue => "payment_past_due",
            Self::PlanExcludesRoute => "plan_excludes_route",
            Self::KeyExcludesRoute => "key_excludes_route",
            Self::RouteRetired => "route_retired",
            Self::KeyBudgetExhausted => "key_budget_exhausted",
            Self::TeamBudgetExhausted => "team_budget_exhausted",
            Self::AccountBudgetExhausted => "account_budget_exhausted",
            Self::RateLimited => "rate_limited",
            Self::AccountSuspended => "account_suspended",
            Self::LedgerUnavailable => "ledger_unavailable",
        }
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
