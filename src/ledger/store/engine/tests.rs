//! What every engine must do: each story is a function over an engine without rows, and the macro at the end runs all of
//! them on each kind.

use super::*;
use crate::domain::budget::ScopeName;
use crate::domain::{AccountId, Draw, GrantId, Key, KeyId, KeyNo, LeaseState};
use crate::metrics::Metrics;
use crate::store::dialect::Dialect;
use crate::store::draft::LOOKUPS;
use crate::store::memory::Memory;
use crate::store::postgres::engine::PostgresEngine;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::testing::Server;
use crate::store::rows::{
    AccountRow, BrokerRow, BudgetRow, EntryRow, GatewayRow, GrantRow, IdempotencyRow, KeyRow, LeaseRow,
    TABLES, UsageRow,
};
use crate::store::sqlite::engine::{SqliteEngine, raise_stamps};
use crate::store::sqlite::open::DataDir;
use crate::store::statements::{Lock, What, text};
use jiff::Timestamp;
use std::sync::Arc;

/// An account with this number and identifier.
pub fn account(no: i64, id: &str) -> AccountRow {
    let mut row = AccountRow { created_at: Timestamp::UNIX_EPOCH, ..AccountRow::default() };
    row.account.no = AccountNo(no);
    row.account.id = AccountId::stored(id.to_owned());
    row
}

/// A key of an account.
pub fn key(no: i64, of: i64) -> KeyRow {
    let id = KeyId::stored(format!("key_{no}"));
    let key = Key { no: KeyNo(no), id, ..Key::default() };
    let hash = Some(no.to_be_bytes().to_vec());
    KeyRow { key, account: AccountNo(of), hash, ..KeyRow::default() }
}

/// An open lease without credits.
pub fn lease(gateway: i64, key: i64, account: i64) -> LeaseRow {
    let mut row = LeaseRow::default();
    row.lease.gateway = GatewayNo(gateway);
    row.lease.key = KeyNo(key);
    row.lease.account = AccountNo(account);
    row.lease.state = LeaseState::Open;
    row
}

fn gateway(no: i64, name: &str) -> GatewayRow {
    GatewayRow { no: GatewayNo(no), name: name.to_owned(), token: None, version: None }
}

fn grant(no: i64, of: i64, amount: i64) -> GrantRow {
    let mut row = GrantRow { id: GrantId::stored(format!("grant_{no}")), ..GrantRow::default() };
    row.account = AccountNo(of);
    row.amount = Credits::from_micros(amount);
    row.grant.no = GrantNo(no);
    row.grant.remaining = row.amount;
    row
}

const ACCOUNTS: &Lookup = &Lookup { table: AccountRow::TABLE, columns: "no", filter: "", lock: true };
const LEASES: &Lookup = &Lookup { table: LeaseRow::TABLE, columns: "gateway, key", filter: "", lock: false };
const LIVE: &Lookup = &Lookup { table: GrantRow::TABLE, columns: "account", filter: "live", lock: false };
const BROKERS: &Lookup =
    &Lookup { table: BrokerRow::TABLE, columns: "gateway, broker", filter: "", lock: true };
const BY_ID: &Lookup = &Lookup { table: AccountRow::TABLE, columns: "id", filter: "", lock: false };
const ENTRIES: &Lookup =
    &Lookup { table: EntryRow::TABLE, columns: EntryRow::TABLE.key, filter: "", lock: false };
const USAGE: &Lookup =
    &Lookup { table: UsageRow::TABLE, columns: UsageRow::TABLE.key, filter: "", lock: false };
const BUDGETS: &Lookup =
    &Lookup { table: BudgetRow::TABLE, columns: BudgetRow::TABLE.key, filter: "", lock: false };
const CHANGES: &Lookup = &Lookup { table: ChangeRow::TABLE, columns: "seq", filter: "", lock: false };
const KEPT: &Lookup = &Lookup { table: IdempotencyRow::TABLE, columns: "key", filter: "", lock: false };
const KEYS: &Lookup = &Lookup { table: KeyRow::TABLE, columns: "no", filter: "", lock: false };

