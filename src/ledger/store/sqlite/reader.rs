//! Reads rows of SQLite for the queries that both databases share.

use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::operation::at_once;
use crate::store::queries::Reader;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};
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

fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<Option<T>, BadRow> {
    row.get(column).map_err(|error| BadRow::new(column, error.to_string()))
}

fn value<'a>(row: &'a Row<'_>, column: usize) -> Result<ValueRef<'a>, BadRow> {
    row.get_ref(column).map_err(|error| BadRow::new(column, error.to_string()))
}

impl Columns for Row<'_> {
    fn number(&self, column: usize) -> Result<Option<i64>, BadRow> {
        get(self, column)
    }

    fn flag(&self, column: usize) -> Result<Option<bool>, BadRow> {
        get(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, BadRow> {
        value(self, column)?.as_str_or_null().map_err(|error| BadRow::new(column, error.to_string()))
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, BadRow> {
        value(self, column)?.as_blob_or_null().map_err(|error| BadRow::new(column, error.to_string()))
    }
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
