//! The engine over the pool: a transaction has a connection of its own, and does one statement after the other.
//!
//! What must hold: every statement has an end; and a connection whose transaction failed, or was dropped halfway, is closed
//! and not used again.

use super::attempt_error::AttemptError;
use super::pool::{Pool, PooledConnection};
use super::settings::Settings;
use crate::domain::{AccountNo, GatewayNo, GrantNo};
use crate::store::StoreError;
use crate::store::dialect::Dialect;
use crate::store::directory::Directory;
use crate::store::engine::{
    Busy, Engine, ExpiredAmounts, ExpiryKey, Finder, Lookup, MaintenanceTask, Transaction, TxError,
};
use crate::store::maintenance::ROWS;
use crate::store::record::{ColumnWriter, Kind, Parts, Record, Role, Table, stored_text};
use crate::store::rows::{AccountRow, ChangeRow};
use crate::store::statements::{ALL, Lock, What, text, updated};
use faregate_protocol::Credits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

/// What a failure means for a transaction. That a row is there already means that another ledger was quicker: what is
/// looked up again is found.
fn failed(attempt_error: AttemptError) -> TxError {
    let code = match &attempt_error {
        AttemptError::Database(error) => error.code(),
        AttemptError::Store(_) => None,
    };
    let again = attempt_error.is_collision() || code == Some(&SqlState::UNIQUE_VIOLATION);
    let about_data = attempt_error.is_about_data();
    let error = StoreError::from(attempt_error);
    match (again, about_data) {
        (true, _) => TxError::Again(error),
        (false, true) => TxError::Value(error),
        (false, false) => TxError::Failed(error),
    }
}

fn unread(error: tokio_postgres::Error) -> TxError {
    failed(error.into())
}

/// The engine.
#[derive(Clone, Debug)]
pub struct PostgresEngine {
    pool: Pool,
    patience: Duration,
    directory: Arc<Directory>,
}

impl PostgresEngine {
    /// One that borrows connections of this pool, and waits as long as these settings say.
    pub fn new(pool: Pool, settings: &Settings) -> Self {
        Self { pool, patience: settings.patience(), directory: Arc::default() }
    }

    /// Begins a snapshot, in which nothing is written.
    pub async fn snapshot(&self) -> Result<PostgresSnapshot, StoreError> {
        let borrowed = self.pool.snapshot().await?;
        Ok(PostgresSnapshot(Link::new(borrowed, self.patience, Lock::Never)))
    }
}

impl Engine for PostgresEngine {
    type Transaction<'a> = PostgresTransaction;
    const SERIAL: bool = false;

    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    async fn begin(&self, busy: Busy) -> Result<PostgresTransaction, TxError> {
        let lock = match busy {
            Busy::Wait => Lock::Wait,
            Busy::Skip => Lock::Skip,
        };
        let borrowed = self.pool.checkout().await?;
        let mut link = Link::new(borrowed, self.patience, lock);
        link.run("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        Ok(PostgresTransaction { link, recallable: BTreeMap::new() })
    }
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A borrowed connection with a transaction on it.
struct Link {
    borrowed: PooledConnection,
    patience: Duration,
    lock: Lock,
    state: State,
}

/// How a transaction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has failed, and no statement is running.
    Sound,
    /// A statement is running, or was abandoned.
    UnderWay,
    /// A statement has failed.
    Failed,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("lock", &self.lock).field("state", &self.state).finish_non_exhaustive()
    }
}

/// What is given up halfway is ended on the server by the connection itself.
impl Drop for Link {
    fn drop(&mut self) {
        if self.state != State::UnderWay {
            self.borrowed.close();
        }
    }
}

impl Link {
    fn new(borrowed: PooledConnection, patience: Duration, lock: Lock) -> Self {
        Self { borrowed, patience, lock, state: State::Sound }
    }

    /// Waits for a statement, but not for ever.
    async fn wait<T>(
        &mut self,
        work: impl AsyncFnOnce(&PooledConnection) -> Result<T, AttemptError>,
    ) -> Result<T, TxError> {
        // The server takes a COMMIT after a failure as well, and rolls back.
        if self.state != State::Sound {
            let why = "a statement of this transaction has failed before";
            return Err(StoreError::Backend(why.into()).into());
        }
        self.state = State::UnderWay;
        let mut work = Box::pin(work(&self.borrowed));
        let Ok(done) = tokio::time::timeout(self.patience, &mut work).await else {
            // The timeout check comes first: an abandoned statement is cancelled instead of waiting on.
            return Err(StoreError::Away(self.borrowed.why_late(self.patience).await).into());
        };
        drop(work);
        self.state = if done.is_ok() { State::Sound } else { State::Failed };
        done.map_err(failed)
    }

