//! The store: what the ledger knows, durable. An answer from it exists only after its commit.
//!
//! Two databases can stand behind it, SQLite for one machine and PostgreSQL for several ledgers. Its
//! functions take and give plain data, none of them a database's own types; `contract` holds the tests
//! that both must pass. The set of databases is closed, so the choice is an enum and not a trait.

mod alarm;
pub mod calls;
#[cfg(test)]
mod contract;
pub mod copy;
pub mod dialect;
pub mod directory;
pub mod draft;
mod draws;
pub mod engine;
pub mod error;
pub mod json;
mod lookups;
pub mod maintenance;
pub mod memory;
mod migrations;
pub mod operation;
mod outage;
mod pace;
mod page;
pub mod postgres;
mod prices;
pub mod queries;
pub mod queue;
pub mod record;
pub mod rows;
mod sqlite;
mod statements;
pub mod tokens;
pub mod value;

pub use error::{OpenError, Refusal, StoreError, WhereNone};
pub use page::{
    AccountQuery, EventQuery, ItemQuery, Page, ShadowQuery, TrailQuery, UsageGroup, UsageQuery,
    UsageSumsQuery,
};

use crate::api;
use crate::command::admin::{Answer, Command, Done, IdempotencyRecord, Once};
use crate::command::chores::RunMaintenance;
use crate::command::exchange::{Exchange, Exchanged, SaidOfGateway};
use crate::command::expiry::{ExpireGrants, ExpireKey};
use crate::command::reclaim::Reclaim;
use crate::command::renew::{Renew, RenewalOutcome};
use crate::command::roll_up::{DAY, HOUR, KEEP_HOURS, KEEP_MINUTES, RollUp, Timed};
use crate::command::tokens::NoteUses;
use crate::command::{subscriptions, why};
use crate::domain::access::TokenKind;
use crate::domain::call_log::CallLimits;
use crate::domain::exchange::heartbeat_ms;
use crate::domain::price_list::PriceList;
use crate::domain::time::minute;
use crate::metrics::Metrics;
use alarm::Alarm;
pub use calls::{CallLog, CallQuery, Exports};
use draft::{Draft, Stop};
use engine::{Busy, MaintenanceTask, TxError};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{ExchangeRequest, ExchangeResponse, ModelAnswer};
use jiff::Timestamp;
use operation::{Operation, Task, Work, look};
use postgres::Postgres;
use prices::KnownPrices;
use queue::{Queue, Urgency, persist};
use rows::{LeaseKey, UsageItemRow, UsageQuantityRow, UsageRow};
use rusqlite::Connection;
use sqlite::Sqlite;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokens::KnownTokens;

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

/// What became old within this time is looked for each time that usage is summed up (minutes).
const ROLLED_UP_LATE: i64 = 3 * DAY;

/// About how many rows a command is about.
const COMMAND_WEIGHT: usize = 8;

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The ledger's database. Cloning it gives another handle to the same.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    alarm: Arc<Alarm>,
    /// Where the scan for silent leases continues.
    walk: Arc<Mutex<LeaseKey>>,
    prices: Arc<KnownPrices>,
    is_new: bool,
    tokens: Arc<KnownTokens>,
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

/// Reads from one snapshot of whichever database there is.
macro_rules! read {
    ($store:expr, $reader:ident => $query:expr) => {
        match &$store.backend {
            Backend::Sqlite(sqlite) => {
                sqlite
                    .read(move |$reader: &mut Connection| {
                        let $reader = &*$reader;
                        sqlite::done($query)
                    })
                    .await
            }
            Backend::Postgres(postgres) => {
                let snapshot = postgres.snapshot().await?;
                let $reader = snapshot.conn()?;
                let found = $query.await;
                snapshot.end(found).await
            }
        }
    };
}

// Behind the macros, which it uses.
mod announcements;
mod console;
mod mail;
mod portal;

impl Store {
    /// The most rows that one of the maintenance functions deals with in one call.
    pub const STEP: usize = maintenance::ROWS;

    /// The most subscriptions that are renewed in one call.
    pub const RENEWALS: usize = maintenance::RENEWALS;

    /// Opens the database, and brings it to the present version; begins a ledger where there is none.
    pub async fn open(database: &Database, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        Self::open_where(database, WhereNone::Begin, metrics).await
    }

