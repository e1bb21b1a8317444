//! A SQLite file as one side of a copy (see `store/copy`): reads and writes whole tables, row by row.

use super::done;
use super::engine::SqliteEngine;
use super::migrate::migrate;
use super::open::connect;
use crate::api::Audit;
use crate::command::reclaim::{Reclaim, TakeBack};
use crate::store::copy::{Content, Contents, CopyError, Row};
use crate::store::engine::{Busy, TxError};
use crate::store::maintenance::ROWS;
use crate::store::migrations::SQLITE;
use crate::store::operation::{Task, Work, attempt};
use crate::store::queries;
use crate::store::queries::jobs;
use crate::store::record::{Kind, Table};
use crate::store::rows::LeaseKey;
use crate::store::rows::TABLES;
use crate::store::value::Value;
use crate::store::{OpenError, StoreError};
use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};
use std::path::Path;
use std::sync::Arc;

/// Opens a copy that has no name yet. It lasts only once the whole file is synced; whatever fails on it, it
/// is thrown away, so nothing in it is ever rolled back.
pub fn open_stage(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA cache_size = -65536",
    )?;
    Ok(conn)
}

/// Opens a database that is only read; a ledger may be writing to it.
pub fn open_source(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Copies a database at one moment into an empty file.
pub fn snapshot(from: &Path, to: &Path) -> Result<(), StoreError> {
    let conn = open_source(from).map_err(|error| StoreError::Backend(error.to_string()))?;
    let to = to.to_str().ok_or_else(|| StoreError::Backend(format!("{} is not UTF-8", to.display())))?;
    conn.execute("VACUUM INTO ?1", [to])?;
    Ok(())
}

/// What an error means that a source gave.
pub fn explain(error: &StoreError, place: &str) -> CopyError {
    let (place, why) = (place.to_owned(), error.to_string());
    if why.contains("not a database") {
        CopyError::NotALedger { place, why }
    } else if why.contains("malformed") {
        CopyError::Damaged { place, why }
    } else {
        CopyError::Store(error.clone())
    }
}

/// Looks whether it is a ledger and whole, and brings it to the present version.
pub fn check(conn: &mut Connection, place: &str) -> Result<(), CopyError> {
    let no_ledger = |why: String| CopyError::NotALedger { place: place.to_owned(), why };
    let damaged = |why: String| CopyError::Damaged { place: place.to_owned(), why };
    let found = match version(conn) {
        Ok(found) => found,
        Err(rusqlite::Error::SqliteFailure(error, said)) if error.code == ErrorCode::DatabaseCorrupt => {
            return Err(damaged(said.unwrap_or_default()));
        }
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::NotADatabase => {
            return Err(no_ledger("it is no SQLite database".into()));
        }
        Err(_) => return Err(no_ledger("it has no table schema_version".into())),
    };
    let known = i64::try_from(SQLITE.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known }.into());
    }
    let whole = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match whole {
        Ok(said) if said == "ok" => {}
        Ok(said) => return Err(damaged(said)),
        Err(error) => return Err(damaged(error.to_string())),
    }
    let mut fresh = Connection::open_in_memory()?;
    migrate(&mut fresh)?;
    migrate(conn).map_err(|error| no_ledger(error.to_string()))?;
    if schema(conn)? != schema(&fresh)? {
        return Err(no_ledger("its tables are not those of a ledger".into()));
    }
    let stray =
        conn.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get::<_, i64>(0))?;
    if stray > 0 {
        return Err(damaged(format!("{stray} rows refer to rows that are not there")));
    }
    Ok(())
}

/// The version of its tables.
pub fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))
}

/// All tables, indexes, triggers and views, as they were declared.
fn schema(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master
        WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name";
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Recomputes every balance.
pub fn audit(conn: &Connection) -> Result<Audit, StoreError> {
    done(queries::audit::audit(conn))
}

/// How many rows a table has.
pub fn count(conn: &Connection, table: &str) -> Result<u64, StoreError> {
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let rows = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], count)?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Gives all rows of a table, a chunk at a time: at most so many rows, and hardly more than so many bytes.
pub fn each(
    conn: &Connection,
    table: &Table,
    (most_rows, most_bytes): (usize, usize),
    mut give: impl FnMut(Vec<Row>) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    let sql = format!("SELECT {} FROM {} ORDER BY {}", table.names(), table.name, table.key);
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut chunk, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let mut values = Row::with_capacity(table.columns.len());
        for (n, column) in table.columns.iter().enumerate() {
            let value = value(row.get_ref(n)?, column.kind)?;
            bytes = bytes.saturating_add(value.bytes());
            values.push(value);
        }
        chunk.push(values);
        if chunk.len() >= most_rows || bytes >= most_bytes {
            give(std::mem::take(&mut chunk))?;
            bytes = 0;
        }
    }
    if chunk.is_empty() { Ok(()) } else { give(chunk) }
}

