//! The call log of a SQLite ledger: a file for each day, in the folder `calls` beside the database.
//!
//! What must hold: a day is dropped by removing its file; a file that can't be read is put aside, and costs only its own records.

use super::page::{CallQuery, PATIENCE, Spans, Stored, day};
use super::search::{answer, in_span};
use super::statements::{INSERT, SQLITE, Written as Columns};
use crate::api;
use crate::domain::call_log::{CallLimits, Plan, ReceivedBatch, first_number, outdated, plan};
use crate::store::StoreError;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The folder.
const FOLDER: &str = "calls";
/// How many search at once.
const MAX_SEARCHES: usize = 4;
/// How long a search waits for others.
const TURN: Duration = Duration::from_secs(2);
/// How long a connection waits for another one.
const BUSY: Duration = Duration::from_secs(5);
/// How much of a file the writer keeps in memory (KiB).
const CACHE_KIB: i64 = 16 * 1_024;
/// How many senders are remembered over midnight.
const MAX_RECENT: usize = 10_000;
/// What a file is called that can't be read.
const ASIDE: &str = "unreadable";

/// The call log of one ledger.
#[derive(Clone, Debug)]
pub struct SqliteCalls {
    folder: PathBuf,
    writer: Arc<Mutex<DayWriter>>,
    turns: Arc<Semaphore>,
}

impl SqliteCalls {
    /// In the ledger's data directory.
    pub fn new(dir: &Path) -> Self {
        let folder = dir.join(FOLDER);
        let writer = Arc::new(Mutex::new(DayWriter::new(folder.clone())));
        Self { folder, writer, turns: Arc::new(Semaphore::new(MAX_SEARCHES)) }
    }

    /// Writes batches, and gives them back.
    pub async fn write(
        &self,
        batches: Vec<ReceivedBatch>,
        now: Timestamp,
        limits: CallLimits,
    ) -> Result<(Stored, Vec<ReceivedBatch>), StoreError> {
        let writer = Arc::clone(&self.writer);
        blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let written = writer.write(&batches, now, limits);
            if written.is_err() {
                // Whatever it was, the next batch looks at the file from scratch.
                writer.open = None;
            }
            Ok((written?, batches))
        })
        .await
    }

    /// Drops what is too old or too much.
    pub async fn prune(&self, now: Timestamp, limits: CallLimits) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut days = Vec::new();
            for day in days_in(&folder)? {
                // One that can't be read has as many records as none.
                let conn = open_reader(&file(&folder, day)?).ok().flatten();
                days.push((day, conn.and_then(|conn| records(&conn).ok()).unwrap_or(0)));
            }
            for day in outdated(&days, now, limits) {
                remove(&file(&folder, day)?)?;
            }
            Ok(())
        })
        .await
    }

    /// Looks for records.
    pub async fn search(&self, query: CallQuery) -> Result<api::Calls, StoreError> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let _turn = turn.map_err(|_| StoreError::Overloaded)?.map_err(|_| StoreError::Stopped)?;
        let folder = self.folder.clone();
        blocking(move || search(&folder, &query)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Backend(error.to_string()))?
}

fn search(folder: &Path, query: &CallQuery) -> Result<api::Calls, StoreError> {
    let began = Instant::now();
    let days = days_in(folder)?;
    let newest = newest(folder, &days)?;
    let mut spans = Spans::new(query, days, newest);
    let mut found = Vec::new();
    let mut open: Option<(i64, Connection)> = None;
    while let Some((day, span)) = spans.next() {
        if open.as_ref().is_none_or(|(opened, _)| *opened != day) {
            // A day may have been dropped just now, or can't be read: it has no records then.
            open = open_reader(&file(folder, day)?).ok().flatten().map(|conn| (day, conn));
        }
        let Some((_, conn)) = &open else { continue };
        let asked = Instant::now();
        let room = query.limit.saturating_sub(found.len());
        found.extend(crate::store::sqlite::done(in_span(conn, query, &span, room))?);
        spans.took(asked.elapsed());
        if found.len() >= query.limit {
            if let Some((number, _)) = found.last() {
                spans.stop_at(*number);
            }
            break;
        }
        if began.elapsed() >= PATIENCE {
            break;
        }
    }
    Ok(answer(found, &spans, newest))
}

