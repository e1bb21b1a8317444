//! The trail of what operators did.

use super::{Reader, columns};
use crate::api;
use crate::store::record::{BadRow, Columns, Record};
use crate::store::rows::TrailRow;
use crate::store::{StoreError, TrailQuery};
use serde_json::Value;

fn entry(row: &dyn Columns) -> Result<api::TrailEntry, BadRow> {
    let row = TrailRow::read(row)?;
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(api::TrailEntry {
        id: u64::try_from(row.no).unwrap_or(0),
        at: row.created_at,
        operator: row.operator,
        token: row.token,
        from: row.peer,
        command: row.command,
        account: row.account,
        idempotency_key: row.idempotency_key,
        before: row.before.map(json),
        after: json(row.after),
    })
}

/// A page of it, newest first.
pub async fn page(reader: &impl Reader, query: &TrailQuery) -> Result<api::Trail, StoreError> {
    let before = query.page.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(i64::MAX);
    let mut given = vec![before.into(), query.page.rows().into()];
    let mut conditions = Vec::new();
    let texts = [("account", &query.account), ("operator", &query.operator)];
    for (column, text) in texts.into_iter().filter_map(|(column, text)| Some((column, text.as_deref()?))) {
        given.push(text.into());
        // An operator did far more than what was done about an account: with both, the index on the account is used.
        let other = if column == "operator" && query.account.is_some() { " || ''" } else { "" };
        conditions.push(format!(" AND t.{column}{other} = ?{}", given.len()));
    }
    for (sign, time) in [(">=", query.since), ("<", query.until)] {
        if let Some(time) = time {
            given.push(time.as_millisecond().into());
            conditions.push(format!(" AND t.created_ms {sign} ?{}", given.len()));
        }
    }
    let sql = format!(
        "SELECT {} FROM trail t WHERE t.no < ?1{} ORDER BY t.no DESC LIMIT ?2",
        columns(TrailRow::TABLE, "t"),
        conditions.concat()
    );
    let mut entries = reader.rows(&sql, &given, entry).await?;
    let next = query.page.cut(&mut entries).map(|last| last.id.to_string());
    Ok(api::Trail { entries, next })
}
