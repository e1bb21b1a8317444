//! Reads rows of SQLite for the queries that both databases share.

use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::operation::at_once;
use crate::store::queries::Reader;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use std::future::{Future, ready};

impl Reader for Connection {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn rows<T: Send>(
        &self,
        sql: &str,
        given: &[Value],
        read: impl Fn(&dyn Columns) -> Result<T, BadRow> + Send,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send {
        ready(rows(self, sql, given, read))
    }
}

fn rows<T>(
    conn: &Connection,
    sql: &str,
    given: &[Value],
    read: impl Fn(&dyn Columns) -> Result<T, BadRow>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(given))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// What a query gives on a connection, which never waits.
pub fn done<T>(query: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    at_once(query).unwrap_or_else(|| Err(StoreError::Backend("a query waits for something".into())))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Nothing => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Flag(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
