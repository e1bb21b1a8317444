//! Plans and their versions.

use super::{count, done};
use crate::api;
use crate::domain::PlanNo;
use crate::domain::plan::{Changes, MAX_PLANS, MAX_VERSIONS, PlanName, Terms, Version, Versions};
use crate::domain::subscription::Subscription;
use crate::store::plans::{StoredTerms, number};
use crate::store::{Refusal, StoreError, queries};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

fn terms(row: &Row<'_>) -> rusqlite::Result<StoredTerms> {
    Ok(StoredTerms {
        quota: row.get("quota")?,
        unit: row.get("unit")?,
        every: row.get("every")?,
        anchor: row.get("anchor")?,
        zone: row.get("zone")?,
        rollover: row.get("rollover")?,
        beyond: row.get("beyond")?,
        overdraft: row.get("overdraft")?,
        rate_milli: row.get("rate_milli")?,
        burst: row.get("burst")?,
        concurrent: row.get("concurrent")?,
        products: row.get("products")?,
        remainder: row.get("remainder")?,
        warn_below: row.get("warn_below")?,
    })
}

/// Makes a plan.
pub fn create(
    conn: &Connection,
    name: &PlanName,
    terms: &Terms,
    now: Timestamp,
) -> Result<api::Plan, StoreError> {
    let plans = conn.query_row("SELECT count(*) AS n FROM plans", [], |row| count(row, "n"))?;
    if i64::try_from(plans).unwrap_or(i64::MAX) >= MAX_PLANS {
        return Err(Refusal::TooMany { what: "plans", limit: MAX_PLANS }.into());
    }
    let made = conn
        .prepare_cached(
            "INSERT INTO plans (name, version, at_once, created_ms) VALUES (?1, 1, 0, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![name.as_str(), now.as_millisecond()])?;
    if made == 0 {
        return Err(Refusal::PlanExists(name.to_string()).into());
    }
    add(conn, PlanNo(conn.last_insert_rowid()), 1, terms, now)?;
    done(queries::plans::one(conn, name.as_str()))
}

/// Makes another version of a plan.
pub fn change(
    conn: &Connection,
    name: &str,
    changes: &Changes,
    at_once: bool,
    now: Timestamp,
) -> Result<api::Plan, StoreError> {
    let (no, newest) = find(conn, name)?;
    if newest.number >= MAX_VERSIONS {
        return Err(Refusal::TooMany { what: "versions of a plan", limit: MAX_VERSIONS.into() }.into());
    }
    let version = newest.number.saturating_add(1);
    add(conn, no, version, &newest.terms.changed(changes)?, now)?;
    conn.prepare_cached(
        "UPDATE plans SET version = ?2, at_once = CASE WHEN ?3 THEN ?2 ELSE at_once END WHERE no = ?1",
    )?
    .execute(params![no.0, version, at_once])?;
    done(queries::plans::one(conn, name))
}

fn add(conn: &Connection, no: PlanNo, version: u32, terms: &Terms, now: Timestamp) -> Result<(), StoreError> {
    let terms = StoredTerms::of(terms)?;
    conn.prepare_cached(
        "INSERT INTO plan_versions (plan, version, quota, unit, every, anchor, zone, rollover, made_ms, beyond,
           overdraft, rate_milli, burst, concurrent, products, remainder, warn_below)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        no.0,
        version,
        terms.quota,
        terms.unit,
        terms.every,
        terms.anchor,
        terms.zone,
        terms.rollover,
        now.as_millisecond(),
        terms.beyond,
        terms.overdraft,
        terms.rate_milli,
        terms.burst,
        terms.concurrent,
        terms.products,
        terms.remainder,
        terms.warn_below,
    ])?;
    Ok(())
}

/// A plan's row, and its newest version.
pub fn find(conn: &Connection, name: &str) -> Result<(PlanNo, Version), StoreError> {
    let mut find = conn.prepare_cached("SELECT no, version FROM plans WHERE name = ?1")?;
    let found = find.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (no, newest) = found.ok_or_else(|| missing(name))?;
    Ok((PlanNo(no), version(conn, PlanNo(no), newest)?))
}

fn version(conn: &Connection, no: PlanNo, version: i64) -> Result<Version, StoreError> {
    let sql = "SELECT * FROM plan_versions WHERE plan = ?1 AND version = ?2";
    let found = conn.prepare_cached(sql)?.query_row([no.0, version], terms)?;
    Ok(Version { number: number(version), terms: found.read()? })
}

/// The versions that matter to a subscription.
pub fn versions(conn: &Connection, subscription: &Subscription) -> Result<Versions, StoreError> {
    let mut find = conn.prepare_cached("SELECT version, at_once FROM plans WHERE no = ?1")?;
    let mut newest = |no: PlanNo| -> rusqlite::Result<(i64, i64)> {
        find.query_row([no.0], |row| Ok((row.get(0)?, row.get(1)?)))
    };
    let no = subscription.plan;
    let (last, at_once) = newest(no)?;
    let next = subscription.next_plan.map(|next| version(conn, next, newest(next)?.0));
    Ok(Versions {
        used: version(conn, no, subscription.version.into())?,
        at_once: if at_once > 0 { Some(version(conn, no, at_once)?) } else { None },
        newest: version(conn, no, last)?,
        next: next.transpose()?,
    })
}

fn missing(name: &str) -> StoreError {
    Refusal::NotFound { what: "plan", id: name.to_owned() }.into()
}
