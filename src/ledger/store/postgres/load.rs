//! Loads sheets: a handful of statements, however many accounts, keys and leases there are.
//!
//! What must hold: accounts are locked in the order of their numbers, in one statement, before anything
//! else of them is read (see the module's head).

use super::budgets;
use super::sheet::{LeaseRow, Money, Sheet, Stamped};
use super::trouble::Trouble;
use super::{at, micros};
use crate::domain::answer::needs_demand;
use crate::domain::{
    Account, AccountId, AccountNo, AccountState, Books, GatewayNo, Grant, GrantNo, Key, KeyId, KeyNo, Lease,
    LeaseState, TeamNo,
};
use crate::store::draws;
use deadpool_postgres::Client;
use std::collections::BTreeSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

/// What to do about an account that another transaction has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    Wait,
    Skip,
}

const ACCOUNT: &str =
    "SELECT no, id, state, available, held, spent, expired, owed, granted, holders, tight, plan, contract, budgets
    FROM accounts";

/// Locks accounts and puts them on a fresh sheet, with the number that the epoch has after that.
pub async fn lock(conn: &Client, accounts: &BTreeSet<AccountNo>, busy: Busy) -> Result<Sheet, Trouble> {
    let numbers: Vec<i64> = accounts.iter().map(|no| no.0).collect();
    let skip = if busy == Busy::Skip { " SKIP LOCKED" } else { "" };
    let sql = [ACCOUNT, " WHERE no = ANY($1) ORDER BY no FOR NO KEY UPDATE", skip].concat();
    let lock = conn.prepare_cached(&sql).await?;
    let epoch = conn.prepare_cached("SELECT number FROM epoch").await?;
    let given: [&(dyn ToSql + Sync); 1] = [&numbers];
    let (locked, epoch) = tokio::try_join!(conn.query(&lock, &given), conn.query_one(&epoch, &[]))?;
    let mut sheet = Sheet { epoch: epoch.try_get(0)?, ..Sheet::default() };
    for row in &locked {
        let account = account(row)?;
        sheet.money.insert(account.no, Money { account, grants: Vec::new() });
    }
    Ok(sheet)
}

/// Locks the account with this identifier.
pub async fn lock_by_id(conn: &Client, id: &str) -> Result<Option<(AccountNo, Sheet)>, Trouble> {
    let find = conn.prepare_cached("SELECT no FROM accounts WHERE id = $1").await?;
    let Some(row) = conn.query_opt(&find, &[&id]).await? else { return Ok(None) };
    let no = AccountNo(row.try_get(0)?);
    Ok(Some((no, lock(conn, &BTreeSet::from([no]), Busy::Wait).await?)))
}

/// Puts these keys of locked accounts on the sheet, and these leases of theirs.
pub async fn keys_and_leases(
    conn: &Client,
    sheet: &mut Sheet,
    rows: &BTreeSet<LeaseRow>,
) -> Result<(), Trouble> {
    let numbers: Vec<i64> = rows.iter().map(|(_, key)| key.0).collect::<BTreeSet<_>>().into_iter().collect();
    let (gateways, keys): (Vec<i64>, Vec<i64>) = rows.iter().map(|(gateway, key)| (gateway.0, key.0)).unzip();
    let find_keys = conn
        .prepare_cached(
            "SELECT no, id, revoked, expires_ms, account, team, products FROM keys WHERE no = ANY($1)",
        )
        .await?;
    let find_leases = conn
        .prepare_cached(
            "SELECT l.gateway, l.key, l.account, l.fence, l.state, l.granted, l.spent, l.returned, l.held, l.draws,
               l.on_credit, l.recall, l.brisk, l.touch, l.changed_ms, l.demand
             FROM unnest($1::bigint[], $2::bigint[]) AS wanted (gateway, key)
               JOIN leases l ON l.gateway = wanted.gateway AND l.key = wanted.key",
        )
        .await?;
    let (of_keys, of_leases): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 2]) =
        ([&numbers], [&gateways, &keys]);
    let (keys, leases) =
        tokio::try_join!(conn.query(&find_keys, &of_keys), conn.query(&find_leases, &of_leases))?;
    for row in &keys {
        let key = Key {
            no: KeyNo(row.try_get(0)?),
            id: KeyId::stored(row.try_get(1)?),
            revoked: row.try_get(2)?,
            expires_at: row.try_get::<_, Option<i64>>(3)?.map(at),
            team: row.try_get::<_, Option<i64>>(5)?.map(TeamNo),
            products: crate::store::plans::products(row.try_get(6)?),
        };
        sheet.keys.insert(key.no, (key, AccountNo(row.try_get(4)?)));
    }
    for row in &leases {
        let stamped = lease(row)?;
        sheet.leases.insert((stamped.lease.gateway, stamped.lease.key), stamped);
    }
    budgets::load(conn, sheet).await?;
    demand(conn, sheet).await
}

