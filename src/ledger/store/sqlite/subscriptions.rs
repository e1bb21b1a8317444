//! Subscriptions: made, turned and changed by operators.

use super::{accounts, at, done, maybe_time, plans, steps, time};
use crate::api;
use crate::domain::subscription::{Subscription, Turn};
use crate::domain::{AccountNo, AccountState, PlanNo};
use crate::store::plans::{By, Stored, ahead, number, state_of};
use crate::store::{Refusal, StoreError, queries};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

const SUBSCRIPTION: &str = "SELECT s.*, a.id AS account_id, p.name AS plan_name, n.name AS next_name
    FROM subscriptions s JOIN accounts a ON a.no = s.account JOIN plans p ON p.no = s.plan
      LEFT JOIN plans n ON n.no = s.next_plan ";

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let subscription = Subscription {
        state: state_of(&row.get::<_, String>("state")?),
        starts_at: time(row, "starts_ms")?,
        anchor: time(row, "anchor_ms")?,
        until: maybe_time(row, "until_ms")?,
        cancels_at: maybe_time(row, "cancels_ms")?,
        plan: PlanNo(row.get("plan")?),
        version: number(row.get("version")?),
        next_plan: row.get::<_, Option<i64>>("next_plan")?.map(PlanNo),
        period_start: maybe_time(row, "period_ms")?,
        granted_until: time(row, "granted_ms")?,
        given: super::credits(row, "given")?,
        excess: super::credits(row, "excess")?,
    };
    Ok(Stored {
        no: row.get("no")?,
        id: row.get("id")?,
        account: AccountNo(row.get("account")?),
        account_id: row.get("account_id")?,
        plan_name: row.get("plan_name")?,
        next_name: row.get("next_name")?,
        subscription,
        created_at: time(row, "created_ms")?,
    })
}

/// An account's newest subscription.
fn newest(conn: &Connection, account: &str) -> Result<Stored, StoreError> {
    let found = find(conn, accounts::by_id(conn, account)?.no)?;
    found.ok_or_else(|| Refusal::NotFound { what: "subscription of account", id: account.to_owned() }.into())
}

fn find(conn: &Connection, account: AccountNo) -> Result<Option<Stored>, StoreError> {
    let sql = [SUBSCRIPTION, "WHERE s.account = ?1 ORDER BY s.no DESC LIMIT 1"].concat();
    Ok(conn.prepare_cached(&sql)?.query_row([account.0], read).optional()?)
}

/// A subscription by its row.
pub fn by_no(conn: &Connection, no: i64) -> Result<Stored, StoreError> {
    let sql = [SUBSCRIPTION, "WHERE s.no = ?1"].concat();
    Ok(conn.prepare_cached(&sql)?.query_row([no], read)?)
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
    let subscription = Subscription::new((plan, &version), starts_at, trial, now);
    conn.prepare_cached(
        "INSERT INTO subscriptions (id, account, plan, version, state, starts_ms, anchor_ms, granted_ms, given, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, 0, ?8)",
    )?
    .execute(params![
        id,
        owner.no.0,
        plan.0,
        version.number,
        subscription.state.as_str(),
        starts_at.as_millisecond(),
        subscription.granted_until.as_millisecond(),
        now.as_millisecond()
    ])?;
    let mut stored = newest(conn, account)?;
    stored.subscription = subscription;
    steps::advance(conn, &mut stored, now)?;
    done(queries::subscriptions::newest(conn, account))
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
    let versions = plans::versions(conn, &stored.subscription)?;
    stored.turn(turn, &versions.coming().terms, now)?;
    steps::advance(conn, &mut stored, now)?;
    done(queries::subscriptions::newest(conn, account))
}

/// Changes it to another plan, now or with the next period.
pub fn change(
    conn: &Connection,
    account: &str,
    id: &str,
    asked: &api::SubscriptionChange,
    now: Timestamp,
) -> Result<api::Subscription, StoreError> {
    let mut stored = newest(conn, account)?;
    steps::advance(conn, &mut stored, now)?;
    let (plan, version) = plans::find(conn, &asked.plan)?;
    let used = plans::versions(conn, &stored.subscription)?.used;
    let step = stored.subscription.change(&used, (plan, &version), asked.at_once, now)?;
    let by = By { plan: Some(&asked.plan), change: id };
    let taken = steps::take(conn, &mut stored, &step, &by, now)?;
    steps::settle(conn, &mut stored, taken.recall, now)?;
    done(queries::subscriptions::newest(conn, account))
}

/// Does what is due because the account was closed.
pub fn account_closed(conn: &Connection, account: AccountNo, now: Timestamp) -> Result<(), StoreError> {
    match find(conn, account)? {
        Some(mut stored) if !stored.subscription.state.is_over() => {
            steps::advance(conn, &mut stored, now).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Keeps what may change of it, and when it is to be looked at again.
pub fn keep(conn: &Connection, stored: &Stored, due: Option<Timestamp>) -> Result<(), StoreError> {
    let subscription = &stored.subscription;
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    conn.prepare_cached(
        "UPDATE subscriptions SET version = ?2, state = ?3, anchor_ms = ?4, until_ms = ?5, cancels_ms = ?6,
           period_ms = ?7, granted_ms = ?8, given = ?9, due_ms = ?10, plan = ?11, next_plan = ?12, excess = ?13
         WHERE no = ?1",
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
        ms(due),
        subscription.plan.0,
        subscription.next_plan.map(|plan| plan.0),
        subscription.excess.micros(),
    ])?;
    Ok(())
}
