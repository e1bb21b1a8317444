//! The call log on PostgreSQL: a table with a partition for each day, shared by all ledgers.
//!
//! What must hold: ledgers write one after the other, so that numbers are committed in their order, and who follows them misses
//! none; a day is dropped with its partition.

use super::page::{CallQuery, PATIENCE, Spans, Stored, day};
use super::search::{answer, in_span};
use super::statements::{INSERT_MANY, Written as Columns};
use crate::api;
use crate::domain::call_log::{CallLimits, Plan, ReceivedBatch, first_number, numbers_of, outdated, plan};
use crate::store::StoreError;
use crate::store::postgres::attempt_error::AttemptError;
use crate::store::postgres::pool::{Pool, Task};
use deadpool_postgres::Client;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Who writes call records has this advisory lock ("farecall" in ASCII).
const WRITING: i64 = 0x6661_7265_6361_6c6c;
/// How long a sender and a gateway are remembered that say nothing.
const REMEMBERED: Duration = Duration::from_hours(48);

/// The call log of all ledgers on one database.
#[derive(Clone, Debug)]
pub struct PostgresCalls {
    pool: Pool,
}

impl PostgresCalls {
    /// On these connections.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Writes batches.
    pub async fn write(
        &self,
        batches: &[ReceivedBatch],
        now: Timestamp,
        limits: CallLimits,
    ) -> Result<Stored, StoreError> {
        Ok(self.pool.transaction(&Write { batches, now, limits }).await?)
    }

    /// Drops what is too old or too much.
    pub async fn prune(&self, now: Timestamp, limits: CallLimits) -> Result<(), StoreError> {
        Ok(self.pool.transaction(&Prune { now, limits }).await?)
    }

    /// Looks for records.
    pub async fn search(&self, query: &CallQuery) -> Result<api::Calls, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let found = look(snapshot.conn()?, query).await;
        snapshot.end(found).await
    }
}

async fn look(conn: &Client, query: &CallQuery) -> Result<api::Calls, StoreError> {
    let began = Instant::now();
    let days = days(conn).await?.into_iter().map(|(day, _)| day).collect();
    let newest = last_number(conn).await?;
    let mut spans = Spans::new(query, days, newest);
    let mut found = Vec::new();
    while let Some((_, span)) = spans.next() {
        let asked = Instant::now();
        let room = query.limit.saturating_sub(found.len());
        found.extend(in_span(conn, query, &span, room).await?);
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

async fn last_number(conn: &Client) -> Result<i64, AttemptError> {
    let last = conn.prepare_cached("SELECT coalesce(max(id), 0) FROM calls").await?;
    Ok(conn.query_one(&last, &[]).await?.try_get(0)?)
}

async fn days(conn: &Client) -> Result<Vec<(i64, u64)>, AttemptError> {
    let days = conn.prepare_cached("SELECT day, records FROM call_days").await?;
    let mut found = Vec::new();
    for row in conn.query(&days, &[]).await? {
        let records: i64 = row.try_get(1)?;
        found.push((row.try_get(0)?, u64::try_from(records).unwrap_or(0)));
    }
    Ok(found)
}

struct Write<'a> {
    batches: &'a [ReceivedBatch],
    now: Timestamp,
    limits: CallLimits,
}

impl Task for Write<'_> {
    type Done = Stored;

    async fn attempt(&self, conn: &Client) -> Result<Stored, AttemptError> {
        // A crash of the server may cost the last records; they are no books.
        conn.batch_execute("SET LOCAL synchronous_commit = off").await?;
        conn.execute(&conn.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?, &[&WRITING]).await?;
        let count = self.batches.iter().map(|batch| batch.calls.len()).sum();
        let first = first_number(self.now, last_number(conn).await?, count);
        let today = day(first);
        let stored = days(conn).await?.into_iter().find(|(day, _)| *day == today);
        if stored.is_none() {
            begin_day(conn, today).await?;
        }
        let room = self.limits.rows.saturating_sub(stored.map_or(0, |(_, records)| records));
        let known = known(conn, self.batches).await?;
        let plan = plan(self.batches, &known, first, room);
        insert(conn, &plan, self.now).await?;
        let more = i64::try_from(plan.calls.len()).unwrap_or(i64::MAX);
        let count = conn.prepare_cached("UPDATE call_days SET records = records + $2 WHERE day = $1").await?;
        conn.execute(&count, &[&today, &more]).await?;
        let (dropped, lost) = (plan.dropped, plan.lost);
        Ok(Stored { records: more.unsigned_abs(), dropped, lost, is_new: plan.is_new })
    }
}

/// Makes the partition of a day.
async fn begin_day(conn: &Client, day: i64) -> Result<(), AttemptError> {
    let numbers = numbers_of(day);
    conn.batch_execute(&format!(
        "CREATE TABLE IF NOT EXISTS {} PARTITION OF calls FOR VALUES FROM ({}) TO ({})",
        partition(day),
        numbers.start,
        numbers.end
    ))
    .await?;
    let note = conn.prepare_cached("INSERT INTO call_days (day, records) VALUES ($1, 0)").await?;
    conn.execute(&note, &[&day]).await?;
    Ok(())
}