    /// The same, where a ledger begins only if it may.
    pub async fn open_where(
        database: &Database,
        none: WhereNone,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let lanes = match database {
            Database::Directory(_) => Sqlite::LANES,
            Database::Server(_) => Postgres::LANES,
        };
        let queue = Arc::new(Queue::new(lanes, Arc::clone(&metrics)));
        let (backend, is_new) = match database {
            Database::Directory(dir) => {
                let (opened, is_new) = Sqlite::open(dir, none, Arc::clone(&queue))?;
                (Backend::Sqlite(opened), is_new)
            }
            Database::Server(settings) => {
                let (opened, is_new) =
                    Postgres::open(settings, none, Arc::clone(&queue), Arc::clone(&metrics)).await?;
                (Backend::Postgres(opened), is_new)
            }
        };
        Ok(Self {
            backend,
            queue,
            metrics,
            alarm: Arc::default(),
            walk: Arc::default(),
            prices: Arc::default(),
            is_new,
            tokens: Arc::default(),
        })
    }

    /// The call log of this ledger.
    pub fn call_log(&self, limits: CallLimits) -> CallLog {
        let metrics = Arc::clone(&self.metrics);
        match &self.backend {
            Backend::Sqlite(sqlite) => CallLog::in_folder(sqlite.folder(), limits, metrics),
            Backend::Postgres(postgres) => CallLog::on_server(postgres.pool(), limits, metrics),
        }
    }

    /// The name of the token with which alone this gateway may come, if there is one.
    pub async fn gateway_token(&self, gateway: String, now: Timestamp) -> Result<Option<String>, StoreError> {
        read!(self, reader => queries::gateways::token(reader, &gateway, now))
    }

    /// Whether there was no ledger here before.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// How many accounts there are, but no more than `most`.
    pub async fn count_accounts(&self, most: u32) -> Result<u32, StoreError> {
        read!(self, reader => queries::accounts::count(reader, most))
    }

