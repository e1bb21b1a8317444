//! The handle of the SQLite store: writes go to the writer's queue, reads to one of the readers.

use super::check::Check;
use super::fault::Fault;
use super::open::{Premises, unopened};
use super::readers::Readers;
use super::writer::Writer;
use super::{Work, commands, done, exchange, renewals, upkeep};
use crate::api;
use crate::metrics::Metrics;
use crate::store::maintenance::ROWS;
use crate::store::plans::Renewed;
use crate::store::queries::{audit, news};
use crate::store::{Answer, Command, Exchanged, Memo, OpenError, StoreError};
use faregate_protocol::Credits;
use faregate_protocol::exchange::ExchangeRequest;
use jiff::Timestamp;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// One SQLite file. Cloning it gives another handle to the same. Its functions are those of
/// [`Store`](crate::store::Store), which says what they do.
#[derive(Clone, Debug)]
pub struct Sqlite {
    writer: Arc<Writer>,
    readers: Readers,
    touches: Arc<AtomicI64>,
    fault: Arc<Fault>,
    check: Arc<Check>,
}

impl Sqlite {
    /// Opens the database in a directory, which is made when it doesn't exist.
    pub fn open(dir: &Path, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let premises = Arc::new(Premises::enter(dir)?);
        let conn = premises.writer()?;
        let last = conn
            .query_row("SELECT coalesce(max(touch), 0) FROM leases", [], |row| row.get(0))
            .map_err(|error| unopened(premises.database(), error))?;
        let (touches, fault) = (Arc::new(AtomicI64::new(last)), Arc::new(Fault::default()));
        let readers = Readers::open(&premises, Arc::clone(&fault))?;
        let check = Arc::new(Check::new(premises.reader()?));
        let writer = Writer::start(conn, Arc::clone(&touches), metrics, premises, Arc::clone(&fault))
            .map_err(|why| OpenError::Io { path: dir.to_owned(), why })?;
        Ok(Self { writer: Arc::new(writer), readers, touches, fault, check })
    }

    pub fn stop_inspecting(&self) {
        self.check.stop();
    }

    pub async fn close(&self) {
        self.check.stop();
        self.writer.stop().await;
        self.readers.close();
    }

    pub async fn gone(&self) -> String {
        tokio::select! {
            biased;
            fault = self.fault.comes() => fault.to_string(),
            () = self.writer.gone() => "whatever writes to the database has ended".to_owned(),
        }
    }

    /// Looks through the whole file, and recomputes every balance. `None` when it was stopped, or was done before.
    pub async fn inspect(&self) -> Result<Option<api::Audit>, StoreError> {
        let check = Arc::clone(&self.check);
        let looking = tokio::task::spawn_blocking(move || check.run());
        let result = looking.await.unwrap_or_else(|error| Err(StoreError::Backend(error.to_string())));
        self.fault.look(&result);
        result
    }

    pub fn touches(&self) -> i64 {
        self.touches.load(Ordering::Relaxed)
    }

    pub async fn exchange(
        &self,
        request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<Exchanged, StoreError> {
        let weight = crate::store::weight(&request);
        let heartbeat = request.seen.map(|seen| (request.gateway.clone(), seen));
        let exchange = move |work: &Work<'_>| exchange::exchange(work, &request, now, ttl_ms);
        let mut exchanged = self.writer.run(weight, exchange).await?;
        if let Some((gateway, since)) = heartbeat {
            let heard = self.read(move |conn| done(news::since(conn, &gateway, since, now))).await?;
            exchanged.hear(heard);
        }
        Ok(exchanged)
    }

    pub async fn execute(&self, command: Command, memo: Memo, now: Timestamp) -> Result<Answer, StoreError> {
        self.writer.run(1, move |work| commands::execute(work, command, &memo, now)).await
    }

    /// Reads something from one snapshot.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.run(read).await
    }

    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        self.read(|conn| done(audit::audit(conn))).await
    }

    pub async fn reclaim(&self, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
        self.writer.run(ROWS, move |work| upkeep::reclaim(work, touch, now)).await
    }

    pub async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let work =
            move |work: &Work<'_>| Ok(upkeep::expire_grants(work, now)?.max(upkeep::expire_keys(work, now)?));
        self.writer.run(ROWS, work).await
    }

    pub async fn renew(&self, now: Timestamp) -> Result<Renewed, StoreError> {
        self.writer.run(ROWS, move |work| renewals::renew(work, now)).await
    }

    pub async fn prune(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.writer.run(ROWS, move |work| upkeep::prune(work, now)).await
    }

    pub async fn pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer.run(1, move |work| upkeep::pulse(work, now)).await?;
        self.recent_fault()
    }

    pub fn recent_fault(&self) -> Result<(), StoreError> {
        self.fault.not_lately()
    }

    #[cfg(test)]
    pub async fn set_spent(&self, account: String, micros: i64) {
        let set = move |work: &Work<'_>| {
            let sql = "UPDATE accounts SET spent = ?2 WHERE id = ?1";
            Ok(work.conn.execute(sql, rusqlite::params![account, micros]).map(drop)?)
        };
        self.writer.run(1, set).await.unwrap();
    }

    #[cfg(test)]
    pub async fn set_contract(&self, account: String, json: Option<String>) {
        let set = move |work: &Work<'_>| {
            let owner = super::accounts::by_id(work.conn, &account)?;
            let sql = "UPDATE accounts SET contract = ?2 WHERE no = ?1";
            work.conn.execute(sql, rusqlite::params![owner.no.0, json])?;
            let all = (crate::domain::KeyNo(0), crate::domain::GatewayNo(0));
            super::leases::announce(work.conn, owner.no, all.0, all.1, Timestamp::UNIX_EPOCH)
        };
        self.writer.run(1, set).await.unwrap();
    }
}
