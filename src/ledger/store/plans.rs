//! What both databases have in common about plans and subscriptions: rows as plain data, and which grants
//! come of a step.

use super::{Refusal, StoreError, at};
use crate::api;
use crate::domain::contract::Contract;
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{PRIORITY, Terms};
use crate::domain::subscription::{State, Step, Subscription, Wrong};
use crate::domain::{AccountNo, Grant, GrantId, GrantNo};
use faregate_protocol::Credits;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// How long a renewal rests that was refused, for instance because the account has too many grants.
pub const AGAIN_MS: i64 = 60_000;
/// The most steps that one subscription takes at once: end, renew and raise never follow each other more often.
pub const STEPS: usize = 4;

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
}

impl StoredTerms {
    /// What it means.
    pub fn read(&self) -> Result<Terms, StoreError> {
        let unknown = |what: &str| StoreError::Backend(format!("a plan's {what} is not known here"));
        let unit = Unit::ALL.into_iter().find(|unit| unit.as_str() == self.unit);
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
        })
    }
}

/// A version of a plan, as the admin API shows it.
pub fn shown(name: String, version: i64, terms: &Terms, made_ms: i64) -> api::Plan {
    let Terms { quota, rhythm, rollover } = terms;
    api::Plan {
        name,
        version: number(version),
        quota: *quota,
        period: rhythm.unit,
        every: rhythm.every,
        anchor: rhythm.anchor,
        time_zone: rhythm.zone_name().to_owned(),
        rollover: *rollover,
        created_at: at(made_ms),
    }
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

/// A subscription with its place.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its row.
    pub no: i64,
    /// Its identifier.
    pub id: String,
    /// Whose.
    pub account: AccountNo,
    /// The same, by name.
    pub account_id: String,
    /// The plan's row.
    pub plan: i64,
    /// The plan's name.
    pub plan_name: String,
    /// The rest.
    pub subscription: Subscription,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Stored {
    /// What the admin API shows.
    pub fn shown(&self) -> api::Subscription {
        let subscription = &self.subscription;
        api::Subscription {
            id: self.id.clone(),
            account: self.account_id.clone(),
            plan: self.plan_name.clone(),
            version: subscription.version,
            state: subscription.state,
            starts_at: subscription.starts_at,
            period_started_at: subscription.period_start,
            period_ends_at: subscription.period_start.map(|_| subscription.granted_until),
            renews_at: subscription.renews_at(),
            ends_at: subscription.ends_at(),
            created_at: self.created_at,
        }
    }

    /// Where its grants come from.
    pub fn source(&self) -> String {
        format!("plan:{}", self.plan_name)
    }

    /// The grants that come of a step. Their identifiers follow from what they are for, so that none could be
    /// kept twice. What was taken over is older than the new quota, and so spent before it.
    pub fn gifts(&self, step: &Step, lapsed: Credits) -> Vec<(GrantId, Grant)> {
        let gift = |what: &str, start: Timestamp, end: Timestamp, amount: Credits| {
            let id = named(&format!("{} {} {what}", self.id, start.as_millisecond()));
            let expires_at = Some(at(end.as_millisecond()));
            (id, Grant { no: GrantNo(0), priority: PRIORITY, expires_at, remaining: amount, of_plan: true })
        };
        let mut gifts = match step {
            Step::Renew(renewal) => vec![
                gift("rollover", renewal.start, renewal.end, renewal.rollover(lapsed)),
                gift("quota", renewal.start, renewal.end, renewal.quota),
            ],
            Step::Raise { version, more, .. } => {
                let Subscription { period_start, granted_until, .. } = self.subscription;
                let start = period_start.unwrap_or(granted_until);
                vec![gift(&format!("version {version}"), start, granted_until, *more)]
            }
            Step::Rest | Step::End(_) => Vec::new(),
        };
        gifts.retain(|(_, grant)| grant.remaining.is_positive());
        gifts
    }
}

fn named(what: &str) -> GrantId {
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(Sha256::digest(what)) {
        *byte = hashed;
    }
    GrantId::generated(uuid::Uuid::from_bytes(bytes))
}

/// A state by its name; the column's CHECK allows no other than these.
pub fn state_of(name: &str) -> State {
    State::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(State::Expired)
}

/// A time that must lie ahead, in milliseconds.
pub fn ahead(field: &'static str, time: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    let time = at(time.as_millisecond());
    if time > now {
        return Ok(time);
    }
    let why = format!("{time} is past; choose a time in the future");
    Err(Refusal::Field { field, why })
}

impl From<Wrong> for StoreError {
    fn from(wrong: Wrong) -> Self {
        Self::Refused(Refusal::Subscription(wrong))
    }
}
