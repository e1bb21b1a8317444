//! The steps of a subscription: what each does to the account's money, and what the account's contract is then.

use super::{accounts, at, commands, leases, money, plans, subscriptions};
use crate::domain::contract::{Contract, Effect};
use crate::domain::plan::OVERDRAFT_PRIORITY;
use crate::domain::subscription::{State, Step};
use crate::domain::{AccountState, GatewayNo, GrantNo, KeyNo, Purse};
use crate::store::StoreError;
use crate::store::plans::{By, STEPS, Stored, TAKE_BACK_MS, Taken, contract_text};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, params};

/// Does all that is due, and keeps what has changed. Tells what was given.
pub fn advance(conn: &Connection, stored: &mut Stored, now: Timestamp) -> Result<Vec<Credits>, StoreError> {
    let mut taken = Taken::default();
    for _ in 0..STEPS {
        let step = due(conn, stored, now)?;
        if step == Step::Rest {
            break;
        }
        taken.join(take(conn, stored, &step, &By::default(), now)?);
    }
    settle(conn, stored, taken.recall, now)?;
    Ok(taken.given)
}

fn due(conn: &Connection, stored: &Stored, now: Timestamp) -> Result<Step, StoreError> {
    let closed = accounts::by_no(conn, stored.account)?.state == AccountState::Closed;
    if closed && !stored.subscription.state.is_over() {
        return Ok(Step::End(State::Cancelled));
    }
    Ok(stored.subscription.due(&plans::versions(conn, &stored.subscription)?, now))
}

/// Takes a step: moves the money, and notes it.
pub fn take(
    conn: &Connection,
    stored: &mut Stored,
    step: &Step,
    by: &By<'_>,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    let mut lapsed_before = Credits::ZERO;
    match step {
        Step::End(_) | Step::Restart(_) => {
            cut(conn, stored, ALL, now)?;
            taken.recall = true;
        }
        Step::Alter(alteration) if alteration.overdraft.is_zero() => {
            taken.recall = cut(conn, stored, OVERDRAFT_PRIORITY, now)? || alteration.excess.is_positive();
        }
        Step::Alter(alteration) => taken.recall = alteration.excess.is_positive(),
        Step::Renew(_) => {
            money::expire(conn, stored.account, now)?;
            lapsed_before = lapsed(conn, stored)?;
        }
        Step::Rest | Step::Stop | Step::Next(_) => {}
    }
    stored.apply(step, by.plan);
    for gift in stored.planned_grants(step, lapsed_before, overdraft(conn, stored)?, by.change) {
        taken.given.push(gift.grant.remaining);
        let texts = [None, Some(gift.source)];
        commands::give(conn, &stored.account_id, &gift.id, &gift.grant, texts, now)?;
        conn.prepare_cached("UPDATE grants SET subscription = ?2 WHERE id = ?1")?
            .execute(params![gift.id.as_str(), stored.no])?;
    }
    Ok(taken)
}

/// What has lapsed of what was given for the last period.
fn lapsed(conn: &Connection, stored: &Stored) -> Result<Credits, StoreError> {
    let sum = conn
        .prepare_cached(
            "SELECT coalesce(sum(e.amount), 0) FROM grants g JOIN entries e ON e.account = g.account
               AND e.minute >= g.expires_ms / 60000 AND e.kind = 7 AND e.grant_no = g.no
             WHERE g.subscription = ?1 AND g.expires_ms = ?2 AND g.priority <> ?3",
        )?
        .query_row(
            params![stored.no, stored.subscription.granted_until.as_millisecond(), OVERDRAFT_PRIORITY],
            |row| row.get(0),
        )?;
    Ok(Credits::from_micros(sum))
}

/// What may be overdrawn in the running period, used or not.
fn overdraft(conn: &Connection, stored: &Stored) -> Result<Credits, StoreError> {
    let sum = conn
        .prepare_cached(
            "SELECT coalesce(sum(amount), 0) FROM grants WHERE subscription = ?1 AND expires_ms = ?2 AND priority = ?3",
        )?
        .query_row(
            params![stored.no, stored.subscription.granted_until.as_millisecond(), OVERDRAFT_PRIORITY],
            |row| row.get(0),
        )?;
    Ok(Credits::from_micros(sum))
}

/// All that a subscription gave, by the smallest priority.
const ALL: u16 = 0;

/// Has what the subscription gave expire now, from this priority on. Tells whether there was any.
fn cut(conn: &Connection, stored: &Stored, from: u16, now: Timestamp) -> Result<bool, StoreError> {
    let cut = conn
        .prepare_cached(
            "UPDATE grants SET expires_ms = ?2 WHERE subscription = ?1 AND expires_ms > ?2 AND priority >= ?3",
        )?
        .execute(params![stored.no, now.as_millisecond(), from])?;
    money::expire(conn, stored.account, now)?;
    Ok(cut > 0)
}

/// Keeps a subscription, writes what it means for exchanges, and lets gateways know.
pub fn settle(
    conn: &Connection,
    stored: &mut Stored,
    recall: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    take_back(conn, stored, now)?;
    let account = accounts::by_no(conn, stored.account)?;
    let versions = plans::versions(conn, &stored.subscription)?;
    let contract = Contract::of(&stored.plan_name, &stored.subscription, &versions);
    let plan = Some(stored.plan_name.clone()).filter(|_| !stored.subscription.state.is_over());
    if (&account.plan, &account.contract) != (&plan, &contract) {
        conn.prepare_cached("UPDATE accounts SET plan = ?2, contract = ?3 WHERE no = ?1")?
            .execute(params![stored.account.0, plan, contract_text(contract.as_ref())?])?;
    }
    let effect = Effect::of(account.contract.as_ref(), contract.as_ref());
    let effect = effect.max(if recall { Effect::Recall } else { Effect::None });
    if effect == Effect::Recall {
        leases::recall(conn, stored.account)?;
    }
    if effect != Effect::None || account.plan != plan {
        leases::announce(conn, stored.account, KeyNo(0), GatewayNo(0), now)?;
    }
    let waits = stored.subscription.excess.is_positive() && leases::is_recalled(conn, stored.account)?;
    let soon = at(now.as_millisecond().saturating_add(TAKE_BACK_MS));
    let due = [Some(soon).filter(|_| waits), stored.subscription.next_due()].into_iter().flatten().min();
    subscriptions::keep(conn, stored, due)
}

/// Takes back what is there of what was given beyond the quota. What was given last goes first, so that nothing is
/// lost of what was taken over.
fn take_back(conn: &Connection, stored: &mut Stored, now: Timestamp) -> Result<(), StoreError> {
    if !stored.subscription.excess.is_positive() {
        return Ok(());
    }
    let given: Vec<GrantNo> = conn
        .prepare_cached(
            "SELECT no FROM grants WHERE subscription = ?1 AND expires_ms = ?2 AND priority < ?3 AND remaining > 0
             ORDER BY no DESC",
        )?
        .query_map(
            params![stored.no, stored.subscription.granted_until.as_millisecond(), OVERDRAFT_PRIORITY],
            |row| row.get(0).map(GrantNo),
        )?
        .collect::<Result<_, _>>()?;
    let grants = money::grants(conn, stored.account, None)?;
    let mut purse = Purse::new(accounts::by_no(conn, stored.account)?, grants);
    let before = money::Before::of(&purse);
    let cut = purse.cut(&given, stored.subscription.excess)?;
    stored.subscription.excess = stored.subscription.excess.less(cut);
    money::keep_purse(conn, &before, &purse, now)
}
