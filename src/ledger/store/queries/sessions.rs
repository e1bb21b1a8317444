//! Sessions in the console.

use super::{Reader, columns, first};
use crate::store::StoreError;
use crate::store::record::Record;
use crate::store::rows::SessionRow;
use crate::store::value::Value;

/// The session with this hash.
pub async fn one(reader: &impl Reader, hash: &[u8]) -> Result<Option<SessionRow>, StoreError> {
    let sql = format!("SELECT {} FROM sessions s WHERE s.hash = ?1", columns(SessionRow::TABLE, "s"));
    first(reader, &sql, &[Value::Bytes(hash.to_vec())], |row| SessionRow::read(row)).await
}