async fn begin<E: Engine>(engine: &E) -> E::Transaction<'_> {
    engine.begin(Busy::Wait).await.unwrap()
}

async fn by_key<R: Record>(tx: &mut impl Finder, lookup: &'static Lookup, keys: &[R::Key]) -> Vec<R> {
    let keys: BTreeSet<R::Key> = keys.iter().cloned().collect();
    let mut found = tx.find::<R, R::Key>(lookup, |row| Some(row.key()), &keys).await.unwrap();
    found.sort_by_key(Record::key);
    found
}

/// Two accounts with a key each, and a gateway with a lease of each.
async fn populate<E: Engine>(engine: &E) {
    let mut tx = begin(engine).await;
    tx.insert(&[&account(1, "acme"), &account(2, "bolt")]).await.unwrap();
    tx.insert(&[&key(1, 1), &key(2, 2)]).await.unwrap();
    tx.insert(&[&grant(1, 1, 10), &grant(2, 2, 20)]).await.unwrap();
    tx.insert(&[&gateway(1, "gw")]).await.unwrap();
    tx.insert(&[&lease(1, 1, 1), &lease(1, 2, 2)]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn rows_round_trip_through_the_database<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    let mut other = account(3, "Ünïcode");
    other.name = Some("\u{1f600} & sons".into());
    other.account.due = Some(Timestamp::from_millisecond(-5).unwrap());
    other.account.books.owed = Credits::from_micros(i64::MAX);
    other.account.tight = true;
    tx.insert(&[&other]).await.unwrap();
    let keys = [(AccountNo(3),), (AccountNo(1),), (AccountNo(9),)];
    assert_eq!(by_key::<AccountRow>(&mut tx, ACCOUNTS, &keys).await, [account(1, "acme"), other.clone()]);
    let ids = BTreeSet::from([("Ünïcode".to_owned(),), ("bolt".to_owned(),)]);
    let by_id: fn(&AccountRow) -> Option<(String,)> = |row| Some((row.account.id.as_str().to_owned(),));
    let mut found = tx.find(BY_ID, by_id, &ids).await.unwrap();
    found.sort_by_key(Record::key);
    assert_eq!(found, [account(2, "bolt"), other]);
    let places = [(GatewayNo(1), KeyNo(2)), (GatewayNo(2), KeyNo(1))];
    assert_eq!(by_key::<LeaseRow>(&mut tx, LEASES, &places).await, [lease(1, 2, 2)]);
    assert_eq!(by_key::<KeyRow>(&mut tx, KEYS, &[(KeyNo(2),)]).await, [key(2, 2)]);
    let kept = IdempotencyRow { key: "k".into(), fingerprint: vec![0, 255], ..IdempotencyRow::default() };
    tx.insert(&[&kept]).await.unwrap();
    assert_eq!(by_key::<IdempotencyRow>(&mut tx, KEPT, &[("k".into(),)]).await, [kept]);
    let scopes = [ScopeName::Account, ScopeName::Key, ScopeName::Team];
    let budget = |scope: &ScopeName| BudgetRow {
        account: AccountNo(1),
        scope: *scope,
        credits: Credits::from_micros(1),
        ..BudgetRow::default()
    };
    let budgets = scopes.each_ref().map(budget);
    tx.insert(&budgets.each_ref()).await.unwrap();
    let places = budgets.each_ref().map(|row| (row.account, row.scope, 0));
    assert_eq!(by_key::<BudgetRow>(&mut tx, BUDGETS, &places).await, budgets);
    tx.commit().await.unwrap();
}

async fn an_update_writes_only_the_columns_of_its_roles<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    let mut hot = [lease(1, 1, 1), lease(1, 2, 2)];
    for (row, spent) in hot.iter_mut().zip([7, 8]) {
        row.lease.spent = Credits::from_micros(spent);
        row.touch = 3;
    }
    tx.update(&hot.each_ref(), &[Role::Hot]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = begin(&engine).await;
    let places = [(GatewayNo(1), KeyNo(1)), (GatewayNo(1), KeyNo(2))];
    assert_eq!(by_key::<LeaseRow>(&mut tx, LEASES, &places).await, hot);
    let mut cold = hot[0].clone();
    cold.lease.epoch = 9;
    cold.lease.state = LeaseState::Ended;
    cold.lease.spent = Credits::from_micros(11);
    tx.update(&[&cold], &[Role::Hot, Role::Cold]).await.unwrap();
    assert_eq!(by_key::<LeaseRow>(&mut tx, LEASES, &places).await, [cold, hot[1].clone()]);
    // A table without such columns has nothing to write.
    tx.update(&[&gateway(1, "gw")], &[Role::Hot]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn sums_saturate_at_the_integer_maximum<E: Engine>(engine: E) {
    populate(&engine).await;
    let place = |minute| (AccountNo(1), minute, 3, KeyNo(1), GatewayNo(1), 1, GrantNo(1));
    let entry = |minute, amount| EntryRow { place: place(minute), amount: Credits::from_micros(amount) };
    let line = |requests| UsageRow {
        place: (AccountNo(1), 1, KeyNo(1), "a\"b".into()),
        requests,
        credits: Credits::from_micros(1),
        refunds: 0,
        product: None,
    };
    for (amount, requests) in [(4, 1), (5, i64::MAX), (6, i64::MAX)] {
        let mut tx = begin(&engine).await;
        tx.add(&[&entry(1, amount), &entry(2, i64::MAX)]).await.unwrap();
        tx.add(&[&line(requests)]).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = begin(&engine).await;
    assert_eq!(
        by_key::<EntryRow>(&mut tx, ENTRIES, &[place(1), place(2)]).await,
        [entry(1, 15), entry(2, i64::MAX)]
    );
    let mut sum = line(i64::MAX);
    sum.credits = Credits::from_micros(3);
    assert_eq!(by_key::<UsageRow>(&mut tx, USAGE, &[sum.place.clone()]).await, [sum]);
    tx.commit().await.unwrap();
}

async fn what_is_deleted_is_gone<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    tx.delete::<LeaseRow>(&[&(GatewayNo(1), KeyNo(1)), &(GatewayNo(7), KeyNo(2))]).await.unwrap();
    tx.delete::<GrantRow>(&[&(GrantNo(2),)]).await.unwrap();
    let places = [(GatewayNo(1), KeyNo(1)), (GatewayNo(1), KeyNo(2))];
    assert_eq!(by_key::<LeaseRow>(&mut tx, LEASES, &places).await, [lease(1, 2, 2)]);
    let accounts = BTreeSet::from([(AccountNo(1),), (AccountNo(2),)]);
    let of: fn(&GrantRow) -> Option<(AccountNo,)> =
        |row| Some((row.account,)).filter(|_| row.grant.remaining.is_positive());
    assert_eq!(tx.find(LIVE, of, &accounts).await.unwrap(), [grant(1, 1, 10)]);
    let spent = GrantRow {
        grant: crate::domain::Grant { remaining: Credits::ZERO, ..grant(1, 1, 10).grant },
        ..grant(1, 1, 10)
    };
    tx.update(&[&spent], &[Role::Hot]).await.unwrap();
    assert_eq!(tx.find(LIVE, of, &accounts).await.unwrap(), []);
    tx.commit().await.unwrap();
}

async fn changes_get_consecutive_numbers<E: Engine>(engine: E) {
    let change = |account| ChangeRow {
        account: AccountNo(account),
        created_at: Timestamp::from_millisecond(account).unwrap(),
        ..ChangeRow::default()
    };
    for changes in [[change(5), change(4)], [change(3), change(2)]] {
        let mut tx = begin(&engine).await;
        tx.announce(&changes).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = begin(&engine).await;
    let found = by_key::<ChangeRow>(&mut tx, CHANGES, &[(1,), (2,), (3,), (4,), (5,)]).await;
    let numbered =
        [(1, 5), (2, 4), (3, 3), (4, 2)].map(|(seq, account)| ChangeRow { seq, ..change(account) });
    assert_eq!(found, numbered);
    tx.commit().await.unwrap();
}

async fn new_numbers_exceed_all_earlier_ones<E: Engine>(engine: E) {
    let mut last = 0;
    for round in 0..3 {
        let mut tx = begin(&engine).await;
        for count in [1, 3] {
            let numbers = tx.numbers(AccountRow::TABLE, count).await.unwrap();
            assert_eq!(numbers.len(), count);
            for no in numbers {
                assert!(no > last, "{no} after {last}");
                last = no;
                tx.insert(&[&account(no, &format!("{round} {no}"))]).await.unwrap();
            }
        }
        assert!(tx.stamp().await.unwrap() > 0);
        tx.commit().await.unwrap();
    }
}

async fn expired_and_forfeited_credits_are_summed<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    let entry = |minute, kind, grant, amount| EntryRow {
        place: (AccountNo(1), minute, kind, KeyNo(0), GatewayNo(0), 0, GrantNo(grant)),
        amount: Credits::from_micros(amount),
    };
    let entries = [entry(4, 7, 1, 1), entry(5, 7, 1, 2), entry(6, 7, 1, 4), entry(6, 6, 1, 8)];
    tx.add(&entries.each_ref()).await.unwrap();
    tx.add(&[&entry(6, 3, 1, 16), &entry(6, 7, 2, 32)]).await.unwrap();
    let lapsings = [5, 6].map(|minute| (AccountNo(1), GrantNo(1), minute));
    let mut lapsed = tx.lapsed(&lapsings.into()).await.unwrap();
    lapsed.sort_by_key(|(lapsing, _)| *lapsing);
    let sums = [(6, 8), (4, 8)].map(|(expired, breakage)| ExpiredAmounts {
        expired: Credits::from_micros(expired),
        breakage: Credits::from_micros(breakage),
    });
    assert_eq!(lapsed, [(lapsings[0], sums[0]), (lapsings[1], sums[1])]);

    let mut reported = lease(1, 1, 1);
    reported.lease.demand = 12;
    reported.escrow = Credits::from_micros(1);
    reported.lease.draws = vec![Draw { grant: GrantNo(1), left: reported.escrow }];
    tx.update(&[&reported], &[Role::Hot]).await.unwrap();
    let demand = tx.demand(&[AccountNo(1)].into()).await.unwrap();
    assert_eq!(demand, [(AccountNo(1), 12)]);
    assert_eq!(tx.count(crate::store::rows::PlanRow::TABLE).await.unwrap(), 0);
    tx.commit().await.unwrap();
}

async fn only_leases_with_credits_to_return_are_recalled<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    let mut full = lease(1, 1, 1);
    full.escrow = Credits::from_micros(5);
    full.lease.draws = vec![Draw { grant: GrantNo(1), left: full.escrow }];
    tx.update(&[&full], &[Role::Hot]).await.unwrap();
    assert_eq!(tx.recallable(GatewayNo(2)).await.unwrap(), 0);
    assert_eq!(tx.recallable(GatewayNo(1)).await.unwrap(), 1);
    tx.recall(GatewayNo(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = begin(&engine).await;
    let places = [(GatewayNo(1), KeyNo(1)), (GatewayNo(1), KeyNo(2))];
    let recalled = by_key::<LeaseRow>(&mut tx, LEASES, &places).await;
    assert_eq!(recalled.iter().map(|row| row.lease.recall).collect::<Vec<_>>(), [true, false]);
    tx.commit().await.unwrap();
}

async fn an_existing_row_cannot_be_inserted_again<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    let twice = tx.insert(&[&account(1, "acme")]).await;
    assert!(matches!(twice, Err(TxError::Again(_) | TxError::Value(_))), "{twice:?}");
}

/// Databases only: nothing in memory is undone.
async fn uncommitted_changes_leave_no_trace<E: Engine>(engine: E) {
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    tx.insert(&[&account(3, "carl")]).await.unwrap();
    tx.delete::<GrantRow>(&[&(GrantNo(1),)]).await.unwrap();
    drop(tx);
    let mut tx = begin(&engine).await;
    assert_eq!(by_key::<AccountRow>(&mut tx, ACCOUNTS, &[(AccountNo(3),)]).await, []);
    tx.insert(&[&account(3, "carl")]).await.unwrap();
    let mut worse = account(4, "debtor");
    worse.account.books.held = Credits::from_micros(-1);
    let refused = tx.insert(&[&worse]).await;
    assert!(matches!(refused, Err(TxError::Value(_))), "{refused:?}");
    drop(tx);
    let mut tx = begin(&engine).await;
    assert_eq!(by_key::<AccountRow>(&mut tx, ACCOUNTS, &[(AccountNo(3),)]).await, []);
    tx.commit().await.unwrap();
}

struct Sqlite {
    engine: SqliteEngine,
    _data_dir: DataDir,
    _dir: tempfile::TempDir,
}

fn sqlite() -> Sqlite {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir::enter(dir.path()).unwrap();
    let conn = data_dir.writer().unwrap();
    let stamps = raise_stamps(&conn).unwrap();
    Sqlite { engine: SqliteEngine::new(conn, Arc::new(stamps.into())), _data_dir: data_dir, _dir: dir }
}

async fn postgres() -> Option<PostgresEngine> {
    let settings = Server::shared()?.database().await;
    let conn = crate::store::postgres::copy::connect(&settings).await.unwrap();
    crate::store::postgres::migrate::migrate(&conn).await.unwrap().unwrap();
    let pool = Pool::new(&settings, Arc::new(Metrics::default())).unwrap();
    Some(PostgresEngine::new(pool, &settings))
}

macro_rules! stories {
    ($($story:ident),+; $($of_databases:ident),+) => {
        mod memory {
            use super::*;
            $(#[tokio::test] async fn $story() { super::$story(Memory::default()).await; })+
        }
        mod sqlite {
            use super::*;
            $(#[tokio::test] async fn $story() {
                let Sqlite { engine, _data_dir, _dir } = sqlite();
                super::$story(engine).await;
            })+
            $(#[tokio::test] async fn $of_databases() {
                let Sqlite { engine, _data_dir, _dir } = sqlite();
                super::$of_databases(engine).await;
            })+
        }
        mod postgres {
            use super::*;
            $(#[tokio::test] async fn $story() {
                if let Some(engine) = postgres().await { super::$story(engine).await; }
            })+
            $(#[tokio::test] async fn $of_databases() {
                if let Some(engine) = postgres().await { super::$of_databases(engine).await; }
            })+
        }
    };
}

