//! A plan: so many credits per period. Its versions never change; a change makes a new one.

use super::AccountId;
pub use super::terms::{Changes, Edit, InvalidField, Terms, usual_burst};
use std::fmt;

/// The most plans.
pub const MAX_PLANS: i64 = 1_000;
/// The most versions of one plan.
pub const MAX_VERSIONS: u32 = 10_000;
/// How early what a plan gives is spent: before what was bought, unless that says otherwise.
pub const PRIORITY: u16 = 50;
/// When an overdraft is spent: after everything else.
pub const OVERDRAFT_PRIORITY: u16 = u16::MAX;

/// Why a text is no plan's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no plan's name; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit")]
pub struct InvalidPlanName(String);

/// A plan's name, of the same form as an account's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanName(String);

impl PlanName {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, InvalidPlanName> {
        match AccountId::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidPlanName(text.chars().take(80).collect())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number; the first is 1.
    pub number: u32,
    /// What it says.
    pub terms: Terms,
}

/// The versions of a plan that matter to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The one that it goes by.
    pub used: Version,
    /// The newest that counts for running periods, too.
    pub at_once: Option<Version>,
    /// The newest.
    pub newest: Version,
    /// The newest of the plan that it changes to with the next period.
    pub next: Option<Version>,
}

impl Versions {
    /// What the next period goes by.
    pub fn coming(&self) -> &Version {
        self.next.as_ref().unwrap_or(&self.newest)
    }
}
