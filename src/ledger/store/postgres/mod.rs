//! The store on a PostgreSQL server, which several ledgers may share: they are interchangeable in the
//! middle of a lease. All of its SQL is in here.
//!
//! # Why nothing is sold twice
//! Transactions are READ COMMITTED, and serialized by hand: the row of an account in `accounts` guards all
//! that belongs to the account (its sums, keys, grants, leases, entries). A transaction first locks the
//! accounts that it is about, all in one statement and in the order of their numbers, and reads the rest
//! only then, in later statements, each of which sees all that was committed before it began. So what it
//! decides on can't be stale, and nobody who waits for an account's lock is waited for. What is locked
//! after that (brokers, then usage, then refusals in shadow, then the number of the newest change) is locked in an order, too.
//! SERIALIZABLE would need no such order, but retries just where it is busiest: many gateways share an
//! account. Deadlocks that happen all the same are found by the server, and the transaction is tried again.
//!
//! # Time
//! A lease is stamped with the number of the epoch in which it was last named. Whoever watches for silent
//! leases ([`crate::domain::reclaim`]) begins a new epoch at every look. So a stamp up to the old number
//! was read, and its message received, before that look, whichever ledger received it; and an epoch is
//! committed before it is used, so a server that crashes never counts one twice.
//!
//! # What isn't here
//! No row for the operator's side of the books: it would be locked by everybody. Its sums are computed.

mod batcher;
mod budgets;
mod commands;
pub(super) mod copy;
mod exchange;
mod gateways;
mod handle;
mod keep;
mod load;
pub(super) mod migrate;
mod payers;
mod plans;
mod pool;
mod reader;
mod recall;
mod renewals;
mod settings;
mod sheet;
mod steps;
mod subscriptions;
mod teams;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod trouble;
mod upkeep;
mod usage;

pub(super) use handle::Postgres;
pub use settings::{BadUrl, Encryption, Settings};

use faregate_protocol::Credits;
use std::borrow::Cow;
use tokio_postgres::{Error, Row};

use super::at;

/// A name from outside as it is stored: no text in the database can hold a zero byte.
fn named(name: &str) -> Cow<'_, str> {
    if name.contains('\0') { Cow::Owned(name.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(name) }
}

fn micros(row: &Row, column: usize) -> Result<Credits, Error> {
    row.try_get(column).map(Credits::from_micros)
}
