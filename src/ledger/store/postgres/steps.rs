//! The steps of a subscription: what each does to the account's money, and what the account's contract is then.
//! The account is locked.

use super::commands::give;
use super::keep::{self, Change};
use super::load::{self, Busy};
use super::trouble::Trouble;
use super::{at, micros, plans, recall, subscriptions};
use crate::domain::contract::{Contract, Effect};
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::subscription::{State, Step};
use crate::domain::{Account, AccountNo, AccountState, GatewayNo, GrantNo, KeyNo, Purse};
use crate::store::StoreError;
use crate::store::plans::{By, STEPS, Stored, TAKE_BACK_MS, Taken, contract_text};
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Does all that is due, and keeps what has changed. Tells what was given.
pub async fn advance(
    conn: &Client,
    stored: &mut Stored,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<Vec<Credits>, Trouble> {
    let mut taken = Taken::default();
    for _ in 0..STEPS {
        let step = due(conn, stored, now).await?;
        if step == Step::Rest {
            break;
        }
        taken.join(take(conn, stored, &step, &By::default(), now).await?);
    }
    settle(conn, stored, taken.recall, now, changes).await?;
    Ok(taken.given)
}

async fn due(conn: &Client, stored: &Stored, now: Timestamp) -> Result<Step, Trouble> {
    let closed = account(conn, stored.account).await?.state == AccountState::Closed;
    if closed && !stored.subscription.state.is_over() {
        return Ok(Step::End(State::Cancelled));
    }
    Ok(stored.subscription.due(&plans::versions(conn, &stored.subscription).await?, now))
}

async fn account(conn: &Client, no: AccountNo) -> Result<Account, Trouble> {
    let sheet = load::lock(conn, &BTreeSet::from([no]), Busy::Wait).await?;
    let found = sheet.money.get(&no).map(|money| money.account.clone());
    found.ok_or_else(|| StoreError::Backend("a subscription's account is missing".into()).into())
}

/// Takes a step: moves the money, and notes it.
pub async fn take(
    conn: &Client,
    stored: &mut Stored,
    step: &Step,
    by: &By<'_>,
    now: Timestamp,
) -> Result<Taken, Trouble> {
    let mut taken = Taken::default();
    let mut lapsed_before = Credits::ZERO;
    match step {
        Step::End(_) | Step::Restart(_) => {
            cut(conn, stored, ALL, now).await?;
            taken.recall = true;
        }
        Step::Alter(alteration) if alteration.overdraft.is_zero() => {
            taken.recall =
                cut(conn, stored, OVERDRAFT_PRIORITY, now).await? || alteration.excess.is_positive();
        }
        Step::Alter(alteration) => taken.recall = alteration.excess.is_positive(),
        Step::Renew(_) => {
            expire(conn, stored.account, now).await?;
            lapsed_before = lapsed(conn, stored).await?;
        }
        Step::Rest | Step::Stop | Step::Next(_) => {}
    }
    stored.apply(step, by.plan);
    for gift in stored.planned_grants(step, lapsed_before, overdraft(conn, stored).await?, by.change) {
        taken.given.push(gift.grant.remaining);
        give(conn, &stored.account_id, &gift.id, gift.grant, [None, Some(&gift.source)], now).await?;
        let mark = conn.prepare_cached("UPDATE grants SET subscription = $2 WHERE id = $1").await?;
        conn.execute(&mark, &[&gift.id.as_str(), &stored.no]).await?;
    }
    Ok(taken)
}

/// Moves an account's money, whose grants may have changed.
async fn with_purse(
    conn: &Client,
    account: AccountNo,
    now: Timestamp,
    work: impl FnOnce(&mut Purse) -> Result<(), crate::domain::BookError>,
) -> Result<(), Trouble> {
    let accounts = BTreeSet::from([account]);
    let mut sheet = load::lock(conn, &accounts, Busy::Wait).await?;
    load::grants(conn, &mut sheet, &accounts).await?;
    let mut draft = sheet.draft(now);
    let Some(mut purse) = draft.purse(account) else { return Ok(()) };
    let before = purse.account.clone();
    work(&mut purse)?;
    draft.keep_purse(&before, &purse);
    let own = draft.finish();
    sheet.accept(own);
    keep::sheet(conn, &sheet).await
}

/// Takes out what remains of the account's grants whose time is over.
async fn expire(conn: &Client, account: AccountNo, now: Timestamp) -> Result<(), Trouble> {
    with_purse(conn, account, now, |purse| purse.expire(now)).await
}

/// What has lapsed of what was given for the last period.
async fn lapsed(conn: &Client, stored: &Stored) -> Result<Credits, Trouble> {
    let sql =
        "SELECT coalesce(sum(e.amount), 0)::bigint FROM grants g JOIN entries e ON e.account = g.account
          AND e.minute >= g.expires_ms / 60000 AND e.kind = 7 AND e.grant_no = g.no
        WHERE g.subscription = $1 AND g.expires_ms = $2 AND g.priority <> $3";
    sum(conn, stored, sql).await
}

/// What may be overdrawn in the running period, used or not.
async fn overdraft(conn: &Client, stored: &Stored) -> Result<Credits, Trouble> {
    let sql = "SELECT coalesce(sum(amount), 0)::bigint FROM grants
        WHERE subscription = $1 AND expires_ms = $2 AND priority = $3";
    sum(conn, stored, sql).await
}

async fn sum(conn: &Client, stored: &Stored, sql: &str) -> Result<Credits, Trouble> {
    let until = stored.subscription.granted_until.as_millisecond();
    let sum = conn.prepare_cached(sql).await?;
    let found = conn.query_one(&sum, &[&stored.no, &until, &i64::from(OVERDRAFT_PRIORITY)]).await?;
    Ok(micros(&found, 0)?)
}

/// All that a subscription gave, by the smallest priority.
const ALL: u16 = 0;

/// Has what the subscription gave expire now, from this priority on. Tells whether there was any.
async fn cut(conn: &Client, stored: &Stored, from: u16, now: Timestamp) -> Result<bool, Trouble> {
    let cut =
        "UPDATE grants SET expires_ms = $2 WHERE subscription = $1 AND expires_ms > $2 AND priority >= $3";
    let cut = conn.prepare_cached(cut).await?;
    let found = conn.execute(&cut, &[&stored.no, &now.as_millisecond(), &i64::from(from)]).await?;
    expire(conn, stored.account, now).await?;
    Ok(found > 0)
}

/// Keeps a subscription, writes what it means for exchanges, and lets gateways know.
pub async fn settle(
    conn: &Client,
    stored: &mut Stored,
    recall: bool,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), Trouble> {
    take_back(conn, stored, now).await?;
    let account = account(conn, stored.account).await?;
    let versions = plans::versions(conn, &stored.subscription).await?;
    let contract = Contract::of(&stored.plan_name, &stored.subscription, &versions);
    let plan = Some(stored.plan_name.clone()).filter(|_| !stored.subscription.state.is_over());
    if (&account.plan, &account.contract) != (&plan, &contract) {
        let write = conn.prepare_cached("UPDATE accounts SET plan = $2, contract = $3 WHERE no = $1").await?;
        conn.execute(&write, &[&stored.account.0, &plan, &contract_text(contract.as_ref())?]).await?;
    }
    let effect = Effect::of(account.contract.as_ref(), contract.as_ref());
    let effect = effect.max(if recall { Effect::Recall } else { Effect::None });
    if effect == Effect::Recall {
        recall::all(conn, stored.account).await?;
    }
    if effect != Effect::None || account.plan != plan {
        changes.push((stored.account, KeyNo(0), GatewayNo(0)));
    }
    let waits =
        stored.subscription.excess.is_positive() && recall::is_under_way(conn, stored.account).await?;
    let soon = at(now.as_millisecond().saturating_add(TAKE_BACK_MS));
    let due = [Some(soon).filter(|_| waits), stored.subscription.next_due()].into_iter().flatten().min();
    subscriptions::keep(conn, stored, due).await
}

/// Takes back what is there of what was given beyond the quota. What was given last goes first, so that nothing is
/// lost of what was taken over.
async fn take_back(conn: &Client, stored: &mut Stored, now: Timestamp) -> Result<(), Trouble> {
    let excess = stored.subscription.excess;
    if !excess.is_positive() {
        return Ok(());
    }
    let find = "SELECT no FROM grants WHERE subscription = $1 AND expires_ms = $2 AND priority < $3 AND remaining > 0
        ORDER BY no DESC";
    let until = stored.subscription.granted_until.as_millisecond();
    let find = conn.prepare_cached(find).await?;
    let found = conn.query(&find, &[&stored.no, &until, &i64::from(OVERDRAFT_PRIORITY)]).await?;
    let given = found.iter().map(|row| row.try_get(0).map(GrantNo)).collect::<Result<Vec<_>, _>>()?;
    let mut taken = Credits::ZERO;
    with_purse(conn, stored.account, now, |purse| {
        taken = purse.cut(&given, excess)?;
        Ok(())
    })
    .await?;
    stored.subscription.excess = excess.less(taken);
    Ok(())
}
