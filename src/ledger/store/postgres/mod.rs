//! The store on a PostgreSQL server, which several ledgers may share: they are interchangeable in the
//! middle of a lease.
//!
//! # Why nothing is sold twice
//! Transactions are READ COMMITTED, and serialized by hand: the row of an account in `accounts` guards all
//! that belongs to the account (its sums, keys, grants, leases, entries). A transaction first locks the
//! accounts that it is about, all in one statement and in the order of their numbers, and reads the rest
//! only then, in later statements, each of which sees all that was committed before it began. So what it
//! decides on can't be stale, and a transaction that waits for an account's lock holds none that others wait for. What is locked
//! after that (brokers, then the sums of usage, of shadow refusals and of models, then the price list, then the number of the newest change) is locked in an order, too.
//! SERIALIZABLE would need no such order, but retries just where it is busiest: many gateways share an
//! account. Deadlocks that happen all the same are found by the server, and the transaction is tried again.
//!
//! # Time
//! A lease is stamped with the number of the sweep in which it was last named. The watch for silent
//! leases ([`crate::domain::reclaim`]) begins a new sweep at every look. So a stamp up to the old number
//! was read, and its message received, before that look, whichever ledger received it; and an sweep is
//! committed before it is used, so a server that crashes never counts one twice.
//!
//! # What isn't here
//! No row for the operator's side of the books: it would be locked by everybody. Its sums are computed.

pub(super) mod attempt_error;
pub(super) mod copy;
pub(super) mod engine;
mod handle;
mod inspect;
pub(super) mod migrate;
pub(super) mod pool;
mod reader;
mod settings;
#[cfg(test)]
mod standby;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub(super) use handle::Postgres;
pub use settings::{BadUrl, Encryption, Settings};
