//! What a plan entitles to, in the few words that terms, subscriptions, entitlements and the admin API have in common.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a subscription may be used: `good`, `unpaid` (nothing may be spent), or `over` (what was bought may still be spent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// It may.
    Good,
    /// A payment failed and the grace period has ended: nothing may be spent, not even bought credits.
    Unpaid,
    /// It was cancelled, or its trial has ended. Bought credits may still be spent.
    Over,
}

/// What pays when the quota is used up: what was `bought`; nothing until the next period (`refuse`); or what was bought and then an
/// `overdraft` up to a cap, which is for the operator to invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OveragePolicy {
    /// What was bought.
    #[default]
    Bought,
    /// Nothing, until the next period.
    Refuse,
    /// What was bought, and then a grant of its own per period, up to a cap. What is used of that is for the
    /// operator to invoice; the next quota doesn't pay it.
    Overdraft,
}

/// Who gets the credits that a gateway which died had not reported: the `customer` gets them back, or they count as spent (`operator`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// It is returned to the customer.
    #[default]
    Customer,
    /// It counts as spent.
    Operator,
}

impl OveragePolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bought, Self::Refuse, Self::Overdraft];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::Refuse => "refuse",
            Self::Overdraft => "overdraft",
        }
    }
}

impl Remainder {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Customer, Self::Operator];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operator => "operator",
        }
    }
}
