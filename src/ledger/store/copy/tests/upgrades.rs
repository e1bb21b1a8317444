//! Databases of every version there ever was are opened with the present program. Their fixtures were written
//! by the program of that version: `make fixtures` writes those that are missing, and never another.

use super::furnished::{populate, remembered};
use super::open;
use crate::command::admin::Answer;
use crate::store::contract::{World, asking, credits, report};
use crate::store::postgres::testing::Server;
use crate::store::{Database, migrations, postgres};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Every step that was released, by its SHA-256. A line is added for a new step, and none ever changes.
const RELEASED: [(&str, &str); 26] = [
    ("sqlite 1", "e3ba324cb9ca3a3210cc48a7f3e36e6abc380f7c0d3f4e1d6ef84e6b4a841ec1"),
    ("sqlite 2", "b18ec0c6ec228f51947185bfccc40b1ee4c552ba5427fec1c40e7b38a3805fa7"),
    ("sqlite 3", "3b464b0b7a920cd811d82880005cd3a75cb9e6947b472d2f6a800d39f1ac1598"),
    ("sqlite 4", "1918e12126aa4def07ab0626c88b7c39ef5e80c42f24550ef52a4dbeae328d63"),
    ("sqlite 5", "ac72f74e06c7d29af3dfb2abc3f2fcbdedb677cc088c4ba07f8a521359a7df60"),
    ("sqlite 6", "369248651579c4266a7dfdd2d3eb5f2f5804e93dde47796409b4ff80e9874525"),
    ("sqlite 7", "3da8bfae9140c68e107a5a2bdd2212a539b5a8d12d20e63e30cc5d243b859deb"),
    ("sqlite 8", "9ff622e1a1ad07a42e1acd72d7749e125c38aacb7c671bb4378ffa3921ec0781"),
    ("sqlite 9", "537eebc037f2d1739a0b81d82814aec129ae50fbab540229f8170c1dab0a81ac"),
    ("sqlite 10", "b43c640493fd9a05e21ecc596ecdc5bfd1920d0044eeed93aa92e72bbec5fb09"),
    ("sqlite 11", "33e61c8d1c4ac66572cc83831d03472935db8ea00c5303e32e7ef38f10c9d7c2"),
    ("sqlite 12", "16b4034eb7827e133b83a66acc8ac4d7e4bcef468c4caadde7e94890bb8c0272"),
    ("sqlite 13", "2d236a61865822d3f849150272f83a83b97cdd3d5acfe7c354d681734988539f"),
    ("postgres 1", "63872c4067166df475d2e3f0af68911abfbd0477e7444bb582df628c421c9280"),
    ("postgres 2", "a0b8fb052828b05bdb928374afd30eebc1e9816a1c0034ae1cfe3f5349394748"),
    ("postgres 3", "17aa7658ed8cf8ebf78bed39103a8c26b4fb1f6f6021d22c68a51a1bf848e903"),
    ("postgres 4", "2524530c7998a6ffc6417b9d56a6111d425ce0c9afd9b2d1264653bb51dd5f28"),
    ("postgres 5", "c554dc16f5156925fc3ca59e6ab9b559b8630d90df624866da3bc0a759ca2f43"),
    ("postgres 6", "a8ccc1da4d8e7e8c31db90c9f533b1184637df1020ac30ed33776d2d6f903c2b"),
    ("postgres 7", "c5d08f0e2e7073230a7d4f28e8969a69c74cf2d44b9706253c6005471305bad8"),
    ("postgres 8", "69de61d25e1ca718d51998830959993053d42be15131bf25df32e4357002c6de"),
    ("postgres 9", "ad6a10d3798019433f82fe796d3fb455eddf5e4ec9b4480270c09072719bcfe2"),
    ("postgres 10", "ee37b06d2ae923b2c6d2b698533addd83ac0ca89143061f38f58fca61e44dccd"),
    ("postgres 11", "c33c8dadb1bf1805da5e6dc13f3e4fb271e9c76ecc50477ee77f715dbe588369"),
    ("postgres 12", "126bf1e8470d2f585f869fc7e3afbd902aad4d0f2fd973ba8f54e2e9b6dd32d8"),
    ("postgres 13", "4cc91729f6a36431defa822848764ef930e766c5355884ca345221c810cd5a3c"),
];

fn fixture(kind: &str, version: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/fixtures");
    folder.join(format!("{kind}-{version:04}.sql"))
}

fn read(kind: &str, version: usize) -> String {
    let path = fixture(kind, version);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|why| panic!("{}: {why}: `make fixtures` writes it", path.display()))
}

