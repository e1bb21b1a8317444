//! Subscriptions: made, turned by operators, and renewed when their time has come.

use super::{Work, accounts, at, commands, leases, maybe_time, money, plans, time};
use crate::api;
use crate::domain::plan::Versions;
use crate::domain::subscription::{State, Step, Subscription, Turn};
use crate::domain::{AccountState, GatewayNo, KeyNo};
use crate::store::plans::{AGAIN_MS, Renewed, STEPS, Stored, ahead, number, state_of};
use crate::store::{Refusal, StoreError, upkeep::RENEWALS};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const SUBSCRIPTION: &str = "SELECT s.*, a.id AS account_id, p.name AS plan_name FROM subscriptions s
    JOIN accounts a ON a.no = s.account JOIN plans p ON p.no = s.plan ";

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let subscription = Subscription {
        state: state_of(&row.get::<_, String>("state")?),
        starts_at: time(row, "starts_ms")?,
        anchor: time(row, "anchor_ms")?,
        until: maybe_time(row, "until_ms")?,
        cancels_at: maybe_time(row, "cancels_ms")?,
        version: number(row.get("version")?),
        period_start: maybe_time(row, "period_ms")?,
        granted_until: time(row, "granted_ms")?,
        given: super::credits(row, "given")?,
    };
    Ok(Stored {
        no: row.get("no")?,
        id: row.get("id")?,
        account: crate::domain::AccountNo(row.get("account")?),
        account_id: row.get("account_id")?,
        plan: row.get("plan")?,
        plan_name: row.get("plan_name")?,
        subscription,
        created_at: time(row, "created_ms")?,
    })
}

/// An account's newest subscription.
fn newest(conn: &Connection, account: &str) -> Result<Stored, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let sql = [SUBSCRIPTION, "WHERE s.account = ?1 ORDER BY s.no DESC LIMIT 1"].concat();
    let found = conn.prepare_cached(&sql)?.query_row([owner.no.0], read).optional()?;
    found.ok_or_else(|| Refusal::NotFound { what: "subscription of account", id: account.to_owned() }.into())
}

/// An account's newest subscription, as the admin API shows it.
pub fn show(conn: &Connection, account: &str) -> Result<api::Subscription, StoreError> {
    Ok(newest(conn, account)?.shown())
}

/// Subscribes an account to a plan; the present period's quota is there at once.
pub fn subscribe(
    conn: &Connection,
    account: &str,
    id: &str,
    asked: &api::NewSubscription,
    now: Timestamp,
) -> Result<api::Subscription, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    if let Some(plan) = owner.plan {
        return Err(Refusal::Subscribed { account: account.to_owned(), plan }.into());
    }
    let (plan, version) = plans::find(conn, &asked.plan)?;
    let starts_at = at(asked.starts_at.unwrap_or(now).as_millisecond());
    let trial = asked.trial_ends_at.map(|end| ahead("trial_ends_at", end, now.max(starts_at))).transpose()?;
    let subscription = Subscription::new(&version, starts_at, trial, now);
    conn.prepare_cached(
        "INSERT INTO subscriptions (id, account, plan, version, state, starts_ms, anchor_ms, granted_ms, given, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 0, ?8)",
    )?
    .execute(params![
        id,
        owner.no.0,
        plan,
        version.number,
        subscription.state.as_str(),
        starts_at.as_millisecond(),
        subscription.granted_until.as_millisecond(),
        now.as_millisecond()
    ])?;
    let mut stored = newest(conn, account)?;
    stored.subscription = subscription;
    set_plan(conn, &stored, Some(&asked.plan), now)?;
    advance(conn, &mut stored, now)?;
    Ok(stored.shown())
}

/// Does what an operator asks, and what is due then.
pub fn turn(
    conn: &Connection,
    account: &str,
    turn: Turn,
    now: Timestamp,
) -> Result<api::Subscription, StoreError> {
    let mut stored = newest(conn, account)?;
    let turn = match turn {
        Turn::PastDue(until) => Turn::PastDue(ahead("grace_until", until, now)?),
        other => other,
    };
    let versions = plans::versions(conn, stored.plan, stored.subscription.version)?;
    stored.subscription.turn(turn, &versions.newest.terms, now)?;
    advance(conn, &mut stored, now)?;
    Ok(stored.shown())
}

/// Does all that is due, and keeps what has changed. Tells what was given.
fn advance(conn: &Connection, stored: &mut Stored, now: Timestamp) -> Result<Vec<Credits>, StoreError> {
    let mut given = Vec::new();
    for _ in 0..STEPS {
        let versions = plans::versions(conn, stored.plan, stored.subscription.version)?;
        let step = due(conn, stored, &versions, now)?;
        let lapsed = match &step {
            Step::Rest => break,
            Step::End(_) => {
                end(conn, stored, now)?;
                Credits::ZERO
            }
            Step::Renew(_) => {
                money::expire(conn, stored.account, now)?;
                lapsed(conn, stored)?
            }
            Step::Raise { .. } => Credits::ZERO,
        };
        for (id, grant) in stored.gifts(&step, lapsed) {
            commands::give(conn, &stored.account_id, &id, &grant, [None, Some(stored.source())], now)?;
            conn.prepare_cached("UPDATE grants SET subscription = ?2 WHERE id = ?1")?
                .execute(params![id.as_str(), stored.no])?;
            given.push(grant.remaining);
        }
        stored.subscription.apply(&step);
    }
    keep(conn, stored)?;
    Ok(given)
}

