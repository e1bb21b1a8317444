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
    let name = name.to_string();
    let row = PlanRow { no, name: name.clone(), version: 1, at_once: 0, created_at: now, archived_at: None };
    draft.put(row);
    draft.put(VersionRow::of(no, 1, terms.clone(), now));
    Ok(plan_words::shown(name, 1, terms, now))
}

/// Archives a plan without running subscriptions, or takes it out of the archive.
pub fn archive(draft: &mut Draft, name: &str, archived: bool, now: Timestamp) -> Result<api::Plan, Stop> {
    let no = draft.plan_named(name)?;
    let mut plan = draft.plan_to_change(no)?.ok_or_else(|| gone("plan"))?;
    let newest = draft.version(no, plan.version)?.ok_or_else(|| gone("version of a plan"))?;
    if archived && plan.archived_at.is_none() && is_in_use(draft, no)? {
        return Err(Refusal::PlanInUse(name.to_owned()).into());
    }
    plan.archived_at = archived.then(|| plan.archived_at.unwrap_or(now));
    let terms = newest.read_as().terms;
    let shown = plan_words::shown(plan.name.clone(), plan.version, &terms, newest.created_at);
    let shown = api::Plan { archived_at: plan.archived_at, ..shown };
    draft.put(plan);
    Ok(shown)
}

/// Whether a subscription that isn't over goes by a plan, or will.
fn is_in_use(draft: &mut Draft, no: PlanNo) -> Result<bool, Stop> {
    let running = draft.running(&(no,)).map(|mut rows| rows.next().is_some());
    let coming = draft.coming(&(no,)).map(|mut rows| rows.next().is_some());
    Ok(running? || coming?)
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
    let shown = api::Plan { archived_at: plan.archived_at, ..shown };
    draft.put(VersionRow::of(no, plan.version, terms, now));
    draft.put(plan);
    Ok(shown)
}

/// A plan that takes subscriptions, and its newest version.
pub fn newest(draft: &mut Draft, name: &str) -> Result<(PlanRow, Version), Stop> {
    let no = draft.plan_named(name)?;
    let plan = row(draft, no)?;
    if plan.archived_at.is_some() {
        let why = format!("the plan {name:?} is archived; choose another one, or take it out of the archive");
        return Err(Refusal::Field { field: "plan", why }.into());
    }
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