#[test]
fn a_released_migration_never_changes() {
    let of = |kind: &str, steps: &[&str]| -> Vec<(String, String)> {
        let hash = |step: &&str| {
            Sha256::digest(step).iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        steps.iter().enumerate().map(|(n, step)| (format!("{kind} {}", n + 1), hash(step))).collect()
    };
    let mut found = of("sqlite", &migrations::SQLITE);
    found.extend(of("postgres", &migrations::POSTGRES));
    let released = RELEASED.map(|(step, hash)| (step.to_owned(), hash.to_owned()));
    assert_eq!(found, released);
}

/// The current program can upgrade a fixture and keep working.
async fn assert_upgrades(database: &Database) {
    let store = open(database).await;
    let world = World::new(store.clone());
    world.agrees().await;
    assert_eq!(world.balance("debtor").await, [0, 0, 5, 0, 2]);
    let late = world.exchange_entry("gw-b", report("key_silent", 1, 4, 0)).await;
    assert_eq!(late.ended, Some(1), "a lease that was reclaimed is remembered");
    let lease =
        world.exchange_entry("gw-a", asking(report("key_acme", 1, 6, 2), 14, 14)).await.lease.unwrap();
    assert!(lease.granted >= credits(14));
    let (command, memo) = remembered();
    let again = store.execute(command, memo, world.now()).await.unwrap();
    assert!(matches!(again, Answer::Replayed(_)), "{again:?}");
    world.give("paused", 5, None).await.unwrap();
    world.customer("newcomer").await;
    if world.store.subscription("subscribed".into()).await.is_err() {
        world.plan("pro", 40, 10).await; // before there were plans
        world.customer("subscribed").await;
        world.subscribe("subscribed", "pro", 0).await.unwrap();
    }
    let later = World { second: world.second + 32 * 86_400, ..World::new(store.clone()) };
    later.store.renew(later.now()).await.unwrap();
    assert_eq!(later.balance("subscribed").await[0], 50, "the new quota, and what is taken over");
    later.agrees().await;
    world.agrees().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_databases_of_every_version_can_be_upgraded() {
    for version in 1..=migrations::SQLITE.len() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
        // The dump is written table by table, regardless of foreign keys.
        conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        conn.execute_batch(&read("sqlite", version)).unwrap();
        drop(conn);
        Box::pin(assert_upgrades(&Database::Directory(dir.path().to_owned()))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_databases_of_every_version_can_be_upgraded() {
    for version in 1..=migrations::POSTGRES.len() {
        let sql = read("postgres", version);
        let Some(server) = Server::shared() else { return };
        let settings = server.database().await;
        let conn = postgres::copy::connect(&settings).await.unwrap();
        conn.batch_execute(&sql).await.unwrap();
        drop(conn);
        Box::pin(assert_upgrades(&Database::Server(Box::new(settings)))).await;
    }
}

/// Writes the fixtures of the present version that are missing, when FAREGATE_WRITE_FIXTURES is set.
#[tokio::test(flavor = "multi_thread")]
async fn fixtures_are_written_on_request() {
    if std::env::var_os("FAREGATE_WRITE_FIXTURES").is_none() {
        return;
    }
    let path = fixture("sqlite", migrations::SQLITE.len());
    if !path.exists() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&Database::Directory(dir.path().to_owned())).await;
        Box::pin(populate(&store)).await;
        store.close().await;
        let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
        std::fs::write(path, dump(&conn)).unwrap();
    }
    let path = fixture("postgres", migrations::POSTGRES.len());
    if !path.exists() {
        let server = Server::shared().expect("PostgreSQL is installed");
        let settings = server.database().await;
        let store = open(&Database::Server(Box::new(settings.clone()))).await;
        Box::pin(populate(&store)).await;
        store.close().await;
        std::fs::write(path, server.dump(&settings)).unwrap();
    }
}

/// A SQLite database as SQL: its tables with their rows, and then the rest.
fn dump(conn: &Connection) -> String {
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let declared = |what: &str| {
        let made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
        lines(&format!("{made} AND type {what} ORDER BY rowid"))
    };
    let mut sql: Vec<String> = declared("= 'table'");
    sql.push("DELETE FROM sqlite_sequence".into());
    for table in lines("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid") {
        let columns = lines(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        let values = columns.join(" || ', ' || ");
        sql.extend(lines(&format!("SELECT 'INSERT INTO {table} VALUES (' || {values} || ')' FROM {table}")));
    }
    sql.extend(declared("<> 'table'"));
    sql.join(";\n") + ";\n"
}
