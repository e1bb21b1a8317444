//! The engine over the one connection that writes, and what readers find on theirs. Its futures are ready at once.
//!
//! What must hold: one transaction at a time. One that is dropped before its commit is rolled back.

use crate::domain::{AccountNo, GatewayNo};
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::directory::Directory;
use crate::store::engine::{
    Busy, Engine, ExpiredAmounts, ExpiryKey, Finder, Lookup, MaintenanceTask, Transaction, TxError,
};
use crate::store::maintenance::ROWS;
use crate::store::record::{BadRow, ColumnWriter, Columns, Parts, Record, Role, Table};
use crate::store::rows::ChangeRow;
use crate::store::statements::{ALL, Lock, What, text, updated};
use faregate_protocol::Credits;
use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, Row, params};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far the count of stamps is raised when a ledger opens: further than any can count in its life.
const STAMPS: i64 = 1 << 32;

/// Raises the count of stamps beyond all that were given before, and tells it. Leases that were restored from elsewhere may
/// have stamps that were never counted here.
pub fn raise_stamps(conn: &Connection) -> rusqlite::Result<i64> {
    let sql = "UPDATE sweep SET number = max(number, (SELECT coalesce(max(touch), 0) FROM leases)) + ?1
        RETURNING number";
    conn.query_row(sql, [STAMPS], |row| row.get(0))
}

/// A constraint was broken by what was written: of what was tried together, something can't be. All else is about the
/// database.
fn failed(error: rusqlite::Error) -> TxError {
    let about_data = [ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::TooBig];
    let about_data = error.sqlite_error_code().is_some_and(|code| about_data.contains(&code));
    let error = StoreError::from(error);
    if about_data { TxError::Value(error) } else { TxError::Failed(error) }
}

/// The engine. It keeps its connection from other threads only because the compiler asks for it: the thread that writes
/// never waits for it.
#[derive(Debug)]
pub struct SqliteEngine {
    conn: Mutex<Connection>,
    stamps: Arc<AtomicI64>,
    directory: Arc<Directory>,
}

impl SqliteEngine {
    /// One that counts stamps on from where these are (see [`raise_stamps`]).
    pub fn new(conn: Connection, stamps: Arc<AtomicI64>) -> Self {
        Self { conn: Mutex::new(conn), stamps, directory: Arc::default() }
    }

    /// The connection, for what isn't done in transactions of the engine.
    pub fn conn(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for SqliteEngine {
    type Transaction<'a> = SqliteTransaction<'a>;
    const SERIAL: bool = true;

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    async fn begin(&self, _: Busy) -> Result<SqliteTransaction<'_>, TxError> {
        run(&self.conn(), "BEGIN IMMEDIATE")?;
        let stamp = self.stamps.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        Ok(SqliteTransaction { engine: self, stamp, numbers: HashMap::new() })
    }
}

/// A transaction.
#[derive(Debug)]
pub struct SqliteTransaction<'a> {
    engine: &'a SqliteEngine,
    stamp: i64,
    /// The last numbers that were given, by table.
    numbers: HashMap<&'static str, i64>,
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        let conn = self.engine.conn();
        // After a commit, or where SQLite has rolled back already, there is nothing to undo.
        if !conn.is_autocommit() {
            // If even that fails, the next transaction can't begin, and says so.
            let _ = run(&conn, "ROLLBACK");
        }
    }
}

impl Finder for SqliteTransaction<'_> {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        _: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        find(&self.engine.conn(), lookup, keys)
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        lapsed(&self.engine.conn(), grants)
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        demand(&self.engine.conn(), accounts)
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        number(&self.engine.conn(), What::Count(table))
    }
}

