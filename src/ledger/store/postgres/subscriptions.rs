//! Subscriptions: made, turned by operators, and advanced when their time has come.
//!
//! What must hold: a subscription is read and written only under its account's lock. So of several ledgers
//! that come to renew it one does, and the others find it done.

use super::commands::give;
use super::keep::{self, Change};
use super::load::{self, Busy};
use super::trouble::Trouble;
use super::{at, micros, named, plans};
use crate::api;
use crate::domain::subscription::{State, Step, Subscription, Turn};
use crate::domain::{AccountNo, AccountState, GatewayNo, KeyNo};
use crate::store::plans::{STEPS, Stored, ahead, number, state_of};
use crate::store::{Refusal, StoreError};
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

const SUBSCRIPTION: &str =
    "SELECT s.no, s.id, s.account, a.id, s.plan, p.name, s.created_ms, s.state, s.starts_ms,
      s.anchor_ms, s.until_ms, s.cancels_ms, s.version, s.period_ms, s.granted_ms, s.given
    FROM subscriptions s JOIN accounts a ON a.no = s.account JOIN plans p ON p.no = s.plan ";

fn read(row: &Row) -> Result<Stored, Error> {
    let maybe = |column| Ok::<_, Error>(row.try_get::<_, Option<i64>>(column)?.map(at));
    Ok(Stored {
        no: row.try_get(0)?,
        id: row.try_get(1)?,
        account: AccountNo(row.try_get(2)?),
        account_id: row.try_get(3)?,
        plan: row.try_get(4)?,
        plan_name: row.try_get(5)?,
        created_at: at(row.try_get(6)?),
        subscription: Subscription {
            state: state_of(row.try_get(7)?),
            starts_at: at(row.try_get(8)?),
            anchor: at(row.try_get(9)?),
            until: maybe(10)?,
            cancels_at: maybe(11)?,
            version: number(row.try_get(12)?),
            period_start: maybe(13)?,
            granted_until: at(row.try_get(14)?),
            given: micros(row, 15)?,
        },
    })
}

/// A subscription by its row.
pub async fn by_no(conn: &Client, no: i64) -> Result<Stored, Trouble> {
    let sql = [SUBSCRIPTION, "WHERE s.no = $1"].concat();
    Ok(read(&conn.query_one(&conn.prepare_cached(&sql).await?, &[&no]).await?)?)
}

/// An account's newest subscription.
async fn newest(conn: &Client, account: &str) -> Result<Stored, Trouble> {
    let owner = conn.query_opt("SELECT no FROM accounts WHERE id = $1", &[&named(account)]).await?;
    let missing = |what| Refusal::NotFound { what, id: account.to_owned() };
    let owner: i64 = owner.ok_or_else(|| missing("account"))?.try_get(0)?;
    let sql = [SUBSCRIPTION, "WHERE s.account = $1 ORDER BY s.no DESC LIMIT 1"].concat();
    let found = conn.query_opt(&conn.prepare_cached(&sql).await?, &[&owner]).await?;
    Ok(read(&found.ok_or_else(|| missing("subscription of account"))?)?)
}

/// An account's newest subscription, as the admin API shows it.
pub async fn show(conn: &Client, account: &str) -> Result<api::Subscription, Trouble> {
    Ok(newest(conn, account).await?.shown())
}