fn due(conn: &Connection, stored: &Stored, versions: &Versions, now: Timestamp) -> Result<Step, StoreError> {
    let closed = accounts::by_no(conn, stored.account)?.state == AccountState::Closed;
    let over = stored.subscription.state.is_over();
    Ok(if closed && !over { Step::End(State::Cancelled) } else { stored.subscription.due(versions, now) })
}

/// What has lapsed of what was given for the last period.
fn lapsed(conn: &Connection, stored: &Stored) -> Result<Credits, StoreError> {
    let sum = conn
        .prepare_cached(
            "SELECT coalesce(sum(e.amount), 0) FROM grants g JOIN entries e ON e.account = g.account
               AND e.minute >= g.expires_ms / 60000 AND e.kind = 7 AND e.grant_no = g.no
             WHERE g.subscription = ?1 AND g.expires_ms = ?2",
        )?
        .query_row(params![stored.no, stored.subscription.granted_until.as_millisecond()], |row| {
            row.get(0)
        })?;
    Ok(Credits::from_micros(sum))
}

/// Takes back what it gave.
fn end(conn: &Connection, stored: &Stored, now: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE grants SET expires_ms = ?2 WHERE subscription = ?1 AND expires_ms > ?2")?
        .execute(params![stored.no, now.as_millisecond()])?;
    money::expire(conn, stored.account, now)?;
    set_plan(conn, stored, None, now)
}

/// Notes the plan's name where exchanges find it, and lets gateways know.
fn set_plan(
    conn: &Connection,
    stored: &Stored,
    plan: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE accounts SET plan = ?2 WHERE no = ?1")?
        .execute(params![stored.account.0, plan])?;
    leases::announce(conn, stored.account, KeyNo(0), GatewayNo(0), now)
}

fn keep(conn: &Connection, stored: &Stored) -> Result<(), StoreError> {
    let subscription = &stored.subscription;
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    conn.prepare_cached(
        "UPDATE subscriptions SET version = ?2, state = ?3, anchor_ms = ?4, until_ms = ?5, cancels_ms = ?6,
           period_ms = ?7, granted_ms = ?8, given = ?9, due_ms = ?10 WHERE no = ?1",
    )?
    .execute(params![
        stored.no,
        subscription.version,
        subscription.state.as_str(),
        subscription.anchor.as_millisecond(),
        ms(subscription.until),
        ms(subscription.cancels_at),
        ms(subscription.period_start),
        subscription.granted_until.as_millisecond(),
        subscription.given.micros(),
        ms(subscription.next_due()),
    ])?;
    Ok(())
}

/// Renews what is due. One that is refused leaves the others alone, and rests for a while.
pub fn renew(work: &Work<'_>, now: Timestamp) -> Result<Renewed, StoreError> {
    let conn = work.conn;
    let rows = i64::try_from(RENEWALS).unwrap_or(i64::MAX);
    let due: Vec<i64> = conn
        .prepare_cached(DUE)?
        .query_map(params![now.as_millisecond(), rows], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut renewed = Renewed { subscriptions: due.len(), grants: Vec::new() };
    let sql = [SUBSCRIPTION, "WHERE s.no = ?1"].concat();
    for no in due {
        let mut stored = conn.prepare_cached(&sql)?.query_row([no], read)?;
        conn.prepare_cached("SAVEPOINT renewal")?.execute([])?;
        match advance(conn, &mut stored, now) {
            Ok(given) => renewed.grants.extend(given),
            Err(StoreError::Refused(why)) => {
                tracing::warn!(account = stored.account_id, %why, "a subscription could not renew");
                conn.prepare_cached("ROLLBACK TO renewal")?.execute([])?;
                rest(conn, &stored, now)?;
            }
            Err(error) => return Err(error),
        }
        conn.prepare_cached("RELEASE renewal")?.execute([])?;
    }
    Ok(renewed)
}

const DUE: &str = "SELECT no FROM (SELECT no FROM subscriptions WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2)
    UNION SELECT no FROM (SELECT s.no FROM plans p JOIN subscriptions s ON s.plan = p.no
      WHERE p.at_once > 1 AND s.version < p.at_once AND s.due_ms IS NOT NULL AND s.period_ms IS NOT NULL
        AND s.state <> 'paused' LIMIT ?2)";

/// Puts off what is due. What a version was to give at once is given up.
fn rest(conn: &Connection, stored: &Stored, now: Timestamp) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE subscriptions SET due_ms = ?2, version = max(version, (SELECT at_once FROM plans WHERE no = plan))
         WHERE no = ?1",
    )?
    .execute(params![stored.no, now.as_millisecond().saturating_add(AGAIN_MS)])?;
    Ok(())
}