impl Transaction for SqliteTransaction<'_> {
    async fn stamp(&mut self) -> Result<i64, TxError> {
        Ok(self.stamp)
    }

    async fn numbers(&mut self, table: &'static Table, count: usize) -> Result<Vec<i64>, TxError> {
        let last = match self.numbers.get(table.name) {
            Some(last) => *last,
            None => number(&self.engine.conn(), What::Largest(table))?,
        };
        let first = last.saturating_add(1);
        let last = last.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
        self.numbers.insert(table.name, last);
        Ok((first..=last).collect())
    }

    async fn recallable(&mut self, gateway: GatewayNo) -> Result<u64, TxError> {
        let sql = "SELECT count(*) FROM leases WHERE escrow > 0 AND state = 'open' AND escrow > held
            AND (?1 = 0 OR gateway = ?1)";
        let conn = self.engine.conn();
        let count: i64 = prepare(&conn, sql)?.query_row([gateway.0], |row| row.get(0)).map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn recall(&mut self, gateway: GatewayNo) -> Result<(), TxError> {
        let sql = "UPDATE leases SET recall = 1 WHERE escrow > 0 AND state = 'open' AND escrow > held
            AND (?1 = 0 OR gateway = ?1)";
        prepare(&self.engine.conn(), sql)?.execute([gateway.0]).map(drop).map_err(failed)
    }

    async fn insert<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        write(&self.engine.conn(), What::Insert(R::TABLE), rows, |row, bind| row.write(ALL, bind))
    }

    async fn update<R: Record>(&mut self, rows: &[&R], roles: &'static [Role]) -> Result<(), TxError> {
        if updated(R::TABLE, roles).is_none() {
            return Ok(());
        }
        write(&self.engine.conn(), What::Update(R::TABLE, roles), rows, |row, bind| {
            row.key().write(bind);
            row.write(roles, bind);
        })
    }

    async fn add<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        write(&self.engine.conn(), What::Add(R::TABLE), rows, |row, bind| row.write(ALL, bind))
    }

    async fn delete<R: Record>(&mut self, keys: &[&R::Key]) -> Result<(), TxError> {
        write(&self.engine.conn(), What::Delete(R::TABLE), keys, |key, bind| key.write(bind))
    }

    async fn announce(&mut self, changes: &[ChangeRow]) -> Result<(), TxError> {
        let conn = self.engine.conn();
        // The database gives the number: one that was given is never given again, even if its row is gone.
        let mut keep = prepare(
            &conn,
            "INSERT INTO changes (account, key, gateway, created_ms) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for ChangeRow { account, key, gateway, created_at, .. } in changes {
            keep.execute(params![account.0, key.0, gateway.0, created_at.as_millisecond()])
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn tend(&mut self, chore: MaintenanceTask) -> Result<(), TxError> {
        let conn = self.engine.conn();
        let most = i64::try_from(ROWS).unwrap_or(i64::MAX);
        match chore {
            MaintenanceTask::Prune(kept, before_ms) => {
                prepare(&conn, &kept.delete(Dialect::Sqlite))?.execute([before_ms, most])
            }
            MaintenanceTask::Probe(at_ms) => {
                prepare(&conn, "UPDATE write_probe SET at_ms = ?1")?.execute([at_ms])
            }
        }
        .map(drop)
        .map_err(failed)
    }

    async fn commit(self) -> Result<(), TxError> {
        run(&self.engine.conn(), "COMMIT")
    }
}

/// Finds rows on a connection that only reads.
#[derive(Debug)]
pub struct Look<'a>(pub &'a mut Connection);

impl Finder for Look<'_> {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        _: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        find(self.0, lookup, keys)
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        lapsed(self.0, grants)
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        demand(self.0, accounts)
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        number(self.0, What::Count(table))
    }
}

fn prepare<'a>(conn: &'a Connection, sql: &str) -> Result<CachedStatement<'a>, TxError> {
    conn.prepare_cached(sql).map_err(failed)
}

fn run(conn: &Connection, sql: &str) -> Result<(), TxError> {
    prepare(conn, sql)?.execute([]).map(drop).map_err(failed)
}

fn number(conn: &Connection, what: What) -> Result<i64, TxError> {
    prepare(conn, &text(Dialect::Sqlite, what))?.query_row([], |row| row.get(0)).map_err(failed)
}

fn find<R: Record, K: Parts>(
    conn: &Connection,
    lookup: &'static Lookup,
    keys: &BTreeSet<K>,
) -> Result<Vec<R>, TxError> {
    let mut statement = prepare(conn, &text(Dialect::Sqlite, What::Find(lookup, Lock::Never)))?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        bind(&mut statement, |to| key.write(to))?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            found.push(R::read(row)?);
        }
    }
    Ok(found)
}

