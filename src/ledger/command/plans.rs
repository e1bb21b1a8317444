//! Plans and their versions, which never change: a change makes a new one.

use crate::api;
use crate::domain::plan::{Changes, MAX_PLANS, MAX_VERSIONS, PlanName, Terms, Version, Versions};
use crate::domain::subscription::Subscription;
use crate::domain::{PlanNo, plan_words};
use crate::store::draft::{Draft, Stop};
use crate::store::error::{Refusal, StoreError};
use crate::store::record::Record as _;
use crate::store::rows::{PlanRow, VersionRow};
use jiff::Timestamp;

/// Makes a plan.
pub fn create(draft: &mut Draft, name: &PlanName, terms: &Terms, now: Timestamp) -> Result<api::Plan, Stop> {
    let (count, known) = (draft.count_plans(), draft.has_plan(name.as_str()));
    let (count, known) = (count?, known?);
    if count >= MAX_PLANS {
        return Err(Refusal::TooMany { what: "plans", limit: MAX_PLANS }.into());
    }
    if known {
        return Err(Refusal::PlanExists(name.to_string()).into());
    }
    let no = PlanNo(draft.number(PlanRow::TABLE)?);
    draft.put(PlanRow { no, name: name.to_string(), version: 1, at_once: 0, created_at: now });
    draft.put(VersionRow::of(no, 1, terms.clone(), now));
    Ok(plan_words::shown(name.to_string(), 1, terms, now))
}

/// Makes another version of a plan.
pub fn change(
    draft: &mut Draft,
    name: &str,
    changes: &Changes,
    at_once: bool,
    now: Timestamp,
) -> Result<api::Plan, Stop> {
    let no = draft.plan_named(name)?;
    // Two changes at once make two versions, one after the other.
    let mut plan = draft.plan_to_change(no)?.ok_or_else(|| gone("plan"))?;
    let newest = version(draft, no, plan.version)?;
    if newest.number >= MAX_VERSIONS {
        return Err(Refusal::TooMany { what: "versions of a plan", limit: MAX_VERSIONS.into() }.into());
    }
    let terms = newest.terms.changed(changes)?;
    plan.version = newest.number.saturating_add(1);
    if at_once {
        plan.at_once = plan.version;
    }
    let shown = plan_words::shown(plan.name.clone(), plan.version, &terms, now);
    draft.put(VersionRow::of(no, plan.version, terms, now));
    draft.put(plan);
    Ok(shown)
}

/// A plan, and its newest version.
pub fn newest(draft: &mut Draft, name: &str) -> Result<(PlanRow, Version), Stop> {
    let no = draft.plan_named(name)?;
    let plan = row(draft, no)?;
    let newest = version(draft, no, plan.version)?;
    Ok((plan, newest))
}

/// A plan that is referred to.
pub fn row(draft: &mut Draft, no: PlanNo) -> Result<PlanRow, Stop> {
    draft.plan(no)?.ok_or_else(|| gone("plan"))
}

fn version(draft: &mut Draft, plan: PlanNo, number: u32) -> Result<Version, Stop> {
    let found = draft.version(plan, number)?.ok_or_else(|| gone("version of a plan"))?;
    Ok(found.read_as())
}

/// The versions that matter to a subscription.
pub fn versions(draft: &mut Draft, subscription: &Subscription) -> Result<Versions, Stop> {
    let (no, next) = (subscription.plan, subscription.next_plan);
    let plan = row(draft, no);
    let next = next.map(|next| row(draft, next)).transpose();
    let (plan, next) = (plan?, next?);
    // All are asked for before the first that is missing ends this.
    let used = version(draft, no, subscription.version);
    let at_once = Some(plan.at_once).filter(|number| *number > 0);
    let at_once = at_once.map(|number| version(draft, no, number)).transpose();
    let newest = version(draft, no, plan.version);
    let next = next.map(|next| version(draft, next.no, next.version)).transpose();
    Ok(Versions { used: used?, at_once: at_once?, newest: newest?, next: next? })
}

fn gone(what: &str) -> Stop {
    Stop::Failed(StoreError::Backend(format!("a {what} is missing that a subscription goes by")))
}
