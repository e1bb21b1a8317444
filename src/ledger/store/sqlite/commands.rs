//! The admin API's writes, each with the memory of its first answer.

use super::{Work, accounts, at, budgets, done, leases, money, plans, subscriptions, teams};
use crate::api;
use crate::domain::account::Turn;
use crate::domain::grant::MAX_LIVE_GRANTS;
use crate::domain::{AccountId, AccountState, GatewayNo, Grant, GrantId, GrantNo, KeyNo, Purse};
use crate::store::budgets::no_target;
use crate::store::command::{Answer, Command, Credential, Done, Memo, NewKey, future};
use crate::store::plans::stored_products;
use crate::store::{Refusal, StoreError, queries};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Does what is asked, or finds the answer that was given when it was asked before. A refusal changes
/// nothing and isn't remembered: the same request may succeed later.
pub fn execute(work: &Work<'_>, command: Command, memo: &Memo, now: Timestamp) -> Result<Answer, StoreError> {
    if let Some(body) = remembered(work.conn, memo)? {
        return Ok(Answer::Replayed(body));
    }
    // Times are kept in milliseconds; what is answered first must be what a later read says.
    let now = at(now.as_millisecond());
    let mut shown_key = None;
    let done = match command {
        Command::CreateAccount { id, name } => Done::Account(create_account(work.conn, &id, name, now)?),
        Command::TurnAccount { account, turn } => {
            Done::Account(turn_account(work.conn, &account, turn, now)?)
        }
        Command::CreateKey(key) => {
            if matches!(key.credential, Credential::Key { .. }) {
                shown_key = Some(key.id.to_string());
            }
            Done::Key(create_key(work.conn, key, now)?)
        }
        Command::CreateTeam { account, id, name } => {
            Done::Team(teams::create(work.conn, &account, &id, name, now)?)
        }
        Command::SetBudget(asked) => Done::Budget(budgets::set(work.conn, &asked, now)?),
        Command::ClearBudget { account, whose } => {
            Done::Budget(budgets::clear(work.conn, &account, &whose, now)?)
        }
        Command::RevokeKey { id } => Done::Key(revoke_key(work.conn, &id, now)?),
        Command::Grant { account, id, amount, priority, expires_at, note, source } => {
            let expires_at = future(expires_at, now)?;
            let grant = Grant { no: GrantNo(0), priority, expires_at, remaining: amount, of_plan: false };
            Done::Grant(give(work.conn, &account, &id, &grant, [note, source], now)?)
        }
        Command::Recall { gateway } => Done::Recall(recall(work.conn, gateway.as_deref(), now)?),
        Command::CreatePlan { name, terms } => Done::Plan(plans::create(work.conn, &name, &terms, now)?),
        Command::ChangePlan { name, changes, at_once } => {
            Done::Plan(plans::change(work.conn, &name, &changes, at_once, now)?)
        }
        Command::Subscribe { account, id, asked } => {
            Done::Subscription(subscriptions::subscribe(work.conn, &account, &id, &asked, now)?)
        }
        Command::ChangeSubscription { account, id, asked } => {
            Done::Subscription(subscriptions::change(work.conn, &account, &id, &asked, now)?)
        }
        Command::TurnSubscription { account, turn } => {
            Done::Subscription(subscriptions::turn(work.conn, &account, turn, now)?)
        }
    };
    remember(work.conn, memo, &done, shown_key.as_deref(), now)?;
    Ok(Answer::First(done))
}