fn lapsed(
    conn: &Connection,
    grants: &BTreeSet<ExpiryKey>,
) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
    let sql = "SELECT coalesce(sum(amount) FILTER (WHERE kind = 7), 0), coalesce(sum(amount) FILTER (WHERE kind = 6), 0)
        FROM entries WHERE account = ?1 AND minute >= ?3 AND kind IN (6, 7) AND grant_no = ?2";
    let mut statement = prepare(conn, sql)?;
    let sums = grants.iter().map(|lapsing| {
        let (account, grant, minute) = *lapsing;
        let read = |row: &Row<'_>| {
            let sum = |column| row.get(column).map(Credits::from_micros);
            Ok(ExpiredAmounts { expired: sum(0)?, breakage: sum(1)? })
        };
        statement.query_row([account.0, grant.0, minute], read).map(|lapsed| (*lapsing, lapsed))
    });
    sums.collect::<Result<_, _>>().map_err(failed)
}

fn demand(conn: &Connection, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
    let sql =
        "SELECT coalesce(sum(demand), 0) FROM leases WHERE account = ?1 AND escrow > 0 AND state = 'open'";
    let mut statement = prepare(conn, sql)?;
    let sums = accounts.iter().map(|account| {
        let sum = statement.query_row([account.0], |row| row.get::<_, i64>(0));
        sum.map(|sum| (*account, u64::try_from(sum).unwrap_or(0)))
    });
    sums.collect::<Result<_, _>>().map_err(failed)
}

/// Does a statement for each of these.
fn write<T: ?Sized>(
    conn: &Connection,
    what: What,
    each: &[&T],
    values: impl Fn(&T, &mut Bind<'_, '_>),
) -> Result<(), TxError> {
    let mut statement = prepare(conn, &text(Dialect::Sqlite, what))?;
    for one in each {
        bind(&mut statement, |to| values(one, to))?;
        statement.raw_execute().map_err(failed)?;
    }
    Ok(())
}

fn bind<'s>(
    statement: &mut rusqlite::Statement<'s>,
    values: impl FnOnce(&mut Bind<'_, 's>),
) -> Result<(), TxError> {
    let mut bind = Bind { statement, next: 1, result: Ok(()) };
    values(&mut bind);
    bind.result.map_err(failed)
}

/// Binds values to the parameters of a statement, one after the other.
struct Bind<'a, 's> {
    statement: &'a mut rusqlite::Statement<'s>,
    next: usize,
    result: rusqlite::Result<()>,
}

impl Bind<'_, '_> {
    fn bind(&mut self, value: impl ToSql) {
        if self.result.is_ok() {
            self.result = self.statement.raw_bind_parameter(self.next, value);
        }
        self.next = self.next.saturating_add(1);
    }
}

impl ColumnWriter for Bind<'_, '_> {
    fn number(&mut self, value: Option<i64>) {
        self.bind(value);
    }

    fn flag(&mut self, value: Option<bool>) {
        self.bind(value);
    }

    fn text(&mut self, value: Option<&str>) {
        self.bind(value);
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        self.bind(value);
    }
}

fn column<'a>(row: &'a Row<'_>, column: usize) -> Result<ValueRef<'a>, BadRow> {
    row.get_ref(column).map_err(|error| BadRow::new(column, error.to_string()))
}

fn unlike(column: usize, value: ValueRef<'_>, wanted: &str) -> BadRow {
    BadRow::new(column, format!("has a value of type {} instead of {wanted}", value.data_type()))
}

impl Columns for Row<'_> {
    fn number(&self, n: usize) -> Result<Option<i64>, BadRow> {
        match column(self, n)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            other => Err(unlike(n, other, "integer")),
        }
    }

    fn flag(&self, n: usize) -> Result<Option<bool>, BadRow> {
        Ok(self.number(n)?.map(|number| number != 0))
    }

    fn text(&self, n: usize) -> Result<Option<&str>, BadRow> {
        match column(self, n)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(text) => {
                std::str::from_utf8(text).map(Some).map_err(|error| BadRow::new(n, error.to_string()))
            }
            other => Err(unlike(n, other, "text")),
        }
    }

    fn bytes(&self, n: usize) -> Result<Option<&[u8]>, BadRow> {
        match column(self, n)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            other => Err(unlike(n, other, "bytes")),
        }
    }
}
