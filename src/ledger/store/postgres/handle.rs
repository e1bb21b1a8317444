//! The handle of the PostgreSQL store: messages go to the batcher, all else to a connection of the pool.

use super::batcher::Batcher;
use super::commands::Execute;
use super::exchange::Message;
use super::pool::{PULSE, Pool, unsafe_setting};
use super::trouble::plain;
use super::{
    audit, budgets, lists, migrate, news, plans, renewals, settings::Settings, shadow, subscriptions, teams,
    upkeep,
};
use crate::api;
use crate::domain::exchange::beat_ms;
use crate::metrics::Metrics;
use crate::store::plans::Renewed;
use crate::store::{Answer, Command, Exchanged, Memo, OpenError, Page, ShadowQuery, StoreError, UsageQuery};
use faregate_protocol::Credits;
use faregate_protocol::exchange::ExchangeRequest;
use jiff::Timestamp;
use std::sync::Arc;
use tokio_postgres::Client;

/// The oldest server that is known to do.
const OLDEST: i32 = 140_000;

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
        let beat = request.seen.map(|seen| (request.gateway.clone(), seen));
        let mut done = self.batcher.take(Message { request, now, ttl_ms }).await?;
        if let Some((gateway, since)) = beat {
            let snapshot = self.pool.snapshot().await?;
            let news = news::news(snapshot.conn()?, &gateway, since, now).await;
            let news = snapshot.end(news).await?;
            done.response.seen = Some(news.seen);
            done.response.changes = news.changes;
            done.response.beat_ms = done.response.beat_ms.min(beat_ms(news.brisk));
        }
        Ok(done)
    }

    pub async fn execute(&self, command: Command, memo: Memo, now: Timestamp) -> Result<Answer, StoreError> {
        Ok(self.pool.transaction(&Execute::new(command, memo, now)).await?)
    }

    pub async fn account(&self, id: String) -> Result<api::Account, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let account = lists::account(snapshot.conn()?, &id).await;
        snapshot.end(account).await
    }

    pub async fn accounts(&self, page: Page) -> Result<api::Accounts, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let accounts = lists::accounts_page(snapshot.conn()?, &page).await;
        snapshot.end(accounts).await
    }

    pub async fn keys(&self, account: String, page: Page, now: Timestamp) -> Result<api::Keys, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let keys = lists::keys_page(snapshot.conn()?, &account, &page, now).await;
        snapshot.end(keys).await
    }

    pub async fn teams(&self, account: String, page: Page) -> Result<api::Teams, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let teams = teams::page(snapshot.conn()?, &account, &page).await;
        snapshot.end(teams).await
    }

    pub async fn budgets(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Budgets, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let budgets = budgets::list(snapshot.conn()?, &account, &page, now).await;
        snapshot.end(budgets).await
    }

    pub async fn grants(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Grants, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let grants = lists::grants_page(snapshot.conn()?, &account, &page, now).await;
        snapshot.end(grants).await
    }

    pub async fn balance(&self, account: String, now: Timestamp) -> Result<api::Balance, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let balance = lists::balance(snapshot.conn()?, &account, now).await;
        snapshot.end(balance).await
    }

    pub async fn usage(&self, account: String, query: UsageQuery) -> Result<api::Usage, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let usage = lists::usage(snapshot.conn()?, &account, &query).await;
        snapshot.end(usage).await
    }

    pub async fn shadow(&self, query: ShadowQuery) -> Result<api::Shadow, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let shadow = shadow::list(snapshot.conn()?, &query).await;
        snapshot.end(shadow).await
    }

    #[cfg(test)]
    pub async fn contract_of(
        &self,
        account: String,
    ) -> Result<Option<crate::domain::contract::Contract>, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let contract = subscriptions::contract(snapshot.conn()?, &account).await;
        snapshot.end(contract).await
    }

    pub async fn plan(&self, name: String) -> Result<api::Plan, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let plan = plans::plan(snapshot.conn()?, &name).await;
        snapshot.end(plan).await
    }

    pub async fn plans(&self, page: Page) -> Result<api::Plans, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let plans = plans::page(snapshot.conn()?, &page).await;
        snapshot.end(plans).await
    }

    pub async fn subscription(&self, account: String) -> Result<api::Subscription, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let subscription = subscriptions::show(snapshot.conn()?, &account).await;
        snapshot.end(subscription).await
    }

    pub async fn leases(
        &self,
        gateway: Option<String>,
    ) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let leases = lists::leases(snapshot.conn()?, gateway.as_deref()).await;
        snapshot.end(leases).await
    }

    pub async fn at_risk(&self) -> Result<(i64, Credits), StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let at_risk = lists::at_risk(snapshot.conn()?).await;
        snapshot.end(at_risk).await
    }

    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        let snapshot = self.pool.snapshot().await?;
        let audit = audit::audit(snapshot.conn()?).await;
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
        Ok(self.pool.transaction_within(PULSE, &upkeep::Pulse(now)).await?)
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