stories! {
    rows_round_trip_through_the_database,
    an_update_writes_only_the_columns_of_its_roles,
    sums_saturate_at_the_integer_maximum,
    what_is_deleted_is_gone,
    changes_get_consecutive_numbers,
    new_numbers_exceed_all_earlier_ones,
    expired_and_forfeited_credits_are_summed,
    only_leases_with_credits_to_return_are_recalled,
    an_existing_row_cannot_be_inserted_again;
    uncommitted_changes_leave_no_trace
}

#[tokio::test]
async fn rows_locked_by_another_ledger_are_skipped_or_waited_for() {
    let Some(engine) = postgres().await else { return };
    populate(&engine).await;
    let broker =
        |name: &str| BrokerRow { gateway: GatewayNo(1), broker: name.into(), ..BrokerRow::default() };
    let (upper, lower) = (broker("B"), broker("a"));
    let mut first = begin(&engine).await;
    first.insert(&[&upper, &lower]).await.unwrap();
    first.commit().await.unwrap();

    let mut first = begin(&engine).await;
    by_key::<AccountRow>(&mut first, ACCOUNTS, &[(AccountNo(1),)]).await;
    by_key::<BrokerRow>(&mut first, BROKERS, &[lower.key()]).await;
    let mut second = engine.begin(Busy::Skip).await.unwrap();
    let both = [(AccountNo(1),), (AccountNo(2),)];
    assert_eq!(by_key::<AccountRow>(&mut second, ACCOUNTS, &both).await, [account(2, "bolt")]);
    assert_eq!(by_key::<BrokerRow>(&mut second, BROKERS, &[lower.key(), upper.key()]).await, [upper]);
    second.commit().await.unwrap();
    // A read-only transaction never waits.
    let mut snapshot = engine.snapshot().await.unwrap();
    assert_eq!(by_key::<AccountRow>(&mut snapshot, ACCOUNTS, &both).await.len(), 2);
    snapshot.end().await.unwrap();

    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move {
            let mut second = begin(&engine).await;
            let found = by_key::<AccountRow>(&mut second, ACCOUNTS, &[(AccountNo(1),)]).await;
            second.commit().await.unwrap();
            found
        }
    });
    let mut changed = account(1, "acme");
    changed.account.books.held = Credits::from_micros(5);
    first.update(&[&changed], &[Role::Hot]).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap(), [changed]);
}

