//! Subscriptions: made, turned and changed by operators.
//!
//! What must hold: a subscription is read and written only under its account's lock. So of several ledgers
//! that come to renew it one does, and the others find it done.

use super::keep::Change;
use super::load;
use super::trouble::Trouble;
use super::{at, micros, named, plans, steps};
use crate::api;
use crate::domain::subscription::{Subscription, Turn};
use crate::domain::{AccountNo, AccountState, PlanNo};
use crate::store::plans::{By, Stored, ahead, number, state_of};
use crate::store::{Refusal, StoreError, queries};
use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

const SUBSCRIPTION: &str =
    "SELECT s.no, s.id, s.account, a.id, s.plan, p.name, s.created_ms, s.state, s.starts_ms,
      s.anchor_ms, s.until_ms, s.cancels_ms, s.version, s.period_ms, s.granted_ms, s.given, s.next_plan, n.name,
      s.excess
    FROM subscriptions s JOIN accounts a ON a.no = s.account JOIN plans p ON p.no = s.plan
      LEFT JOIN plans n ON n.no = s.next_plan ";

fn read(row: &Row) -> Result<Stored, Error> {
    let maybe = |column| Ok::<_, Error>(row.try_get::<_, Option<i64>>(column)?.map(at));
    Ok(Stored {
        no: row.try_get(0)?,
        id: row.try_get(1)?,
        account: AccountNo(row.try_get(2)?),
        account_id: row.try_get(3)?,
        plan_name: row.try_get(5)?,
        next_name: row.try_get(17)?,
        created_at: at(row.try_get(6)?),
        subscription: Subscription {
            state: state_of(row.try_get(7)?),
            starts_at: at(row.try_get(8)?),
            anchor: at(row.try_get(9)?),
            until: maybe(10)?,
            cancels_at: maybe(11)?,
            plan: PlanNo(row.try_get(4)?),
            version: number(row.try_get(12)?),
            next_plan: row.try_get::<_, Option<i64>>(16)?.map(PlanNo),
            period_start: maybe(13)?,
            granted_until: at(row.try_get(14)?),
            given: micros(row, 15)?,
            excess: micros(row, 18)?,
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
    Ok(find(conn, owner).await?.ok_or_else(|| missing("subscription of account"))?)
}

async fn find(conn: &Client, account: i64) -> Result<Option<Stored>, Trouble> {
    let sql = [SUBSCRIPTION, "WHERE s.account = $1 ORDER BY s.no DESC LIMIT 1"].concat();
    let found = conn.query_opt(&conn.prepare_cached(&sql).await?, &[&account]).await?;
    Ok(found.as_ref().map(read).transpose()?)
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
    let subscription = Subscription::new((plan, &version), starts_at, trial, now);
    let make = "INSERT INTO subscriptions (id, account, plan, version, state, starts_ms, anchor_ms, granted_ms, given, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7, 0, $8)";
    let made: [&(dyn ToSql + Sync); 8] = [
        &id,
        &owner.no.0,
        &plan.0,
        &i64::from(version.number),
        &subscription.state.as_str(),
        &starts_at.as_millisecond(),
        &subscription.granted_until.as_millisecond(),
        &now.as_millisecond(),
    ];
    conn.execute(make, &made).await?;
    let mut stored = newest(conn, account).await?;
    stored.subscription = subscription;
    steps::advance(conn, &mut stored, now, changes).await?;
    Ok(queries::subscriptions::newest(conn, account).await?)
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
    let versions = plans::versions(conn, &stored.subscription).await?;
    stored.turn(turn, &versions.coming().terms, now).map_err(StoreError::from)?;
    steps::advance(conn, &mut stored, now, changes).await?;
    Ok(queries::subscriptions::newest(conn, account).await?)
}

/// Changes it to another plan, now or with the next period.
pub async fn change(
    conn: &Client,
    account: &str,
    id: &str,
    asked: &api::SubscriptionChange,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<api::Subscription, Trouble> {
    load::lock_by_id(conn, &named(account)).await?;
    let mut stored = newest(conn, account).await?;
    steps::advance(conn, &mut stored, now, changes).await?;
    let (plan, version) = plans::find(conn, &asked.plan).await?;
    let used = plans::versions(conn, &stored.subscription).await?.used;
    let step = stored.subscription.change(&used, (plan, &version), asked.at_once, now);
    let step = step.map_err(StoreError::from)?;
    let by = By { plan: Some(&asked.plan), change: id };
    let taken = steps::take(conn, &mut stored, &step, &by, now).await?;
    steps::settle(conn, &mut stored, taken.recall, now, changes).await?;
    Ok(queries::subscriptions::newest(conn, account).await?)
}

/// Does what is due because the account was closed. It is locked.
pub async fn account_closed(
    conn: &Client,
    account: AccountNo,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), Trouble> {
    match find(conn, account.0).await? {
        Some(mut stored) if !stored.subscription.state.is_over() => {
            steps::advance(conn, &mut stored, now, changes).await.map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Keeps what may change of it, and when it is to be looked at again.
pub async fn keep(conn: &Client, stored: &Stored, due: Option<Timestamp>) -> Result<(), Trouble> {
    let subscription = &stored.subscription;
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let sql =
        "UPDATE subscriptions SET version = $2, state = $3, anchor_ms = $4, until_ms = $5, cancels_ms = $6,
          period_ms = $7, granted_ms = $8, given = $9, due_ms = $10, plan = $11, next_plan = $12, excess = $13
        WHERE no = $1";
    let kept: [&(dyn ToSql + Sync); 13] = [
        &stored.no,
        &i64::from(subscription.version),
        &subscription.state.as_str(),
        &subscription.anchor.as_millisecond(),
        &ms(subscription.until),
        &ms(subscription.cancels_at),
        &ms(subscription.period_start),
        &subscription.granted_until.as_millisecond(),
        &subscription.given.micros(),
        &ms(due),
        &subscription.plan.0,
        &subscription.next_plan.map(|plan| plan.0),
        &subscription.excess.micros(),
    ];
    conn.execute(&conn.prepare_cached(sql).await?, &kept).await?;
    Ok(())
}
