//! What both databases have in common about plans and subscriptions: rows as plain data, and which grants
//! come of a step.

use super::{Refusal, StoreError, at};
use crate::api;
use crate::domain::contract::{Beyond, Contract, Remainder};
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{OVERDRAFT_PRIORITY, PRIORITY, Terms, Unfit, usual_burst};
use crate::domain::subscription::{Alteration, State, Step, Subscription, Turn, Wrong};
use crate::domain::{AccountNo, Draw, Grant, GrantId, GrantNo};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Rate};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// How long a renewal rests that was refused, for instance because the account has too many grants.
pub const AGAIN_MS: i64 = 60_000;
/// The most steps that one subscription takes at once: end, renew and alter never follow each other more often.
pub const STEPS: usize = 4;
/// How soon to look again for what is to be taken back while leases were recalled for it.
pub const TAKE_BACK_MS: i64 = 500;

/// What renewing a batch has done.
#[derive(Clone, Debug, Default)]
pub struct Renewed {
    /// How many subscriptions were looked at.
    pub subscriptions: usize,
    /// What was given.
    pub grants: Vec<Credits>,
}

/// Who has a step taken, when it isn't time alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct By<'a> {
    /// The name of the plan that it is about.
    pub plan: Option<&'a str>,
    /// What tells it apart from other changes.
    pub change: &'a str,
}

/// What came of steps.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// What was given.
    pub given: Vec<Credits>,
    /// Whether leases must come back, because something was taken away.
    pub recall: bool,
}

impl Taken {
    /// Adds what came of another.
    pub fn join(&mut self, other: Self) {
        self.given.extend(other.given);
        self.recall |= other.recall;
    }
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
    /// The plan's name.
    pub plan_name: String,
    /// The name of the plan that it changes to with the next period.
    pub next_name: Option<String>,
    /// The rest.
    pub subscription: Subscription,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Stored {
    /// What the admin API shows.
    pub fn shown(&self, overdrafts: &[Overdraft]) -> api::Subscription {
        let subscription = &self.subscription;
        let of = |wanted: fn(Timestamp, Timestamp) -> bool| {
            let start = subscription.period_start?;
            let ends_at = overdrafts.iter().map(|it| it.ends_at).filter(|end| wanted(*end, start)).max()?;
            let used = overdrafts.iter().filter(|it| it.ends_at == ends_at).map(|it| it.used);
            Some(used.fold(Credits::ZERO, Credits::saturating_add))
        };
        api::Subscription {
            id: self.id.clone(),
            account: self.account_id.clone(),
            plan: self.plan_name.clone(),
            version: subscription.version,
            next_plan: self.next_name.clone(),
            state: subscription.state,
            standing: subscription.standing(),
            starts_at: subscription.starts_at,
            period_started_at: subscription.period_start,
            period_ends_at: subscription.period_start.map(|_| subscription.granted_until),
            renews_at: subscription.renews_at(),
            grace_until: subscription.grace_until(),
            ends_at: subscription.ends_at(),
            overdraft_used: of(|end, start| end > start),
            overdraft_used_before: of(|end, start| end <= start),
            created_at: self.created_at,
        }
    }

    /// Does what an operator asks.
    pub fn turn(&mut self, turn: Turn, coming: &Terms, now: Timestamp) -> Result<(), Wrong> {
        self.subscription.turn(turn, coming, now)?;
        if self.subscription.next_plan.is_none() {
            self.next_name = None;
        }
        Ok(())
    }

    /// Notes that a step was done. `name` is that of the plan which it is about.
    pub fn apply(&mut self, step: &Step, name: Option<&str>) {
        let before = self.subscription.plan;
        self.subscription.apply(step);
        if self.subscription.plan != before {
            let name = name.map(str::to_owned).or_else(|| self.next_name.take());
            self.plan_name = name.unwrap_or_default();
        }
        match step {
            Step::Next(Some(_)) => self.next_name = name.map(str::to_owned),
            _ if self.subscription.next_plan.is_none() => self.next_name = None,
            _ => {}
        }
    }

    /// The grants that come of a step, once it is noted, each with where it comes from. Their identifiers follow
    /// from what they are for, so that none could be kept twice. What was taken over is older than the new quota,
    /// and so spent before it. `overdraft` is what may be overdrawn already; `change` tells an operator's changes apart.
    pub fn gifts(&self, step: &Step, lapsed: Credits, overdraft: Credits, change: &str) -> Vec<Gift> {
        let (plan, end) = (&self.plan_name, self.subscription.granted_until);
        let gift = |what: &str, start: Timestamp, priority: u16, amount: Credits| {
            let id = named(&format!("{} {} {what}", self.id, start.as_millisecond()));
            let expires_at = Some(at(end.as_millisecond()));
            let kind = if priority == OVERDRAFT_PRIORITY { "overdraft" } else { "plan" };
            let grant = Grant { no: GrantNo(0), priority, expires_at, remaining: amount, of_plan: true };
            Gift { id, grant, source: format!("{kind}:{plan}") }
        };
        let mut gifts = match step {
            Step::Renew(renewal) | Step::Restart(renewal) => {
                let start = renewal.start;
                vec![
                    gift(&format!("rollover{change}"), start, PRIORITY, renewal.rollover(lapsed)),
                    gift(&format!("quota{change}"), start, PRIORITY, renewal.quota),
                    gift(&format!("overdraft{change}"), start, OVERDRAFT_PRIORITY, renewal.overdraft),
                ]
            }
            Step::Alter(Alteration { version, more, overdraft: most, .. }) => {
                let start = self.subscription.period_start.unwrap_or(end);
                let what = format!("version {version} of {plan}{change}");
                let beyond = most.less(overdraft);
                vec![
                    gift(&what, start, PRIORITY, *more),
                    gift(&format!("overdraft, {what}"), start, OVERDRAFT_PRIORITY, beyond),
                ]
            }
            Step::Rest | Step::Stop | Step::End(_) | Step::Next(_) => Vec::new(),
        };
        gifts.retain(|gift| gift.grant.remaining.is_positive());
        gifts
    }
}

/// A grant to be given.
#[derive(Clone, Debug)]
pub struct Gift {
    /// Its identifier.
    pub id: GrantId,
    /// How much, until when.
    pub grant: Grant,
    /// Where it comes from.
    pub source: String,
}

/// The most grants that are looked at for what was overdrawn.
pub const OVERDRAFTS: i64 = 20;

/// What has become of a grant that may be overdrawn.
#[derive(Clone, Copy, Debug)]
pub struct Overdraft {
    /// Its row.
    pub grant: GrantNo,
    /// When its period ends.
    pub ends_at: Timestamp,
    /// What was used of it, or is in leases.
    pub used: Credits,
}

/// What was really used, without what is in leases.
pub fn without_leases(mut overdrafts: Vec<Overdraft>, draws: &[Draw]) -> Vec<Overdraft> {
    for overdraft in &mut overdrafts {
        let held = draws.iter().filter(|draw| draw.grant == overdraft.grant);
        overdraft.used = held.fold(overdraft.used, |used, draw| used.less(draw.left));
    }
    overdrafts
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

impl From<Unfit> for StoreError {
    fn from(Unfit { field, why }: Unfit) -> Self {
        Self::Refused(Refusal::Field { field, why })
    }
}

impl From<Wrong> for StoreError {
    fn from(wrong: Wrong) -> Self {
        Self::Refused(Refusal::Subscription(wrong))
    }
}
