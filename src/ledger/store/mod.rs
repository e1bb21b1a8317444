//! The store: what the ledger knows, durable. An answer from it exists only after its commit.
//!
//! Two databases can stand behind it, SQLite for one machine and PostgreSQL for several ledgers. Its
//! functions take and give plain data, none of them a database's own types; `contract` holds the tests
//! that both must pass. The set of databases is closed, so the choice is an enum and not a trait.

mod alarm;
mod budgets;
pub mod command;
#[cfg(test)]
mod contract;
pub mod copy;
pub mod draft;
mod draws;
pub mod engine;
pub mod error;
pub mod memory;
pub mod operation;
mod page;
pub mod plans;
pub mod postgres;
pub mod record;
pub mod rows;
mod sqlite;
pub mod statements;
mod upkeep;

pub use command::{Answer, Command, Credential, Done, Memo, NewBudget, NewKey, Whose};
pub use error::{OpenError, Refusal, StoreError};
pub use page::{Page, ShadowQuery, UsageQuery};

use crate::api;
use crate::domain::unbooked::Unbooked;
use crate::metrics::Metrics;
use alarm::Alarm;
use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse, UsageReport};
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;
use postgres::Postgres;
use sqlite::Sqlite;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the ledger's data is.
#[derive(Clone, Debug)]
pub enum Database {
    /// In a directory of this machine, in a SQLite file that one ledger has open.
    Directory(PathBuf),
    /// On a PostgreSQL server, which several ledgers may share.
    Server(Box<postgres::Settings>),
}

/// Where it is, for people: without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => dir.display().fmt(f),
            Self::Server(settings) => settings.fmt(f),
        }
    }
}

/// What a database did with a message from a gateway.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The answer.
    pub response: ExchangeResponse,
    /// What was booked of the usage that it told.
    pub booked: Booked,
    /// What of its entries was not charged.
    pub unbooked: Vec<Unbooked>,
}

/// What was booked of a usage report; nothing where that was done before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Usage lines that named no known key.
    pub unknown_lines: u64,
    /// What rules that only watch would have refused.
    pub shadow: Vec<(RefusalCode, u64)>,
}

impl Booked {
    /// Of a report that is new.
    fn of(report: &UsageReport, unknown_lines: u64) -> Self {
        let shadow = report.shadow.iter().map(|line| (line.code, line.requests)).collect();
        Self { unknown_lines, shadow }
    }
}

/// About how many rows a message is about.
fn weight(request: &ExchangeRequest) -> usize {
    let lines = |usage: &UsageReport| usage.lines.len().saturating_add(usage.shadow.len());
    request.entries.len().saturating_add(request.usage.as_ref().map_or(0, lines))
}

/// A time from its milliseconds; what a timestamp can't hold is held at its end.
fn at(ms: i64) -> Timestamp {
    let end = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(end)
}

fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

/// After how many milliseconds a gateway should ask again while others hand back.
const RETRY_MS: u32 = 100;

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The ledger's database. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    metrics: Arc<Metrics>,
    alarm: Arc<Alarm>,
}

/// Does the same on whichever database there is.
macro_rules! on {
    ($store:expr, $database:ident => $work:expr) => {
        match &$store.backend {
            Backend::Sqlite($database) => $work,
            Backend::Postgres($database) => $work,
        }
    };
}

impl Store {
    /// The most rows that one of the upkeep functions deals with in one call.
    pub const STEP: usize = upkeep::ROWS;

    /// The most subscriptions that are renewed in one call.
    pub const RENEWALS: usize = upkeep::RENEWALS;

    /// Opens the database, and brings it to the present version.
    pub async fn open(database: &Database, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let backend = match database {
            Database::Directory(dir) => Backend::Sqlite(Sqlite::open(dir, Arc::clone(&metrics))?),
            Database::Server(settings) => {
                Backend::Postgres(Postgres::open(settings, Arc::clone(&metrics)).await?)
            }
        };
        Ok(Self { backend, metrics, alarm: Arc::default() })
    }

    /// Finishes what waits to be written, and closes the database.
    pub async fn close(&self) {
        on!(self, database => database.close().await);
    }

    /// Ready when nothing can ever be written any more; tells why.
    pub async fn gone(&self) -> String {
        on!(self, database => database.gone().await)
    }

