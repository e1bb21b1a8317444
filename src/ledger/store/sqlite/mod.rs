//! The store in one SQLite file: one thread writes, a few connections read.
//!
//! What must hold: `journal_mode` is WAL and `synchronous` is FULL, so what is committed survives a crash; both are read
//! back at the start. After a fault nothing is written.

mod check;
pub(super) mod copy;
pub(super) mod engine;
mod fault;
mod handle;
pub(super) mod migrate;
pub(super) mod open;
mod reader;
mod readers;
mod writer;

pub(super) use handle::Sqlite;
pub(super) use reader::done;