    /// Logs that a job failed, which will be tried again.
    pub fn log_failure(&self, error: &StoreError, what: &str) {
        self.queue.outage().failed(error);
        if !error.is_outage() {
            tracing::error!(%error, "{what}; will try again");
        }
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
            Backend::Sqlite(sqlite) => Ok(sqlite.stamp()),
            Backend::Postgres(postgres) => {
                let sweep = postgres.next_sweep().await;
                self.queue.outage().note(&sweep);
                sweep
            }
        }
    }

    /// A message with the token of the environment.
    #[cfg(test)]
    pub async fn exchange(
        &self,
        request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<ExchangeResponse, StoreError> {
        self.exchange_as(SaidOfGateway::default(), request, now, ttl_ms).await
    }

    /// Takes in a message from a gateway, all of it or nothing; only an entry that can't be booked is left out alone.
    /// Leases that it renews may be spent from for `ttl_ms` milliseconds more.
    pub async fn exchange_as(
        &self,
        gateway_is: SaidOfGateway,
        mut request: ExchangeRequest,
        now: Timestamp,
        ttl_ms: u64,
    ) -> Result<ExchangeResponse, StoreError> {
        let models = std::mem::take(&mut request.models);
        let (gateway, seen) = (request.gateway.clone(), request.seen);
        let prices = self.costs_of(&request).await;
        let exchange = Exchange { request, ttl_ms, prices, gateway_is };
        // Callers may wait for prices as well.
        let is_urgent = exchange.is_urgent() || !models.is_empty();
        let urgency = if is_urgent { Urgency::Urgent } else { Urgency::Report };
        let weight = exchange.weight();
        let Exchanged { mut response, booked, unbooked, renewals } =
            self.queue.run(exchange, now, weight, urgency).await?;
        self.metrics.exchanges.inc();
        self.metrics.entries.inc_by(u64::try_from(response.entries.len()).unwrap_or(0));
        self.metrics.unknown_usage_lines.inc_by(booked.unknown_lines);
        for (code, requests) in &booked.shadow {
            self.metrics.would_refuse(*code, *requests);
        }
        for refused in response.entries.iter().filter_map(|entry| entry.refused.as_ref()) {
            self.metrics.refuse(refused.code);
        }
        for what in &unbooked {
            self.metrics.unbooked(what);
            self.alarm.raise(&gateway, what, std::time::Instant::now());
        }
        self.count_renewals(renewals);
        if let Some(since) = seen {
            let heard = read!(self, reader => queries::news::since(reader, &gateway, since, now))?;
            (response.seen, response.changes) = (Some(heard.news.seen), heard.news.changes);
            response.heartbeat_ms = response.heartbeat_ms.min(heartbeat_ms(heard.fast_heartbeat));
        }
        if let Some(slower) = self.heartbeat_ms(ttl_ms) {
            response.heartbeat_ms = response.heartbeat_ms.max(slower);
        }
        (response.models, response.prices) = self.prices_of(&models, now).await;
        Ok(response)
    }

    /// What models cost, and the number of the list's newest change. An exchange is committed when this is asked, so it
    /// doesn't fail when prices can't be read: the gateway asks again.
    async fn prices_of(&self, models: &[String], now: Timestamp) -> (Vec<ModelAnswer>, Option<u64>) {
        let wanted = !models.is_empty();
        let mut heard = match self.prices.due(std::time::Instant::now(), wanted) {
            Some(known) => self.read_price_news(known).await,
            None => Ok(()),
        };
        // Before the list is read, because another exchange may hear of a change meanwhile: a gateway would keep prices for good
        // that come under a newer number than their own.
        let number = self.prices.number(now);
        if wanted && heard.is_ok() {
            match self.price_list().await {
                Ok(list) => return (prices::answers(&list, models, now), number),
                Err(why) => heard = Err(why),
            }
        }
        if let Err(why) = heard
            && !why.is_outage()
        {
            tracing::warn!(%why, "the price list can't be read; gateways ask for prices again");
        }
        (Vec::new(), number)
    }

    /// The price list, for a message with usage of models. What models cost is no reason to turn a message away: without the
    /// list it isn't known.
    async fn costs_of(&self, request: &ExchangeRequest) -> Arc<PriceList> {
        let mut lines = request.usage.iter().flat_map(|report| &report.lines);
        if !lines.any(|line| line.item.is_some()) {
            return Arc::default();
        }
        let heard = match self.prices.due(std::time::Instant::now(), false) {
            Some(known) => self.read_price_news(known).await,
            None => Ok(()),
        };
        let list = match heard {
            Ok(()) => self.price_list().await,
            Err(why) => Err(why),
        };
        list.unwrap_or_else(|why| {
            if !why.is_outage() {
                tracing::warn!(%why, "the price list can't be read; what requests to models cost isn't known");
            }
            Arc::default()
        })
    }

    /// Takes in what is new of the price list since a change.
    async fn read_price_news(&self, known: u64) -> Result<(), StoreError> {
        if let Some(news) = read!(self, reader => queries::prices::news(reader, known))? {
            self.prices.learn(news);
        }
        Ok(())
    }

    /// The price list as of the newest change that is known, or a newer one.
    async fn price_list(&self) -> Result<Arc<PriceList>, StoreError> {
        if let Some(list) = self.prices.list() {
            return Ok(list);
        }
        let _reading = self.prices.reading.lock().await;
        if let Some(list) = self.prices.list() {
            return Ok(list);
        }
        let list = Arc::new(read!(self, reader => queries::prices::list(reader))?);
        self.prices.keep(&list);
        Ok(list)
    }

    /// The time between heartbeats that gateways are asked for under pressure (ms): before leases are over, that live
    /// for `ttl_ms`.
    pub fn heartbeat_ms(&self, ttl_ms: u64) -> Option<u32> {
        let most = u32::try_from(ttl_ms / 3).unwrap_or(u32::MAX);
        self.queue.heartbeat_ms().map(|slower| slower.min(most))
    }

    /// Whether a report of about so many entries would be turned away now: asked before it is read, because reading is
    /// a good part of the work.
    pub fn refuses_report(&self, entries: usize) -> bool {
        self.queue.refuses(entries)
    }

    /// Does what an operator asks, or finds what was answered when it was asked before.
    pub async fn execute(
        &self,
        command: Command,
        record: IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let once = Once { command, record };
        let answer = self.queue.run(once, now, COMMAND_WEIGHT, Urgency::Urgent).await?;
        match &answer {
            Answer::First(Done::Grant(grant)) => self.metrics.grant(grant.amount),
            Answer::First(Done::Prices(_)) => self.prices.expire(),
            Answer::First(Done::Token(_) | Done::Tokens(_)) => {
                if let Err(error) = self.refresh_tokens().await {
                    tracing::warn!(%error, "tokens have changed, and can't be read; will try again in a second");
                }
            }
            _ => {}
        }
        Ok(answer)
    }

    /// An account.
    pub async fn account(&self, id: String) -> Result<api::Account, StoreError> {
        read!(self, reader => queries::accounts::one(reader, &id))
    }

    /// A page of the accounts, by identifier.
    pub async fn accounts(&self, query: AccountQuery) -> Result<api::Accounts, StoreError> {
        read!(self, reader => queries::accounts::page(reader, &query))
    }

    /// A key.
    pub async fn key(&self, id: String, now: Timestamp) -> Result<api::Key, StoreError> {
        read!(self, reader => queries::keys::one(reader, &id, now))
    }

    /// A page of all accounts' keys that begin with this text.
    pub async fn keys_beginning(
        &self,
        text: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Keys, StoreError> {
        read!(self, reader => queries::keys::beginning(reader, &text, &page, now))
    }

    /// A page of an account's keys, oldest first.
    pub async fn keys(&self, account: String, page: Page, now: Timestamp) -> Result<api::Keys, StoreError> {
        read!(self, reader => queries::keys::page(reader, &account, &page, now))
    }

    /// A page of an account's teams, by identifier.
    pub async fn teams(&self, account: String, page: Page) -> Result<api::Teams, StoreError> {
        read!(self, reader => queries::teams::page(reader, &account, &page))
    }

    /// A page of the budgets of an account, its teams and its keys.
    pub async fn budgets(
        &self,
        account: String,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Budgets, StoreError> {
        read!(self, reader => queries::budgets::list(reader, &account, &page, now))
    }

    /// A page of an account's grants, oldest first; perhaps only those with something left.
    pub async fn grants(
        &self,
        account: String,
        page: Page,
        left: bool,
        now: Timestamp,
    ) -> Result<api::Grants, StoreError> {
        read!(self, reader => queries::grants::page(reader, &account, &page, left, now))
    }

    /// An account's balance.
    pub async fn balance(&self, account: String, now: Timestamp) -> Result<api::Balance, StoreError> {
        read!(self, reader => queries::balance::of(reader, &account, now))
    }

    /// An account's usage.
    pub async fn usage(&self, account: String, query: UsageQuery) -> Result<api::Usage, StoreError> {
        read!(self, reader => queries::usage::list(reader, &account, &query))
    }

    /// Usage summed up by periods and groups.
    pub async fn usage_sums(&self, query: UsageSumsQuery) -> Result<api::UsageSums, StoreError> {
        read!(self, reader => queries::usage_sums::list(reader, &query))
    }

    /// Why an account's requests of this price are refused now, and what was refused since a time.
    pub async fn why(
        &self,
        account: String,
        price: Credits,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<api::Why, StoreError> {
        let refusals = {
            let account = account.clone();
            read!(self, reader => queries::refusals::of(reader, &account, since))?
        };
        let (account, findings) = self.look_at(move |draft| why::look(draft, &account, price, now)).await?;
        Ok(api::Why { account: account.id, state: account.state, findings, refusals, since })
    }

    /// Usage under metered rules, by model or tool.
    pub async fn usage_by_item(&self, query: ItemQuery) -> Result<api::UsageByItem, StoreError> {
        read!(self, reader => queries::items::list(reader, &query))
    }

    /// A page of what models cost now and later.
    pub async fn prices(&self, page: Page, now: Timestamp) -> Result<api::Prices, StoreError> {
        read!(self, reader => queries::prices::page(reader, &page, now))
    }

    /// All prices of a model.
    pub async fn model_prices(&self, model: String) -> Result<api::ModelPriceHistory, StoreError> {
        read!(self, reader => queries::prices::of(reader, &model))
    }

    /// What rules that only watch would have refused, to whom and why.
    pub async fn shadow(&self, query: ShadowQuery) -> Result<api::Shadow, StoreError> {
        read!(self, reader => queries::shadow::list(reader, &query))
    }

    /// What is known of tokens.
    pub fn known_tokens(&self) -> &KnownTokens {
        &self.tokens
    }

    /// Reads all tokens again.
    pub async fn refresh_tokens(&self) -> Result<(), StoreError> {
        let tokens = read!(self, reader => queries::tokens::all(reader))?;
        self.tokens.learn(tokens);
        Ok(())
    }

    /// Writes down which tokens were used since the last time.
    pub async fn note_token_uses(&self, now: Timestamp) -> Result<(), StoreError> {
        let uses = self.tokens.uses();
        if !uses.is_empty() {
            self.tend(vec![NoteUses(uses)], now).await?.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        Ok(())
    }

    /// A page of the tokens of a kind, oldest first.
    pub async fn tokens(
        &self,
        kind: TokenKind,
        page: Page,
        now: Timestamp,
    ) -> Result<api::Tokens, StoreError> {
        read!(self, reader => queries::tokens::page(reader, kind, &page, now))
    }

    /// A page of what operators did, newest first.
    pub async fn trail(&self, query: TrailQuery) -> Result<api::Trail, StoreError> {
        read!(self, reader => queries::trail::page(reader, &query))
    }

    /// A plan's newest version.
    pub async fn plan(&self, name: String) -> Result<api::Plan, StoreError> {
        read!(self, reader => queries::plans::one(reader, &name))
    }

    /// A page of the plans, by name; with `archived`, also of those.
    pub async fn plans(&self, page: Page, archived: bool) -> Result<api::Plans, StoreError> {
        read!(self, reader => queries::plans::page(reader, &page, archived))
    }

    /// A grant.
    pub async fn grant(&self, id: String, now: Timestamp) -> Result<api::Grant, StoreError> {
        read!(self, reader => queries::grants::one(reader, &id, now))
    }

    /// A page of an account's corrections, oldest first.
    pub async fn corrections(&self, account: String, page: Page) -> Result<api::Corrections, StoreError> {
        read!(self, reader => queries::corrections::page(reader, &account, &page))
    }

    /// An account's newest subscription.
    pub async fn subscription(&self, account: String) -> Result<api::Subscription, StoreError> {
        self.look_at(move |draft| subscriptions::show(draft, &account)).await
    }

    /// Shows something of a draft in which nothing changes.
    async fn look_at<T: Send + 'static>(
        &self,
        show: impl Fn(&mut Draft) -> Result<T, Stop> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let show =
                    move |conn: &mut Connection| sqlite::done(look(&mut sqlite::engine::Look(conn), show));
                sqlite.read(show).await
            }
            Backend::Postgres(postgres) => {
                let mut snapshot = postgres.engine().snapshot().await?;
                let shown = look(&mut snapshot, show).await;
                snapshot.end().await?;
                shown
            }
        }
    }

    /// What an account's newest subscription means for exchanges.
    #[cfg(test)]
    pub async fn entitlement_of(
        &self,
        account: String,
    ) -> Result<Option<crate::domain::entitlement::Entitlement>, StoreError> {
        read!(self, reader => queries::accounts::entitlement(reader, &account))
    }

    /// The open leases with the most money, each with its touch, and what all hold together.
    pub async fn leases(
        &self,
        gateway: Option<String>,
    ) -> Result<(Vec<(api::Lease, i64)>, Credits), StoreError> {
        read!(self, reader => queries::leases::list(reader, gateway.as_deref()))
    }

    /// How many leases are open, and what they hold together.
    pub async fn at_risk(&self) -> Result<(i64, Credits), StoreError> {
        read!(self, reader => queries::leases::at_risk(reader))
    }

    /// What the database takes on its disk, in bytes.
    pub async fn size_bytes(&self) -> Result<u64, StoreError> {
        read!(self, reader => queries::size::bytes(reader))
    }

    /// How many operations wait for a transaction.
    pub fn queued(&self) -> usize {
        self.queue.waiting()
    }

    /// Recomputes every balance from the entries.
    pub async fn audit(&self) -> Result<api::Audit, StoreError> {
        on!(self, database => database.audit().await)
    }

    /// Takes back leases that were not named since the line at `touch` was drawn, on the next part of a walk over all
    /// leases. How many, and what was in them.
    pub async fn reclaim(&self, touch: i64, now: Timestamp) -> Result<(usize, Credits), StoreError> {
        let after = *self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        let silent =
            read!(self, reader => queries::jobs::silent(reader, after, queries::jobs::WINDOW, touch))?;
        let all = silent.leases.iter();
        let all: Vec<Reclaim> =
            all.map(|&(gateway, key, account)| Reclaim { place: (gateway, key), account, touch }).collect();
        let (mut leases, mut credits) = (0, Credits::ZERO);
        for some in all.chunks(Self::STEP) {
            for outcome in self.tend(some.to_vec(), now).await? {
                match outcome? {
                    Ok(Some(back)) => (leases, credits) = (leases + 1, credits.saturating_add(back)),
                    Ok(None) => {}
                    Err(unreclaimed) => {
                        let (account, why) = (unreclaimed.account, unreclaimed.why);
                        tracing::error!(%account, %why, "a lease can't be taken back; the others are");
                    }
                }
            }
        }
        *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = silent.next.unwrap_or_default();
        self.metrics.reclaims.inc_by(u64::try_from(leases).unwrap_or(0));
        Ok((leases, credits))
    }

    /// Takes out what remains of grants whose time is over, and lets gateways know of keys whose
    /// time is over; up to [`Self::STEP`] of each. Tells the larger number.
    pub async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let accounts = read!(self, reader => queries::jobs::due_grants(reader, now, Self::STEP))?;
        let grants = accounts.into_iter().map(|account| ExpireGrants { account }).collect::<Vec<_>>();
        let keys = read!(self, reader => queries::jobs::due_keys(reader, now, Self::STEP))?;
        let keys = keys.into_iter().map(|(key, account)| ExpireKey { key, account }).collect::<Vec<_>>();
        let (some_grants, some_keys) = (grants.len(), keys.len());
        for outcome in self.tend(grants, now).await? {
            if let Err(why) = outcome {
                tracing::error!(%why, "an account's grants can't expire; those of others do");
            }
        }
        for outcome in self.tend(keys, now).await? {
            outcome?;
        }
        Ok(some_grants.max(some_keys))
    }

    /// Does what is due about subscriptions, up to [`Self::RENEWALS`] of them; tells how many there were.
    pub async fn renew(&self, now: Timestamp) -> Result<usize, StoreError> {
        let due = read!(self, reader => queries::jobs::due_subscriptions(reader, now, Self::RENEWALS))?;
        let due = due.into_iter().map(|(subscription, account)| Renew { subscription, account });
        let due: Vec<Renew> = due.collect();
        let count = due.len();
        let outcomes = self.tend(due, now).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.count_renewals(outcomes);
        Ok(count)
    }

    fn count_renewals(&self, outcomes: Vec<RenewalOutcome>) {
        for outcome in outcomes {
            match outcome {
                RenewalOutcome::Done(given) => {
                    self.metrics.renewals.inc_by(u64::try_from(given.len()).unwrap_or(0));
                }
                RenewalOutcome::Rests { why, account } => {
                    tracing::warn!(%account, %why, "a subscription could not renew");
                }
            }
        }
    }

    /// Deletes up to [`Self::STEP`] rows of each kind that has served its time. Tells the largest number.
    pub async fn prune(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.delete_served(maintenance::KEPT.iter().map(|kept| (kept, kept.keep_ms)), now).await
    }

    /// Deletes up to [`Self::STEP`] rows of the trail that were kept for so many milliseconds. Returns how many.
    pub async fn prune_trail(&self, keep_ms: i64, now: Timestamp) -> Result<usize, StoreError> {
        self.delete_served([(&maintenance::TRAIL, keep_ms)].into_iter(), now).await
    }

    async fn delete_served(
        &self,
        all: impl Iterator<Item = (&'static maintenance::Kept, i64)> + Send,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut most = 0;
        let mut chores = Vec::new();
        for (kept, keep_ms) in all {
            let before_ms = now.as_millisecond().saturating_sub(keep_ms);
            let rows = read!(self, reader => queries::jobs::served(reader, kept, before_ms, Self::STEP))?;
            if rows > 0 {
                chores.push(MaintenanceTask::Prune(kept, before_ms));
            }
            most = most.max(rows);
        }
        if !chores.is_empty() {
            self.tend(vec![RunMaintenance(chores)], now)
                .await?
                .into_iter()
                .collect::<Result<Vec<()>, _>>()?;
        }
        Ok(most)
    }

    /// Sums up to [`Self::STEP`] rows of old usage of each kind into hours, or later into days: all of it, or only what became
    /// old within the last days. Returns the largest number.
    pub async fn roll_up(&self, now: Timestamp, all: bool) -> Result<usize, StoreError> {
        let mut most = 0;
        for (keep, span) in [(KEEP_MINUTES, HOUR), (KEEP_HOURS, DAY)] {
            let until = minute(now).saturating_sub(keep);
            let until = until.saturating_sub(until.rem_euclid(span));
            let from = if all { i64::MIN } else { until.saturating_sub(ROLLED_UP_LATE) };
            most = most.max(self.roll_up_rows::<UsageRow>((from, until), span, now).await?);
            most = most.max(self.roll_up_rows::<UsageItemRow>((from, until), span, now).await?);
            most = most.max(self.roll_up_rows::<UsageQuantityRow>((from, until), span, now).await?);
        }
        Ok(most)
    }

    async fn roll_up_rows<R: Timed>(
        &self,
        time: (i64, i64),
        span: i64,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let rows = read!(self, reader => queries::jobs::unsummed::<R>(reader, time, span, Self::STEP))?;
        if rows.is_empty() {
            return Ok(0);
        }
        let found = rows.len();
        for outcome in self.tend(vec![RollUp::<R> { rows, span }], now).await? {
            outcome?;
        }
        Ok(found)
    }

    /// Finds out whether writing works.
    pub async fn write_probe(&self, now: Timestamp) -> Result<(), StoreError> {
        if let Backend::Postgres(postgres) = &self.backend {
            return postgres.probe(now.as_millisecond()).await;
        }
        let probe = RunMaintenance(vec![MaintenanceTask::Probe(now.as_millisecond())]);
        self.queue.run(probe, now, 1, Urgency::Own).await?;
        self.recent_fault()
    }

    /// Does operations that the ledger has come upon. What another ledger is about to do is left to it.
    async fn tend<O: Operation>(
        &self,
        operations: Vec<O>,
        now: Timestamp,
    ) -> Result<Vec<Result<O::Output, StoreError>>, StoreError> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let mut tasks: Vec<Task<O>> =
            operations.into_iter().map(|operation| Task::new(operation, now)).collect();
        let Backend::Postgres(postgres) = &self.backend else {
            let weight = tasks.len().saturating_mul(COMMAND_WEIGHT);
            return self.queue.run_all(tasks, weight, Urgency::Own).await;
        };
        let engine = postgres.engine();
        let mut works: Vec<&mut dyn Work> = tasks.iter_mut().map(|task| task as &mut dyn Work).collect();
        match Box::pin(persist(engine, Busy::Skip, &mut works, &self.metrics)).await {
            Ok(()) => {}
            Err(TxError::Failed(error)) => return Err(error),
            // One of them may be at fault for all; so each is tried alone.
            Err(TxError::Value(_) | TxError::Again(_)) => {
                for work in &mut works {
                    let done = Box::pin(persist(engine, Busy::Skip, &mut [&mut **work], &self.metrics)).await;
                    if let Err(error) = done {
                        work.fail(error.into_inner());
                    }
                }
            }
        }
        Ok(tasks.into_iter().map(Task::into_outcome).collect())
    }

    /// The fault with which a write failed a moment ago, if it is known without asking the database.
    pub fn recent_fault(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.recent_fault(),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Changes an account's row, as if it had come to that, and lets gateways know.
    #[cfg(test)]
    async fn set_account(
        &self,
        account: &str,
        set: impl Fn(&mut crate::domain::Account) + Send + Sync + 'static,
    ) {
        let set = contract::SetAccount { account: account.to_owned(), set: Box::new(set) };
        self.queue.run(set, Timestamp::UNIX_EPOCH, 1, Urgency::Urgent).await.unwrap();
    }

    /// Writes what an account has spent, as if the books had come to that.
    #[cfg(test)]
    pub(crate) async fn set_spent(&self, account: &str, spent: Credits) {
        self.set_account(account, move |account| account.books.spent = spent).await;
    }

    /// Writes what a subscription would mean for an account, and lets gateways know.
    #[cfg(test)]
    pub(crate) async fn set_entitlement(
        &self,
        account: &str,
        entitlement: Option<&crate::domain::entitlement::Entitlement>,
    ) {
        let entitlement = entitlement.cloned();
        self.set_account(account, move |account| account.entitlement.clone_from(&entitlement)).await;
    }
}