    async fn query(&mut self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, TxError> {
        self.wait(async |borrowed| {
            let conn = borrowed.conn()?;
            Ok(conn.query(&conn.prepare_cached(sql).await?, values).await?)
        })
        .await
    }

    async fn execute(&mut self, sql: &str, values: Values<'_>) -> Result<(), TxError> {
        self.wait(async |borrowed| {
            let conn = borrowed.conn()?;
            Ok(conn.execute(&conn.prepare_cached(sql).await?, values).await.map(drop)?)
        })
        .await
    }

    async fn run(&mut self, sql: &str) -> Result<(), TxError> {
        self.wait(async |borrowed| Ok(borrowed.conn()?.batch_execute(sql).await?)).await
    }

    /// The only number of an answer.
    async fn number(&mut self, sql: &str, values: Values<'_>) -> Result<i64, TxError> {
        let rows = self.query(sql, values).await?;
        let row = rows.first().ok_or_else(|| StoreError::Backend(format!("no answer to {sql}")))?;
        row.try_get(0).map_err(unread)
    }

    async fn commit(mut self) -> Result<(), TxError> {
        self.wait(async |borrowed| borrowed.commit().await).await?;
        self.borrowed.give_back();
        Ok(())
    }

    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        let mut arrays = Arrays::new(K::KINDS.iter().copied(), keys.len());
        for key in keys {
            key.write(&mut arrays);
        }
        let sql = text(Dialect::Postgres, What::Find(lookup, self.lock));
        let rows = self.query(&sql, &arrays.values()).await?;
        Ok(rows.iter().map(R::read).collect::<Result<_, _>>()?)
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        let sql = "SELECT w.account, w.grant_no, w.minute,
              least(coalesce(sum(e.amount) FILTER (WHERE e.kind = 7), 0), 9223372036854775807)::bigint,
              least(coalesce(sum(e.amount) FILTER (WHERE e.kind = 6), 0), 9223372036854775807)::bigint
            FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (account, grant_no, minute)
              JOIN entries e ON e.account = w.account AND e.minute >= w.minute AND e.kind IN (6, 7)
                AND e.grant_no = w.grant_no
            GROUP BY w.account, w.grant_no, w.minute";
        let column = |of: fn(&ExpiryKey) -> i64| grants.iter().map(of).collect::<Vec<i64>>();
        let (accounts, numbers, minutes) =
            (column(|row| row.0.0), column(|row| row.1.0), column(|row| row.2));
        let rows = self.query(sql, &[&accounts, &numbers, &minutes]).await?;
        let read = |row: &Row| {
            let sum = |column| row.try_get(column).map(Credits::from_micros);
            let lapsing = (AccountNo(row.try_get(0)?), GrantNo(row.try_get(1)?), row.try_get(2)?);
            Ok((lapsing, ExpiredAmounts { expired: sum(3)?, breakage: sum(4)? }))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(unread)
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        let sql = "SELECT account, least(sum(demand), 9223372036854775807)::bigint FROM leases
            WHERE account = ANY($1) AND escrow > 0 AND state = 'open' GROUP BY account";
        let accounts: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let rows = self.query(sql, &[&accounts]).await?;
        let read = |row: &Row| {
            Ok((AccountNo(row.try_get(0)?), u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0)))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(unread)
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        self.number(&text(Dialect::Postgres, What::Count(table)), &[]).await
    }

    /// Does a statement for all of these together.
    async fn write<T: Sync + ?Sized>(
        &mut self,
        what: What,
        kinds: impl Iterator<Item = Kind> + Send,
        all: &[&T],
        values: impl Fn(&T, &mut Arrays) + Send,
    ) -> Result<(), TxError> {
        let mut arrays = Arrays::new(kinds, all.len());
        for one in all {
            values(one, &mut arrays);
        }
        self.execute(&text(Dialect::Postgres, what), &arrays.values()).await
    }
}

/// A transaction. Dropped before its commit, its connection is closed, and the server rolls back.
#[derive(Debug)]
pub struct PostgresTransaction {
    link: Link,
    /// The accounts whose leases can be recalled, by gateway. They are locked.
    recallable: BTreeMap<GatewayNo, Vec<i64>>,
}

/// The leases that could hand something back.
const RECALLABLE: &str =
    "escrow > 0 AND state = 'open' AND escrow > held AND ($1::bigint = 0 OR gateway = $1)";

impl Finder for PostgresTransaction {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        _: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        self.link.find(lookup, keys).await
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        self.link.lapsed(grants).await
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        self.link.demand(accounts).await
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        self.link.count(table).await
    }
}

