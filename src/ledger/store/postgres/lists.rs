//! What the admin API reads: single things and pages of lists.

use super::load::state_of;
use super::trouble::Trouble;
use super::{at, micros, named};
use crate::api;
use crate::store::plans::products;
use crate::store::{Page, Refusal, UsageQuery, minute};
use deadpool_postgres::Client;
use faregate_protocol::Credits;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

const ACCOUNT: &str = "SELECT id, name, state, created_ms FROM accounts ";

/// An account by its identifier.
pub async fn account(conn: &Client, id: &str) -> Result<api::Account, Trouble> {
    let rows = rows(conn, &[ACCOUNT, "WHERE id = $1"], &[&named(id)], read_account).await?;
    rows.into_iter().next().ok_or_else(|| missing("account", id))
}

/// A page of the accounts, by identifier.
pub async fn accounts_page(conn: &Client, page: &Page) -> Result<api::Accounts, Trouble> {
    let after = named(page.after.as_deref().unwrap_or(""));
    let sql = [ACCOUNT, "WHERE id > $1 ORDER BY id LIMIT $2"];
    let mut accounts = rows(conn, &sql, &[&after, &page.rows()], read_account).await?;
    let next = page.cut(&mut accounts).map(|last| last.id.clone());
    Ok(api::Accounts { accounts, next })
}

fn read_account(row: &Row) -> Result<api::Account, Error> {
    Ok(api::Account {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        state: state_of(row.try_get(2)?),
        created_at: at(row.try_get(3)?),
    })
}

/// The row of an account.
pub async fn number(conn: &Client, id: &str) -> Result<i64, Trouble> {
    let found =
        rows(conn, &["SELECT no FROM accounts WHERE id = $1"], &[&named(id)], |row| row.try_get(0)).await?;
    found.into_iter().next().ok_or_else(|| missing("account", id))
}

const KEY: &str = "SELECT k.id, a.id, k.prefix, k.subject, k.revoked, k.expires_ms, k.note, k.created_ms,
      t.id, k.products
    FROM keys k JOIN accounts a ON a.no = k.account LEFT JOIN teams t ON t.no = k.team ";

/// A key by its identifier.
pub async fn key(conn: &Client, id: &str, now: Timestamp) -> Result<api::Key, Trouble> {
    let rows = rows(conn, &[KEY, "WHERE k.id = $1"], &[&named(id)], |row| read_key(row, now)).await?;
    rows.into_iter().next().ok_or_else(|| missing("key", id))
}

