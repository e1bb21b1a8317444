//! What the console needs of the store: its sessions, and what its pages show besides the lists of the admin API.

use super::{Backend, Page, Store, StoreError, queries};
use crate::api::{Forecast, UsageTotal};
use crate::command::sessions::{BeginSession, EndSession, UseSession};
use crate::store::queries::gateways::KnownGateway;
use crate::store::queries::items::ItemSums;
use crate::store::queries::overview::{AccountWindow, NearEnd, RefusedFor};
use crate::store::queue::Urgency;
use crate::store::rows::SessionRow;
use crate::store::sqlite;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;

impl Store {
    /// The session with this hash, whether it is over or not.
    pub async fn session(&self, hash: [u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        read!(self, reader => queries::sessions::one(reader, &hash))
    }

    /// Begins a session.
    pub async fn begin_session(&self, session: BeginSession, now: Timestamp) -> Result<(), StoreError> {
        self.queue.run(session, now, 1, Urgency::Urgent).await
    }

    /// Writes down that a session is used.
    pub async fn use_session(&self, session: UseSession, now: Timestamp) -> Result<(), StoreError> {
        self.queue.run(session, now, 1, Urgency::Urgent).await
    }

    /// Ends a session.
    pub async fn end_session(&self, session: EndSession, now: Timestamp) -> Result<(), StoreError> {
        self.queue.run(session, now, 1, Urgency::Urgent).await
    }

    /// A page of the gateways that the ledger has heard of, by name.
    pub async fn gateways(&self, page: Page) -> Result<(Vec<KnownGateway>, Option<String>), StoreError> {
        read!(self, reader => queries::gateways::page(reader, &page))
    }

    /// What was refused in this hour or later, by cause.
    pub async fn refusals_by_code(
        &self,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<RefusedFor>, StoreError> {
        read!(self, reader => queries::overview::refusals(reader, since, limit))
    }

    /// Of a window of accounts, active ones that have less left than `times` of what they have spent since this minute; and where
    /// the next window begins.
    pub async fn near_end(
        &self,
        window: AccountWindow,
        since: Timestamp,
        times: i64,
        limit: usize,
    ) -> Result<(Vec<NearEnd>, Option<i64>), StoreError> {
        read!(self, reader => queries::overview::near_end(reader, window, since, times, limit))
    }

    /// What was used of all accounts from a minute until before another, by minute.
    pub async fn usage_by_minute(&self, time: (i64, i64)) -> Result<Vec<(i64, UsageTotal)>, StoreError> {
        read!(self, reader => queries::overview::usage_by_minute(reader, time))
    }

    /// What an account, or all of them, will have spent when the running period ends.
    pub async fn forecast(
        &self,
        account: Option<String>,
        zone: TimeZone,
        now: Timestamp,
    ) -> Result<Forecast, StoreError> {
        read!(self, reader => queries::forecast::of(reader, account.as_deref(), &zone, now))
    }

    /// What each model and tool was used for from a minute until before another: those that cost the most.
    pub async fn items_between(
        &self,
        time: (i64, i64),
        limit: usize,
    ) -> Result<Vec<(String, ItemSums)>, StoreError> {
        read!(self, reader => queries::items::between(reader, time, limit))
    }

    /// How many running subscriptions each plan of a page has.
    pub async fn subscriptions_by_plan(&self, page: Page) -> Result<Vec<(String, i64)>, StoreError> {
        read!(self, reader => queries::overview::subscriptions(reader, &page))
    }

    /// Which database it is.
    pub fn kind(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => "SQLite",
            Backend::Postgres(_) => "PostgreSQL",
        }
    }
}
