//! Reads rows of PostgreSQL for the queries that both databases share.

use super::attempt_error::AttemptError;
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::queries::Reader;
use crate::store::record::stored_text as named;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use std::borrow::Cow;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

/// A connection of the pool, which keeps statements.
impl Reader for deadpool_postgres::Client {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn rows<T: Send>(
        &self,
        sql: &str,
        given: &[Value],
        read: impl Fn(&dyn Columns) -> Result<T, BadRow> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let statement = self.prepare_cached(&Self::DIALECT.text(sql)).await.map_err(AttemptError::from)?;
        found(self, &statement, given, read).await
    }
}

/// A connection outside of any pool.
impl Reader for Client {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn rows<T: Send>(
        &self,
        sql: &str,
        given: &[Value],
        read: impl Fn(&dyn Columns) -> Result<T, BadRow> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let statement = self.prepare(&Self::DIALECT.text(sql)).await.map_err(AttemptError::from)?;
        found(self, &statement, given, read).await
    }
}

async fn found<T>(
    conn: &Client,
    statement: &Statement,
    given: &[Value],
    read: impl Fn(&dyn Columns) -> Result<T, BadRow>,
) -> Result<Vec<T>, StoreError> {
    let texts: Vec<Option<Cow<'_, str>>> = given.iter().map(text).collect();
    let given = given.iter().zip(&texts).zip(statement.params());
    let given: Vec<&(dyn ToSql + Sync)> = given
        .map(|((value, text), place)| match text {
            Some(text) => text,
            None => bound(value, place),
        })
        .collect();
    let rows = conn.query(statement, &given).await.map_err(AttemptError::from)?;
    let rows = rows.iter().map(|row| read(row));
    Ok(rows.collect::<Result<_, BadRow>>()?)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    if let Value::Text(text) = value { Some(named(text)) } else { None }
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<Option<T>, BadRow> {
    row.try_get(column).map_err(|error| BadRow::new(column, super::attempt_error::plain(&error)))
}

impl Columns for Row {
    fn number(&self, column: usize) -> Result<Option<i64>, BadRow> {
        get(self, column)
    }

    fn flag(&self, column: usize) -> Result<Option<bool>, BadRow> {
        get(self, column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, BadRow> {
        get(self, column)
    }

    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, BadRow> {
        get(self, column)
    }
}

/// A value as the server takes it in a place of this type.
pub fn bound<'a>(value: &'a Value, place: &Type) -> &'a (dyn ToSql + Sync) {
    match (value, place) {
        (Value::Number(number), _) => number,
        (Value::Flag(flag), _) => flag,
        (Value::Text(text), _) => text,
        (Value::Bytes(bytes), _) => bytes,
        (Value::Nothing, &Type::INT8) => &None::<i64>,
        (Value::Nothing, &Type::BOOL) => &None::<bool>,
        (Value::Nothing, &Type::BYTEA) => &None::<Vec<u8>>,
        (Value::Nothing, _) => &None::<String>,
    }
}
