//! Plans and their versions.

use super::named;
use super::trouble::Trouble;
use crate::api;
use crate::domain::PlanNo;
use crate::domain::plan::{Changes, MAX_PLANS, MAX_VERSIONS, PlanName, Terms, Version, Versions};
use crate::domain::subscription::Subscription;
use crate::store::plans::{StoredTerms, number};
use crate::store::{Refusal, StoreError, queries};
use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

fn terms(row: &Row) -> Result<StoredTerms, Error> {
    Ok(StoredTerms {
        quota: row.try_get(0)?,
        unit: row.try_get(1)?,
        every: row.try_get(2)?,
        anchor: row.try_get(3)?,
        zone: row.try_get(4)?,
        rollover: row.try_get(5)?,
        beyond: row.try_get(6)?,
        overdraft: row.try_get(7)?,
        rate_milli: row.try_get(8)?,
        burst: row.try_get(9)?,
        concurrent: row.try_get(10)?,
        products: row.try_get(11)?,
        remainder: row.try_get(12)?,
        warn_below: row.try_get(13)?,
    })
}

/// Makes a plan.
pub async fn create(
    conn: &Client,
    name: &PlanName,
    terms: &Terms,
    now: Timestamp,
) -> Result<api::Plan, Trouble> {
    let plans: i64 = conn.query_one("SELECT count(*) FROM plans", &[]).await?.try_get(0)?;
    if plans >= MAX_PLANS {
        return Err(Refusal::TooMany { what: "plans", limit: MAX_PLANS }.into());
    }
    let make = "INSERT INTO plans (name, version, at_once, created_ms) VALUES ($1, 1, 0, $2)
        ON CONFLICT DO NOTHING RETURNING no";
    let made = conn.query_opt(make, &[&name.as_str(), &now.as_millisecond()]).await?;
    let made = made.ok_or_else(|| Refusal::PlanExists(name.to_string()))?;
    add(conn, PlanNo(made.try_get(0)?), 1, terms, now).await?;
    Ok(queries::plans::one(conn, name.as_str()).await?)
}

/// Makes another version of a plan.
pub async fn change(
    conn: &Client,
    name: &str,
    changes: &Changes,
    at_once: bool,
    now: Timestamp,
) -> Result<api::Plan, Trouble> {
    // Two changes at once make two versions, one after the other.
    let lock = "SELECT no FROM plans WHERE name = $1 FOR UPDATE";
    conn.query_opt(lock, &[&named(name)]).await?;
    let (no, newest) = find(conn, name).await?;
    if newest.number >= MAX_VERSIONS {
        return Err(Refusal::TooMany { what: "versions of a plan", limit: MAX_VERSIONS.into() }.into());
    }
    let version = newest.number.saturating_add(1);
    add(conn, no, version, &newest.terms.changed(changes).map_err(StoreError::from)?, now).await?;
    let point =
        "UPDATE plans SET version = $2, at_once = CASE WHEN $3 THEN $2 ELSE at_once END WHERE no = $1";
    conn.execute(point, &[&no.0, &i64::from(version), &at_once]).await?;
    Ok(queries::plans::one(conn, name).await?)
}

async fn add(conn: &Client, no: PlanNo, version: u32, terms: &Terms, now: Timestamp) -> Result<(), Trouble> {
    let terms = StoredTerms::of(terms)?;
    let add = "INSERT INTO plan_versions (plan, version, quota, unit, every, anchor, zone, rollover, made_ms, beyond,
          overdraft, rate_milli, burst, concurrent, products, remainder, warn_below)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let row: [&(dyn ToSql + Sync); 17] = [
        &no.0,
        &i64::from(version),
        &terms.quota,
        &terms.unit,
        &terms.every,
        &terms.anchor,
        &terms.zone,
        &terms.rollover,
        &now.as_millisecond(),
        &terms.beyond,
        &terms.overdraft,
        &terms.rate_milli,
        &terms.burst,
        &terms.concurrent,
        &terms.products,
        &terms.remainder,
        &terms.warn_below,
    ];
    conn.execute(add, &row).await?;
    Ok(())
}

/// A plan's row, and its newest version.
pub async fn find(conn: &Client, name: &str) -> Result<(PlanNo, Version), Trouble> {
    let find = conn.prepare_cached("SELECT no, version FROM plans WHERE name = $1").await?;
    let row = conn.query_opt(&find, &[&named(name)]).await?.ok_or_else(|| missing(name))?;
    let no = PlanNo(row.try_get(0)?);
    Ok((no, version(conn, no, row.try_get(1)?).await?))
}

async fn version(conn: &Client, no: PlanNo, version: i64) -> Result<Version, Trouble> {
    let sql =
        "SELECT quota, unit, every, anchor, zone, rollover, beyond, overdraft, rate_milli, burst, concurrent,
          products, remainder, warn_below FROM plan_versions WHERE plan = $1 AND version = $2";
    let found = conn.query_one(&conn.prepare_cached(sql).await?, &[&no.0, &version]).await?;
    Ok(Version { number: number(version), terms: terms(&found)?.read()? })
}

/// The versions that matter to a subscription.
pub async fn versions(conn: &Client, subscription: &Subscription) -> Result<Versions, Trouble> {
    let no = subscription.plan;
    let (last, at_once) = newest(conn, no).await?;
    let next = match subscription.next_plan {
        Some(next) => Some(version(conn, next, newest(conn, next).await?.0).await?),
        None => None,
    };
    Ok(Versions {
        used: version(conn, no, subscription.version.into()).await?,
        at_once: if at_once > 0 { Some(version(conn, no, at_once).await?) } else { None },
        newest: version(conn, no, last).await?,
        next,
    })
}

/// The numbers of a plan's newest version, and of the newest that counts for running periods, too.
async fn newest(conn: &Client, no: PlanNo) -> Result<(i64, i64), Trouble> {
    let find = conn.prepare_cached("SELECT version, at_once FROM plans WHERE no = $1").await?;
    let row = conn.query_one(&find, &[&no.0]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn missing(name: &str) -> Trouble {
    Refusal::NotFound { what: "plan", id: name.to_owned() }.into()
}
