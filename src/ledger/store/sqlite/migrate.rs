//! Brings a database to the present version, forward only.

use super::fault::unopened;
use crate::store::error::OpenError;
use crate::store::migrations::SQLITE;
use rusqlite::{Connection, TransactionBehavior};
use std::path::PathBuf;

/// Runs the steps that are missing, each in a transaction of its own.
pub fn migrate(conn: &mut Connection) -> Result<(), OpenError> {
    let path = PathBuf::from(conn.path().unwrap_or_default());
    let backend = |error| unopened(&path, error);
    conn.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")
        .map_err(backend)?;
    let found: i64 = conn
        .query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))
        .map_err(backend)?;
    let known = i64::try_from(SQLITE.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (version, step) in (1_i64..).zip(SQLITE) {
        if version <= found {
            continue;
        }
        let step_by = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(backend)?;
        step_by.execute_batch(step).map_err(backend)?;
        step_by.execute("INSERT INTO schema_version (version) VALUES (?1)", [version]).map_err(backend)?;
        step_by.commit().map_err(backend)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        migrate(&mut conn).unwrap();
        conn.execute("INSERT INTO schema_version (version) VALUES (99)", []).unwrap();
        assert!(matches!(migrate(&mut conn), Err(OpenError::Newer { found: 99, .. })));
    }

    #[test]
    fn entry_kinds_match_between_code_and_database() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        let mut rows =
            conn.prepare("SELECT kind, name, from_book, to_book FROM entry_kinds ORDER BY kind").unwrap();
        let stored: Vec<(i64, String, String, String)> = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let coded: Vec<_> = Kind::ALL
            .iter()
            .map(|kind| {
                let name = |text: &str| text.to_owned();
                (kind.number(), name(kind.as_str()), name(kind.from().as_str()), name(kind.to().as_str()))
            })
            .collect();
        assert_eq!(stored, coded);
    }
}
