//! The store: what the ledger knows, durable. An answer from it exists only after its commit.
//!
//! Its functions take and give plain data, none of them a database's own types, so that another
//! database can stand behind the same functions; `contract` holds the tests that any must pass.

pub mod command;
#[cfg(test)]
mod contract;
pub mod error;
mod sqlite;

pub use command::{Answer, Command, Credential, Done, Memo};
pub use error::{OpenError, Refusal, StoreError};

use crate::api;
use crate::metrics::Metrics;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse};
use jiff::Timestamp;
use sqlite::open::Premises;
use sqlite::readers::Readers;
use sqlite::writer::Writer;
use sqlite::{accounts, audit, commands, exchange, lists, upkeep};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most this many rows.
    pub limit: usize,
    /// The identifier of the last row that is known already.
    pub after: Option<String>,
}

impl Page {
    /// One row more than wanted, to see whether there are more.
    fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Cuts the one row too many off; gives the last row when there are more behind it.
    fn cut<'a, T>(&self, rows: &'a mut Vec<T>) -> Option<&'a T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| more)
    }
}

/// Which usage is wanted.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    /// From this minute on.
    pub since: Option<Timestamp>,
    /// Up to this time, rounded up to a minute.
    pub until: Option<Timestamp>,
    /// At most this many lines.
    pub limit: usize,
    /// The minute, key and rule of the last line that is known already (from an answer's `next`).
    pub after: Option<(i64, i64, String)>,
}

/// The ledger's database. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Arc<Writer>,
    readers: Readers,
    touches: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
}

impl Store {
    /// Opens the database in a directory, which is made when it doesn't exist. No other process may
    /// have it open.
    pub fn open(dir: &Path, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let premises = Arc::new(Premises::enter(dir)?);
        let conn = premises.writer()?;
        let last = conn
            .query_row("SELECT coalesce(max(touch), 0) FROM leases", [], |row| row.get(0))
            .map_err(|error| OpenError::Backend(error.to_string()))?;
        let touches = Arc::new(AtomicI64::new(last));
        let readers = Readers::open(&premises)?;
        let writer = Writer::start(conn, Arc::clone(&touches), Arc::clone(&metrics), Arc::clone(&premises))
            .map_err(|why| OpenError::Io { path: dir.to_owned(), why })?;
        Ok(Self { writer: Arc::new(writer), readers, touches, metrics })
    }

    /// Finishes what waits to be written, and closes the database.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.readers.close();
    }

    /// Ready when nothing can be written any more, whatever the reason.
    pub async fn gone(&self) {
        self.writer.gone().await;
    }

    /// How far the running count of exchanges has come (see [`crate::domain::reclaim`]).
    pub fn touches(&self) -> i64 {
        self.touches.load(Ordering::Relaxed)
    }

    /// Takes in a message from a gateway, all of it or nothing. Leases that it renews may be spent
    /// from for `ttl_ms` milliseconds more.
    pub async fn exchange(
        &self,
        request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<ExchangeResponse, StoreError> {
        let lines = request.usage.as_ref().map_or(0, |usage| usage.lines.len());
        let weight = request.entries.len().saturating_add(lines);
        let work = self.writer.run(weight, move |work| exchange::exchange(work, &request, now, ttl_ms));
        let done = work.await?;
        self.metrics.exchanges.inc();
        self.metrics.entries.inc_by(u64::try_from(done.response.entries.len()).unwrap_or(0));
        self.metrics.unknown_usage_lines.inc_by(done.unknown_lines);
        for refused in done.response.entries.iter().filter_map(|entry| entry.refused) {
            self.metrics.refuse(refused.code);
        }
        Ok(done.response)
    }

    /// Does what an operator asks, or finds what was answered when it was asked before.
    pub async fn execute(&self, command: Command, memo: Memo, now: Timestamp) -> Result<Answer, StoreError> {
        let answer = self.writer.run(1, move |work| commands::execute(work, command, &memo, now)).await?;
        if let Answer::First(Done::Grant(grant)) = &answer {
            self.metrics.grant(grant.amount);
        }
        Ok(answer)
    }

    /// An account.
    pub async fn account(&self, id: String) -> Result<api::Account, StoreError> {
        self.readers.run(move |conn| lists::account(conn, &id)).await
    }

    /// A page of the accounts, by identifier.
    pub async fn accounts(&self, page: Page) -> Result<api::Accounts, StoreError> {
        self.readers.run(move |conn| lists::accounts_page(conn, &page)).await
    }

    /// A page of an account's keys, oldest first.
    pub async fn keys(&self, account: String, page: Page, now: Timestamp) -> Result<api::Keys, StoreError> {
        self.readers.run(move |conn| lists::keys_page(conn, &account, &page, now)).await
    }

    /// A page of an account's grants, oldest first.
    pub async fn grants(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Grants, StoreError> {
        self.readers.run(move |conn| lists::grants_page(conn, &account, &page, now)).await
    }

    /// An account's balance.
    pub async fn balance(&self, account: String, now: Timestamp) -> Result<api::Balance, StoreError> {
        self.readers.run(move |conn| accounts::balance(conn, &account, now)).await
    }

    /// An account's usage.
    pub async fn usage(&self, account: String, query: UsageQuery) -> Result<api::Usage, StoreError> {
        self.readers.run(move |conn| lists::usage(conn, &account, &query)).await
    }

    /// The open leases with the most money, each with its touch, and what all hold together.
    pub async fn leases(
        &self,
        gateway: Option<String>,
    ) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
        self.readers.run(move |conn| lists::leases(conn, gateway.as_deref())).await
    }

    /// How many leases are open, and what they hold together.
    pub async fn at_risk(&self) -> Result<(i64, Credits), StoreError> {
        self.readers.run(lists::at_risk).await
    }

    /// Recomputes every balance from the entries.
    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        self.readers.run(audit::audit).await
    }

    /// Takes back up to [`Self::STEP`] leases that were not named since the count stood at `touch`.
    pub async fn reclaim(&self, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
        let work = self.writer.run(upkeep::ROWS, move |work| upkeep::reclaim(work, touch, now));
        let (leases, credits) = work.await?;
        self.metrics.reclaims.inc_by(u64::try_from(leases).unwrap_or(0));
        Ok((leases, credits))
    }

    /// Takes out what remains of grants whose time is over, and lets gateways know of keys whose
    /// time is over; up to [`Self::STEP`] of each. Tells the larger number.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let work = move |work: &sqlite::Work<'_>| {
            Ok(upkeep::expire_grants(work, now)?.max(upkeep::expire_keys(work, now)?))
        };
        self.writer.run(upkeep::ROWS, work).await
    }

    /// Deletes up to [`Self::STEP`] rows of each kind that has served its time. Tells the largest number.
    pub async fn prune(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.writer.run(upkeep::ROWS, move |work| upkeep::prune(work, now)).await
    }

    /// Finds out whether writing works.
    pub async fn pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer.run(1, move |work| upkeep::pulse(work, now)).await
    }

    /// The most rows that one of the upkeep functions deals with in one call.
    pub const STEP: usize = upkeep::ROWS;
}