/// The number of the newest record; where there is none, of the time before all.
fn newest(folder: &Path, days: &[i64]) -> Result<i64, StoreError> {
    let mut newest_first = days.to_vec();
    newest_first.sort_unstable_by_key(|day| std::cmp::Reverse(*day));
    for day in newest_first {
        if let Ok(Some(conn)) = open_reader(&file(folder, day)?)
            && let Some(last) = last_number(&conn)?
        {
            return Ok(last);
        }
    }
    Ok(0)
}

/// What writes into the file of the present day.
#[derive(Debug)]
struct DayWriter {
    folder: PathBuf,
    open: Option<(i64, Connection)>,
    /// The number of the last record.
    last: Option<i64>,
    /// The last batches of senders, because a batch may be sent again in a new day.
    recent: HashMap<String, i64>,
}

impl DayWriter {
    fn new(folder: PathBuf) -> Self {
        Self { folder, open: None, last: None, recent: HashMap::new() }
    }

    fn write(
        &mut self,
        batches: &[ReceivedBatch],
        now: Timestamp,
        limits: CallLimits,
    ) -> Result<Stored, StoreError> {
        let last = match self.last {
            Some(last) => last,
            None => newest(&self.folder, &days_in(&self.folder)?)?,
        };
        let count = batches.iter().map(|batch| batch.calls.len()).sum();
        let first = first_number(now, last, count);
        let recent = self.recent.clone();
        let conn = self.of_day(day(first))?;
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut known = known(&tx, batches)?;
        known.extend(recent);
        let stored = records(&tx)?;
        let plan = plan(batches, &known, first, limits.rows.saturating_sub(stored));
        insert(&tx, &plan)?;
        let more = i64::try_from(plan.calls.len()).unwrap_or(i64::MAX);
        tx.execute(
            "INSERT INTO call_days (day, records) VALUES (?1, ?2) ON CONFLICT (day) DO UPDATE SET records = records + excluded.records",
            params![day(first), more],
        )?;
        tx.commit()?;
        if self.recent.len() > MAX_RECENT {
            self.recent.clear();
        }
        self.recent.extend(plan.senders.iter().map(|(sender, number)| ((*sender).to_owned(), *number)));
        if more > 0 {
            self.last = Some(first.saturating_add(more).saturating_sub(1));
        }
        let (dropped, lost) = (plan.dropped, plan.lost);
        Ok(Stored { records: more.unsigned_abs(), dropped, lost, is_new: plan.is_new })
    }

    /// The file of a day, made if need be.
    fn of_day(&mut self, day: i64) -> Result<&mut Connection, StoreError> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != day) {
            self.open = None;
            let path = file(&self.folder, day)?;
            make_folder(&self.folder)?;
            let conn = match open_writer(&path) {
                Ok(conn) => conn,
                Err(StoreError::Damaged(why)) => {
                    tracing::error!(path = %path.display(), %why, "a file of call records is damaged; it is put aside");
                    put_aside(&path)?;
                    open_writer(&path)?
                }
                Err(other) => return Err(other),
            };
            self.open = Some((day, conn));
        }
        self.open.as_mut().map(|(_, conn)| conn).ok_or(StoreError::Stopped)
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    drop(crate::store::sqlite::open::private_file(path).map_err(|error| failed(&error))?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    // A power failure may cost the last records; it never damages the file.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if !has_tables(&tx)? {
        tx.execute_batch(SQLITE)?;
    }
    tx.commit()?;
    Ok(conn)
}

