//! A subscription with the names that people know it by, and the grants that come of its steps.
//!
//! What must hold: a grant's identifier follows from what it is for, so that none could be kept twice.

use super::plan::{OVERDRAFT_PRIORITY, PRIORITY, Terms};
use super::subscription::{InvalidTransition, Step, Subscription, TermsChange, Transition};
use super::time::at;
use super::{AccountNo, Draw, Grant, GrantId, GrantNo};
use crate::api;
use faregate_protocol::Credits;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Who initiates a step, if not time alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Initiator<'a> {
    /// The name of the plan that it is about.
    pub plan: Option<&'a str>,
    /// What tells it apart from other changes.
    pub change: &'a str,
}

/// What came of steps.
#[derive(Clone, Debug, Default)]
pub struct StepOutcome {
    /// What was given.
    pub given: Vec<Credits>,
    /// Whether leases must come back, because something was taken away.
    pub recall: bool,
}

impl StepOutcome {
    /// Adds what came of another.
    pub fn join(&mut self, other: Self) {
        self.given.extend(other.given);
        self.recall |= other.recall;
    }
}

/// A subscription with its place.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Its number.
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

impl Subscribed {
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
            status: subscription.status(),
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
    pub fn turn(
        &mut self,
        turn: Transition,
        coming: &Terms,
        now: Timestamp,
    ) -> Result<(), InvalidTransition> {
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
    pub fn planned_grants(
        &self,
        step: &Step,
        lapsed: Credits,
        overdraft: Credits,
        change: &str,
    ) -> Vec<PlannedGrant> {
        let (plan, end) = (&self.plan_name, self.subscription.granted_until);
        let plan_grant = |what: &str, start: Timestamp, priority: u16, amount: Credits| {
            let id = named(&format!("{} {} {what}", self.id, start.as_millisecond()));
            let expires_at = Some(at(end.as_millisecond()));
            let kind = if priority == OVERDRAFT_PRIORITY { "overdraft" } else { "plan" };
            let grant = Grant { priority, expires_at, remaining: amount, of_plan: true, ..Grant::default() };
            PlannedGrant { id, grant, source: format!("{kind}:{plan}") }
        };
        let mut grants = match step {
            Step::Renew(renewal) | Step::Restart(renewal) => {
                let start = renewal.start;
                vec![
                    plan_grant(&format!("rollover{change}"), start, PRIORITY, renewal.rollover(lapsed)),
                    plan_grant(&format!("quota{change}"), start, PRIORITY, renewal.quota),
                    plan_grant(&format!("overdraft{change}"), start, OVERDRAFT_PRIORITY, renewal.overdraft),
                ]
            }
            Step::Alter(TermsChange { version, more, overdraft: most, .. }) => {
                let start = self.subscription.period_start.unwrap_or(end);
                let what = format!("version {version} of {plan}{change}");
                let beyond = most.less(overdraft);
                vec![
                    plan_grant(&what, start, PRIORITY, *more),
                    plan_grant(&format!("overdraft, {what}"), start, OVERDRAFT_PRIORITY, beyond),
                ]
            }
            Step::Rest | Step::Stop | Step::End(_) | Step::Next(_) => Vec::new(),
        };
        grants.retain(|planned| planned.grant.remaining.is_positive());
        grants
    }
}

/// A grant to be given.
#[derive(Clone, Debug)]
pub struct PlannedGrant {
    /// Its identifier.
    pub id: GrantId,
    /// How much, until when.
    pub grant: Grant,
    /// Where it comes from.
    pub source: String,
}

/// The most grants that are looked at for what was overdrawn.
pub const OVERDRAFTS: usize = 20;

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

/// What was actually spent, without leased credits.
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
