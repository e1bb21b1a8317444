//! Plans and their versions.

use super::{count, lists};
use crate::api;
use crate::domain::plan::{Changes, MAX_PLANS, MAX_VERSIONS, PlanName, Terms, Version, Versions};
use crate::store::plans::{StoredTerms, number, shown};
use crate::store::{Page, Refusal, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const PLAN: &str =
    "SELECT p.name, v.version, v.made_ms, v.quota, v.unit, v.every, v.anchor, v.zone, v.rollover
    FROM plans p JOIN plan_versions v ON v.plan = p.no AND v.version = p.version ";

type Found = (String, i64, i64, StoredTerms);

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok((row.get("name")?, row.get("version")?, row.get("made_ms")?, terms(row)?))
}

fn terms(row: &Row<'_>) -> rusqlite::Result<StoredTerms> {
    Ok(StoredTerms {
        quota: row.get("quota")?,
        unit: row.get("unit")?,
        every: row.get("every")?,
        anchor: row.get("anchor")?,
        zone: row.get("zone")?,
        rollover: row.get("rollover")?,
    })
}

fn show((name, version, made_ms, terms): Found) -> Result<api::Plan, StoreError> {
    Ok(shown(name, version, &terms.read()?, made_ms))
}

/// A plan's newest version.
pub fn plan(conn: &Connection, name: &str) -> Result<api::Plan, StoreError> {
    let sql = [PLAN, "WHERE p.name = ?1"].concat();
    let found = conn.prepare_cached(&sql)?.query_row([name], read).optional()?;
    show(found.ok_or_else(|| missing(name))?)
}

/// A page of the plans, by name.
pub fn page(conn: &Connection, page: &Page) -> Result<api::Plans, StoreError> {
    let sql = [PLAN, "WHERE p.name > ?1 ORDER BY p.name LIMIT ?2"].concat();
    let after = page.after.as_deref().unwrap_or("");
    let found = lists::rows(conn, &sql, params![after, page.rows()], read)?;
    let mut plans = found.into_iter().map(show).collect::<Result<Vec<_>, _>>()?;
    let next = page.cut(&mut plans).map(|last| last.name.clone());
    Ok(api::Plans { plans, next })
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
    add(conn, conn.last_insert_rowid(), 1, terms, now)?;
    plan(conn, name.as_str())
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
    add(conn, no, version, &newest.terms.changed(changes), now)?;
    conn.prepare_cached(
        "UPDATE plans SET version = ?2, at_once = CASE WHEN ?3 THEN ?2 ELSE at_once END WHERE no = ?1",
    )?
    .execute(params![no, version, at_once])?;
    plan(conn, name)
}

fn add(conn: &Connection, no: i64, version: u32, terms: &Terms, now: Timestamp) -> Result<(), StoreError> {
    let Terms { quota, rhythm, rollover } = terms;
    conn.prepare_cached(
        "INSERT INTO plan_versions (plan, version, quota, unit, every, anchor, zone, rollover, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        no,
        version,
        quota.micros(),
        rhythm.unit.as_str(),
        rhythm.every,
        rhythm.anchor.as_str(),
        rhythm.zone_name(),
        rollover.micros(),
        now.as_millisecond(),
    ])?;
    Ok(())
}

/// A plan's row, and its newest version.
pub fn find(conn: &Connection, name: &str) -> Result<(i64, Version), StoreError> {
    let mut find = conn.prepare_cached("SELECT no, version FROM plans WHERE name = ?1")?;
    let found = find.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (no, newest) = found.ok_or_else(|| missing(name))?;
    Ok((no, version(conn, no, newest)?))
}

fn version(conn: &Connection, no: i64, version: i64) -> Result<Version, StoreError> {
    let sql = "SELECT quota, unit, every, anchor, zone, rollover FROM plan_versions WHERE plan = ?1 AND version = ?2";
    let found = conn.prepare_cached(sql)?.query_row([no, version], terms)?;
    Ok(Version { number: number(version), terms: found.read()? })
}

/// The versions that matter to a subscription which goes by `used`.
pub fn versions(conn: &Connection, no: i64, used: u32) -> Result<Versions, StoreError> {
    let mut find = conn.prepare_cached("SELECT version, at_once FROM plans WHERE no = ?1")?;
    let (newest, at_once): (i64, i64) = find.query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Versions {
        used: version(conn, no, used.into())?,
        at_once: if at_once > 0 { Some(version(conn, no, at_once)?) } else { None },
        newest: version(conn, no, newest)?,
    })
}

fn missing(name: &str) -> StoreError {
    Refusal::NotFound { what: "plan", id: name.to_owned() }.into()
}
