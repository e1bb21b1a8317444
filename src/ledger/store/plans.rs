//! What both databases have in common about plans and subscriptions: rows as plain data, and which grants
//! come of a step.

use super::{StoreError, at};
use crate::api;
pub use crate::command::steps::{AGAIN_MS, STEPS, TAKE_BACK_MS};
pub use crate::command::times::ahead;
use crate::domain::contract::{Beyond, Contract, Remainder};
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{Terms, usual_burst};
use crate::domain::plan_words;
pub use crate::domain::subscribed::{
    Initiator as By, Overdraft, StepOutcome as Taken, Subscribed as Stored, without_leases,
};
use crate::domain::subscription::State;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Rate};

/// The most grants that are looked at for what was overdrawn.
pub const OVERDRAFTS: i64 = 20;

/// What renewing a batch has done.
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// How many subscriptions were looked at.
    pub subscriptions: usize,
    /// What was given.
    pub grants: Vec<Credits>,
}

/// A version as it is stored.
#[derive(Clone, Debug)]
pub struct StoredTerms {
    /// Credits per period.
    pub quota: i64,
    /// What periods are counted in.
    pub unit: String,
    /// So many of these.
    pub every: i64,
    /// Where periods begin.
    pub anchor: String,
    /// In which time zone.
    pub zone: String,
    /// The most that is taken over.
    pub rollover: i64,
    /// What pays when the quota is used up.
    pub beyond: String,
    /// The most that may be overdrawn.
    pub overdraft: i64,
    /// Thousandths of a request per second.
    pub rate_milli: Option<i64>,
    /// How many requests at once after a pause.
    pub burst: Option<i64>,
    /// How many requests at the same time.
    pub concurrent: Option<i64>,
    /// Which products are included, as JSON.
    pub products: Option<String>,
    /// Whose is what a gateway that died had not reported.
    pub remainder: String,
    /// Below how much callers are to be warned.
    pub warn_below: Option<i64>,
}

impl StoredTerms {
    /// What is stored of them.
    pub fn of(terms: &Terms) -> Result<Self, StoreError> {
        let Terms { quota, rhythm, rollover, beyond, overdraft, limits, products, remainder, warn_below } =
            terms;
        let products = products.as_ref().map(serde_json::to_string).transpose();
        Ok(Self {
            quota: quota.micros(),
            unit: rhythm.unit.as_str().to_owned(),
            every: rhythm.every.into(),
            anchor: rhythm.anchor.as_str().to_owned(),
            zone: rhythm.zone_name().to_owned(),
            rollover: rollover.micros(),
            beyond: beyond.as_str().to_owned(),
            overdraft: overdraft.micros(),
            rate_milli: limits.rate.map(|rate| rate.milli_per_s.into()),
            burst: limits.rate.map(|rate| rate.burst.into()),
            concurrent: limits.concurrent.map(Into::into),
            products: products.map_err(|error| StoreError::Backend(error.to_string()))?,
            remainder: remainder.as_str().to_owned(),
            warn_below: warn_below.map(Credits::micros),
        })
    }

    /// What it means.
    pub fn read(&self) -> Result<Terms, StoreError> {
        let unknown = |what: &str| StoreError::Backend(format!("a plan's {what} is not known here"));
        let unit = Unit::ALL.into_iter().find(|unit| unit.as_str() == self.unit);
        let beyond = Beyond::ALL.into_iter().find(|beyond| beyond.as_str() == self.beyond);
        let remainder = Remainder::ALL.into_iter().find(|whose| whose.as_str() == self.remainder);
        let products = self.products.as_deref().map(serde_json::from_str).transpose();
        Ok(Terms {
            quota: Credits::from_micros(self.quota),
            rhythm: Rhythm {
                unit: unit.ok_or_else(|| unknown("period"))?,
                every: u16::try_from(self.every).map_err(|_| unknown("number of units"))?,
                anchor: if self.anchor == Anchor::Calendar.as_str() {
                    Anchor::Calendar
                } else {
                    Anchor::Start
                },
                zone: period::zone(&self.zone).ok_or_else(|| unknown("time zone"))?,
            },
            rollover: Credits::from_micros(self.rollover),
            beyond: beyond.ok_or_else(|| unknown("beyond"))?,
            overdraft: Credits::from_micros(self.overdraft),
            limits: Limits {
                rate: self.rate_milli.map(|milli| {
                    let milli_per_s = number(milli);
                    Rate { milli_per_s, burst: self.burst.map_or_else(|| usual_burst(milli_per_s), number) }
                }),
                concurrent: self.concurrent.map(number),
            },
            products: products.map_err(|_| unknown("list of products"))?,
            remainder: remainder.ok_or_else(|| unknown("remainder"))?,
            warn_below: self.warn_below.map(Credits::from_micros),
        })
    }
}

/// A version of a plan, as the admin API shows it.
pub fn shown(name: String, version: i64, terms: &Terms, made_ms: i64) -> api::Plan {
    plan_words::shown(name, number(version), terms, at(made_ms))
}

/// A contract for storing it.
pub fn contract_text(contract: Option<&Contract>) -> Result<Option<String>, StoreError> {
    let text = contract.map(serde_json::to_string).transpose();
    text.map_err(|error| StoreError::Backend(error.to_string()))
}

/// A contract as it is stored; one that can't be read is none.
pub fn contract(stored: Option<String>) -> Option<Contract> {
    stored.and_then(|json| serde_json::from_str(&json).ok())
}

/// The products that a key is limited to, as they are stored. What can't be read allows none.
pub fn products(stored: Option<String>) -> Option<Vec<String>> {
    stored.map(|json| serde_json::from_str(&json).unwrap_or_default())
}

/// The same, to be stored.
pub fn stored_products(products: Option<&[String]>) -> Option<String> {
    products.map(|products| serde_json::Value::from(products).to_string())
}

/// A version's number; the columns never hold another.
pub fn number(version: i64) -> u32 {
    u32::try_from(version).unwrap_or(u32::MAX)
}

/// A state by its name; the column's CHECK allows no other than these.
pub fn state_of(name: &str) -> State {
    State::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(State::Expired)
}
