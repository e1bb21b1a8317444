//! What a database does for the ledger: it finds rows and writes rows. It decides nothing.
//!
//! What must hold: what a transaction has found under an account's lock can't change before it commits; and what it has
//! written is there at once, and for good, when it has committed, or not at all.

use super::StoreError;
use super::directory::Directory;
use super::maintenance::Kept;
use super::record::{Parts, Record, Role, Table};
use super::rows::ChangeRow;
use crate::domain::{AccountNo, GatewayNo, GrantNo};
use faregate_protocol::Credits;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

/// How rows are found: by what some columns equal.
#[derive(Debug)]
pub struct Lookup {
    /// In which table.
    pub table: &'static Table,
    /// The columns, with commas between.
    pub columns: &'static str,
    /// What must be true of a row besides, in the SQL of both databases; empty when nothing must. It may leave rows
    /// in that don't count: the caller filters them.
    pub filter: &'static str,
    /// Whether the rows are locked until the transaction ends, in the order of these columns.
    pub lock: bool,
}

/// What of a grant was taken out of it unused, from a minute on: by whom, of which grant, from when.
pub type ExpiryKey = (AccountNo, GrantNo, i64);

/// Expired credits: those in the grant when it expired, and those that leases returned later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredAmounts {
    /// Entries of kind `expire`.
    pub expired: Credits,
    /// Entries of kind `breakage`.
    pub breakage: Credits,
}

/// Finds rows.
pub trait Finder: Send {
    /// The rows that a lookup finds for each of these keys, in any order. `key` says under which key a row is found.
    fn find<R: Record, K: Parts>(
        &mut self,
        lookup: &'static Lookup,
        key: fn(&R) -> Option<K>,
        keys: &BTreeSet<K>,
    ) -> impl Future<Output = Result<Vec<R>, TxError>> + Send;

    /// What lapsed of grants.
    fn lapsed(
        &mut self,
        grants: &BTreeSet<ExpiryKey>,
    ) -> impl Future<Output = Result<Vec<(ExpiryKey, ExpiredAmounts)>, TxError>> + Send;

    /// The requests per second that each account's open leases with money tell of together.
    fn demand(
        &mut self,
        accounts: &BTreeSet<AccountNo>,
    ) -> impl Future<Output = Result<Vec<(AccountNo, u64)>, TxError>> + Send;

    /// How many rows a table has.
    fn count(&mut self, table: &'static Table) -> impl Future<Output = Result<i64, TxError>> + Send;
}

/// Finds rows, and writes them.
pub trait Transaction: Finder {
    /// The stamp that leases get which this transaction names.
    fn stamp(&mut self) -> impl Future<Output = Result<i64, TxError>> + Send;

    /// So many numbers for new rows, each larger than all before.
    fn numbers(
        &mut self,
        table: &'static Table,
        count: usize,
    ) -> impl Future<Output = Result<Vec<i64>, TxError>> + Send;

    /// Locks the accounts of all open leases that could hand something back, of one gateway or of all (zero); how many
    /// such leases there are.
    fn recallable(&mut self, gateway: GatewayNo) -> impl Future<Output = Result<u64, TxError>> + Send;

    /// Marks these leases as recalled.
    fn recall(&mut self, gateway: GatewayNo) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Adds rows that aren't there yet.
    fn insert<R: Record>(&mut self, rows: &[&R]) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Updates the columns of these roles in existing rows.
    fn update<R: Record>(
        &mut self,
        rows: &[&R],
        roles: &'static [Role],
    ) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Adds to rows, which are made where they aren't there yet.
    fn add<R: Record>(&mut self, rows: &[&R]) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Takes rows away.
    fn delete<R: Record>(&mut self, keys: &[&R::Key]) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Writes down what gateways must hear; their numbers are given here. It comes last, so that changes appear in the
    /// order of their numbers.
    fn announce(&mut self, changes: &[ChangeRow]) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Does what no operation decides on.
    fn tend(&mut self, chore: MaintenanceTask) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Makes all of it last.
    fn commit(self) -> impl Future<Output = Result<(), TxError>> + Send;
}

/// What a ledger does for its database.
#[derive(Clone, Copy, Debug)]
pub enum MaintenanceTask {
    /// Deletes up to [`ROWS`](super::maintenance::ROWS) rows that have served since before this time (ms).
    Prune(&'static Kept, i64),
    /// Writes this time (ms), to find out whether writing works.
    Probe(i64),
}

/// Begins transactions.
pub trait Engine: Send + Sync {
    /// A transaction.
    type Transaction<'a>: Transaction
    where
        Self: 'a;

    /// Whether transactions run one at a time, so that nothing changes during one.
    const SERIAL: bool;

    /// What was seen of keys and gateways.
    fn directory(&self) -> Arc<Directory>;

    /// Begins one. Accounts that another has locked are waited for, or left out.
    fn begin(&self, busy: Busy) -> impl Future<Output = Result<Self::Transaction<'_>, TxError>> + Send;
}

/// What to do about an account that another transaction has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Wait for it.
    Wait,
    /// Go on without it.
    Skip,
}

/// Why a transaction came to nothing.
#[derive(Clone, Debug)]
pub enum TxError {
    /// Another transaction was in the way: the same may succeed at once.
    Again(StoreError),
    /// The database refuses a value: of what was tried together, something can't be written.
    Value(StoreError),
    /// Anything else.
    Failed(StoreError),
}

impl TxError {
    /// What it means for the caller.
    pub fn into_inner(self) -> StoreError {
        match self {
            Self::Again(error) | Self::Value(error) | Self::Failed(error) => error,
        }
    }
}

impl From<StoreError> for TxError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<super::record::BadRow> for TxError {
    fn from(error: super::record::BadRow) -> Self {
        Self::Failed(StoreError::Backend(format!("a row is not known here: {error}")))
    }
}

#[cfg(test)]
pub mod tests;