impl Transaction for PostgresTransaction {
    async fn stamp(&mut self) -> Result<i64, TxError> {
        self.link.number("SELECT number FROM sweep", &[]).await
    }

    async fn numbers(&mut self, table: &'static Table, count: usize) -> Result<Vec<i64>, TxError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.link.query(&text(Dialect::Postgres, What::Numbers(table)), &[&count]).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(unread)
    }

    async fn recallable(&mut self, gateway: GatewayNo) -> Result<u64, TxError> {
        let holders = ["SELECT DISTINCT account FROM leases WHERE ", RECALLABLE].concat();
        let holders = self.link.query(&holders, &[&gateway.0]).await?;
        let accounts = holders.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>();
        let accounts = accounts.map_err(unread)?;
        // The rows themselves aren't wanted: only their locks, in the order in which all transactions take them.
        let lock = const { &Lookup { table: AccountRow::TABLE, columns: "no", filter: "", lock: true } };
        let locked =
            self.link.query(&text(Dialect::Postgres, What::Find(lock, self.link.lock)), &[&accounts]).await?;
        let accounts = locked.iter().map(|row| row.try_get("no")).collect::<Result<Vec<i64>, _>>();
        let accounts = accounts.map_err(unread)?;
        let count = ["SELECT count(*) FROM leases WHERE ", RECALLABLE, " AND account = ANY($2)"].concat();
        let count = self.link.number(&count, &[&gateway.0, &accounts]).await?;
        self.recallable.insert(gateway, accounts);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn recall(&mut self, gateway: GatewayNo) -> Result<(), TxError> {
        let ask = ["UPDATE leases SET recall = true WHERE ", RECALLABLE, " AND account = ANY($2)"].concat();
        let accounts = self.recallable.remove(&gateway).unwrap_or_default();
        self.link.execute(&ask, &[&gateway.0, &accounts]).await
    }

    async fn insert<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        let kinds = R::TABLE.columns.iter().map(|column| column.kind);
        let write = |row: &R, to: &mut Arrays| row.write(ALL, to);
        self.link.write(What::Insert(R::TABLE), kinds, rows, write).await
    }

    async fn update<R: Record>(&mut self, rows: &[&R], roles: &'static [Role]) -> Result<(), TxError> {
        let Some(columns) = updated(R::TABLE, roles) else { return Ok(()) };
        let kinds = columns.iter().map(|column| column.kind);
        let write = |row: &R, to: &mut Arrays| {
            row.key().write(to);
            row.write(roles, to);
        };
        self.link.write(What::Update(R::TABLE, roles), kinds, rows, write).await
    }

    async fn add<R: Record>(&mut self, rows: &[&R]) -> Result<(), TxError> {
        let kinds = R::TABLE.columns.iter().map(|column| column.kind);
        let write = |row: &R, to: &mut Arrays| row.write(ALL, to);
        self.link.write(What::Add(R::TABLE), kinds, rows, write).await
    }

    async fn delete<R: Record>(&mut self, keys: &[&R::Key]) -> Result<(), TxError> {
        let kinds = R::Key::KINDS.iter().copied();
        let write = |key: &R::Key, to: &mut Arrays| key.write(to);
        self.link.write(What::Delete(R::TABLE), kinds, keys, write).await
    }

