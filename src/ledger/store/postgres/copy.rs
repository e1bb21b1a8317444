//! A PostgreSQL database as one side of a copy (see `store/copy`). Everything happens on one connection and
//! in one transaction: what is read is one moment, and what is written is there at once or not at all.

use super::attempt_error::AttemptError;
pub use super::inspect::connect;
use super::migrate::migrate;
use super::pool::SERVING;
use super::reader::bound;
use super::settings::Settings;
use crate::api::Audit;
use crate::store::copy::{Content, Contents, CopyError, Row};
use crate::store::migrations::POSTGRES;
use crate::store::queries;
use crate::store::record::{Column, Kind, Table};
use crate::store::rows::TABLES;
use crate::store::value::Value;
use crate::store::{OpenError, StoreError};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

/// How often, and after what pause, it is tried to be alone with a database.
const ALONE_TRIES: u32 = 20;
const ALONE_AGAIN: Duration = Duration::from_millis(100);

/// No step of a copy takes longer than this, an audit of millions of rows included.
const STEP: Duration = Duration::from_hours(1);
/// The same for the server, which must not give up a copier that is busy elsewhere.
const LIMITS: &str = "SET LOCAL statement_timeout = '1h'; SET LOCAL lock_timeout = '10s';
    SET LOCAL idle_in_transaction_session_timeout = '1h'";

/// The one connection, and what drives it.
pub struct Link {
    runtime: Runtime,
    conn: Client,
    place: String,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.place)
    }
}

