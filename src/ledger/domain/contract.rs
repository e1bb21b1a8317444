//! What an account's newest subscription means for exchanges: kept with the account, so that an exchange reads
//! neither plans nor subscriptions.
//!
//! What must hold: whoever changes a subscription, or what it goes by, writes this anew in the same transaction.

use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Product};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How an account stands with its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The plan's name.
    pub plan: String,
    /// Whether it may be used.
    pub standing: Standing,
    /// What pays when the quota is used up.
    #[serde(default)]
    pub beyond: Beyond,
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
}

impl Contract {
    /// Whether what the plan says counts: one that is over is as if there were none.
    pub fn is_in_force(&self) -> bool {
        self.standing != Standing::Over
    }

    /// Whether only what came with the plan may be spent.
    pub fn refuses_beyond(&self) -> bool {
        self.is_in_force() && self.beyond == Beyond::Refuse
    }
}

/// Whether a plan may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    Good,
    /// A payment failed, and the grace is over: nothing may be spent, whatever else there is.
    Unpaid,
    /// It was cancelled, or its trial is over. What was bought besides may still be spent.
    Over,
}

/// What pays when the quota is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// What was bought.
    #[default]
    Bought,
    /// Nothing, until the next period.
    Refuse,
    /// What was bought, and then a grant of its own per period, up to a cap. What is used of that is for the
    /// operator to invoice; the next quota doesn't pay it.
    Overdraft,
}

/// Whose is what a gateway that died had not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// It goes back to the customer.
    #[default]
    Customer,
    /// It counts as spent.
    Operator,
}