fn remembered(conn: &Connection, memo: &Memo) -> Result<Option<String>, StoreError> {
    let found = conn
        .prepare_cached("SELECT fingerprint, body, shown_key FROM idempotency WHERE key = ?1")?
        .query_row([&memo.key], |row| {
            let fingerprint: Vec<u8> = row.get(0)?;
            Ok((fingerprint, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
        })
        .optional()?;
    match found {
        None => Ok(None),
        Some((fingerprint, _, _)) if fingerprint != memo.fingerprint => Err(Refusal::KeyReused.into()),
        // A key is shown once: to replay the answer it would have to be stored, or be derived from
        // something that is. Whoever lost the answer revokes the key and makes another.
        Some((_, None, key)) => Err(Refusal::KeyAlreadyShown(key.unwrap_or_default()).into()),
        Some((_, Some(body), _)) => Ok(Some(body)),
    }
}

fn remember(
    conn: &Connection,
    memo: &Memo,
    done: &Done,
    shown_key: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(done).map_err(|error| StoreError::Backend(error.to_string()))?;
    let body = if shown_key.is_some() { None } else { Some(body) };
    conn.prepare_cached(
        "INSERT INTO idempotency (key, fingerprint, body, shown_key, made_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![memo.key, memo.fingerprint.as_slice(), body, shown_key, now.as_millisecond()])?;
    Ok(())
}

fn create_account(
    conn: &Connection,
    id: &AccountId,
    name: Option<String>,
    now: Timestamp,
) -> Result<api::Account, StoreError> {
    let made = conn
        .prepare_cached(
            "INSERT INTO accounts (id, name, state, created_ms) VALUES (?1, ?2, 'active', ?3)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![id.as_str(), name, now.as_millisecond()])?;
    if made == 0 {
        return Err(Refusal::AccountExists(id.to_string()).into());
    }
    Ok(api::Account { id: id.to_string(), name, state: AccountState::Active, created_at: now })
}

fn turn_account(conn: &Connection, id: &str, turn: Turn, now: Timestamp) -> Result<api::Account, StoreError> {
    let account = accounts::by_id(conn, id)?;
    let state = turn.of(account.state).map_err(|_| Refusal::AccountClosed(id.to_owned()))?;
    if state != account.state {
        conn.prepare_cached("UPDATE accounts SET state = ?2 WHERE no = ?1")?
            .execute(params![account.no.0, state.as_str()])?;
        leases::announce(conn, account.no, KeyNo(0), GatewayNo(0), now)?;
    }
    if state == AccountState::Closed {
        subscriptions::account_closed(conn, account.no, now)?;
    }
    done(queries::accounts::one(conn, id))
}

fn create_key(conn: &Connection, key: NewKey, now: Timestamp) -> Result<api::Key, StoreError> {
    let NewKey { account, id, credential, expires_at, note, team, products } = key;
    let expires_at = future(expires_at, now)?;
    let owner = accounts::by_id(conn, &account)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account).into());
    }
    let (hash, prefix, subject) = match credential {
        Credential::Key { hash, prefix } => (Some(hash), Some(prefix), None),
        Credential::Subject(subject) => (None, None, Some(subject)),
    };
    let team_no = match &team {
        None => None,
        Some(team) => {
            let found = budgets::team(conn, &owner, team)?;
            Some(found.ok_or_else(|| no_target(&account, "team", "team", team))?.0)
        }
    };
    let made = conn
        .prepare_cached(
            "INSERT INTO keys (id, account, hash, prefix, subject, expires_ms, note, created_ms, team, products)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.as_str(),
            owner.no.0,
            hash,
            prefix,
            subject,
            expires_at.map(Timestamp::as_millisecond),
            note,
            now.as_millisecond(),
            team_no,
            stored_products(products.as_deref()),
        ])?;
    if made == 0 {
        return Err(Refusal::SubjectTaken(subject.unwrap_or_default()).into());
    }
    Ok(api::Key {
        id: id.to_string(),
        account,
        key: None,
        prefix,
        subject,
        team,
        products,
        state: api::KeyState::Active,
        expires_at,
        note,
        created_at: now,
    })
}

fn revoke_key(conn: &Connection, id: &str, now: Timestamp) -> Result<api::Key, StoreError> {
    let key = done(queries::keys::one(conn, id, now))?;
    let revoked = conn
        .prepare_cached("UPDATE keys SET revoked = 1 WHERE id = ?1 AND revoked = 0 RETURNING no, account")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((no, account)) = revoked {
        leases::announce(conn, crate::domain::AccountNo(account), KeyNo(no), GatewayNo(0), now)?;
    }
    Ok(api::Key { state: api::KeyState::Revoked, ..key })
}

/// Gives a grant, and pays debts from it.
pub fn give(
    conn: &Connection,
    account: &str,
    id: &GrantId,
    grant: &Grant,
    [note, source]: [Option<String>; 2],
    now: Timestamp,
) -> Result<api::Grant, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    if owner.state == AccountState::Closed {
        return Err(Refusal::AccountClosed(account.to_owned()).into());
    }
    let amount = grant.remaining;
    conn.prepare_cached(
        "INSERT INTO grants (id, account, amount, remaining, priority, expires_ms, note, source, created_ms)
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id.as_str(),
        owner.no.0,
        amount.micros(),
        grant.priority,
        grant.expires_at.map(Timestamp::as_millisecond),
        note,
        source,
        now.as_millisecond()
    ])?;
    let no = GrantNo(conn.last_insert_rowid());
    let mut live = money::grants(conn, owner.no, None)?;
    live.retain(|other| other.no != no);
    let mut purse = Purse::new(owner, live);
    let before = money::Before::of(&purse);
    purse.expire(now)?;
    if purse.grants().iter().filter(|grant| grant.remaining.is_positive()).count() >= MAX_LIVE_GRANTS {
        let account = account.to_owned();
        return Err(Refusal::TooManyGrants { account, limit: MAX_LIVE_GRANTS }.into());
    }
    purse.issue(Grant { no, ..grant.clone() })?;
    purse.account.tight = false;
    money::keep_purse(conn, &before, &purse, now)?;
    done(queries::grants::one(conn, id.as_str()))
}

fn recall(conn: &Connection, gateway: Option<&str>, now: Timestamp) -> Result<api::RecallAnswer, StoreError> {
    let only = match gateway {
        None => GatewayNo(0),
        Some(name) => {
            let mut find = conn.prepare_cached("SELECT no FROM gateways WHERE name = ?1")?;
            let found = find.query_row([name], |row| row.get(0)).optional()?;
            GatewayNo(found.ok_or_else(|| Refusal::NotFound { what: "gateway", id: name.to_owned() })?)
        }
    };
    let recalled = conn
        .prepare_cached(
            "UPDATE leases SET recall = 1 WHERE escrow > 0 AND state = 'open' AND escrow > held
             AND (?1 = 0 OR gateway = ?1)",
        )?
        .execute([only.0])?;
    if recalled > 0 {
        leases::announce(conn, crate::domain::AccountNo(0), KeyNo(0), only, now)?;
    }
    Ok(api::RecallAnswer { leases: u64::try_from(recalled).unwrap_or(u64::MAX) })
}