/// Subscribes an account to a plan; the present period's quota is there at once.
pub async fn subscribe(
    conn: &Client,
    account: &str,
    id: &str,
    asked: &api::NewSubscription,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<api::Subscription, Trouble> {
    let missing = || Refusal::NotFound { what: "account", id: account.to_owned() };
    let (owner, sheet) = load::lock_by_id(conn, &named(account)).await?.ok_or_else(missing)?;
    let owner = sheet.money.get(&owner).map(|money| money.account.clone()).ok_or_else(missing)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    if let Some(plan) = owner.plan {
        return Err(Refusal::Subscribed { account: account.to_owned(), plan }.into());
    }
    let (plan, version) = plans::find(conn, &asked.plan).await?;
    let starts_at = at(asked.starts_at.unwrap_or(now).as_millisecond());
    let trial = asked.trial_ends_at.map(|end| ahead("trial_ends_at", end, now.max(starts_at))).transpose()?;
    let subscription = Subscription::new(&version, starts_at, trial, now);
    let make = "INSERT INTO subscriptions (id, account, plan, version, state, starts_ms, anchor_ms, granted_ms, given, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7, 0, $8)";
    let made: [&(dyn ToSql + Sync); 8] = [
        &id,
        &owner.no.0,
        &plan,
        &i64::from(version.number),
        &subscription.state.as_str(),
        &starts_at.as_millisecond(),
        &subscription.granted_until.as_millisecond(),
        &now.as_millisecond(),
    ];
    conn.execute(make, &made).await?;
    let mut stored = newest(conn, account).await?;
    stored.subscription = subscription;
    set_plan(conn, &stored, Some(&asked.plan), changes).await?;
    advance(conn, &mut stored, now, changes).await?;
    Ok(stored.shown())
}

/// Does what an operator asks, and what is due then.
pub async fn turn(
    conn: &Client,
    account: &str,
    turn: Turn,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<api::Subscription, Trouble> {
    load::lock_by_id(conn, &named(account)).await?;
    let mut stored = newest(conn, account).await?;
    let turn = match turn {
        Turn::PastDue(until) => Turn::PastDue(ahead("grace_until", until, now)?),
        other => other,
    };
    let versions = plans::versions(conn, stored.plan, stored.subscription.version).await?;
    stored.subscription.turn(turn, &versions.newest.terms, now).map_err(StoreError::from)?;
    advance(conn, &mut stored, now, changes).await?;
    Ok(stored.shown())
}

/// Does all that is due, and keeps what has changed. Tells what was given. The account is locked.
pub async fn advance(
    conn: &Client,
    stored: &mut Stored,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<Vec<Credits>, Trouble> {
    let mut given = Vec::new();
    for _ in 0..STEPS {
        let step = due(conn, stored, now).await?;
        let lapsed = match &step {
            Step::Rest => break,
            Step::End(_) => {
                end(conn, stored, now, changes).await?;
                Credits::ZERO
            }
            Step::Renew(_) => {
                expire(conn, stored.account, now).await?;
                lapsed(conn, stored).await?
            }
            Step::Raise { .. } => Credits::ZERO,
        };
        for (id, grant) in stored.gifts(&step, lapsed) {
            let (amount, source) = (grant.remaining, stored.source());
            give(conn, &stored.account_id, &id, grant, [None, Some(&source)], now).await?;
            let mark = conn.prepare_cached("UPDATE grants SET subscription = $2 WHERE id = $1").await?;
            conn.execute(&mark, &[&id.as_str(), &stored.no]).await?;
            given.push(amount);
        }
        stored.subscription.apply(&step);
    }
    keep(conn, stored).await?;
    Ok(given)
}

async fn due(conn: &Client, stored: &Stored, now: Timestamp) -> Result<Step, Trouble> {
    let state = conn.prepare_cached("SELECT state FROM accounts WHERE no = $1").await?;
    let row = conn.query_one(&state, &[&stored.account.0]).await?;
    let closed = load::state_of(row.try_get(0)?) == AccountState::Closed;
    if closed && !stored.subscription.state.is_over() {
        return Ok(Step::End(State::Cancelled));
    }
    let versions = plans::versions(conn, stored.plan, stored.subscription.version).await?;
    Ok(stored.subscription.due(&versions, now))
}

/// Takes out what remains of the account's grants whose time is over.
async fn expire(conn: &Client, account: AccountNo, now: Timestamp) -> Result<(), Trouble> {
    let accounts = BTreeSet::from([account]);
    let mut sheet = load::lock(conn, &accounts, Busy::Wait).await?;
    load::grants(conn, &mut sheet, &accounts).await?;
    let mut draft = sheet.draft(now);
    draft.expire(account)?;
    let own = draft.finish();
    sheet.accept(own);
    keep::sheet(conn, &sheet).await
}

/// What has lapsed of what was given for the last period.
async fn lapsed(conn: &Client, stored: &Stored) -> Result<Credits, Trouble> {
    let sql =
        "SELECT coalesce(sum(e.amount), 0)::bigint FROM grants g JOIN entries e ON e.account = g.account
          AND e.minute >= g.expires_ms / 60000 AND e.kind = 7 AND e.grant_no = g.no
        WHERE g.subscription = $1 AND g.expires_ms = $2";
    let sum = conn.prepare_cached(sql).await?;
    let until = stored.subscription.granted_until.as_millisecond();
    Ok(micros(&conn.query_one(&sum, &[&stored.no, &until]).await?, 0)?)
}

/// Takes back what it gave.
async fn end(
    conn: &Client,
    stored: &Stored,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), Trouble> {
    let cut = "UPDATE grants SET expires_ms = $2 WHERE subscription = $1 AND expires_ms > $2";
    conn.execute(&conn.prepare_cached(cut).await?, &[&stored.no, &now.as_millisecond()]).await?;
    expire(conn, stored.account, now).await?;
    set_plan(conn, stored, None, changes).await
}

/// Notes the plan's name where exchanges find it, and lets gateways know.
async fn set_plan(
    conn: &Client,
    stored: &Stored,
    plan: Option<&str>,
    changes: &mut Vec<Change>,
) -> Result<(), Trouble> {
    conn.execute("UPDATE accounts SET plan = $2 WHERE no = $1", &[&stored.account.0, &plan]).await?;
    changes.push((stored.account, KeyNo(0), GatewayNo(0)));
    Ok(())
}

async fn keep(conn: &Client, stored: &Stored) -> Result<(), Trouble> {
    let subscription = &stored.subscription;
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let sql =
        "UPDATE subscriptions SET version = $2, state = $3, anchor_ms = $4, until_ms = $5, cancels_ms = $6,
        period_ms = $7, granted_ms = $8, given = $9, due_ms = $10 WHERE no = $1";
    let kept: [&(dyn ToSql + Sync); 10] = [
        &stored.no,
        &i64::from(subscription.version),
        &subscription.state.as_str(),
        &subscription.anchor.as_millisecond(),
        &ms(subscription.until),
        &ms(subscription.cancels_at),
        &ms(subscription.period_start),
        &subscription.granted_until.as_millisecond(),
        &subscription.given.micros(),
        &ms(subscription.next_due()),
    ];
    conn.execute(&conn.prepare_cached(sql).await?, &kept).await?;
    Ok(())
}
