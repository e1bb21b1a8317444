//! Asks an account's holders to hand back what they don't need, because callers wait elsewhere, or because what
//! they have was taken back.

use super::trouble::Trouble;
use crate::domain::{AccountNo, GatewayNo, KeyNo, Scope};
use deadpool_postgres::Client;
use std::collections::BTreeSet;

/// A lease whose callers wait for more than was available: its account, gateway and key, and among whose leases
/// something must come back.
pub type Short = (AccountNo, GatewayNo, KeyNo, Scope);

/// What came of it.
#[derive(Debug)]
pub struct Recalled {
    /// Those for which somebody else can hand something back.
    pub contested: BTreeSet<Short>,
    /// Accounts of which a holder was asked who had not been asked before.
    pub accounts: BTreeSet<AccountNo>,
}

/// Asks all holders other than the one that is short. The accounts are locked, and what this
/// transaction changed of their leases is written.
pub async fn others(conn: &Client, short: &BTreeSet<Short>) -> Result<Recalled, Trouble> {
    let accounts: Vec<i64> = short.iter().map(|short| short.0.0).collect();
    let gateways: Vec<i64> = short.iter().map(|short| short.1.0).collect();
    let keys: Vec<i64> = short.iter().map(|short| short.2.0).collect();
    let scopes: Vec<&str> = short.iter().map(|short| short.3.as_str()).collect();
    let targets: Vec<i64> = short.iter().map(|short| short.3.target()).collect();
    let sql = "WITH others AS (
          SELECT s.account, s.gateway AS asking, s.key AS asking_key, s.scope, s.target, l.gateway, l.key, l.recall
          FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
              AS s (account, gateway, key, scope, target)
            JOIN leases l ON l.account = s.account AND (l.gateway, l.key) <> (s.gateway, s.key)
          WHERE l.state = 'open' AND l.escrow > 0 AND l.escrow > l.held
            AND (s.scope = 'account' OR s.scope = 'key' AND l.key = s.target
              OR s.scope = 'team' AND EXISTS (SELECT 1 FROM keys k WHERE k.no = l.key AND k.team = s.target))
        ), asked AS (
          UPDATE leases l SET recall = true FROM (SELECT DISTINCT gateway, key FROM others WHERE NOT recall) o
          WHERE l.gateway = o.gateway AND l.key = o.key
        )
        SELECT account, asking, asking_key, bool_or(NOT recall), scope, target FROM others
        GROUP BY account, asking, asking_key, scope, target";
    let ask = conn.prepare_cached(sql).await?;
    let mut recalled = Recalled { contested: BTreeSet::new(), accounts: BTreeSet::new() };
    for row in conn.query(&ask, &[&accounts, &gateways, &keys, &scopes, &targets]).await? {
        let account = AccountNo(row.try_get(0)?);
        let scope = Scope::stored(row.try_get(4)?, row.try_get(5)?);
        recalled.contested.insert((account, GatewayNo(row.try_get(1)?), KeyNo(row.try_get(2)?), scope));
        if row.try_get(3)? {
            recalled.accounts.insert(account);
        }
    }
    Ok(recalled)
}

/// Asks all holders of an account. It is locked.
pub async fn all(conn: &Client, account: AccountNo) -> Result<(), Trouble> {
    let ask = "UPDATE leases SET recall = true WHERE account = $1 AND escrow > 0 AND state = 'open' AND escrow > held";
    conn.execute(&conn.prepare_cached(ask).await?, &[&account.0]).await?;
    Ok(())
}

/// Whether somebody was asked to hand back, and hasn't yet.
pub async fn is_under_way(conn: &Client, account: AccountNo) -> Result<bool, Trouble> {
    let find = "SELECT EXISTS (SELECT 1 FROM leases WHERE account = $1 AND escrow > 0 AND state = 'open' AND recall)";
    Ok(conn.query_one(&conn.prepare_cached(find).await?, &[&account.0]).await?.try_get(0)?)
}
