//! The store in one SQLite file: one thread writes, a few connections read.
//!
//! All SQL is in here. What must hold: `journal_mode` is WAL and `synchronous` is FULL, so what is
//! committed survives a crash; both are read back at the start. After a fault nothing is written.

mod accounts;
mod budgets;
mod check;
mod commands;
pub(super) mod copy;
mod exchange;
mod fault;
mod handle;
mod leases;
pub(super) mod migrate;
mod money;
pub(super) mod open;
mod plans;
mod reader;
mod readers;
mod renewals;
mod steps;
mod subscriptions;
mod teams;
mod upkeep;
mod writer;

pub(super) use handle::Sqlite;
pub(super) use reader::done;

use super::{at, minute};
use faregate_protocol::Credits;
use jiff::Timestamp;
use rusqlite::{Connection, Row};
use std::sync::atomic::{AtomicI64, Ordering};

/// What a job works with: the connection inside its transaction, and the running count of exchanges.
#[derive(Clone, Copy, Debug)]
struct Work<'a> {
    pub conn: &'a Connection,
    pub touches: &'a AtomicI64,
}

impl Work<'_> {
    /// The next number of the running count. A number that a rolled back job took is never used.
    fn next_touch(&self) -> i64 {
        self.touches.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

fn credits(row: &Row<'_>, column: &str) -> rusqlite::Result<Credits> {
    row.get(column).map(Credits::from_micros)
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(at)
}

fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column).map(|ms| ms.map(at))
}

/// A count; the columns never hold one below zero.
fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
}