#[tokio::test]
async fn a_failed_transaction_is_never_committed() {
    let Some(engine) = postgres().await else { return };
    populate(&engine).await;
    let mut tx = begin(&engine).await;
    tx.insert(&[&account(3, "carl")]).await.unwrap();
    assert!(matches!(tx.insert(&[&account(4, "acme")]).await, Err(TxError::Again(_))), "another was quicker");
    assert!(tx.commit().await.is_err(), "the server takes a COMMIT then, and rolls back");
    let mut tx = begin(&engine).await;
    assert_eq!(by_key::<AccountRow>(&mut tx, ACCOUNTS, &[(AccountNo(3),)]).await, []);
    tx.commit().await.unwrap();
}

#[test]
#[should_panic(expected = "a column of accounts that is `Fixed` can't change")]
fn a_change_of_a_column_that_is_never_written_again_is_noticed() {
    let mut draft = crate::store::draft::Draft::new(true, Arc::default());
    draft.put(account(1, "acme"));
    draft.put(account(1, "another"));
}

#[test]
fn stamps_exceed_all_those_of_an_earlier_ledger() {
    let Sqlite { engine, .. } = sqlite();
    let first = raise_stamps(&engine.conn()).unwrap();
    assert!(raise_stamps(&engine.conn()).unwrap() >= first + (1 << 32));
}

