//! Leases, one row per key and gateway.

use super::{Work, count};
use crate::domain::{AccountNo, GatewayNo, KeyNo, Lease, LeaseState, Scope};
use crate::store::{StoreError, draws};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// A gateway's row; made on first contact.
pub fn gateway(conn: &Connection, name: &str) -> Result<GatewayNo, StoreError> {
    let mut find = conn.prepare_cached("SELECT no FROM gateways WHERE name = ?1")?;
    if let Some(no) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(GatewayNo(no));
    }
    conn.prepare_cached("INSERT INTO gateways (name) VALUES (?1)")?.execute([name])?;
    Ok(GatewayNo(conn.last_insert_rowid()))
}

/// The lease of a key on a gateway; [`Lease::never`] when there is no row.
pub fn load(
    conn: &Connection,
    gateway: GatewayNo,
    key: KeyNo,
    account: AccountNo,
) -> Result<Lease, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT fence, state, granted, spent, returned, held, draws, on_credit, recall, brisk, demand
             FROM leases WHERE gateway = ?1 AND key = ?2",
        )?
        .query_row(params![gateway.0, key.0], |row| read(row, gateway, key, account))
        .optional()?;
    match found {
        Some((lease, draws)) => {
            Ok(Lease { draws: draws::read(&draws).map_err(StoreError::Backend)?, ..lease })
        }
        None => Ok(Lease::never(gateway, key, account)),
    }
}

fn read(
    row: &Row<'_>,
    gateway: GatewayNo,
    key: KeyNo,
    account: AccountNo,
) -> rusqlite::Result<(Lease, String)> {
    let state: String = row.get(1)?;
    let amount = |column| row.get(column).map(Credits::from_micros);
    let lease = Lease {
        gateway,
        key,
        account,
        fence: row.get(0)?,
        state: match state.as_str() {
            "open" => LeaseState::Open,
            "ended" => LeaseState::Ended,
            _ => LeaseState::Reclaimed,
        },
        granted: amount(2)?,
        spent: amount(3)?,
        returned: amount(4)?,
        held: amount(5)?,
        draws: Vec::new(),
        on_credit: amount(7)?,
        recall: row.get(8)?,
        brisk: row.get(9)?,
        demand: row.get(10)?,
    };
    Ok((lease, row.get(6)?))
}

/// Keeps a lease, stamped with the next number of the running count when its gateway has named it.
pub fn keep(work: &Work<'_>, lease: &Lease, touched: bool, now: Timestamp) -> Result<(), StoreError> {
    let state = match lease.state {
        LeaseState::Open => "open",
        LeaseState::Ended => "ended",
        LeaseState::Reclaimed => "reclaimed",
    };
    let touch = if touched { Some(work.next_touch()) } else { None };
    work.conn
        .prepare_cached(
            "INSERT INTO leases (gateway, key, account, fence, state, granted, spent, returned, held, draws,
               escrow, on_credit, recall, brisk, touch, changed_ms, demand)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, coalesce(?15, 0), ?16, ?17)
             ON CONFLICT (gateway, key) DO UPDATE SET fence = ?4, state = ?5, granted = ?6, spent = ?7,
               returned = ?8, held = ?9, draws = ?10, escrow = ?11, on_credit = ?12, recall = ?13,
               brisk = ?14, touch = coalesce(?15, touch), changed_ms = ?16, demand = ?17",
        )?
        .execute(params![
            lease.gateway.0,
            lease.key.0,
            lease.account.0,
            lease.fence,
            state,
            lease.granted.micros(),
            lease.spent.micros(),
            lease.returned.micros(),
            lease.held.micros(),
            draws::text(&lease.draws),
            lease.escrow().micros(),
            lease.on_credit.micros(),
            lease.recall,
            lease.brisk,
            touch,
            now.as_millisecond(),
            lease.demand,
        ])?;
    Ok(())
}

/// What the account's other leases with money tell of together, in requests per second.
pub fn demand(conn: &Connection, lease: &Lease) -> Result<u64, StoreError> {
    let sum = conn
        .prepare_cached(
            "SELECT coalesce(sum(demand), 0) AS demand FROM leases WHERE account = ?1 AND escrow > 0
             AND state = 'open' AND NOT (gateway = ?2 AND key = ?3)",
        )?
        .query_row(params![lease.account.0, lease.gateway.0, lease.key.0], |row| count(row, "demand"))?;
    Ok(sum)
}

/// Asks an account's other holders in a scope to hand back what they don't need. Tells whether any could.
pub fn recall_others(
    conn: &Connection,
    asking: &Lease,
    scope: Scope,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let others = params![asking.account.0, asking.gateway.0, asking.key.0, scope.as_str(), scope.target()];
    let ask = ["UPDATE leases SET recall = 1 WHERE recall = 0 AND ", OTHERS].concat();
    let asked = conn.prepare_cached(&ask)?.execute(others)?;
    if asked > 0 {
        announce(conn, asking.account, KeyNo(0), GatewayNo(0), now)?;
        return Ok(true);
    }
    let any = ["SELECT EXISTS (SELECT 1 FROM leases WHERE ", OTHERS, ")"].concat();
    Ok(conn.prepare_cached(&any)?.query_row(others, |row| row.get(0))?)
}

/// Asks all of an account's holders to hand back what they don't need.
pub fn recall(conn: &Connection, account: AccountNo) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE leases SET recall = 1 WHERE account = ?1 AND escrow > 0 AND state = 'open' AND escrow > held",
    )?
    .execute([account.0])?;
    Ok(())
}

/// Whether somebody was asked to hand back, and hasn't yet.
pub fn is_recalled(conn: &Connection, account: AccountNo) -> Result<bool, StoreError> {
    let find = "SELECT EXISTS (SELECT 1 FROM leases WHERE account = ?1 AND escrow > 0 AND state = 'open' AND recall = 1)";
    Ok(conn.prepare_cached(find)?.query_row([account.0], |row| row.get(0))?)
}

/// Which other holders could hand something back.
const OTHERS: &str = "account = ?1 AND escrow > 0 AND state = 'open' AND escrow > held
    AND NOT (gateway = ?2 AND key = ?3) AND (?4 = 'account' OR ?4 = 'key' AND key = ?5
      OR ?4 = 'team' AND EXISTS (SELECT 1 FROM keys k WHERE k.no = leases.key AND k.team = ?5))";

/// Makes the gateways of all of an account's holders beat fast, or as usual.
pub fn set_brisk(conn: &Connection, account: AccountNo, brisk: bool) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE leases SET brisk = ?2 WHERE account = ?1 AND escrow > 0 AND brisk <> ?2")?
        .execute(params![account.0, brisk])?;
    Ok(())
}

/// Writes down something that gateways must hear (see the table's comment for what zeros mean).
pub fn announce(
    conn: &Connection,
    account: AccountNo,
    key: KeyNo,
    gateway: GatewayNo,
    now: Timestamp,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO changes (account, key, gateway, made_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![account.0, key.0, gateway.0, now.as_millisecond()])?;
    Ok(())
}