/// The partition's name, by its date in UTC.
fn partition(day: i64) -> String {
    let start = Timestamp::from_microsecond(numbers_of(day).start).unwrap_or_default();
    format!("calls_{}", start.strftime("%Y_%m_%d"))
}

/// The last batch that is stored of each sender.
async fn known(conn: &Client, batches: &[ReceivedBatch]) -> Result<HashMap<String, i64>, AttemptError> {
    let find = conn.prepare_cached("SELECT sender, number FROM call_senders WHERE sender = ANY($1)").await?;
    let senders: Vec<&str> = batches.iter().map(|batch| batch.sender.as_str()).collect();
    let mut known = HashMap::new();
    for row in conn.query(&find, &[&senders]).await? {
        known.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(known)
}

async fn gateways(
    conn: &Client,
    plan: &Plan<'_>,
    now: Timestamp,
) -> Result<HashMap<String, i64>, AttemptError> {
    let mut names: Vec<&str> = plan.calls.iter().map(|(gateway, _)| *gateway).collect();
    names.sort_unstable();
    names.dedup();
    let add = conn
        .prepare_cached(
            "INSERT INTO call_gateways AS g (name, heard_ms) SELECT name, $2 FROM unnest($1::text[]) AS name
             ON CONFLICT (name) DO UPDATE SET heard_ms = excluded.heard_ms WHERE g.heard_ms < excluded.heard_ms - 3600000",
        )
        .await?;
    conn.execute(&add, &[&names, &now.as_millisecond()]).await?;
    let find = conn.prepare_cached("SELECT name, no FROM call_gateways WHERE name = ANY($1)").await?;
    let mut found = HashMap::new();
    for row in conn.query(&find, &[&names]).await? {
        found.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(found)
}

async fn insert(conn: &Client, plan: &Plan<'_>, now: Timestamp) -> Result<(), AttemptError> {
    if !plan.calls.is_empty() {
        let known = gateways(conn, plan, now).await?;
        let numbers: Vec<i64> = (plan.first..).take(plan.calls.len()).collect();
        let of: Vec<Columns<'_>> = plan.calls.iter().map(|(_, call)| Columns::of(call)).collect();
        let gateways: Vec<i64> =
            plan.calls.iter().map(|(gateway, _)| known.get(*gateway).copied().unwrap_or(0)).collect();
        macro_rules! column {
            ($read:expr) => {
                of.iter().map($read).collect::<Vec<_>>()
            };
        }
        let (at, duration) = (column!(|of| of.at_ms), column!(|of| of.duration_ms));
        let (account, key) = (column!(|of| of.account.as_deref()), column!(|of| of.key.as_deref()));
        let (rule, item) = (column!(|of| &*of.rule), column!(|of| of.item.as_deref()));
        let (decision, code) = (column!(|of| of.decision), column!(|of| of.code));
        let (charge, hold) = (column!(|of| of.charge), column!(|of| of.hold));
        let (basis, used) = (column!(|of| of.basis), column!(|of| of.used.as_deref()));
        let (status, request_id) = (column!(|of| of.status), column!(|of| of.request_id.as_deref()));
        let insert = conn.prepare_cached(INSERT_MANY).await?;
        conn.execute(
            &insert,
            &[
                &numbers,
                &at,
                &duration,
                &gateways,
                &account,
                &key,
                &rule,
                &item,
                &decision,
                &code,
                &charge,
                &hold,
                &basis,
                &used,
                &status,
                &request_id,
            ],
        )
        .await?;
    }
    let (senders, numbers): (Vec<&str>, Vec<i64>) = plan.senders.iter().map(|(s, n)| (*s, *n)).unzip();
    let remember = conn
        .prepare_cached(
            "INSERT INTO call_senders (sender, number, heard_ms)
             SELECT sender, number, $3 FROM unnest($1::text[], $2::bigint[]) AS heard (sender, number)
             ON CONFLICT (sender) DO UPDATE SET number = excluded.number, heard_ms = excluded.heard_ms",
        )
        .await?;
    conn.execute(&remember, &[&senders, &numbers, &now.as_millisecond()]).await?;
    Ok(())
}

struct Prune {
    now: Timestamp,
    limits: CallLimits,
}

impl Task for Prune {
    type Done = ();

    async fn attempt(&self, conn: &Client) -> Result<(), AttemptError> {
        conn.execute(&conn.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?, &[&WRITING]).await?;
        for day in outdated(&days(conn).await?, self.now, self.limits) {
            conn.batch_execute(&format!("DROP TABLE IF EXISTS {}", partition(day))).await?;
            conn.execute(&conn.prepare_cached("DELETE FROM call_days WHERE day = $1").await?, &[&day])
                .await?;
        }
        let silent =
            self.now.as_millisecond().saturating_sub(i64::try_from(REMEMBERED.as_millis()).unwrap_or(0));
        conn.execute(&conn.prepare_cached("DELETE FROM call_senders WHERE heard_ms < $1").await?, &[&silent])
            .await?;
        // A gateway's name stays as long as there may be records of it.
        let kept = i64::from(self.limits.days).saturating_add(2).saturating_mul(86_400_000);
        let gone = self.now.as_millisecond().saturating_sub(kept);
        conn.execute(&conn.prepare_cached("DELETE FROM call_gateways WHERE heard_ms < $1").await?, &[&gone])
            .await?;
        Ok(())
    }
}