fn value(found: ValueRef<'_>, kind: Kind) -> Result<Value, StoreError> {
    Ok(match (found, kind) {
        (ValueRef::Null, _) => Value::Nothing,
        (ValueRef::Integer(number), Kind::Flag) => Value::Flag(number != 0),
        (ValueRef::Integer(number), _) => Value::Number(number),
        (ValueRef::Text(text), _) => {
            Value::text(std::str::from_utf8(text).map_err(|error| StoreError::Backend(error.to_string()))?)
        }
        (ValueRef::Blob(bytes), _) => Value::Bytes(bytes.to_vec()),
        (ValueRef::Real(_), _) => return Err(StoreError::Backend("it holds a fraction".into())),
    })
}

/// What all tables hold.
pub fn contents(conn: &Connection) -> Result<Contents, CopyError> {
    let mut contents = Contents::new();
    for table in TABLES {
        let mut content = Content::default();
        each(conn, table, crate::store::copy::CHUNK, |rows| {
            content.add_all(&rows);
            Ok(())
        })?;
        contents.insert(table.name.to_owned(), content);
    }
    let mut newest_change = Content::default();
    newest_change.add(&[Value::Number(newest(conn)?)]);
    contents.insert("newest_change".to_owned(), newest_change);
    Ok(contents)
}

/// Makes the tables in an empty file, and begins to write.
pub fn prepare(conn: &mut Connection) -> Result<(), CopyError> {
    migrate(conn)?;
    conn.execute_batch("BEGIN")?;
    Ok(())
}

/// Writes rows.
pub fn write(conn: &Connection, table: &Table, rows: &[Row]) -> Result<(), StoreError> {
    let places = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, table.names());
    let mut statement = conn.prepare_cached(&sql)?;
    for row in rows {
        statement.execute(params_from_iter(row))?;
    }
    Ok(())
}

/// Ends writing.
pub fn finish(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.execute_batch("COMMIT")?)
}

/// The number of the newest change.
pub fn newest(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'",
        [],
        |row| row.get(0),
    )?)
}

/// Sets the number of the newest change.
pub fn set_newest(conn: &Connection, seq: i64) -> Result<(), StoreError> {
    if conn.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'changes'", [seq])? == 0 {
        conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', ?1)", [seq])?;
    }
    Ok(())
}

/// Counts more changes of the price list than any gateway can have heard of: at least so many more, and up to this number.
pub fn leap_prices(conn: &Connection, more: i64, least: i64) -> Result<(), StoreError> {
    conn.execute("UPDATE price_list SET change = max(change + ?1, ?2)", [more, least])?;
    Ok(())
}

/// Ends all sessions in the console and the portal, and all links to it.
pub fn end_sessions(conn: &Connection) -> Result<(), StoreError> {
    for table in ["sessions", "portal_sessions", "portal_links"] {
        conn.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

/// A number above every lease's stamp.
pub fn next_touch(conn: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(touch), 0) FROM leases";
    Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?.saturating_add(1))
}

/// Takes every open lease back.
pub fn take_leases_back(conn: Connection, now: Timestamp) -> Result<(), StoreError> {
    let engine = SqliteEngine::new(conn, Arc::default());
    let mut after = LeaseKey::default();
    loop {
        let silent =
            done(jobs::silent(&*engine.conn(), after, i64::try_from(ROWS).unwrap_or(i64::MAX), i64::MAX))?;
        let open = silent.leases.into_iter();
        let open =
            open.map(|(gateway, key, account)| Reclaim { place: (gateway, key), account, touch: i64::MAX });
        let mut tasks: Vec<Task<TakeBack>> = open.map(|lease| Task::new(TakeBack(lease), now)).collect();
        let mut works: Vec<&mut dyn Work> = tasks.iter_mut().map(|task| task as &mut dyn Work).collect();
        let taken = async { attempt(&engine, Busy::Wait, &mut works).await.map_err(TxError::into_inner) };
        done(taken)?;
        for task in tasks {
            task.into_outcome()?.map_err(|unreclaimed| StoreError::from(unreclaimed.why))?;
        }
        let Some(next) = silent.next else { return Ok(()) };
        after = next;
    }
}