/// A page of an account's keys, oldest first.
pub async fn keys_page(
    conn: &Client,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Keys, Trouble> {
    let owner = number(conn, account).await?;
    let after = page.after.as_deref().map(named);
    let sql = [
        KEY,
        "WHERE k.account = $1 AND k.no > coalesce((SELECT no FROM keys WHERE id = $2), 0) ORDER BY k.no LIMIT $3",
    ];
    let mut keys = rows(conn, &sql, &[&owner, &after, &page.rows()], |row| read_key(row, now)).await?;
    let next = page.cut(&mut keys).map(|last| last.id.clone());
    Ok(api::Keys { keys, next })
}

fn read_key(row: &Row, now: Timestamp) -> Result<api::Key, Error> {
    let expires_at = row.try_get::<_, Option<i64>>(5)?.map(at);
    let state = if row.try_get(4)? {
        api::KeyState::Revoked
    } else if expires_at.is_some_and(|at| at <= now) {
        api::KeyState::Expired
    } else {
        api::KeyState::Active
    };
    Ok(api::Key {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        key: None,
        prefix: row.try_get(2)?,
        subject: row.try_get(3)?,
        team: row.try_get(8)?,
        products: products(row.try_get(9)?),
        state,
        expires_at,
        note: row.try_get(6)?,
        created_at: at(row.try_get(7)?),
    })
}

const GRANT: &str =
    "SELECT g.id, a.id, g.amount, g.remaining, g.priority, g.expires_ms, g.note, g.source, g.created_ms
    FROM grants g JOIN accounts a ON a.no = g.account ";

/// A grant by its identifier.
pub async fn grant(conn: &Client, id: &str) -> Result<api::Grant, Trouble> {
    let rows = rows(conn, &[GRANT, "WHERE g.id = $1"], &[&named(id)], read_grant).await?;
    rows.into_iter().next().ok_or_else(|| missing("grant", id))
}

/// A page of an account's grants, oldest first. What remains of one that has expired counts as
/// nothing, also before it was taken out.
pub async fn grants_page(
    conn: &Client,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Grants, Trouble> {
    let owner = number(conn, account).await?;
    let after = page.after.as_deref().map(named);
    let sql = [
        GRANT,
        "WHERE g.account = $1 AND g.no > coalesce((SELECT no FROM grants WHERE id = $2), 0) ORDER BY g.no LIMIT $3",
    ];
    let mut grants = rows(conn, &sql, &[&owner, &after, &page.rows()], read_grant).await?;
    for grant in &mut grants {
        if grant.expires_at.is_some_and(|at| at <= now) {
            grant.remaining = Credits::ZERO;
        }
    }
    let next = page.cut(&mut grants).map(|last| last.id.clone());
    Ok(api::Grants { grants, next })
}

fn read_grant(row: &Row) -> Result<api::Grant, Error> {
    Ok(api::Grant {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        amount: micros(row, 2)?,
        remaining: micros(row, 3)?,
        priority: u16::try_from(row.try_get::<_, i64>(4)?).unwrap_or(u16::MAX),
        expires_at: row.try_get::<_, Option<i64>>(5)?.map(at),
        note: row.try_get(6)?,
        source: row.try_get(7)?,
        created_at: at(row.try_get(8)?),
    })
}

/// An account's balance; grants that have expired but were not taken out yet count as expired.
pub async fn balance(conn: &Client, account: &str, now: Timestamp) -> Result<api::Balance, Trouble> {
    let sql = "SELECT a.id, a.state, a.available, a.held, a.spent, a.expired, a.owed, a.granted,
          (SELECT coalesce(sum(remaining), 0)::bigint FROM grants
            WHERE account = a.no AND remaining > 0 AND expires_ms <= $2)
        FROM accounts a WHERE a.id = $1";
    let found = rows(conn, &[sql], &[&named(account), &now.as_millisecond()], read_balance).await?;
    found.into_iter().next().ok_or_else(|| missing("account", account))
}

fn read_balance(row: &Row) -> Result<api::Balance, Error> {
    let lapsed = micros(row, 8)?;
    Ok(api::Balance {
        account: row.try_get(0)?,
        state: state_of(row.try_get(1)?),
        available: micros(row, 2)?.less(lapsed),
        held: micros(row, 3)?,
        spent: micros(row, 4)?,
        expired: micros(row, 5)?.saturating_add(lapsed),
        owed: micros(row, 6)?,
        granted: micros(row, 7)?,
        unit: api::UNIT.to_owned(),
    })
}

/// Usage of an account, oldest first, with the total over the whole time asked for.
pub async fn usage(conn: &Client, account: &str, query: &UsageQuery) -> Result<api::Usage, Trouble> {
    let owner = number(conn, account).await?;
    let since = query.since.map_or(i64::MIN, minute);
    let until = query.until.map_or(i64::MAX, |until| until.as_second().saturating_add(59).div_euclid(60));
    let (after, key, rule) = query.after.clone().unwrap_or((i64::MIN, 0, String::new()));
    let sql = "SELECT u.minute, k.id, u.rule, u.requests, u.credits, u.refunds, u.key
         FROM usage u JOIN keys k ON k.no = u.key
         WHERE u.account = $1 AND u.minute >= $2 AND u.minute < $3 AND (u.minute, u.key, u.rule) > ($4, $5, $6)
         ORDER BY u.minute, u.key, u.rule LIMIT $7";
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let given: [&(dyn ToSql + Sync); 7] = [&owner, &since, &until, &after, &key, &named(&rule), &limit];
    let read = |row: &Row| Ok((row.try_get::<_, i64>(6)?, read_usage(row)?));
    let mut lines = rows(conn, &[sql], &given, read).await?;
    let more = lines.len() > query.limit;
    lines.truncate(query.limit);
    let next = lines.last().filter(|_| more);
    let next = next.map(|(key, line)| format!("{}:{key}:{}", minute(line.minute), line.rule));
    let sql = "SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(credits), 0)::bigint,
           coalesce(sum(refunds), 0)::bigint
         FROM usage WHERE account = $1 AND minute >= $2 AND minute < $3";
    let read = |row: &Row| {
        Ok(api::UsageTotal { requests: count(row, 0)?, credits: micros(row, 1)?, refunds: count(row, 2)? })
    };
    let total =
        rows(conn, &[sql], &[&owner, &since, &until], read).await?.into_iter().next().unwrap_or_default();
    Ok(api::Usage { lines: lines.into_iter().map(|(_, line)| line).collect(), total, next })
}

fn read_usage(row: &Row) -> Result<api::UsageLine, Error> {
    let minute: i64 = row.try_get(0)?;
    Ok(api::UsageLine {
        minute: at(minute.saturating_mul(60_000)),
        key: row.try_get(1)?,
        rule: row.try_get(2)?,
        requests: count(row, 3)?,
        credits: micros(row, 4)?,
        refunds: count(row, 5)?,
    })
}

/// The open leases with the largest escrow, each with its touch; and what all hold together.
pub async fn leases(
    conn: &Client,
    gateway: Option<&str>,
) -> Result<(Vec<(api::Lease, i64)>, Credits), Trouble> {
    let gateway = gateway.map(named);
    let sql = "SELECT g.name, a.id, k.id, l.fence, l.granted, l.spent, l.returned, l.held, l.escrow, l.touch
         FROM leases l JOIN gateways g ON g.no = l.gateway JOIN accounts a ON a.no = l.account
           JOIN keys k ON k.no = l.key
         WHERE l.state = 'open' AND ($1::text IS NULL OR g.name = $1)
         ORDER BY l.escrow DESC, g.name, k.no LIMIT $2";
    let limit = i64::try_from(api::MAX_LIMIT).unwrap_or(i64::MAX);
    let read = |row: &Row| Ok((read_lease(row)?, row.try_get(9)?));
    let leases = rows(conn, &[sql], &[&gateway, &limit], read).await?;
    let sql = "SELECT coalesce(sum(l.escrow), 0)::bigint FROM leases l JOIN gateways g ON g.no = l.gateway
         WHERE l.state = 'open' AND ($1::text IS NULL OR g.name = $1)";
    let at_risk = rows(conn, &[sql], &[&gateway], |row| micros(row, 0)).await?;
    Ok((leases, at_risk.into_iter().next().unwrap_or_default()))
}

fn read_lease(row: &Row) -> Result<api::Lease, Error> {
    Ok(api::Lease {
        gateway: row.try_get(0)?,
        account: row.try_get(1)?,
        key: row.try_get(2)?,
        fence: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
        granted: micros(row, 4)?,
        spent: micros(row, 5)?,
        returned: micros(row, 6)?,
        held: micros(row, 7)?,
        at_risk: micros(row, 8)?,
        heard_ms_ago: 0,
    })
}

/// How many leases are open, and what they hold together.
pub async fn at_risk(conn: &Client) -> Result<(i64, Credits), Trouble> {
    let sql = "SELECT count(*), coalesce(sum(escrow), 0)::bigint FROM leases WHERE state = 'open'";
    let found = rows(conn, &[sql], &[], |row| Ok((row.try_get(0)?, micros(row, 1)?))).await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// All rows of an answer.
pub async fn rows<T>(
    conn: &Client,
    sql: &[&str],
    given: &[&(dyn ToSql + Sync)],
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Trouble> {
    let statement = conn.prepare_cached(&sql.concat()).await?;
    Ok(conn.query(&statement, given).await?.iter().map(read).collect::<Result<_, _>>()?)
}

/// A count; the columns never hold one below zero.
pub fn count(row: &Row, column: usize) -> Result<u64, Error> {
    row.try_get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
}

fn missing(what: &'static str, id: &str) -> Trouble {
    Refusal::NotFound { what, id: id.to_owned() }.into()
}
