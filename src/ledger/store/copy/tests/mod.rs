//! What a copy must be, from and to both databases.

mod furnished;
mod upgrades;

use super::*;
use crate::api::Unit;
use crate::command::admin::Command;
use crate::command::budgets::Whose;
use crate::domain::AccountId;
use crate::store::Store;
use crate::store::contract::budgets::keeps_the_rest;
use crate::store::contract::{World, asking, credits, memo, report};
use crate::store::postgres::testing::Server;
use crate::store::rows::TABLES;
use crate::store::sqlite::copy as sqlite;
use faregate_protocol::RefusalCode;
use furnished::populate;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Two empty databases of each kind that is installed, and the folder in which files may be made.
struct Places {
    folder: TempDir,
    kinds: Vec<[Database; 2]>,
}

async fn places() -> Places {
    let folder = tempfile::tempdir().unwrap();
    let dir = |name| Database::Directory(folder.path().join(name));
    let mut kinds = vec![[dir("one"), dir("two")]];
    if let Some(server) = Server::shared() {
        let [one, two] = [server.database().await, server.database().await];
        kinds.push([Database::Server(Box::new(one)), Database::Server(Box::new(two))]);
    }
    Places { folder, kinds }
}

impl Places {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What lies in the folder, hidden files included.
    fn names(&self, below: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join(below)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn open(place: &Database) -> Store {
    Store::open(place, Arc::default()).await.unwrap()
}

/// Runs what blocks.
async fn done<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn backed_up(from: &Database, file: &Path) -> Result<Holdings, CopyError> {
    let (from, file) = (from.clone(), file.to_owned());
    done(move || backup(&from, &file)).await
}

async fn restored(file: &Path, to: &Database) -> Result<Holdings, CopyError> {
    let (file, to) = (file.to_owned(), to.clone());
    done(move || restore(&file, &to)).await
}

async fn moved(from: &Database, to: &Database) -> Result<Holdings, CopyError> {
    let (from, to) = (from.clone(), to.clone());
    done(move || migrate(&from, &to)).await
}

fn contents(file: &Path) -> Contents {
    sqlite::contents(&sqlite::open_source(file).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_moved_between_databases_and_back_is_unchanged() {
    let places = places().await;
    let kinds = places.kinds.clone();
    let [start, end] = &kinds[0];
    let store = open(start).await;
    Box::pin(populate(&store)).await;
    store.close().await;
    let original = contents(&places.file("one/ledger.db"));
    assert!(original.values().all(|content| content.rows > 0), "every table has something: {original:?}");
    let Some([middle, _]) = kinds.get(1) else { return };

    let there = moved(start, middle).await.unwrap();
    let back = moved(middle, end).await.unwrap();

    assert_eq!(contents(&places.file("two/ledger.db")), original);
    assert_eq!((there.accounts, there.entries), (back.accounts, back.entries));
    // Both ledgers keep working: rows get new numbers, and leases are known.
    for place in [middle, end] {
        let store = open(place).await;
        let world = World::new(store.clone());
        world.customer("newcomer").await;
        let lease =
            world.exchange_entry("gw-a", asking(report("key_acme", 1, 5, 2), 12, 12)).await.lease.unwrap();
        assert!(lease.granted >= credits(12));
        world.agrees().await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_ahead_of_a_restored_ledger_are_served_and_miss_no_change() {
    let places = places().await;
    for [one, two] in &places.kinds {
        let store = open(one).await;
        let world = World::new(store.clone());
        let key = world.customer("acme").await;
        world.give("acme", 100, None).await.unwrap();
        world.exchange_entry("same", asking(report(&key, 1, 0, 0), 10, 10)).await;
        world.exchange_entry("later", asking(report(&key, 1, 0, 0), 10, 10)).await;
        // Whose a dead gateway's rest is doesn't matter: these gateways live.
        world.store.set_entitlement("acme", Some(&keeps_the_rest())).await;
        world.budget(Whose::Account, 1_000, Unit::Month).await.unwrap();
        let file = places.file("backup");
        backed_up(one, &file).await.unwrap();
        // What happens now is lost, but the gateways know it.
        let mut seen = world.send("same", Some(0), vec![]).await.seen;
        for _ in 0..20 {
            world.run(Command::Recall { gateway: None }).await.unwrap();
            seen = world.send("same", seen, vec![]).await.seen;
        }
        store.close().await;

        restored(&file, two).await.unwrap();

        let store = open(two).await;
        let world = World::new(store.clone());
        world.assert_audit_passes().await;
        assert_eq!(world.balance("acme").await, [100, 0, 0, 0, 0]);
        // Revoked before this gateway is heard: more changes than it has seen must not hide that one.
        let other = world.subject("acme", "other").await;
        world.exchange_entry("same", asking(report(&other, 1, 0, 0), 1, 1)).await;
        world.run(Command::RevokeKey { id: other.clone() }).await.unwrap();
        let news = world.send("same", seen, vec![]).await;
        assert!(news.seen > seen);
        assert_eq!(news.changes[0].refused, Some(RefusalCode::InvalidKey), "{news:?}");
        let same = world.exchange_entry("same", report(&key, 1, 30, 0)).await;
        assert_eq!((same.ended, same.refused), (Some(1), None), "the lease is over, what it sold is booked");
        assert!(world.exchange_entry("same", asking(report(&key, 2, 0, 0), 5, 5)).await.lease.is_some());
        assert!(world.exchange_entry("later", asking(report(&key, 4, 0, 0), 5, 5)).await.lease.is_some());
        assert_eq!(world.balance("acme").await[2], 30);
        world.exchange_entry("later", report(&key, 4, 90, 0)).await;
        let balance = world.balance("acme").await;
        assert_eq!((balance[2], balance[4] > 0), (120, true), "sold twice is owed, not hidden: {balance:?}");
        world.assert_audit_passes().await;
        // A reclaimed lease is still announced to its gateway.
        world.run(Command::RevokeKey { id: key.clone() }).await.unwrap();
        let news = world.send("same", news.seen, vec![]).await;
        assert!(news.changes.iter().any(|change| change.payer == key), "{news:?}");
        store.close().await;
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_data_is_never_overwritten() {
    let places = places().await;
    for [one, two] in &places.kinds {
        let file = places.file("backup");
        let store = open(one).await;
        World::new(store.clone()).customer("acme").await;
        backed_up(one, &file).await.unwrap();
        let again = backed_up(one, &file).await;
        assert!(matches!(again, Err(CopyError::Exists { .. })), "{again:?}");
        let over = restored(&file, one).await.unwrap_err().to_string();
        assert!(over.contains("not empty") || over.contains("running"), "{over}");
        let busy = moved(one, two).await.unwrap_err().to_string();
        assert!(busy.contains("running") && busy.contains("stop"), "{busy}");
        store.close().await;
        let over = restored(&file, one).await;
        assert!(matches!(over, Err(CopyError::NotEmpty { .. })), "{over:?}");
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_ledger_starts_on_a_database_that_is_being_restored() {
    let places = places().await;
    let Some([one, _]) = places.kinds.get(1).cloned() else { return };
    let target = one.clone();
    let claimed = done(move || Target::claim(&target)).await.unwrap();
    let refused = Store::open(&one, Arc::default()).await.unwrap_err().to_string();
    assert!(refused.contains("being restored or moved"), "{refused}");
    tokio::task::spawn_blocking(move || drop(claimed)).await.unwrap();
    open(&one).await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_backup_file_is_refused_and_leaves_nothing_behind() {
    let places = places().await;
    let [one, two] = places.kinds[0].clone();
    let store = open(&one).await;
    Box::pin(populate(&store)).await;
    let good = places.file("good");
    backed_up(&one, &good).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(&good).unwrap();
    let damaged = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        std::fs::write(places.file(name), bytes).unwrap();
    };
    damaged("text", &|bytes| *bytes = b"not a database, but long enough to be read as one".repeat(20));
    damaged("empty", &Vec::clear);
    damaged("cut", &|bytes| bytes.truncate(bytes.len() / 2));
    damaged("scratched", &|bytes| {
        let half = bytes.len() / 2;
        bytes[half..].iter_mut().for_each(|byte| *byte = !*byte);
    });
    for (name, sql) in [
        ("foreign", "DROP TABLE usage"),
        ("strange", "CREATE TRIGGER more AFTER INSERT ON grants BEGIN DELETE FROM entries; END"),
        ("newer", "INSERT INTO schema_version (version) VALUES (99)"),
        ("cooked", "UPDATE accounts SET available = available + 1, granted = granted + 1 WHERE id = 'acme'"),
        ("overheld", "UPDATE budgets SET held = held + 1 WHERE scope = 'team'"),
        ("uncounted", "UPDATE accounts SET budgets = budgets + 1 WHERE id = 'acme'"),
        ("logged", "SELECT 1"),
    ] {
        damaged(name, &|_| ());
        rusqlite::Connection::open(places.file(name)).unwrap().execute_batch(sql).unwrap();
    }
    std::fs::write(places.file("logged-wal"), "something").unwrap();
    for (name, says) in [
        ("text", "is no ledger"),
        ("empty", "is no ledger"),
        ("cut", "is damaged"),
        ("scratched", "is damaged"),
        ("foreign", "are not those of a ledger"),
        ("strange", "are not those of a ledger"),
        ("newer", "use a newer faregate"),
        ("cooked", "disagree"),
        ("overheld", "disagree"),
        ("uncounted", "disagree"),
        ("logged", "has a log beside it"),
        ("missing", "No such file"),
    ] {
        let file = places.file(name);
        let before = std::fs::read(&file).ok();
        let said = restored(&file, &two).await.unwrap_err().to_string();
        assert!(said.contains(says), "{name}: {said}");
        assert_eq!(std::fs::read(&file).ok(), before, "{name} is only read");
        assert!(!places.names("").contains(&"two".to_owned()), "{name}: {:?}", places.names(""));
    }
    std::fs::create_dir(places.file("kitchen")).unwrap();
    std::fs::copy(places.file("cooked"), places.file("kitchen/ledger.db")).unwrap();
    let kitchen = Database::Directory(places.file("kitchen"));
    let cooked = backed_up(&kitchen, &places.file("never")).await;
    assert!(matches!(cooked, Err(CopyError::Unbalanced { .. })), "{cooked:?}");
    let cooked = moved(&kitchen, &two).await;
    assert!(matches!(cooked, Err(CopyError::Unbalanced { .. })), "{cooked:?}");
    assert!(!places.file("never").exists() && !places.file("two").exists());
    if let Some([server, _]) = places.kinds.get(1) {
        restored(&places.file("cooked"), server).await.unwrap_err();
        open(server).await.close().await;
        restored(&good, server).await.unwrap();
    }
    restored(&good, &two).await.unwrap();
    assert_eq!(places.names("two"), ["ledger.db", "ledger.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_a_killed_copy_are_removed_and_backups_are_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let places = places().await;
    let [one, _] = places.kinds[0].clone();
    open(&one).await.close().await;
    let (left, used) = (places.file(".faregate-copy-left"), places.file(".faregate-copy-used"));
    for dir in [&left, &used] {
        std::fs::create_dir(dir).unwrap();
        std::fs::write(dir.join("in-use"), "").unwrap();
    }
    let lock = std::fs::File::open(used.join("in-use")).unwrap();
    lock.lock().unwrap();
    let file = places.file("backup");
    backed_up(&one, &file).await.unwrap();
    assert!(!left.exists() && used.exists());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_tables_is_complete() {
    let known = ["entry_kinds", "sweep", "newest_change", "write_probe", "schema_version", "sqlite_sequence"];
    let mut conn = rusqlite::Connection::open_in_memory().unwrap();
    crate::store::sqlite::migrate::migrate(&mut conn).unwrap();
    let mut tables = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables.iter().filter(|table| !known.contains(&table.as_str())) {
        let named = TABLES.iter().find(|named| named.name == table).unwrap_or_else(|| panic!("{table}"));
        let mut columns = conn.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> =
            columns.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(named.names(), columns.join(", "), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_consistent_snapshot() {
    let places = places().await;
    for (n, [one, two]) in places.kinds.iter().enumerate() {
        let store = open(one).await;
        let world = World::new(store.clone());
        let key = world.customer("acme").await;
        world.give("acme", 1_000_000, None).await.unwrap();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let selling = tokio::spawn(async move {
            let mut sold = 0;
            while !until.load(std::sync::atomic::Ordering::Relaxed) {
                world.exchange_entry("gw", asking(report(&key, 1, sold, 0), sold + 5, sold + 5)).await;
                let account = AccountId::parse(&format!("new{sold}")).unwrap();
                let create = Command::CreateAccount { id: account, name: None };
                world.store.execute(create, memo(), world.now()).await.unwrap();
                sold += 1;
            }
            sold
        });
        let spent = async || World::new(store.clone()).balance("acme").await[2];
        let file = places.file(&format!("backup{n}"));
        let before = spent().await;
        backed_up(one, &file).await.unwrap();
        let after = spent().await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(selling.await.unwrap() > 0);
        store.close().await;
        restored(&file, two).await.unwrap();
        let store = open(two).await;
        let world = World::new(store.clone());
        world.assert_audit_passes().await;
        let found = world.balance("acme").await[2];
        assert!((before..=after).contains(&found), "{before} <= {found} <= {after}");
        store.close().await;
    }
}