/// A file's connection; none where the writer has not made its tables yet.
fn open_reader(path: &Path) -> Result<Option<Connection>, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    let is_made = has_tables(&conn)?;
    Ok(is_made.then_some(conn))
}

/// Whether its tables are there; they are made all at once.
fn has_tables(conn: &Connection) -> Result<bool, StoreError> {
    let found = conn.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'calls'", [], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

fn last_number(conn: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(conn.query_row("SELECT max(id) FROM calls", [], |row| row.get(0))?)
}

fn records(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 =
        conn.query_row("SELECT coalesce(sum(records), 0) FROM call_days", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The last batch that is stored of each sender.
fn known(conn: &Connection, batches: &[ReceivedBatch]) -> Result<HashMap<String, i64>, StoreError> {
    let mut known = HashMap::new();
    let mut find = conn.prepare_cached("SELECT number FROM call_senders WHERE sender = ?1")?;
    for batch in batches {
        if let Some(number) = find.query_row([&batch.sender], |row| row.get(0)).optional()? {
            known.insert(batch.sender.clone(), number);
        }
    }
    Ok(known)
}

fn insert(conn: &Connection, plan: &Plan<'_>) -> Result<(), StoreError> {
    let mut gateways = HashMap::new();
    let mut statement = conn.prepare_cached(INSERT)?;
    for (number, (gateway, call)) in (plan.first..).zip(&plan.calls) {
        let known = gateways.get(gateway).copied();
        let gateway_no: i64 = known.map_or_else(|| gateway_no(conn, gateway), Ok)?;
        gateways.insert(*gateway, gateway_no);
        let of = Columns::of(call);
        statement.execute(params![
            number,
            of.at_ms,
            of.duration_ms,
            gateway_no,
            of.account,
            of.key,
            of.rule,
            of.item,
            of.decision,
            of.code,
            of.charge,
            of.hold,
            of.basis,
            of.used,
            of.status,
            of.request_id
        ])?;
    }
    let mut remember = conn.prepare_cached(
        "INSERT INTO call_senders (sender, number) VALUES (?1, ?2) ON CONFLICT (sender) DO UPDATE SET number = excluded.number",
    )?;
    for (sender, number) in &plan.senders {
        remember.execute(params![sender, number])?;
    }
    Ok(())
}

fn gateway_no(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    conn.prepare_cached("INSERT INTO call_gateways (name) VALUES (?1) ON CONFLICT (name) DO NOTHING")?
        .execute([name])?;
    let mut find = conn.prepare_cached("SELECT no FROM call_gateways WHERE name = ?1")?;
    Ok(find.query_row([name], |row| row.get(0))?)
}

/// The days that have a file.
fn days_in(folder: &Path) -> Result<Vec<i64>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(StoreError::DiskFailed(why.to_string())),
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| day_named(name.strip_suffix(".db")?)).collect())
}

fn day_named(date: &str) -> Option<i64> {
    let date: Date = date.parse().ok()?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(day(start.timestamp().as_microsecond()))
}

/// The file of a day: its date in UTC.
fn file(folder: &Path, day: i64) -> Result<PathBuf, StoreError> {
    let start = crate::domain::call_log::numbers_of(day).start;
    let start = Timestamp::from_microsecond(start).map_err(|error| StoreError::Backend(error.to_string()))?;
    Ok(folder.join(format!("{}.db", start.strftime("%Y-%m-%d"))))
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| failed(&error))
}

/// Removes a file with its log and its index.
fn remove(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed(&why)),
            _ => {}
        }
    }
    Ok(())
}

fn put_aside(path: &Path) -> Result<(), StoreError> {
    fs::rename(path, path.with_extension(ASIDE)).map_err(|error| failed(&error))?;
    remove(path)
}

fn failed(error: &impl ToString) -> StoreError {
    StoreError::DiskFailed(error.to_string())
}