    async fn announce(&mut self, changes: &[ChangeRow]) -> Result<(), TxError> {
        let sql = "WITH n AS (UPDATE newest_change SET seq = seq + cardinality($1::bigint[]) RETURNING seq)
            INSERT INTO changes (seq, account, key, gateway, created_ms)
            SELECT n.seq - cardinality($1) + c.nth, c.account, c.key, c.gateway, c.created_ms
            FROM n, unnest($1, $2::bigint[], $3::bigint[], $4::bigint[])
              WITH ORDINALITY AS c (account, key, gateway, created_ms, nth)";
        let column = |of: fn(&ChangeRow) -> i64| changes.iter().map(of).collect::<Vec<i64>>();
        let (accounts, keys) = (column(|row| row.account.0), column(|row| row.key.0));
        let (gateways, times) = (column(|row| row.gateway.0), column(|row| row.created_at.as_millisecond()));
        self.link.execute(sql, &[&accounts, &keys, &gateways, &times]).await
    }

    async fn tend(&mut self, chore: MaintenanceTask) -> Result<(), TxError> {
        match chore {
            MaintenanceTask::Prune(kept, before_ms) => {
                let most = i64::try_from(ROWS).unwrap_or(i64::MAX);
                self.link.execute(&kept.delete(Dialect::Postgres), &[&before_ms, &most]).await
            }
            MaintenanceTask::Probe(at_ms) => {
                self.link.execute("UPDATE write_probe SET at_ms = $1", &[&at_ms]).await
            }
        }
    }

    async fn commit(self) -> Result<(), TxError> {
        self.link.commit().await
    }
}

/// What one reader sees at one time.
#[derive(Debug)]
pub struct PostgresSnapshot(Link);

impl PostgresSnapshot {
    /// The connection, for what only tests ask.
    #[cfg(test)]
    pub fn conn(&self) -> Result<&deadpool_postgres::Client, StoreError> {
        self.0.borrowed.conn()
    }

    /// Ends it, so that another may use the connection.
    pub async fn end(self) -> Result<(), StoreError> {
        self.0.commit().await.map_err(TxError::into_inner)
    }
}

impl Finder for PostgresSnapshot {
    async fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        _: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> Result<Vec<R>, TxError> {
        self.0.find(lookup, keys).await
    }

    async fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError> {
        self.0.lapsed(grants).await
    }

    async fn demand(&mut self, accounts: &BTreeSet<AccountNo>) -> Result<Vec<(AccountNo, u64)>, TxError> {
        self.0.demand(accounts).await
    }

    async fn count(&mut self, table: &'static Table) -> Result<i64, TxError> {
        self.0.count(table).await
    }
}

/// One column of several rows.
#[derive(Debug)]
enum Array {
    Numbers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Array {
    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Numbers(column) => column,
            Self::Flags(column) => column,
            Self::Texts(column) => column,
            Self::Bytes(column) => column,
        }
    }
}

/// Rows by columns. Values come row by row.
#[derive(Debug)]
struct Arrays {
    columns: Vec<Array>,
    next: usize,
}

impl Arrays {
    fn new(kinds: impl Iterator<Item = Kind>, rows: usize) -> Self {
        let empty = |kind| match kind {
            Kind::Number => Array::Numbers(Vec::with_capacity(rows)),
            Kind::Flag => Array::Flags(Vec::with_capacity(rows)),
            Kind::Text => Array::Texts(Vec::with_capacity(rows)),
            Kind::Bytes => Array::Bytes(Vec::with_capacity(rows)),
        };
        Self { columns: kinds.map(empty).collect(), next: 0 }
    }

    fn next(&mut self) -> Option<&mut Array> {
        let column = self.next;
        self.next = if column + 1 < self.columns.len() { column + 1 } else { 0 };
        self.columns.get_mut(column)
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(Array::value).collect()
    }
}

// A table says of each column what its field says, so each value meets an array of its kind.
impl ColumnWriter for Arrays {
    fn number(&mut self, value: Option<i64>) {
        if let Some(Array::Numbers(column)) = self.next() {
            column.push(value);
        }
    }

    fn flag(&mut self, value: Option<bool>) {
        if let Some(Array::Flags(column)) = self.next() {
            column.push(value);
        }
    }

    fn text(&mut self, value: Option<&str>) {
        if let Some(Array::Texts(column)) = self.next() {
            column.push(value.map(|text| stored_text(text).into_owned()));
        }
    }

    fn bytes(&mut self, value: Option<&[u8]>) {
        if let Some(Array::Bytes(column)) = self.next() {
            column.push(value.map(<[u8]>::to_vec));
        }
    }
}
