//! What only a shared database can get wrong: ledgers that do the same thing at the same time.

use super::Settings;
use super::attempt_error::AttemptError;
use super::pool::Task;
use super::testing::Server;
use crate::api::{Anchor, Unit};
use crate::command::admin::{Answer, Command, IdempotencyRecord};
use crate::command::budgets::{NewBudget, Whose};
use crate::command::keys::Credential;
use crate::command::prices::NewPrices;
use crate::command::trail::Origin;
use crate::domain::period::{Rhythm, zone};
use crate::domain::{AccountId, GrantId, KeyId, Kind};
use crate::metrics::Metrics;
use crate::store::{Database, OpenError, Store, StoreError};
use faregate_protocol::exchange::{
    Ask, Ended, Entry, ExchangeRequest, Holds, LeaseReport, Payer, RefusalLine, UsageLine, UsageReport,
    VERSION,
};
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::ModelPrices;
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::task::JoinSet;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn credits(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000_000)
}

fn memo(key: &str) -> IdempotencyRecord {
    IdempotencyRecord { key: key.to_owned(), fingerprint: [0; 32], origin: Origin::default() }
}

async fn open(settings: &Settings) -> Store {
    Store::open(&Database::Server(Box::new(settings.clone())), Arc::default()).await.unwrap()
}

/// An account with a key of the same name.
async fn customer(store: &Store, id: &str, whole: i64) {
    let account = AccountId::parse(id).unwrap();
    let create = Command::CreateAccount { id: account, name: None };
    store.execute(create, memo(&format!("a {id}")), now()).await.unwrap();
    let (key, credential) = (KeyId::stored(format!("key_{id}")), Credential::Subject(id.to_owned()));
    let create = Command::CreateKey(crate::command::keys::NewKey::plain(id, key, credential));
    store.execute(create, memo(&format!("k {id}")), now()).await.unwrap();
    let grant = Command::Grant {
        account: id.to_owned(),
        id: GrantId::stored(format!("grant_{id}")),
        amount: credits(whole),
        priority: 100,
        expires_at: None,
        note: None,
        source: None,
    };
    store.execute(grant, memo(&format!("g {id}")), now()).await.unwrap();
}

fn entry(id: &str, epoch: u32, spent: i64, level: i64) -> Entry {
    let level = credits(level);
    Entry {
        payer: Payer::Id(format!("key_{id}")),
        ended: None,
        lease: Some(LeaseReport {
            epoch,
            spent: credits(spent),
            returned: Credits::ZERO,
            held: Credits::ZERO,
            demand: 0,
        }),
        ask: Some(Ask { least: level, need: level, want: level }),
        on_credit: Credits::ZERO,
        holds: Holds::default(),
    }
}

fn message(gateway: &str, entries: Vec<Entry>) -> ExchangeRequest {
    ExchangeRequest {
        protocol: VERSION,
        gateway: gateway.to_owned(),
        seen: None,
        entries,
        usage: None,
        models: vec![],
    }
}

