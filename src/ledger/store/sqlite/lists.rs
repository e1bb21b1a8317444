//! What the admin API reads: single things and pages of lists.

use super::{accounts, at, count, credits, maybe_time, time};
use crate::api;
use crate::store::plans::products;
use crate::store::{Page, Refusal, StoreError, UsageQuery};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

/// An account by its identifier.
pub fn account(conn: &Connection, id: &str) -> Result<api::Account, StoreError> {
    let sql = "SELECT id, name, state, created_ms FROM accounts WHERE id = ?1";
    let found = conn.prepare_cached(sql)?.query_row([id], read_account).optional()?;
    found.ok_or_else(|| not_found("account", id))
}

/// A page of the accounts, by identifier.
pub fn accounts_page(conn: &Connection, page: &Page) -> Result<api::Accounts, StoreError> {
    let sql = "SELECT id, name, state, created_ms FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2";
    let after = page.after.as_deref().unwrap_or("");
    let mut accounts = rows(conn, sql, params![after, page.rows()], read_account)?;
    let next = page.cut(&mut accounts).map(|last| last.id.clone());
    Ok(api::Accounts { accounts, next })
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<api::Account> {
    let state: String = row.get("state")?;
    Ok(api::Account {
        id: row.get("id")?,
        name: row.get("name")?,
        state: accounts::state_of(&state),
        created_at: time(row, "created_ms")?,
    })
}

const KEY: &str =
    "SELECT k.id, a.id AS account, k.prefix, k.subject, k.revoked, k.expires_ms, k.note, k.created_ms,
      t.id AS team, k.products
    FROM keys k JOIN accounts a ON a.no = k.account LEFT JOIN teams t ON t.no = k.team ";

/// A key by its identifier.
pub fn key(conn: &Connection, id: &str, now: Timestamp) -> Result<api::Key, StoreError> {
    let sql = [KEY, "WHERE k.id = ?1"].concat();
    let found = conn.prepare_cached(&sql)?.query_row([id], |row| read_key(row, now)).optional()?;
    found.ok_or_else(|| not_found("key", id))
}

/// A page of an account's keys, oldest first.
pub fn keys_page(
    conn: &Connection,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Keys, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let sql = [
        KEY,
        "WHERE k.account = ?1 AND k.no > coalesce((SELECT no FROM keys WHERE id = ?2), 0) ORDER BY k.no LIMIT ?3",
    ]
    .concat();
    let given = params![owner.no.0, page.after, page.rows()];
    let mut keys = rows(conn, &sql, given, |row| read_key(row, now))?;
    let next = page.cut(&mut keys).map(|last| last.id.clone());
    Ok(api::Keys { keys, next })
}

fn read_key(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<api::Key> {
    let expires_at = maybe_time(row, "expires_ms")?;
    let state = if row.get("revoked")? {
        api::KeyState::Revoked
    } else if expires_at.is_some_and(|at| at <= now) {
        api::KeyState::Expired
    } else {
        api::KeyState::Active
    };
    Ok(api::Key {
        id: row.get("id")?,
        account: row.get("account")?,
        key: None,
        prefix: row.get("prefix")?,
        subject: row.get("subject")?,
        team: row.get("team")?,
        products: products(row.get("products")?),
        state,
        expires_at,
        note: row.get("note")?,
        created_at: time(row, "created_ms")?,
    })
}

const GRANT: &str =
    "SELECT g.id, a.id AS account, g.amount, g.remaining, g.priority, g.expires_ms, g.note, g.source,
    g.created_ms FROM grants g JOIN accounts a ON a.no = g.account ";

/// A grant by its identifier.
pub fn grant(conn: &Connection, id: &str) -> Result<api::Grant, StoreError> {
    let sql = [GRANT, "WHERE g.id = ?1"].concat();
    let found = conn.prepare_cached(&sql)?.query_row([id], read_grant).optional()?;
    found.ok_or_else(|| not_found("grant", id))
}

/// A page of an account's grants, oldest first. What remains of one that has expired counts as
/// nothing, also before it was taken out.
pub fn grants_page(
    conn: &Connection,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Grants, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let sql = [
        GRANT,
        "WHERE g.account = ?1 AND g.no > coalesce((SELECT no FROM grants WHERE id = ?2), 0) ORDER BY g.no LIMIT ?3",
    ]
    .concat();
    let given = params![owner.no.0, page.after, page.rows()];
    let mut grants = rows(conn, &sql, given, read_grant)?;
    for grant in &mut grants {
        if grant.expires_at.is_some_and(|at| at <= now) {
            grant.remaining = Credits::ZERO;
        }
    }
    let next = page.cut(&mut grants).map(|last| last.id.clone());
    Ok(api::Grants { grants, next })
}

fn read_grant(row: &Row<'_>) -> rusqlite::Result<api::Grant> {
    Ok(api::Grant {
        id: row.get("id")?,
        account: row.get("account")?,
        amount: credits(row, "amount")?,
        remaining: credits(row, "remaining")?,
        priority: row.get("priority")?,
        expires_at: maybe_time(row, "expires_ms")?,
        note: row.get("note")?,
        source: row.get("source")?,
        created_at: time(row, "created_ms")?,
    })
}

/// Usage of an account, oldest first, with the total over the whole time asked for.
pub fn usage(conn: &Connection, account: &str, query: &UsageQuery) -> Result<api::Usage, StoreError> {
    let owner = accounts::by_id(conn, account)?;
    let since = query.since.map_or(i64::MIN, super::minute);
    let until = query.until.map_or(i64::MAX, |until| until.as_second().saturating_add(59).div_euclid(60));
    let (minute, key, rule) = query.after.clone().unwrap_or((i64::MIN, 0, String::new()));
    let sql = "SELECT u.minute, k.id AS key, u.key AS no, u.rule, u.requests, u.credits, u.refunds
         FROM usage u JOIN keys k ON k.no = u.key
         WHERE u.account = ?1 AND u.minute >= ?2 AND u.minute < ?3 AND (u.minute, u.key, u.rule) > (?4, ?5, ?6)
         ORDER BY u.minute, u.key, u.rule LIMIT ?7";
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let given = params![owner.no.0, since, until, minute, key, rule, limit];
    let mut lines = rows(conn, sql, given, |row| Ok((row.get::<_, i64>("no")?, read_usage(row)?)))?;
    let more = lines.len() > query.limit;
    lines.truncate(query.limit);
    let next = lines
        .last()
        .filter(|_| more)
        .map(|(key, line)| format!("{}:{key}:{}", super::minute(line.minute), line.rule));
    let total = conn
        .prepare_cached(
            "SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(credits), 0) AS credits,
               coalesce(sum(refunds), 0) AS refunds
             FROM usage WHERE account = ?1 AND minute >= ?2 AND minute < ?3",
        )?
        .query_row(params![owner.no.0, since, until], |row| {
            Ok(api::UsageTotal {
                requests: count(row, "requests")?,
                credits: credits(row, "credits")?,
                refunds: count(row, "refunds")?,
            })
        })?;
    Ok(api::Usage { lines: lines.into_iter().map(|(_, line)| line).collect(), total, next })
}

fn read_usage(row: &Row<'_>) -> rusqlite::Result<api::UsageLine> {
    let minute: i64 = row.get("minute")?;
    Ok(api::UsageLine {
        minute: at(minute.saturating_mul(60_000)),
        key: row.get("key")?,
        rule: row.get("rule")?,
        requests: count(row, "requests")?,
        credits: credits(row, "credits")?,
        refunds: count(row, "refunds")?,
    })
}

/// The open leases with the largest escrow, each with its touch; and what all hold together.
pub fn leases(
    conn: &Connection,
    gateway: Option<&str>,
) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
    let sql =
        "SELECT g.name AS gateway, a.id AS account, k.id AS key, l.fence, l.granted, l.spent, l.returned,
           l.held, l.escrow, l.touch
         FROM leases l JOIN gateways g ON g.no = l.gateway JOIN accounts a ON a.no = l.account
           JOIN keys k ON k.no = l.key
         WHERE l.state = 'open' AND (?1 IS NULL OR g.name = ?1)
         ORDER BY l.escrow DESC, g.name, k.no LIMIT ?2";
    let limit = i64::try_from(api::MAX_LIMIT).unwrap_or(i64::MAX);
    let leases = rows(conn, sql, params![gateway, limit], |row| Ok((read_lease(row)?, row.get("touch")?)))?;
    let at_risk = conn.query_row(
        "SELECT coalesce(sum(l.escrow), 0) AS at_risk FROM leases l JOIN gateways g ON g.no = l.gateway
         WHERE l.state = 'open' AND (?1 IS NULL OR g.name = ?1)",
        params![gateway],
        |row| credits(row, "at_risk"),
    )?;
    Ok((leases, at_risk))
}

fn read_lease(row: &Row<'_>) -> rusqlite::Result<api::Lease> {
    Ok(api::Lease {
        gateway: row.get("gateway")?,
        account: row.get("account")?,
        key: row.get("key")?,
        fence: row.get("fence")?,
        granted: credits(row, "granted")?,
        spent: credits(row, "spent")?,
        returned: credits(row, "returned")?,
        held: credits(row, "held")?,
        at_risk: credits(row, "escrow")?,
        heard_ms_ago: 0,
    })
}

/// How many leases are open, and what they hold together.
pub fn at_risk(conn: &Connection) -> Result<(i64, Credits), StoreError> {
    let sql =
        "SELECT count(*) AS leases, coalesce(sum(escrow), 0) AS escrow FROM leases WHERE state = 'open'";
    Ok(conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get("leases")?, credits(row, "escrow")?)))?)
}

/// All rows of an answer.
pub fn rows<T>(
    conn: &Connection,
    sql: &str,
    given: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    Ok(conn.prepare_cached(sql)?.query_map(given, read)?.collect::<Result<_, _>>()?)
}

fn not_found(what: &'static str, id: &str) -> StoreError {
    Refusal::NotFound { what, id: id.to_owned() }.into()
}
