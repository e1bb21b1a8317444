//! A plan as the admin API writes it: read into terms, and shown.
//!
//! What must hold: a plan that is shown reads as the same terms again.

use super::period::{self, Rhythm};
use super::plan::{Changes, Edit, InvalidField, PlanName, Terms};
use crate::api::{MAX_EVERY, NewPlan, Plan, PlanChange, PlanProduct};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{MAX_AMOUNT, Product, Rate};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A new plan's name and terms.
pub fn read(plan: NewPlan) -> Result<(PlanName, Terms), InvalidField> {
    let name = PlanName::parse(&plan.name).map_err(|error| InvalidField::new("name", error.to_string()))?;
    let zone = zone(Some(plan.time_zone.as_deref().unwrap_or("UTC")))?;
    let rhythm = Rhythm {
        unit: plan.period,
        every: every(plan.every)?.unwrap_or(1),
        anchor: plan.anchor.unwrap_or_default(),
        zone: zone.unwrap_or(TimeZone::UTC),
    };
    let given = Changes {
        rollover: rollover(plan.rollover)?,
        overage: plan.overage,
        overdraft: plan.overdraft,
        rate: rate(plan.rate_per_second.map_or(Edit::Keep, Edit::Set))?,
        burst: plan.burst.map_or(Edit::Keep, Edit::Set),
        concurrent: plan.concurrent.map_or(Edit::Keep, Edit::Set),
        products: products(plan.products.map_or(Edit::Keep, Edit::Set))?,
        remainder: plan.remainder,
        warn_below: plan.warn_below.map_or(Edit::Keep, Edit::Set),
        alert_below: plan.alert_below.map_or(Edit::Keep, Edit::Set),
        ..Changes::default()
    };
    let quota = quota(Some(plan.quota))?.unwrap_or(plan.quota);
    Ok((name, Terms::plain(quota, rhythm).changed(&given)?))
}

/// What a new version says differently.
pub fn read_change(change: PlanChange) -> Result<Changes, InvalidField> {
    Ok(Changes {
        quota: quota(change.quota)?,
        unit: change.period,
        every: every(change.every)?,
        anchor: change.anchor,
        zone: zone(change.time_zone.as_deref())?,
        rollover: rollover(change.rollover)?,
        overage: change.overage,
        overdraft: change.overdraft,
        rate: rate(change.rate_per_second)?,
        burst: change.burst,
        concurrent: change.concurrent,
        products: products(change.products)?,
        remainder: change.remainder,
        warn_below: credits("warn_below", change.warn_below)?,
        alert_below: credits("alert_below", change.alert_below)?,
    })
}

/// A version of a plan, as the admin API shows it.
pub fn shown(name: String, version: u32, terms: &Terms, created_at: Timestamp) -> Plan {
    let Terms { quota, rhythm, rollover, overage, overdraft, limits, products, remainder, .. } = terms;
    let rate =
        |rate: Rate| Credits::from_micros(i64::from(rate.milli_per_s).saturating_mul(1_000)).to_string();
    Plan {
        name,
        version,
        quota: *quota,
        period: rhythm.unit,
        every: rhythm.every,
        anchor: rhythm.anchor,
        time_zone: rhythm.zone_name().to_owned(),
        rollover: *rollover,
        overage: *overage,
        overdraft: Some(*overdraft).filter(|most| most.is_positive()),
        rate_per_second: limits.rate.map(rate),
        burst: limits.rate.map(|rate| rate.burst),
        concurrent: limits.concurrent,
        products: products.as_ref().map(|all| all.iter().map(PlanProduct::shown).collect()),
        remainder: *remainder,
        warn_below: terms.warn_below,
        alert_below: terms.alert_below,
        created_at,
        archived_at: None,
    }
}

fn quota(given: Option<Credits>) -> Result<Option<Credits>, InvalidField> {
    match given {
        Some(quota) if !quota.is_positive() || quota > MAX_AMOUNT => {
            let why = format!("is {quota}; it must be above zero, and at most {MAX_AMOUNT}");
            Err(InvalidField::new("quota", why))
        }
        fits => Ok(fits),
    }
}

fn rollover(given: Option<Credits>) -> Result<Option<Credits>, InvalidField> {
    match given {
        Some(most) if most > MAX_AMOUNT => {
            Err(InvalidField::new("rollover", format!("is {most}; the most is {MAX_AMOUNT}")))
        }
        fits => Ok(fits),
    }
}

/// How many units make a period.
pub fn every(given: Option<u16>) -> Result<Option<u16>, InvalidField> {
    match given {
        None | Some(1..=MAX_EVERY) => Ok(given),
        Some(found) => {
            Err(InvalidField::new("every", format!("is {found}; a period has 1 to {MAX_EVERY} units")))
        }
    }
}

/// Thousandths of a request per second.
fn rate(given: Edit<String>) -> Result<Edit<u32>, InvalidField> {
    given.try_map(|text| {
        let wrong = |why: &str| InvalidField::new("rate_per_second", format!("is {text:?}: {why}"));
        let rate = Credits::parse(&text).map_err(|error| wrong(&error.to_string()))?.micros();
        if rate % 1_000 != 0 {
            return Err(wrong("at most 3 digits may stand behind the point"));
        }
        Ok(u32::try_from(rate / 1_000).unwrap_or(u32::MAX))
    })
}

fn credits(field: &'static str, given: Edit<String>) -> Result<Edit<Credits>, InvalidField> {
    given.try_map(|text| {
        Credits::parse(&text).map_err(|error| InvalidField::new(field, format!("is {text:?}: {error}")))
    })
}

fn products(given: Edit<Vec<PlanProduct>>) -> Result<Edit<Vec<Product>>, InvalidField> {
    given.try_map(|products| {
        let read = |product: PlanProduct| {
            let name: String = product.name.chars().take(80).collect();
            let why = || format!("{name:?} has both times and price; choose one");
            product.read().ok_or_else(|| InvalidField::new("products", why()))
        };
        products.into_iter().map(read).collect()
    })
}

/// A time zone by its name.
pub fn zone(given: Option<&str>) -> Result<Option<TimeZone>, InvalidField> {
    let Some(name) = given else { return Ok(None) };
    let unknown = || {
        let why =
            format!("{name:?} is no time zone that is known here; use an IANA name such as Europe/Berlin");
        InvalidField::new("time_zone", why)
    };
    period::zone(name).map(Some).ok_or_else(unknown)
}
