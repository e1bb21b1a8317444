//! A plan: so many credits per period. Its versions never change; a change makes a new one.

use super::AccountId;
use super::period::{Anchor, Rhythm, Unit};
use faregate_protocol::Credits;
use jiff::tz::TimeZone;
use std::fmt;

/// The most plans.
pub const MAX_PLANS: i64 = 1_000;
/// The most versions of one plan.
pub const MAX_VERSIONS: u32 = 10_000;
/// How early what a plan gives is spent: before what was bought, unless that says otherwise.
pub const PRIORITY: u16 = 50;

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

/// What one version of a plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Credits per period; above zero.
    pub quota: Credits,
    /// Its periods.
    pub rhythm: Rhythm,
    /// The most that is taken over into the next period.
    pub rollover: Credits,
}

/// What is to be different; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Credits per period.
    pub quota: Option<Credits>,
    /// What periods are counted in.
    pub unit: Option<Unit>,
    /// So many of these make a period.
    pub every: Option<u16>,
    /// Where periods begin.
    pub anchor: Option<Anchor>,
    /// In which time zone.
    pub zone: Option<TimeZone>,
    /// The most that is taken over.
    pub rollover: Option<Credits>,
}

impl Terms {
    /// The same with some changes.
    pub fn changed(&self, changes: &Changes) -> Self {
        let Self { quota, rhythm: Rhythm { unit, every, anchor, zone }, rollover } = self;
        Self {
            quota: changes.quota.unwrap_or(*quota),
            rhythm: Rhythm {
                unit: changes.unit.unwrap_or(*unit),
                every: changes.every.unwrap_or(*every),
                anchor: changes.anchor.unwrap_or(*anchor),
                zone: changes.zone.as_ref().unwrap_or(zone).clone(),
            },
            rollover: changes.rollover.unwrap_or(*rollover),
        }
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
}
