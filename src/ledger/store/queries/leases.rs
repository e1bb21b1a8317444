//! Open leases.

use super::{Reader, credits, first, get, sum};
use crate::api;
use crate::store::StoreError;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use faregate_protocol::Credits;

/// The open leases with the largest escrow, each with its touch; and what all hold together.
pub async fn list(
    reader: &impl Reader,
    gateway: Option<&str>,
) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
    let of = if gateway.is_some() { " AND gateway = (SELECT no FROM gateways WHERE name = ?1)" } else { "" };
    let given: Vec<Value> = gateway.into_iter().map(Value::from).collect();
    // Those that are shown are chosen before anything is looked up for them.
    let sql = format!(
        "SELECT g.name, a.id, k.id, l.epoch, l.granted, l.spent, l.returned, l.held, l.escrow, l.touch
         FROM (SELECT * FROM leases WHERE state = 'open'{of} ORDER BY escrow DESC, gateway, key LIMIT {}) l
           JOIN gateways g ON g.no = l.gateway JOIN accounts a ON a.no = l.account JOIN keys k ON k.no = l.key
         ORDER BY l.escrow DESC, l.gateway, l.key",
        api::MAX_LIMIT
    );
    let leases = reader.rows(&sql, &given, |row| Ok((lease(row)?, get(row, 9)?))).await?;
    let sql = format!("SELECT {} FROM leases WHERE state = 'open'{of}", sum("escrow"));
    let at_risk = first(reader, &sql, &given, |row| credits(row, 0)).await?;
    Ok((leases, at_risk.unwrap_or_default()))
}

fn lease(row: &dyn Columns) -> Result<api::Lease, BadRow> {
    Ok(api::Lease {
        gateway: get(row, 0)?,
        account: get(row, 1)?,
        key: get(row, 2)?,
        epoch: get(row, 3)?,
        granted: get(row, 4)?,
        spent: get(row, 5)?,
        returned: get(row, 6)?,
        held: get(row, 7)?,
        at_risk: get(row, 8)?,
        heard_ms_ago: 0,
    })
}

/// How many leases are open, and what they hold together.
pub async fn at_risk(reader: &impl Reader) -> Result<(i64, Credits), StoreError> {
    let sql = format!("SELECT count(*), {} FROM leases WHERE state = 'open'", sum("escrow"));
    let found = first(reader, &sql, &[], |row| Ok((get(row, 0)?, credits(row, 1)?))).await?;
    Ok(found.unwrap_or_default())
}
