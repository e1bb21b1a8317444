//! Looks for records: the SQL once, for both databases.

use super::page::{CallQuery, Spans};
use crate::api;
use crate::store::StoreError;
use crate::store::queries::Reader;
use crate::store::record::{BadRow, Columns, Field};
use crate::store::value::Value;
use faregate_protocol::Credits;
use std::fmt::Write as _;
use std::ops::Range;

/// Newest first, or oldest first where `query` says so: what is found in a range of numbers, at most `limit`.
pub async fn in_span(
    reader: &impl Reader,
    query: &CallQuery,
    span: &Range<i64>,
    limit: usize,
) -> Result<Vec<(i64, api::CallRecord)>, StoreError> {
    let (sql, given) = statement(query, span, limit);
    reader.rows(&sql, &given, read).await
}

fn statement(query: &CallQuery, span: &Range<i64>, limit: usize) -> (String, Vec<Value>) {
    let mut given: Vec<Value> = vec![span.start.into(), span.end.into()];
    let mut conditions = String::new();
    let texts = [
        ("account", &query.account),
        ("request_id", &query.request_id),
        ("key", &query.key),
        ("rule", &query.rule),
        ("item", &query.item),
        ("decision", &query.decision),
        ("code", &query.code),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            given.push(Value::text(text));
            // Writing to a string doesn't fail.
            let _ = write!(conditions, " AND c.{column} = ?{}", given.len());
        }
    }
    if let Some(status) = &query.status {
        given.extend([Value::Number(status.start), Value::Number(status.end)]);
        let last = given.len();
        let _ = write!(conditions, " AND c.status >= ?{} AND c.status < ?{last}", last.saturating_sub(1));
    }
    given.push(Value::Number(i64::try_from(limit).unwrap_or(i64::MAX)));
    let order = if query.newer_than.is_some() { "" } else { " DESC" };
    let sql = format!(
        "SELECT c.id, c.at_ms, c.duration_ms, c.account, c.key, c.rule, c.item, c.decision, c.code, c.charge, c.hold, c.basis,
           c.used, c.status, c.request_id, g.name
         FROM calls c JOIN call_gateways g ON g.no = c.gateway
         WHERE c.id >= ?1 AND c.id < ?2{conditions} ORDER BY c.id{order} LIMIT ?{}",
        given.len()
    );
    (sql, given)
}

fn read(row: &dyn Columns) -> Result<(i64, api::CallRecord), BadRow> {
    let number: i64 = i64::get(row, 0)?;
    let text = |column| Option::<String>::get(row, column);
    let used = text(12)?;
    let record = api::CallRecord {
        id: number.to_string(),
        time: Field::get(row, 1)?,
        duration_ms: u64::get(row, 2)?,
        account: text(3)?,
        key: text(4)?,
        rule: String::get(row, 5)?,
        item: text(6)?,
        decision: String::get(row, 7)?,
        code: text(8)?,
        charge: Credits::get(row, 9)?,
        hold: Credits::get(row, 10)?,
        basis: text(11)?,
        // What can't be read says nothing.
        used: used.and_then(|used| serde_json::from_str(&used).ok()).unwrap_or_default(),
        status: Field::get(row, 13)?,
        request_id: text(14)?,
        gateway: String::get(row, 15)?,
    };
    Ok((number, record))
}

/// What a search gives: what was found, and where it goes on.
pub fn answer(found: Vec<(i64, api::CallRecord)>, spans: &Spans, newest: i64) -> api::Calls {
    let calls = found.into_iter().map(|(_, record)| record).collect();
    let next = spans.cursor().map(|number| number.to_string());
    api::Calls { calls, next, newest: newest.to_string() }
}
