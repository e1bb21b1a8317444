//! How large the database is.

use super::{Reader, first, get};
use crate::store::StoreError;
use crate::store::dialect::Dialect;

/// The bytes of all tables and indexes.
pub async fn bytes(reader: &impl Reader) -> Result<u64, StoreError> {
    fn sql<R: Reader>(_: &R) -> &'static str {
        match R::DIALECT {
            Dialect::Sqlite => {
                "SELECT c.page_count * s.page_size FROM pragma_page_count() c, pragma_page_size() s"
            }
            Dialect::Postgres => "SELECT pg_database_size(current_database())",
        }
    }
    let found = first(reader, sql(reader), &[], |row| get::<i64>(row, 0)).await?;
    Ok(found.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
}