impl Link {
    fn open(settings: &Settings) -> Result<Self, CopyError> {
        let place = settings.to_string();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|why| StoreError::Backend(format!("no runtime: {why}")))?;
        let conn = runtime.block_on(connect(settings))?;
        Ok(Self { runtime, conn, place })
    }

    /// Begins to read what there is at this moment. When it must be at rest, no ledger may be running on it.
    pub fn read(settings: &Settings, at_rest: bool) -> Result<Self, CopyError> {
        let link = Self::open(settings)?;
        if at_rest {
            // For the session: a snapshot that waited for a lock would be older than the lock.
            link.alone("SELECT pg_try_advisory_lock($1)")?;
        }
        let begin = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ", LIMITS].concat();
        link.run(link.conn.batch_execute(&begin))?;
        let none = "SELECT to_regclass('schema_version') IS NULL";
        if link.run(async { link.conn.query_one(none, &[]).await?.try_get(0) })? {
            let why = "it has no table schema_version".into();
            return Err(CopyError::NotALedger { place: link.place, why });
        }
        let found = link.number("SELECT coalesce(max(version), 0) FROM schema_version")?;
        let known = i64::try_from(POSTGRES.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(OpenError::Newer { found, known }.into());
        }
        if found < known {
            return Err(CopyError::Older { place: link.place, found, known });
        }
        Ok(link)
    }

    /// Begins to fill a database that has no content, and on which no ledger runs.
    pub fn fill(settings: &Settings) -> Result<Self, CopyError> {
        let link = Self::open(settings)?;
        link.run(link.conn.batch_execute(&["BEGIN; ", LIMITS].concat()))?;
        link.alone("SELECT pg_try_advisory_xact_lock($1)")?;
        link.run(migrate(&link.conn))??;
        for table in TABLES {
            let rows =
                link.number(&format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) r", table.name))?;
            if rows > 0 {
                let what = format!("rows in table {}", table.name);
                return Err(CopyError::NotEmpty { place: link.place, what });
            }
        }
        Ok(link)
    }

    /// Where it leads.
    pub fn place(&self) -> &str {
        &self.place
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let late = |_| StoreError::Away(format!("no answer from the server within {STEP:?}"));
        let done = self.runtime.block_on(async { tokio::time::timeout(STEP, work).await });
        Ok(done.map_err(late)?.map_err(AttemptError::from)?)
    }

    fn number(&self, sql: &str) -> Result<i64, StoreError> {
        self.run(async { self.conn.query_one(sql, &[]).await?.try_get(0) })
    }

    /// Takes the lock that every ledger shares. The server notices only a moment later that one has ended.
    fn alone(&self, sql: &str) -> Result<(), CopyError> {
        for _ in 0..ALONE_TRIES {
            if self.run(async { self.conn.query_one(sql, &[&SERVING]).await?.try_get(0) })? {
                return Ok(());
            }
            std::thread::sleep(ALONE_AGAIN);
        }
        Err(CopyError::Serving { place: self.place.clone() })
    }

    /// Recomputes every balance.
    pub fn audit(&self) -> Result<Audit, CopyError> {
        let done = self
            .runtime
            .block_on(async { tokio::time::timeout(STEP, queries::audit::audit(&self.conn)).await });
        let late = |_| StoreError::Away(format!("no answer from the server within {STEP:?}"));
        Ok(done.map_err(late)??)
    }

    /// The number of the newest change.
    pub fn newest(&self) -> Result<i64, StoreError> {
        self.number("SELECT seq FROM newest_change")
    }

    /// Gives all rows of a table, at most so many at a time.
    pub fn each(
        &self,
        table: &Table,
        most: usize,
        mut give: impl FnMut(Vec<Row>) -> Result<(), CopyError>,
    ) -> Result<(), CopyError> {
        let (names, name, key) = (table.names(), table.name, table.key);
        let declare = format!("DECLARE part NO SCROLL CURSOR FOR SELECT {names} FROM {name} ORDER BY {key}");
        self.run(self.conn.batch_execute(&declare))?;
        let fetch = self.run(self.conn.prepare(&format!("FETCH {most} FROM part")))?;
        loop {
            let rows = self.run(async {
                let rows = self.conn.query(&fetch, &[]).await?;
                rows.iter().map(|row| read(row, table)).collect::<Result<Vec<Row>, Error>>()
            })?;
            if rows.is_empty() {
                break;
            }
            give(rows)?;
        }
        Ok(self.run(self.conn.batch_execute("CLOSE part"))?)
    }

    /// What all tables hold.
    pub fn contents(&self, most: usize) -> Result<Contents, CopyError> {
        let mut contents = Contents::new();
        for table in TABLES {
            let mut content = Content::default();
            self.each(table, most, |rows| {
                content.add_all(&rows);
                Ok(())
            })?;
            contents.insert(table.name.to_owned(), content);
        }
        let mut newest_change = Content::default();
        newest_change.add(&[Value::Number(self.newest()?)]);
        contents.insert("newest_change".to_owned(), newest_change);
        Ok(contents)
    }

    /// Writes rows.
    pub fn write(&self, table: &Table, rows: &[Row]) -> Result<(), CopyError> {
        let types: Vec<Type> = table.columns.iter().map(|column| column_type(column.kind)).collect();
        let copy = format!("COPY {} ({}) FROM STDIN BINARY", table.name, table.names());
        self.run(async {
            let mut writer = pin!(BinaryCopyInWriter::new(self.conn.copy_in(&copy).await?, &types));
            for row in rows {
                let values: Vec<&(dyn ToSql + Sync)> =
                    row.iter().zip(&types).map(|(value, kind)| bound(value, kind)).collect();
                writer.as_mut().write(&values).await?;
            }
            writer.as_mut().finish().await
        })?;
        Ok(())
    }

    /// Sets what the server counts: the number of the newest change, the sweep, and the next row's numbers.
    pub fn finish(&self, newest: i64, sweep: i64) -> Result<(), StoreError> {
        self.run(self.conn.execute("UPDATE newest_change SET seq = $1", &[&newest]))?;
        self.run(self.conn.execute("UPDATE sweep SET number = greatest(number, $1)", &[&sweep]))?;
        // Rows that are found by their number alone are numbered by the server.
        for Table { name: table, .. } in TABLES.into_iter().filter(|table| table.key == "no") {
            let next = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'no'), max(no)) FROM {table} HAVING max(no) > 0"
            );
            self.run(self.conn.batch_execute(&next))?;
        }
        // The server has not seen these tables before, and is about to add up all of them.
        self.run(self.conn.batch_execute("ANALYZE"))
    }

    /// Makes all of it last.
    pub fn commit(self) -> Result<(), CopyError> {
        Ok(self.run(self.conn.batch_execute("COMMIT"))?)
    }
}

const fn column_type(kind: Kind) -> Type {
    match kind {
        Kind::Number => Type::INT8,
        Kind::Flag => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
    }
}

fn read(row: &tokio_postgres::Row, table: &Table) -> Result<Row, Error> {
    let value = |(n, column): (usize, &Column)| {
        let value = match column.kind {
            Kind::Number => row.try_get::<_, Option<i64>>(n)?.map(Value::Number),
            Kind::Flag => row.try_get::<_, Option<bool>>(n)?.map(Value::Flag),
            Kind::Text => row.try_get::<_, Option<String>>(n)?.map(Value::Text),
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(n)?.map(Value::Bytes),
        };
        Ok(value.unwrap_or(Value::Nothing))
    };
    table.columns.iter().enumerate().map(value).collect()
}
