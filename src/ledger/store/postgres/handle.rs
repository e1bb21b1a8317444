//! The handle of the PostgreSQL store: messages go to the batcher, all else to a connection of the pool.

use super::batcher::Batcher;
use super::commands::Execute;
use super::exchange::Message;
use super::pool::{Borrowed, Pool, unsafe_setting};
use super::trouble::{Trouble, plain};
use super::{migrate, renewals, settings::Settings, upkeep};
use crate::api;
use crate::metrics::Metrics;
use crate::store::plans::Renewed;
use crate::store::queries::{audit, news};
use crate::store::{Answer, Command, Exchanged, Memo, OpenError, StoreError};
use faregate_protocol::Credits;
use faregate_protocol::exchange::ExchangeRequest;
use jiff::Timestamp;
use std::sync::Arc;
use tokio_postgres::Client;

/// The oldest server that is known to do.
const OLDEST: i32 = 140_000;
/// An audit reads every entry that was ever made, so it may take longer than any other statement.
const AUDIT: &str = "SET LOCAL statement_timeout = '1h'";

/// A PostgreSQL database. Cloning it gives another handle to the same. Its functions are those of
/// [`Store`](crate::store::Store), which says what they do.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool,
    batcher: Arc<Batcher>,
}

impl Postgres {
    /// Connects, finds out whether the server can be relied upon, and migrates.
    pub async fn open(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        inspect(settings).await?;
        let pool = Pool::new(settings, Arc::clone(&metrics))?;
        let migrated = pool.transaction(&migrate::Migrate).await;
        migrated.map_err(|trouble| OpenError::Backend(StoreError::from(trouble).to_string()))??;
        let batcher = Arc::new(Batcher::start(pool.clone(), metrics));
        Ok(Self { pool, batcher })
    }

    pub async fn close(&self) {
        self.batcher.stop().await;
        self.pool.close();
    }

    pub async fn gone(&self) -> String {
        self.batcher.gone().await;
        "whatever writes to the database has ended".to_owned()
    }

    pub async fn touches(&self) -> Result<i64, StoreError> {
        Ok(self.pool.transaction(&upkeep::Turn).await?)
    }

    pub async fn exchange(
        &self,
        request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<Exchanged, StoreError> {
        let heartbeat = request.seen.map(|seen| (request.gateway.clone(), seen));
        let mut done = self.batcher.take(Message { request, now, ttl_ms }).await?;
        if let Some((gateway, since)) = heartbeat {
            let snapshot = self.pool.snapshot().await?;
            let heard = news::since(snapshot.conn()?, &gateway, since, now).await;
            done.hear(snapshot.end(heard).await?);
        }
        Ok(done)
    }

    pub async fn execute(&self, command: Command, memo: Memo, now: Timestamp) -> Result<Answer, StoreError> {
        Ok(self.pool.transaction(&Execute::new(command, memo, now)).await?)
    }

    /// A connection on which everything that is read comes from one snapshot.
    pub async fn snapshot(&self) -> Result<Borrowed, StoreError> {
        self.pool.snapshot().await
    }

    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let conn = snapshot.conn()?;
        conn.batch_execute(AUDIT).await.map_err(Trouble::from)?;
        let audit = audit::audit(conn).await;
        snapshot.end(audit).await
    }

    pub async fn reclaim(&self, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
        Ok(self.pool.transaction(&upkeep::Reclaim { touch, now }).await?)
    }

    pub async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let grants = self.pool.transaction(&upkeep::ExpireGrants(now)).await?;
        let keys = self.pool.transaction(&upkeep::ExpireKeys(now)).await?;
        Ok(grants.max(keys))
    }

    pub async fn renew(&self, now: Timestamp) -> Result<Renewed, StoreError> {
        Ok(self.pool.transaction(&renewals::Renew(now)).await?)
    }

    pub async fn prune(&self, now: Timestamp) -> Result<usize, StoreError> {
        Ok(self.pool.transaction(&upkeep::Prune(now)).await?)
    }

    pub async fn pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        Ok(self.pool.transaction(&upkeep::Pulse(now)).await?)
    }

    #[cfg(test)]
    pub async fn set_spent(&self, account: String, micros: i64) {
        self.pool.transaction(&super::testing::SetSpent(account, micros)).await.unwrap();
    }

    #[cfg(test)]
    pub async fn set_contract(&self, account: String, json: Option<String>) {
        self.pool.transaction(&super::testing::SetContract(account, json)).await.unwrap();
    }
}

/// Looks at the server over a connection of its own, so that what is wrong is said plainly.
async fn inspect(settings: &Settings) -> Result<(), OpenError> {
    connect(settings).await.map(drop)
}

/// A connection outside of any pool, to a server that can be relied upon. It ends when it is dropped.
pub async fn connect(settings: &Settings) -> Result<Client, OpenError> {
    let mut server = settings.server.clone();
    server.connect_timeout(settings.connect_timeout);
    let unreachable = |why: String| OpenError::Unreachable { place: settings.to_string(), why };
    let connect = server.connect(super::tls::connector(settings)?);
    let connected = tokio::time::timeout(settings.connect_timeout, connect).await;
    let late = |_| unreachable(format!("no answer within {:?}", settings.connect_timeout));
    let (conn, driver) = connected.map_err(late)?.map_err(|error| unreachable(plain(&error)))?;
    // Whoever waits on the connection is told of its end.
    drop(tokio::spawn(driver));
    let look = async {
        let version = conn.query_one("SELECT current_setting('server_version_num')::int", &[]).await?;
        Ok::<_, tokio_postgres::Error>((version.try_get::<_, i32>(0)?, unsafe_setting(&conn).await?))
    };
    let looked = tokio::time::timeout(settings.statement_timeout, look).await;
    let (version, unsafe_setting) = looked.map_err(late)?.map_err(|error| unreachable(plain(&error)))?;
    if version < OLDEST {
        return Err(OpenError::OldServer { found: version / 10_000, oldest: OLDEST / 10_000 });
    }
    match unsafe_setting {
        None => Ok(conn),
        Some((setting, found)) => Err(OpenError::UnsafeServer { setting, found }),
    }
}