    /// Looks once for damage that opening has not seen. `None` when it was stopped, or where the database
    /// server does it.
    pub async fn inspect(&self) -> Result<Option<api::Audit>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.inspect().await,
            Backend::Postgres(_) => Ok(None),
        }
    }

    /// Ends [`Self::inspect`].
    pub fn stop_inspecting(&self) {
        if let Backend::Sqlite(sqlite) = &self.backend {
            sqlite.stop_inspecting();
        }
    }

    /// Draws a line: every lease that is named from now on is stamped with a larger number than this
    /// (see [`crate::domain::reclaim`]).
    pub async fn touches(&self) -> Result<i64, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.touches()),
            Backend::Postgres(postgres) => postgres.touches().await,
        }
    }

    /// Takes in a message from a gateway, all of it or nothing; only an entry that can't be booked is left out alone.
    /// Leases that it renews may be spent
    /// from for `ttl_ms` milliseconds more.
    pub async fn exchange(
        &self,
        request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<ExchangeResponse, StoreError> {
        let gateway = request.gateway.clone();
        let done = on!(self, database => database.exchange(request, now, ttl_ms).await)?;
        self.metrics.exchanges.inc();
        self.metrics.entries.inc_by(u64::try_from(done.response.entries.len()).unwrap_or(0));
        self.metrics.unknown_usage_lines.inc_by(done.booked.unknown_lines);
        for (code, requests) in &done.booked.shadow {
            self.metrics.would_refuse(*code, *requests);
        }
        for refused in done.response.entries.iter().filter_map(|entry| entry.refused.as_ref()) {
            self.metrics.refuse(refused.code);
        }
        for what in &done.unbooked {
            self.metrics.unbooked(what);
            self.alarm.raise(&gateway, what, std::time::Instant::now());
        }
        Ok(done.response)
    }

    /// Does what an operator asks, or finds what was answered when it was asked before.
    pub async fn execute(&self, command: Command, memo: Memo, now: Timestamp) -> Result<Answer, StoreError> {
        let answer = on!(self, database => database.execute(command, memo, now).await)?;
        if let Answer::First(Done::Grant(grant)) = &answer {
            self.metrics.grant(grant.amount);
        }
        Ok(answer)
    }

    /// An account.
    pub async fn account(&self, id: String) -> Result<api::Account, StoreError> {
        on!(self, database => database.account(id).await)
    }

    /// A page of the accounts, by identifier.
    pub async fn accounts(&self, page: Page) -> Result<api::Accounts, StoreError> {
        on!(self, database => database.accounts(page).await)
    }

    /// A page of an account's keys, oldest first.
    pub async fn keys(&self, account: String, page: Page, now: Timestamp) -> Result<api::Keys, StoreError> {
        on!(self, database => database.keys(account, page, now).await)
    }

    /// A page of an account's teams, by identifier.
    pub async fn teams(&self, account: String, page: Page) -> Result<api::Teams, StoreError> {
        on!(self, database => database.teams(account, page).await)
    }

    /// A page of the budgets of an account, its teams and its keys.
    pub async fn budgets(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Budgets, StoreError> {
        on!(self, database => database.budgets(account, page, now).await)
    }

    /// A page of an account's grants, oldest first.
    pub async fn grants(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Grants, StoreError> {
        on!(self, database => database.grants(account, page, now).await)
    }

    /// An account's balance.
    pub async fn balance(&self, account: String, now: Timestamp) -> Result<api::Balance, StoreError> {
        on!(self, database => database.balance(account, now).await)
    }

    /// An account's usage.
    pub async fn usage(&self, account: String, query: UsageQuery) -> Result<api::Usage, StoreError> {
        on!(self, database => database.usage(account, query).await)
    }

    /// What rules that only watch would have refused, to whom and why.
    pub async fn shadow(&self, query: ShadowQuery) -> Result<api::Shadow, StoreError> {
        on!(self, database => database.shadow(query).await)
    }

    /// A plan's newest version.
    pub async fn plan(&self, name: String) -> Result<api::Plan, StoreError> {
        on!(self, database => database.plan(name).await)
    }

    /// A page of the plans, by name.
    pub async fn plans(&self, page: Page) -> Result<api::Plans, StoreError> {
        on!(self, database => database.plans(page).await)
    }

    /// An account's newest subscription.
    pub async fn subscription(&self, account: String) -> Result<api::Subscription, StoreError> {
        on!(self, database => database.subscription(account).await)
    }

    /// What an account's newest subscription means for exchanges.
    #[cfg(test)]
    pub async fn contract_of(
        &self,
        account: String,
    ) -> Result<Option<crate::domain::contract::Contract>, StoreError> {
        on!(self, database => database.contract_of(account).await)
    }

    /// The open leases with the most money, each with its touch, and what all hold together.
    pub async fn leases(
        &self,
        gateway: Option<String>,
    ) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
        on!(self, database => database.leases(gateway).await)
    }

    /// How many leases are open, and what they hold together.
    pub async fn at_risk(&self) -> Result<(i64, Credits), StoreError> {
        on!(self, database => database.at_risk().await)
    }

    /// Recomputes every balance from the entries.
    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        on!(self, database => database.audit().await)
    }

    /// Takes back up to [`Self::STEP`] leases that were not named since the line at `touch` was drawn.
    pub async fn reclaim(&self, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
        let (leases, credits) = on!(self, database => database.reclaim(touch, now).await)?;
        self.metrics.reclaims.inc_by(u64::try_from(leases).unwrap_or(0));
        Ok((leases, credits))
    }

    /// Takes out what remains of grants whose time is over, and lets gateways know of keys whose
    /// time is over; up to [`Self::STEP`] of each. Tells the larger number.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        on!(self, database => database.expire(now).await)
    }

    /// Does what is due about subscriptions, up to [`Self::RENEWALS`] of them; tells how many there were.
    pub async fn renew(&self, now: Timestamp) -> Result<usize, StoreError> {
        let renewed = on!(self, database => database.renew(now).await)?;
        self.metrics.renewals.inc_by(u64::try_from(renewed.grants.len()).unwrap_or(0));
        Ok(renewed.subscriptions)
    }

    /// Deletes up to [`Self::STEP`] rows of each kind that has served its time. Tells the largest number.
    pub async fn prune(&self, now: Timestamp) -> Result<usize, StoreError> {
        on!(self, database => database.prune(now).await)
    }

    /// Finds out whether writing works.
    pub async fn pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        on!(self, database => database.pulse(now).await)
    }

    /// The fault with which a write failed a moment ago, if it is known without asking the database.
    pub fn recent_fault(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.recent_fault(),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Writes what an account has spent, as if the books had come to that.
    #[cfg(test)]
    pub(crate) async fn set_spent(&self, account: &str, spent: Credits) {
        on!(self, database => database.set_spent(account.to_owned(), spent.micros()).await);
    }

    /// Writes what a subscription would mean for an account, and lets gateways know.
    #[cfg(test)]
    pub(crate) async fn set_contract(
        &self,
        account: &str,
        contract: Option<&crate::domain::contract::Contract>,
    ) {
        let json = contract.map(|contract| serde_json::to_string(contract).unwrap());
        on!(self, database => database.set_contract(account.to_owned(), json).await);
    }
}
