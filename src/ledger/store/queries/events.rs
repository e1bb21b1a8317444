//! Events, and what is announced.

use super::{Reader, accounts, columns, first, get};
use crate::api;
use crate::command::alerts::shown;
use crate::domain::AccountNo;
use crate::domain::fault::Faults;
use crate::domain::webhook::ReplayPlan;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::{AccountRow, AlertDefaultRow, FaultsRow};
use crate::store::{EventQuery, StoreError};
use faregate_protocol::Credits;
use jiff::Timestamp;
use serde_json::Value;

/// The data of an event as JSON.
pub fn data(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn read(row: &dyn Columns) -> Result<api::Event, BadRow> {
    let data_text: String = get(row, 4)?;
    Ok(api::Event {
        id: get(row, 0)?,
        kind: get(row, 1)?,
        account: get(row, 2)?,
        sequence: get(row, 3)?,
        data: data(data_text),
        time: get(row, 5)?,
    })
}

/// A page of them, newest first.
pub async fn page(reader: &impl Reader, query: &EventQuery) -> Result<api::Events, StoreError> {
    let mut given = vec![query.page.rows().into()];
    let mut conditions = Vec::new();
    if let Some(account) = &query.account {
        given.push(accounts::number(reader, account).await?.0.into());
        conditions.push(format!(" AND e.account = ?{}", given.len()));
    }
    if let Some(kind) = query.kind {
        given.push(kind.as_str().into());
        conditions.push(format!(" AND e.kind = ?{}", given.len()));
    }
    for (sign, time) in [(">=", query.since), ("<", query.until)] {
        if let Some(time) = time {
            given.push(time.as_millisecond().into());
            conditions.push(format!(" AND e.created_ms {sign} ?{}", given.len()));
        }
    }
    if let Some(after) = &query.page.after {
        given.push(after.as_str().into());
        conditions.push(format!(
            " AND (e.created_ms, e.account, e.seq) < (SELECT l.created_ms, l.account, l.seq FROM events l WHERE l.id = ?{})",
            given.len()
        ));
    }
    let sql = format!(
        "SELECT e.id, e.kind, a.id, e.seq, e.data, e.created_ms FROM events e LEFT JOIN accounts a ON a.no = e.account
         WHERE e.seq > 0{} ORDER BY e.created_ms DESC, e.account DESC, e.seq DESC LIMIT ?1",
        conditions.concat()
    );
    let mut events = reader.rows(&sql, &given, read).await?;
    let next = query.page.cut(&mut events).map(|last| last.id.clone());
    Ok(api::Events { events, next })
}

/// The next events that a replay looks at, each with its kind and its time.
pub async fn to_replay(
    reader: &impl Reader,
    plan: &ReplayPlan,
    limit: usize,
) -> Result<Vec<((AccountNo, i64), String, Timestamp)>, StoreError> {
    let sql = "SELECT account, seq, kind, created_ms FROM events
        WHERE (created_ms, account, seq) > (?1, ?2, ?3) AND created_ms <= ?4
        ORDER BY created_ms, account, seq LIMIT ?5";
    let (ms, account, seq) = plan.after;
    let given =
        [ms.into(), account.into(), seq.into(), plan.until.as_millisecond().into(), super::most(limit)];
    reader.rows(sql, &given, |row| Ok(((get(row, 0)?, get(row, 1)?), get(row, 2)?, get(row, 3)?))).await
}

/// Below which balance accounts are announced that say nothing else.
pub async fn alert_below(reader: &impl Reader) -> Result<Option<Credits>, StoreError> {
    let sql = format!("SELECT {} FROM alert_defaults d LIMIT 1", columns(AlertDefaultRow::TABLE, "d"));
    let found = first(reader, &sql, &[], |row| AlertDefaultRow::read(row)).await?;
    Ok(found.and_then(|row| row.balance_below))
}

/// What is wrong with the ledger.
pub async fn faults(reader: &impl Reader) -> Result<Faults, StoreError> {
    let sql = format!("SELECT {} FROM ledger_faults f LIMIT 1", columns(FaultsRow::TABLE, "f"));
    let found = first(reader, &sql, &[], |row| FaultsRow::read(row)).await?;
    Ok(found.map(|row| row.faults).unwrap_or_default())
}

/// What is announced of an account, or of all that say nothing else.
pub async fn alerts(reader: &impl Reader, account: Option<&str>) -> Result<api::Alerts, StoreError> {
    let default = alert_below(reader).await?;
    let Some(id) = account else {
        return Ok(api::Alerts { account: None, balance_below: default, is_default: true, low: false });
    };
    let sql = format!("SELECT {} FROM accounts a WHERE a.id = ?1", columns(AccountRow::TABLE, "a"));
    let given = [id.into()];
    let found = first(reader, &sql, &given, |row| Ok(shown(&AccountRow::read(row)?, default)));
    found.await?.ok_or_else(|| super::missing("account", id))
}