/// Every text that is made.
fn statements() -> Vec<What> {
    let finds = LOOKUPS.iter().map(|lookup| What::Find(lookup, Lock::Wait));
    let writes = TABLES.into_iter().flat_map(|table| {
        let hot: &'static [Role] = &[Role::Hot];
        let roles = [hot, &[Role::Hot, Role::Cold]];
        let updates =
            roles.into_iter().filter(|roles| crate::store::statements::updated(table, roles).is_some());
        let updates = updates.map(|roles| What::Update(table, roles));
        updates.chain([What::Insert(table), What::Add(table), What::Delete(table)]).collect::<Vec<_>>()
    });
    finds.chain(writes).collect()
}

#[test]
fn sqlite_accepts_every_statement_and_finds_rows_by_an_index() {
    let Sqlite { engine, .. } = sqlite();
    let conn = engine.conn();
    for what in statements() {
        let sql = text(Dialect::Sqlite, what);
        conn.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        if !matches!(what, What::Find(..)) {
            continue;
        }
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps =
            plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
    }
}

#[tokio::test]
async fn postgres_accepts_every_statement_and_finds_rows_by_an_index() {
    let Some(engine) = postgres().await else { return };
    let snapshot = engine.snapshot().await.unwrap();
    let conn = snapshot.conn().unwrap();
    conn.batch_execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    for (n, what) in statements().into_iter().enumerate() {
        let sql = text(Dialect::Postgres, what);
        let prepared = conn.prepare(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let What::Find(..) = what else { continue };
        let nothing = vec!["NULL"; prepared.params().len()].join(", ");
        conn.batch_execute(&format!("PREPARE s{n} AS {sql}")).await.unwrap();
        let plan = conn.query(&format!("EXPLAIN EXECUTE s{n} ({nothing})"), &[]).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(!steps.iter().any(|step| step.contains("Seq Scan")), "{sql}: {steps:#?}");
    }
}