/// Spends as much as it gets of these accounts, one credit at a time, over either ledger in turn; tells
/// how much that was.
async fn sell(stores: [Store; 2], gateway: String, accounts: Vec<String>) -> i64 {
    let mut sold = vec![0_i64; accounts.len()];
    let mut over = vec![false; accounts.len()];
    for turn in 0.. {
        let open: Vec<usize> = (0..accounts.len()).filter(|n| !over[*n]).collect();
        if open.is_empty() {
            break;
        }
        let entries = open.iter().map(|n| entry(&accounts[*n], 1, sold[*n], sold[*n] + 1)).collect();
        let request = message(&gateway, entries);
        let answer = stores[turn % 2].exchange(request.clone(), now(), 20_000).await.unwrap();
        // Repeating it through the other ledger changes nothing.
        stores[(turn + 1) % 2].exchange(request, now(), 20_000).await.unwrap();
        for (n, answer) in open.into_iter().zip(answer.entries) {
            match answer.lease {
                Some(lease) if lease.granted > credits(sold[n]) => sold[n] += 1,
                _ => over[n] = true,
            }
        }
    }
    let words = accounts.iter().zip(&sold).map(|(account, sold)| Entry {
        ended: Some(Ended { epoch: 1, spent: credits(*sold) }),
        lease: None,
        ask: None,
        ..entry(account, 1, 0, 0)
    });
    stores[0].exchange(message(&gateway, words.collect()), now(), 20_000).await.unwrap();
    sold.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_ledgers_sell_exactly_the_balance_to_many_gateways() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let metrics = Arc::new(Metrics::default());
    let database = Database::Server(Box::new(settings.clone()));
    let stores = [open(&settings).await, Store::open(&database, Arc::clone(&metrics)).await.unwrap()];
    let accounts: Vec<String> = (0..6).map(|n| format!("account{n}")).collect();
    for account in &accounts {
        customer(&stores[0], account, 20).await;
    }
    // This account has more credits, but its budget limits what may be spent.
    customer(&stores[0], "rich", 500).await;
    for whose in [Whose::Account, Whose::Key("key_rich".into())] {
        let rhythm =
            Rhythm { unit: Unit::Day, every: 1, anchor: Anchor::Calendar, zone: zone("UTC").unwrap() };
        let set = memo(&format!("{whose:?}"));
        let budget = NewBudget { account: "rich".into(), whose, credits: credits(20), rhythm };
        stores[0].execute(Command::SetBudget(budget), set, now()).await.unwrap();
    }
    let mut sellers = JoinSet::new();
    for n in 0..8 {
        // Each names them in another order, which must not make them wait for each other in a circle.
        let mut accounts = [accounts.as_slice(), &["rich".to_owned()]].concat();
        accounts.rotate_left(n % 7);
        sellers.spawn(sell(stores.clone(), format!("gateway{n}"), accounts));
    }
    let sold: i64 = sellers.join_all().await.into_iter().sum();
    assert_eq!(sold, 7 * 20);
    for account in accounts {
        let balance = stores[0].balance(account, now()).await.unwrap();
        assert_eq!((balance.spent, balance.available, balance.held), (credits(20), credits(0), credits(0)));
    }
    assert_eq!(stores[0].balance("rich".into(), now()).await.unwrap().spent, credits(20));
    let audit = stores[1].audit().await.unwrap();
    assert!(audit.ok, "{:#?}", audit.problems);
    let conn = super::copy::connect(&settings).await.unwrap();
    conn.batch_execute("UPDATE budgets SET held = 1; UPDATE accounts SET budgets = 1 WHERE id = 'rich'")
        .await
        .unwrap();
    let wrong = stores[1].audit().await.unwrap().problems;
    assert_eq!(wrong.len(), 3, "both budgets, and their number: {wrong:#?}");
    assert_eq!(metrics.transaction_retries.get(), 0, "locks are taken in one order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_sent_to_two_ledgers_at_once_is_executed_once() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let stores = [open(&settings).await, open(&settings).await];
    for n in 0..20 {
        let id = AccountId::parse(&format!("account{n}")).unwrap();
        let command = Command::CreateAccount { id, name: None };
        let key = format!("once {n}");
        let (one, other) = tokio::join!(
            stores[0].execute(command.clone(), memo(&key), now()),
            stores[1].execute(command.clone(), memo(&key), now()),
        );
        let replays =
            [one.unwrap(), other.unwrap()].iter().filter(|a| matches!(a, Answer::Replayed(_))).count();
        assert_eq!(replays, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_starts_migrate_once_and_a_newer_schema_is_refused() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let opened = tokio::join!(open(&settings), open(&settings), open(&settings));
    opened.0.write_probe(now()).await.unwrap();
    let (conn, driver) = settings.server.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    conn.batch_execute("INSERT INTO schema_version (version) VALUES (99)").await.unwrap();
    let refused = Store::open(&Database::Server(Box::new(settings.clone())), Arc::default()).await;
    assert!(matches!(refused, Err(OpenError::Newer { found: 99, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_server_without_durable_commits_is_refused() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let (conn, driver) = settings.server.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let name = settings.server.get_dbname().unwrap();
    let set = async |setting: &str| {
        conn.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = {setting}"))
            .await
            .unwrap();
    };
    for weak in ["off", "local", "remote_write"] {
        set(weak).await;
        let refused = Store::open(&Database::Server(Box::new(settings.clone())), Arc::default())
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains(&format!("synchronous_commit = {weak}; set it to on")), "{refused}");
    }
    set("remote_apply").await;
    // One that is running notices with its next session.
    let running = open(&settings).await;
    set("local").await;
    conn.batch_execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await
    .unwrap();
    for tries in 0.. {
        let refused = running.write_probe(now()).await.unwrap_err().to_string();
        if refused.contains("synchronous_commit = local; set it to on") {
            break;
        }
        assert!(tries < 100, "{refused}");
    }
    let nowhere = Settings::parse("postgres://me:hunter2@127.0.0.1:1/money").unwrap();
    let refused = Store::open(&Database::Server(Box::new(nowhere.clone())), Arc::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("postgres://127.0.0.1:1/money") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_change_of_prices_is_heard_from_every_ledger() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let (one, two) = (open(&settings).await, open(&settings).await);
    let set = |input: i64, key: &str| {
        let mut prices = ModelPrices::default();
        prices.base.set(UsageClass::Input, credits(input));
        let new = NewPrices { model: "gpt-5".into(), prices, cost: None, valid_from: None };
        (Command::SetPrices(vec![new]), memo(key))
    };
    let ask = async |store: &Store, models: &[&str]| {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let answer = store.exchange(ExchangeRequest { models, ..message("gw", vec![]) }, now(), 20_000).await;
        let answer = answer.unwrap();
        let input =
            answer.models.first().and_then(|model| model.prices.as_ref()?.base.get(UsageClass::Input));
        (input, answer.prices)
    };
    let (command, key) = set(2, "first");
    one.execute(command, key, now()).await.unwrap();
    let (found, first) = ask(&two, &["gpt-5"]).await;
    assert_eq!(found, Some(credits(2)));
    let (command, key) = set(3, "second");
    one.execute(command, key, now()).await.unwrap();
    let began = std::time::Instant::now();
    while ask(&two, &[]).await.1 == first {
        assert!(began.elapsed() < std::time::Duration::from_mins(1), "it looks twice a second");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&two, &["gpt-5"]).await, ask(&one, &["gpt-5"]).await);
    // Both change the list at the same time: one after the other.
    let before = ask(&one, &["gpt-5"]).await.1;
    let ((a, key_a), (b, key_b)) = (set(4, "a"), set(5, "b"));
    let (a, b) = tokio::join!(one.execute(a, key_a, now()), two.execute(b, key_b, now()));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let after = ask(&one, &["gpt-5"]).await;
    assert_eq!((after.1, after), (before.map(|number| number + (2 << 16)), ask(&two, &["gpt-5"]).await));
}

#[tokio::test]
async fn names_that_the_database_cannot_store_break_nothing_else() {
    let Some(server) = Server::shared() else { return };
    let store = open(&server.database().await).await;
    customer(&store, "acme", 10).await;
    let line = UsageLine {
        payer: "key_acme".into(),
        rule: "a\0b".into(),
        requests: 1,
        credits: credits(1),
        refunds: 0,
        item: None,
        basis: None,
        used: faregate_protocol::metering::Quantities::default(),
        product: None,
    };
    let strange = Entry { payer: Payer::Subject("x\0y".into()), ..entry("acme", 1, 0, 1) };
    let watched = RefusalLine {
        payer: Some("key\0".into()),
        rule: "r\0".into(),
        code: RefusalCode::InvalidKey,
        requests: 1,
    };
    let usage = Some(UsageReport {
        broker: "b\0".into(),
        seq: 1,
        lines: vec![line],
        shadow: vec![watched],
        ..UsageReport::default()
    });
    let request = ExchangeRequest { usage, ..message("g\0w", vec![strange, entry("acme", 1, 0, 1)]) };
    let answer = store.exchange(request, now(), 20_000).await.unwrap();
    assert!(answer.entries[0].refused.is_some() && answer.entries[1].lease.is_some());
    assert_eq!(answer.usage_seq, Some(1));
}

#[tokio::test]
async fn entry_kinds_match_between_code_and_database() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    open(&settings).await.close().await;
    let (conn, driver) = settings.server.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let rows = conn.query("SELECT kind, name, from_book, to_book FROM entry_kinds ORDER BY kind", &[]).await;
    let stored: Vec<(i64, String, String, String)> =
        rows.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
    let name = |text: &str| text.to_owned();
    let coded = Kind::ALL.map(|kind| {
        (kind.number(), name(kind.as_str()), name(kind.from().as_str()), name(kind.to().as_str()))
    });
    assert_eq!(stored, coded);
}

/// Locks one account after the other, the last one with another statement under way behind it, which meets the
/// end of the transaction first.
struct Lock {
    accounts: [&'static str; 2],
    /// Where those who are to meet each other wait, the first time.
    met: Arc<tokio::sync::Barrier>,
    tries: std::sync::atomic::AtomicU32,
}

impl Lock {
    fn new(accounts: [&'static str; 2], met: &Arc<tokio::sync::Barrier>) -> Self {
        Self { accounts, met: Arc::clone(met), tries: 0.into() }
    }
}

impl Task for Lock {
    type Done = ();

    async fn attempt(&self, conn: &deadpool_postgres::Client) -> Result<(), AttemptError> {
        let lock = "SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE";
        conn.query(lock, &[&self.accounts[0]]).await?;
        if self.tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            self.met.wait().await;
        }
        conn.query(lock, &[&self.accounts[1]]).await?;
        Ok(())
    }
}

async fn two_accounts(settings: &Settings) -> (super::pool::Pool, Arc<Metrics>) {
    let store = open(settings).await;
    customer(&store, "one", 10).await;
    customer(&store, "two", 10).await;
    let metrics = Arc::new(Metrics::default());
    (super::pool::Pool::new(settings, Arc::clone(&metrics)).unwrap(), metrics)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_timeout_is_reported_as_overload() {
    let Some(server) = Server::shared() else { return };
    let mut settings = server.database().await;
    settings.lock_timeout = std::time::Duration::from_millis(50);
    let (pool, metrics) = two_accounts(&settings).await;
    let holder = super::inspect::connect(&settings).await.unwrap();
    holder.batch_execute("BEGIN; SELECT 1 FROM accounts WHERE id = 'two' FOR UPDATE").await.unwrap();
    let alone = Arc::new(tokio::sync::Barrier::new(1));
    let attempt_error = pool.transaction(&Lock::new(["one", "two"], &alone)).await.unwrap_err();
    assert!(matches!(StoreError::from(attempt_error), StoreError::Overloaded));
    assert_eq!(metrics.transaction_retries.get(), 0, "it is no collision");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlocked_transaction_is_retried() {
    let Some(server) = Server::shared() else { return };
    let mut settings = server.database().await;
    settings.lock_timeout = std::time::Duration::from_secs(30);
    settings.statement_timeout = std::time::Duration::from_secs(30);
    let (pool, metrics) = two_accounts(&settings).await;
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let (there, back) = (Lock::new(["one", "two"], &both), Lock::new(["two", "one"], &both));
    let (there, back) = tokio::join!(pool.transaction(&there), pool.transaction(&back));
    there.unwrap();
    back.unwrap();
    assert_eq!(metrics.transaction_retries.get(), 1);
}

/// Runs one statement.
struct Say(&'static str);

impl Task for Say {
    type Done = ();

    async fn attempt(&self, conn: &deadpool_postgres::Client) -> Result<(), AttemptError> {
        Ok(conn.batch_execute(self.0).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_are_reported_and_only_disk_errors_mention_the_disk() {
    let Some(server) = Server::shared() else { return };
    let settings = server.database().await;
    let (pool, metrics) = two_accounts(&settings).await;
    for (code, cure) in [
        ("53100", "make space on the server's disk"),
        ("53200", "what it lacks"),
        ("58030", "health of the server's disk"),
        ("XX001", "put a backup in place"),
        ("42P01", "log, which names the statement"),
    ] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'out of luck' USING ERRCODE = '{code}'; END $$");
        let attempt_error = pool.transaction(&Say(raise.leak())).await.unwrap_err();
        let said = StoreError::from(attempt_error).to_string();
        assert!(said.contains(&format!("out of luck (SQLSTATE {code})")) && said.contains(cure), "{said}");
        assert_eq!(said.contains("disk"), cure.contains("disk"), "{said}");
    }
    for code in ["53300", "57014", "55P03"] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'out of luck' USING ERRCODE = '{code}'; END $$");
        let attempt_error = pool.transaction(&Say(raise.leak())).await.unwrap_err();
        assert!(matches!(StoreError::from(attempt_error), StoreError::Overloaded), "{code}");
    }
    assert_eq!(metrics.transaction_retries.get(), 0);
}