/// Puts on the sheet what the leases tell of together, of accounts whose plan has limits.
async fn demand(conn: &Client, sheet: &mut Sheet) -> Result<(), Trouble> {
    let limited = sheet.money.values().filter(|money| needs_demand(money.account.contract.as_ref()));
    let limited: Vec<i64> = limited.map(|money| money.account.no.0).collect();
    if limited.is_empty() {
        return Ok(());
    }
    let sql = "SELECT account, sum(demand)::bigint FROM leases
        WHERE account = ANY($1) AND escrow > 0 AND state = 'open' GROUP BY account";
    for row in &conn.query(&conn.prepare_cached(sql).await?, &[&limited]).await? {
        let sum = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
        sheet.demand.insert(AccountNo(row.try_get(0)?), sum);
    }
    let told = sheet.leases.iter().filter(|(_, stamped)| stamped.lease.has_money());
    sheet.told = told.map(|(row, stamped)| (*row, u64::from(stamped.lease.demand))).collect();
    Ok(())
}

/// Puts on the sheet what these accounts' grants have left, and the grants that loaded leases draw on.
pub async fn grants(conn: &Client, sheet: &mut Sheet, accounts: &BTreeSet<AccountNo>) -> Result<(), Trouble> {
    if accounts.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = accounts.iter().map(|no| no.0).collect();
    let drawn = sheet.leases.values().flat_map(|stamped| stamped.lease.draws.iter().map(|draw| draw.grant.0));
    let drawn: Vec<i64> = drawn.collect::<BTreeSet<_>>().into_iter().collect();
    let find = conn
        .prepare_cached(
            "SELECT account, no, priority, expires_ms, remaining, subscription IS NOT NULL FROM grants WHERE account = ANY($1) AND remaining > 0
             UNION
             SELECT account, no, priority, expires_ms, remaining, subscription IS NOT NULL FROM grants WHERE no = ANY($2) AND account = ANY($1)",
        )
        .await?;
    for row in &conn.query(&find, &[&numbers, &drawn]).await? {
        let grant = Grant {
            no: GrantNo(row.try_get(1)?),
            priority: u16::try_from(row.try_get::<_, i64>(2)?).unwrap_or(u16::MAX),
            expires_at: row.try_get::<_, Option<i64>>(3)?.map(at),
            remaining: micros(row, 4)?,
            of_plan: row.try_get(5)?,
        };
        if let Some(money) = sheet.money.get_mut(&AccountNo(row.try_get(0)?)) {
            money.grants.push(grant);
        }
    }
    Ok(())
}

fn account(row: &Row) -> Result<Account, Error> {
    Ok(Account {
        no: AccountNo(row.try_get(0)?),
        id: AccountId::stored(row.try_get(1)?),
        state: state_of(row.try_get(2)?),
        books: Books {
            available: micros(row, 3)?,
            held: micros(row, 4)?,
            spent: micros(row, 5)?,
            expired: micros(row, 6)?,
            owed: micros(row, 7)?,
            granted: micros(row, 8)?,
        },
        holders: row.try_get(9)?,
        tight: row.try_get(10)?,
        plan: row.try_get(11)?,
        contract: crate::store::plans::contract(row.try_get(12)?),
        budgets: row.try_get(13)?,
        due: None,
    })
}

/// The state by its name; the column's CHECK allows no other than these.
pub fn state_of(name: &str) -> AccountState {
    match name {
        "active" => AccountState::Active,
        "suspended" => AccountState::Suspended,
        _ => AccountState::Closed,
    }
}

fn lease(row: &Row) -> Result<Stamped, Trouble> {
    let lease = Lease {
        gateway: GatewayNo(row.try_get(0)?),
        key: KeyNo(row.try_get(1)?),
        account: AccountNo(row.try_get(2)?),
        fence: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
        state: match row.try_get(4)? {
            "open" => LeaseState::Open,
            "ended" => LeaseState::Ended,
            _ => LeaseState::Reclaimed,
        },
        granted: micros(row, 5)?,
        spent: micros(row, 6)?,
        returned: micros(row, 7)?,
        held: micros(row, 8)?,
        draws: draws::read(row.try_get(9)?).map_err(crate::store::StoreError::Backend)?,
        on_credit: micros(row, 10)?,
        recall: row.try_get(11)?,
        brisk: row.try_get(12)?,
        demand: u32::try_from(row.try_get::<_, i64>(15)?).unwrap_or(u32::MAX),
    };
    Ok(Stamped { lease, touch: row.try_get(13)?, changed_ms: row.try_get(14)? })
}
